"""Applying another policy to what was stored: facts and reports go through the rules again, no model runs."""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from exams.models import ExamSession, ProctoringPolicy
from exams.policy import Policy
from monitoring import rules, silence
from monitoring.models import (
    Assessment,
    Evidence,
    Observation,
    ReviewDecision,
    SessionMonitor,
    SuspiciousActivity,
)
from monitoring.selectors import overlapping, pauses_of
from monitoring.services import reported_moment, seen_moment
from monitoring.sound_cues import heard_moments
from monitoring.store import write_changes, write_scores, write_state
from vision.types import Heard
from vision.types import Observation as Facts


@dataclass(frozen=True, slots=True)
class Rescored:
    """What another policy makes of a session: activities and score before and after."""

    session: ExamSession
    policy: ProctoringPolicy
    activities_before: int
    activities_after: int
    risk_before: float
    risk_after: float
    level_before: str
    level_after: str

    @property
    def changed(self) -> bool:
        """Whether anything is different."""
        return (self.activities_before, self.risk_before) != (self.activities_after, self.risk_after)


def rescore_session(*, session: ExamSession, policy: ProctoringPolicy, dry_run: bool = False) -> Rescored | None:
    """Judge an ended session under another version of its exam's policy.

    Returns None if it was never watched to its end, or what was observed is no longer kept. The assessment
    under that version becomes the current one (made if there is none yet), pictures and newer decisions go over to
    overlapping activities of the same kind, and the old assessment is kept. ``dry_run`` writes nothing.
    """
    if policy.exam_id != session.exam_id:
        raise ValueError("The policy belongs to another exam.")
    with transaction.atomic():
        monitor = SessionMonitor.objects.select_for_update().filter(pk=session.pk, finished_at__isnull=False).first()
        if monitor is not None and monitor.evidence_removed_at is not None:
            return None
        before = Assessment.objects.filter(session=session, is_current=True).first()
        if monitor is None or before is None or session.ended_at is None:
            return None
        after = Assessment.objects.filter(session=session, policy=policy).first()
        if after is None or after.pk != before.pk:
            Assessment.objects.filter(pk=before.pk).update(is_current=False)
            after = after or _assess(session, policy, session.ended_at, before)
            after.is_current = True
            _carry_over(before, after)
            write_scores(after, policy.rules.without(session.muted))
        result = _compare(session, policy, before, after)
        if dry_run:
            transaction.set_rollback(True)
    return result


def _assess(session: ExamSession, policy: ProctoringPolicy, ended_at: datetime, before: Assessment) -> Assessment:
    settings = policy.rules.without(session.muted)
    state, changes = fold_again(session, settings)
    state, more = rules.finish(state, ended_at.timestamp(), settings)
    examined_by = {"missing_detectors": before.missing_detectors, "detectors": before.detectors}
    assessment = Assessment.objects.create(session=session, policy=policy, **examined_by)
    write_changes(assessment, [*changes, *more], settings, {})
    write_state(assessment, settings, state, duration_s=session.duration.total_seconds())
    return assessment


def fold_again(
    session: ExamSession, policy: Policy, moments: Iterable[rules.Moment] | None = None
) -> tuple[rules.State, list[rules.Change]]:
    """Put all that was seen and reported of a session through the rules, from the beginning; nothing is written.

    ``moments``: those of ``moments_of``, for who wants to count them or to stop.
    """
    state, changes = rules.initial_state(), list[rules.Change]()
    for moment in moments_of(session, policy) if moments is None else moments:
        fold = rules.report if moment.senses is None else rules.step
        state, more = fold(state, moment, policy)
        changes += more
    return state, changes + silence.silences_again(session, policy)


def moments_of(session: ExamSession, policy: Policy) -> Iterator[rules.Moment]:
    """Everything known of the session in order of time, a page at a time."""
    roads = (_seen(session, policy), _heard(session, policy), _reported(session, policy))
    yield from heapq.merge(*roads, key=lambda moment: moment.at)


def _seen(session: ExamSession, policy: Policy) -> Iterator[rules.Moment]:
    rows = Observation.objects.filter(session=session, stream="frame").order_by("captured_at", "seq")
    for row in rows.iterator(chunk_size=500):
        if row.usable is None and not row.facts:
            continue  # it came too late, or from a pause
        facts = Facts.from_facts(row.facts, seq=row.seq, captured_at=row.captured_at.timestamp())
        yield seen_moment(facts, policy)


def _heard(session: ExamSession, policy: Policy) -> Iterator[rules.Moment]:
    rows = Observation.objects.filter(session=session, stream="audio", usable=True).order_by("captured_at", "seq")
    for row in rows.iterator(chunk_size=500):
        heard = Heard.from_facts(row.facts, seq=row.seq, captured_at=row.captured_at.timestamp())
        yield from heard_moments(heard, policy)


def _reported(session: ExamSession, policy: Policy) -> Iterator[rules.Moment]:
    pauses = pauses_of(session)
    logs = session.logs.filter(clearing__isnull=True).order_by("occurred_at", "id")
    moments = (moment for log in logs if (moment := reported_moment(log, policy, pauses)))
    yield from sorted(moments, key=lambda moment: moment.at)


def _carry_over(before: Assessment, after: Assessment) -> None:
    for pair in overlapping(_with_decisions(before), _with_decisions(after)):
        evidence = getattr(pair.old, "evidence", None)
        if evidence is not None and not Evidence.objects.filter(activity=pair.new).exists():
            evidence.pk, evidence.activity = uuid.uuid4(), pair.new
            evidence.save(force_insert=True)
        latest = _latest_decision(pair.old)
        known = ReviewDecision.objects.filter(activity=pair.new).order_by("decided_at").last()
        if latest is not None and (known is None or known.decided_at < latest.decided_at):
            ReviewDecision.objects.create(
                session=after.session,
                activity=pair.new,
                verdict=latest.verdict,
                reason=latest.reason,
                reviewer=latest.reviewer,
                decided_at=latest.decided_at,
                carried_from=latest,
            )


def _with_decisions(assessment: Assessment) -> QuerySet[SuspiciousActivity]:
    activities = SuspiciousActivity.objects.filter(assessment=assessment)
    return activities.select_related("evidence").prefetch_related("decisions")


def _latest_decision(activity: SuspiciousActivity) -> ReviewDecision | None:
    return max(activity.decisions.all(), key=lambda decision: decision.decided_at, default=None)


def _compare(session: ExamSession, policy: ProctoringPolicy, before: Assessment, after: Assessment) -> Rescored:
    return Rescored(
        session=session,
        policy=policy,
        activities_before=before.activities.count(),
        activities_after=after.activities.count(),
        risk_before=before.risk_score,
        risk_after=after.risk_score,
        level_before=before.risk_level,
        level_after=after.risk_level,
    )
