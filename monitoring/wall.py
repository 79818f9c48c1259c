"""Rows of the reviewers' live wall: what is open in an exam, the riskiest first."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from exams.kinds import Kind, RiskLevel
from exams.models import OPEN_STATUSES, ExamSession
from monitoring.models import SessionMonitor, SuspiciousActivity
from monitoring.selectors import with_scores
from monitoring.silence import is_connected
from monitoring.wire import WallSession


def open_rows(exam_id: uuid.UUID) -> list[WallSession]:
    """Return the open sessions of an exam, the riskiest first, in two queries however many they are."""
    rows = _rows(ExamSession.objects.filter(exam=exam_id, status__in=OPEN_STATUSES))
    return sorted(rows, key=lambda row: (-row.risk_score, row.candidate, row.id))


def row_of(session_id: uuid.UUID) -> WallSession | None:
    """Return one session as the wall shows it, open or over; None if it is gone."""
    return next(iter(rows_of([session_id])), None)


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
    """Return a message about a session or an activity with the kind's name in the active language."""
    message = json.loads(text)
    part = message.get("activity") or (message.get("session") or {}).get("newest")
    if not part or part.get("kind") not in Kind.values:
        return text
    part["label"] = str(Kind(part["kind"]).label)
    return json.dumps(message, ensure_ascii=False)


def _rows(sessions: QuerySet[ExamSession]) -> list[WallSession]:
    newest = _newest(sessions)
    found = with_scores(sessions.select_related("candidate__user", "monitor").order_by("pk"))
    return [_row(session, newest.get(session.pk)) for session in found.defer("monitor__state", "monitor__memory")]


def _newest(sessions: QuerySet[ExamSession]) -> Mapping[uuid.UUID, SuspiciousActivity]:
    """Return the activity that began last, by session, of the assessments that count."""
    of_session = SuspiciousActivity.objects.filter(session=OuterRef("pk"), assessment__is_current=True)
    last = Subquery(of_session.order_by("-started_at", "-pk").values("pk")[:1])
    rows = SuspiciousActivity.objects.filter(pk__in=sessions.order_by().annotate(last=last).values("last"))
    return {row.session_id: row for row in rows}


def _row(session: Any, newest: SuspiciousActivity | None) -> WallSession:
    monitor: SessionMonitor | None = getattr(session, "monitor", None)
    return WallSession(
        id=str(session.pk),
        candidate=str(session.candidate),
        status=session.status,
        risk_score=session.risk_score or 0.0,
        risk_level=session.risk_level or RiskLevel.LOW.value,
        connected=monitor is not None and is_connected(monitor),
        last_seen=None if monitor is None else monitor.last_seen_at,
        newest=None if newest is None else shown_activity(newest),
    )
