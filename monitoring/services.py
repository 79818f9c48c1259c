"""What happens to a watched session: facts and events come in, activities and scores come out."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from exams.kinds import Severity
from exams.models import ExamSession
from exams.policy import Policy
from exams.signals import session_closed
from monitoring import rules
from monitoring.cues import Cue, examined_senses, read_cues
from monitoring.models import Assessment, MonitoringLog, Observation, SessionMonitor, SuspiciousActivity
from monitoring.store import Picture, moment_of, write_changes, write_state
from vision.types import Memory
from vision.types import Observation as Facts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that came in and could not be read, and why; ``captured_at`` in seconds."""

    seq: int
    captured_at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one round of analysis found: facts in order of capture, pictures by number, and the memory afterwards."""

    facts: Sequence[Facts]
    pictures: Mapping[int, Picture] = field(default_factory=dict)
    memory: Memory | None = None
    unreadable: Sequence[Unreadable] = ()


class EventRefused(ValueError):
    """A report that cannot be taken; the message says why."""


@transaction.atomic
def open_monitor(*, session: ExamSession) -> SessionMonitor:
    """Return the session's monitor, made together with its first assessment if missing."""
    monitor, created = SessionMonitor.objects.get_or_create(session=session, defaults={"state": rules.initial_state()})
    if created:
        Assessment.objects.get_or_create(session=session, policy=session.policy)
    return monitor


@transaction.atomic
def record_observations(*, session_id: uuid.UUID, batch: Batch) -> list[SuspiciousActivity]:
    """Store facts, fold them into the rules and bring activities, evidence and scores up to date; all or nothing.

    Facts whose number is stored already are left out, so a repeated batch changes nothing; so does one that comes when
    the books are closed. Returns what changed.
    """
    monitor = _locked(session_id)
    if monitor.finished_at is not None:
        return []
    session, policy = monitor.session, monitor.session.policy.rules
    fresh, unreadable = _fresh(session, batch)
    Observation.objects.bulk_create(
        [*(_row(session, facts) for facts in fresh), *(_lost(session, u) for u in unreadable)]
    )
    changes: list[rules.Change] = []
    for facts in fresh:
        moment = rules.Moment(facts.captured_at, facts.seq, read_cues(facts, policy), examined_senses(facts))
        monitor.state, more = rules.step(monitor.state, moment, policy)
        changes += more
    _count(monitor, fresh, unreadable)
    if batch.memory is not None:
        monitor.memory = batch.memory
    monitor.save()
    activities = _write(monitor, policy, changes, batch.pictures, missing=_missing(policy))
    for lost in unreadable:
        activities += record_event(
            session_id=session_id,
            event_type="INVALID_IMAGE",
            source=MonitoringLog.Source.SERVER,
            occurred_at=moment_of(lost.captured_at),
            detail={"seq": lost.seq, "reason": lost.reason},
        )
    return activities


@transaction.atomic
def record_event(
    *,
    session_id: uuid.UUID,
    event_type: str,
    source: str,
    occurred_at: datetime,
    severity: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> list[SuspiciousActivity]:
    """Store what somebody reported and fold it into the rules as a fact of that instant; returns what changed.

    What pictures decide is only written down, and so is all that comes when the books are closed. Raises
    ``EventRefused`` for a severity that does not exist.
    """
    if severity not in (None, *Severity.values):
        raise EventRefused("A severity is 1 (low), 2 (medium) or 3 (high).")
    monitor = _locked(session_id)
    policy = monitor.session.policy.rules
    log = MonitoringLog.objects.create(
        session=monitor.session,
        event_type=event_type,
        severity=severity or Severity.LOW,
        source=source,
        occurred_at=occurred_at,
        detail=dict(detail or {}),
    )
    moment = reported_moment(log, policy)
    if moment is None or monitor.finished_at is not None:
        return []
    moment = replace(moment, at=max(moment.at, monitor.state["last_at"] or 0.0))
    monitor.state, changes = rules.step(monitor.state, moment, policy)
    monitor.save(update_fields=["state"])
    return _write(monitor, policy, changes, {})


def reported_moment(log: MonitoringLog, policy: Policy) -> rules.Moment | None:
    """Return what a report feeds the rules with; None for kinds that only pictures decide."""
    if not policy.rule(log.event_type).instant:
        return None
    numbers = {key: value for key, value in log.detail.items() if key != "severity"}
    if log.severity > Severity.LOW:
        numbers["severity"] = log.severity
    return rules.Moment(log.believed_at.timestamp(), -1, {log.event_type: Cue(True, 1.0, numbers)})


def count_frames(*, session_id: uuid.UUID, total: int = 0, skipped: int = 0) -> None:
    """Add to the counters of what came in and what was thinned out."""
    counted = SessionMonitor.objects.filter(pk=session_id).update(
        frames_total=F("frames_total") + total, frames_skipped=F("frames_skipped") + skipped
    )
    if not counted:  # a process died between starting the session and opening its monitor
        open_monitor(session=ExamSession.objects.get(pk=session_id))
        count_frames(session_id=session_id, total=total, skipped=skipped)


@transaction.atomic
def finish_monitoring(*, session_id: uuid.UUID) -> Assessment | None:
    """Close what is open when the session has ended, once; returns the final assessment (None if never watched)."""
    monitor = SessionMonitor.objects.select_for_update().filter(pk=session_id).first()
    if monitor is None:
        return None
    session = ExamSession.objects.select_related("policy").get(pk=session_id)
    assessment = Assessment.objects.get(session=session, policy=session.policy)
    if monitor.finished_at is not None or session.ended_at is None:
        return assessment
    policy = session.policy.rules
    monitor.state, changes = rules.finish(monitor.state, session.ended_at.timestamp(), policy)
    monitor.finished_at = timezone.now()
    monitor.save(update_fields=["state", "finished_at"])
    write_changes(assessment, changes, policy, {})
    write_state(assessment, policy, monitor.state, duration_s=session.duration.total_seconds())
    transaction.on_commit(lambda: session_closed.send(ExamSession, session=session))
    return assessment


def _locked(session_id: uuid.UUID) -> SessionMonitor:
    SessionMonitor.objects.select_for_update().get(pk=session_id)
    return SessionMonitor.objects.select_related("session__policy").get(pk=session_id)


def _missing(policy: Policy) -> dict[str, str]:
    """Return why a sense that the policy wants cannot work here; part of the result, since it may work tomorrow."""
    from vision.loading import availability

    return {
        str(sense): found.reason
        for sense, found in availability().items()
        if not found.available and sense in policy.senses
    }


def _fresh(session: ExamSession, batch: Batch) -> tuple[list[Facts], list[Unreadable]]:
    """Return what is not stored yet, each number once."""
    came: list[Facts | Unreadable] = [*batch.facts, *batch.unreadable]
    wanted = {item.seq: item for item in reversed(came)}
    stored = Observation.objects.filter(session=session, stream="frame", seq__in=wanted)
    for seq in stored.values_list("seq", flat=True):
        del wanted[seq]
    items = sorted(wanted.values(), key=lambda item: item.captured_at)
    return [one for one in items if isinstance(one, Facts)], [one for one in items if isinstance(one, Unreadable)]


def _count(monitor: SessionMonitor, fresh: list[Facts], unreadable: list[Unreadable]) -> None:
    if fresh:
        newest = moment_of(max(facts.captured_at for facts in fresh))
        monitor.last_frame_at = max(monitor.last_frame_at or newest, newest)
    monitor.frames_analysed += len(fresh)
    monitor.frames_unusable += sum(facts.usable is False for facts in fresh) + len(unreadable)
    monitor.frames_total = max(monitor.frames_total, monitor.frames_analysed)


def _lost(session: ExamSession, lost: Unreadable) -> Observation:
    """A row without facts: the number is taken, and nothing was examined."""
    return Observation(session=session, seq=lost.seq, captured_at=moment_of(lost.captured_at), usable=False)


def _row(session: ExamSession, facts: Facts) -> Observation:
    return Observation(
        session=session,
        seq=facts.seq,
        captured_at=moment_of(facts.captured_at),
        usable=facts.usable,
        facts=facts.to_facts(),
    )


def _write(
    monitor: SessionMonitor,
    policy: Policy,
    changes: list[rules.Change],
    pictures: Mapping[int, Picture],
    missing: dict[str, str] | None = None,
) -> list[SuspiciousActivity]:
    session = monitor.session
    assessment = Assessment.objects.get(session=session, policy=session.policy)
    if missing is not None:
        assessment.missing_detectors = missing
    activities = write_changes(assessment, changes, policy, pictures)
    write_state(assessment, policy, monitor.state, duration_s=_duration(monitor))
    return activities


def _duration(monitor: SessionMonitor) -> float:
    """Seconds on the clock up to the last moment known: an open session is not blamed for the time to come."""
    session, last_at = monitor.session, monitor.state["last_at"]
    if session.started_at is None or last_at is None:
        return 0.0
    return max(0.0, float(last_at) - session.started_at.timestamp() - session.paused_seconds)
