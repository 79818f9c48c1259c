"""Rows of the reviewers' live wall: what is open in an exam, the riskiest first."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import translation

from accounts.models import User
from exams.kinds import RiskLevel, kind_label
from exams.models import OPEN_STATUSES, ExamSession
from exams.selectors import may_manage, own_sessions, visible_exams
from monitoring import glimpses, wire
from monitoring.models import SessionMonitor, SuspiciousActivity
from monitoring.selectors import with_scores
from monitoring.silence import is_connected
from monitoring.wire import WallSession


def may_look(user_id: uuid.UUID, exam_id: uuid.UUID) -> bool:
    """Say whether this user is active and, by now, staff of the exam.

    A reviewer who sits the exam as well sees no wall, on which they would find themselves.
    """
    user = User.objects.filter(pk=user_id, is_active=True).first()
    exam = None if user is None else visible_exams(user).filter(pk=exam_id).first()
    if user is None or exam is None:
        return False
    return may_manage(user, exam) or not own_sessions(user).filter(exam=exam).exists()


def wall_text(exam_id: uuid.UUID, language: str = "") -> str:
    """Return the wall as its message's text."""
    with translation.override(language or settings.LANGUAGE_CODE):
        return wire.Wall(str(exam_id), open_rows(exam_id)).to_text()


def open_rows(exam_id: uuid.UUID) -> list[WallSession]:
    """Return the open sessions of an exam, the riskiest first, in two queries however many they are."""
    rows = _rows(ExamSession.objects.filter(exam=exam_id, status__in=OPEN_STATUSES))
    return sorted(rows, key=lambda row: (-row.risk_score, row.candidate, row.id))


def rows_of(session_ids: Iterable[uuid.UUID]) -> list[WallSession]:
    """Return these sessions as the wall shows them, in two queries however many they are."""
    return _rows(ExamSession.objects.filter(pk__in=list(session_ids)))


def shown_activity(activity: SuspiciousActivity) -> dict[str, Any]:
    """Return an activity as the wall shows it, its kind in words of the active language."""
    return {
        "id": str(activity.pk),
        "kind": activity.kind,
        "label": activity.label,
        "severity": activity.severity,
        "confidence": activity.confidence,
        "started_at": activity.started_at,
        "ended_at": activity.ended_at,
        "explanation": activity.explanation,
    }


def in_active_language(text: str) -> str:
    """Return a message about a session or an activity with the kinds' names in the active language."""
    message = json.loads(text)
    parts, session = [message.get("activity")], message.get("session")
    if isinstance(session, dict):
        parts += [session["newest"], *session["ongoing"]]
    for part in filter(None, parts):
        part["label"] = kind_label(part["kind"])
    return json.dumps(message, ensure_ascii=False)


def _rows(sessions: QuerySet[ExamSession]) -> list[WallSession]:
    activities = _activities(sessions)
    scored = with_scores(sessions.select_related("candidate__user", "monitor").order_by("pk"))
    found = list(scored.defer("monitor__state", "monitor__memory", "monitor__sound_memory"))
    signs = glimpses.signs_of([session.pk for session in found])
    return [_row(session, activities[session.pk], signs[session.pk]) for session in found]


def _activities(sessions: QuerySet[ExamSession]) -> Mapping[uuid.UUID, list[SuspiciousActivity]]:
    """Return by session what goes on and what began last, of the assessments that count, in order of their start."""
    wanted = sessions.order_by()
    of_session = SuspiciousActivity.objects.filter(session=OuterRef("pk"), assessment__is_current=True)
    last = Subquery(of_session.order_by("-started_at", "-pk").values("pk")[:1])
    goes_on = Q(session__in=wanted.values("pk"), assessment__is_current=True, ended_at__isnull=True)
    rows = SuspiciousActivity.objects.filter(Q(pk__in=wanted.annotate(last=last).values("last")) | goes_on)
    found: dict[uuid.UUID, list[SuspiciousActivity]] = defaultdict(list)
    for row in rows.order_by("started_at", "pk"):
        found[row.session_id].append(row)
    return found


def _row(session: Any, activities: Sequence[SuspiciousActivity], signs: glimpses.Signs) -> WallSession:
    monitor: SessionMonitor | None = getattr(session, "monitor", None)
    return WallSession(
        id=str(session.pk),
        candidate=str(session.candidate),
        status=session.status,
        risk_score=session.risk_score or 0.0,
        risk_level=session.risk_level or RiskLevel.LOW.value,
        connected=monitor is not None and is_connected(monitor),
        last_seen=None if monitor is None else monitor.last_seen_at,
        newest=shown_activity(activities[-1]) if activities else None,
        ongoing=[shown_activity(activity) for activity in activities if activity.ended_at is None],
        people=signs.people,
        sound_db=signs.sound_db,
        deadline=session.deadline_at,
        paused_at=session.paused_at,
    )
