"""What happens to a watched session: facts and events come in, activities and scores come out."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import Refused
from exams.kinds import Kind, Severity
from exams.models import ExamSession
from exams.policy import Policy
from exams.signals import session_closed
from exams.system_check import usual_pose
from exams.virtual_cameras import virtual_camera_in
from monitoring import meters, news, rules, silence
from monitoring.answers import Cue
from monitoring.cues import examined_senses, read_cues, wanted_facts
from monitoring.found import Found, write_found
from monitoring.models import Assessment, MonitoringLog, Observation, SessionMonitor, Silence, SuspiciousActivity
from monitoring.selectors import Pause, is_within, pauses_of
from monitoring.store import tell_again_who_spoke, write_changes, write_state
from vision.baseline import calibrated
from vision.types import Observation as Facts

logger = logging.getLogger(__name__)

REFUSALS_EVERY = timedelta(seconds=5)
"""Of unusable input one row per kind is logged in this time, so that a flood of it does not flood the log."""

AT_ONCE = 500
"""So many rows are changed by one statement."""

ALL = Q()

LONGEST_GAP_S = 86_400.0
CLOCKS_DIFFER_S = 5.0


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody says happened; a number given by the sender makes a repetition harmless."""

    event_type: str
    occurred_at: datetime
    severity: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of reports: rows written, how many were there already, and the activities that changed."""

    logs: list[MonitoringLog]
    repeated: int
    activities: list[SuspiciousActivity]


class EventRefused(Refused):
    """A report that cannot be taken; the message says why."""

    code, status = "event_refused", 400


@transaction.atomic
def open_monitor(*, session: ExamSession) -> SessionMonitor:
    """Return the session's monitor, made together with its first assessment if missing."""
    measured = usual_pose(session.system_check)
    usual = {"usual": calibrated(measured)} if measured else {}
    begin = {"state": rules.initial_state(), "memory": usual}
    monitor, created = SessionMonitor.objects.get_or_create(session=session, defaults=begin)
    if created:
        Assessment.objects.get_or_create(session=session, policy_id=session.policy_id)
    elif usual and not monitor.memory:  # it was made for the voice, before the gaze was calibrated
        monitor.memory = usual
        monitor.save(update_fields=["memory"])
    return monitor


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
    """Store one report and fold it in, as ``record_events`` does; returns what changed."""
    report = Report(event_type, occurred_at, severity, detail or {})
    return record_events(session_id=session_id, reports=[report], source=source).activities


@transaction.atomic
def record_events(*, session_id: uuid.UUID, reports: Sequence[Report], source: str) -> Recorded:
    """Store what somebody reported and fold it into the rules as facts of their instants; all or nothing.

    A report whose number is stored already is counted as repeated and changes nothing. What pictures decide is only
    written down, and so is what happened during a pause and all that comes when the books are closed. Raises
    ``EventRefused`` for a severity that does not exist.
    """
    if any(report.severity not in (None, *Severity.values) for report in reports):
        raise EventRefused(_("A severity is 1 (low), 2 (medium) or 3 (high)."))
    monitor = lock_monitor(session_id)
    fresh = _unheard(monitor.session, reports)
    logs = [_log(monitor.session, report, source) for report in fresh]
    if len(logs) == 1:
        logs[0].save()
    else:
        MonitoringLog.objects.bulk_create(logs)
    news.tell_logged(monitor.session, logs)
    return Recorded(logs=logs, repeated=len(reports) - len(fresh), activities=_fold_reports(monitor, logs))


@transaction.atomic
def record_refusal(
    *, session_id: uuid.UUID, event_type: str, detail: Mapping[str, Any], occurred_at: datetime | None = None
) -> list[SuspiciousActivity]:
    """Log that something unusable came in, at most once in a while per kind; returns what changed."""
    monitor = lock_monitor(session_id)
    server, now = MonitoringLog.Source.SERVER, timezone.now()
    recent = MonitoringLog.objects.filter(
        session=monitor.session, event_type=event_type, source=server, received_at__gt=now - REFUSALS_EVERY
    )
    if recent.exists():
        return []
    report = Report(event_type, occurred_at or now, detail=detail)
    return record_events(session_id=session_id, reports=[report], source=server).activities


@transaction.atomic
def next_seq(*, session_id: uuid.UUID, count: int = 1) -> int:
    """Return a number for what came without one: microseconds since 1970, far from numbers counted from 0.

    With ``count`` it is the first of so many that nobody else is given.
    """
    monitor = lock_monitor(session_id)
    first = max(monitor.last_server_seq + 1, time.time_ns() // 1000)
    monitor.last_server_seq = first + count - 1
    monitor.save(update_fields=["last_server_seq"])
    return first


def seen_moment(facts: Facts, policy: Policy) -> rules.Moment:
    """Return what a picture's facts feed the rules with; senses that the policy switched off say nothing."""
    facts = wanted_facts(facts, policy)
    return rules.Moment(facts.captured_at, facts.seq, read_cues(facts, policy), examined_senses(facts))


def reported_moment(log: MonitoringLog, policy: Policy, pauses: Sequence[Pause] = ()) -> rules.Moment | None:
    """Return what a report feeds the rules with; None for what does not count.

    That are kinds which only pictures decide or that are not enabled, what a browser saw during one of ``pauses``, and
    a lost connection that the server noticed itself. A camera that is a program says more than that it is on.
    """
    if not log.is_trusted and is_within(log.believed_at, pauses):
        return None
    cues = {**_virtual_camera(log), **_itself(log, policy)}
    return rules.Moment(log.believed_at.timestamp(), -1, cues) if cues else None


def _virtual_camera(log: MonitoringLog) -> dict[str, Cue]:
    name = virtual_camera_in(log.event_type, log.detail)
    if name is None:
        return {}
    return {Kind.SPOOF_SUSPECTED: Cue(True, 1.0, {"by": "camera_name", "camera": name}, instant=True)}


def _itself(log: MonitoringLog, policy: Policy) -> dict[str, Cue]:
    rule = policy.rule(log.event_type)
    if not (rule.instant and rule.enabled) or (log.event_type == Kind.NETWORK_GAP and _is_known_gap(log)):
        return {}
    numbers = {key: value for key, value in log.detail.items() if key not in ("severity", "reported_by")}
    if log.source in (MonitoringLog.Source.CLIENT, MonitoringLog.Source.PROCTOR):
        numbers["reported_by"] = log.source
    if log.severity > Severity.LOW:
        numbers["severity"] = log.severity
    return {log.event_type: Cue(True, 1.0, numbers)}


def count_received(*, counts: Mapping[uuid.UUID, int]) -> None:
    """Add to the counters of what came in, by session; together, since in a hall most send as much as each other."""
    by_count: dict[int, set[uuid.UUID]] = {}
    for session_id, total in counts.items():
        by_count.setdefault(total, set()).add(session_id)
    for total, session_ids in by_count.items():
        counted = update_monitors(session_ids, frames_total=F("frames_total") + total)
        meters.count_frames(received=total * len(counted))
        for session_id in session_ids - counted:  # without a monitor yet
            count_frames(session_id=session_id, total=total)


def update_monitors(session_ids: Collection[uuid.UUID], where: Q = ALL, **values: Any) -> set[uuid.UUID]:
    """Update these sessions' monitors, as far as they are as wanted; returns whose.

    They are locked first, in the order in which everybody locks them, so that no two wait for each other.
    """
    wanted, updated = sorted(session_ids), set[uuid.UUID]()
    if len(wanted) == 1:
        one = SessionMonitor.objects.filter(where, pk=wanted[0])
        return set(wanted) if one.update(**values) else updated
    for start in range(0, len(wanted), AT_ONCE):
        with transaction.atomic():
            rows = SessionMonitor.objects.filter(where, pk__in=wanted[start : start + AT_ONCE]).order_by("pk")
            locked = list(rows.select_for_update().values_list("pk", flat=True))
            SessionMonitor.objects.filter(pk__in=locked).update(**values)
            updated |= set(locked)
    return updated


def count_frames(*, session_id: uuid.UUID, total: int = 0, skipped: int = 0) -> None:
    """Add to the counters of what came in and what was thinned out."""
    counted = SessionMonitor.objects.filter(pk=session_id).update(
        frames_total=F("frames_total") + total, frames_skipped=F("frames_skipped") + skipped
    )
    if not counted:  # a process died between starting the session and opening its monitor
        open_monitor(session=ExamSession.objects.get(pk=session_id))
        count_frames(session_id=session_id, total=total, skipped=skipped)
        return
    meters.count_frames(received=total, skipped=skipped)


@transaction.atomic
def finish_monitoring(*, session_id: uuid.UUID) -> Assessment | None:
    """Close what is open when the session has ended, once; returns the final assessment (None if never watched)."""
    monitor = SessionMonitor.objects.select_for_update().filter(pk=session_id).first()
    if monitor is None:
        return None
    session = ExamSession.objects.get(pk=session_id)
    assessment = Assessment.objects.get(session=session, policy=session.policy_id)
    if monitor.finished_at is not None or session.ended_at is None:
        return assessment
    monitor.session, before, policy = session, news.scores_of(assessment), session.rules
    monitor.state, changes = rules.finish(monitor.state, session.ended_at.timestamp(), policy)
    changes += silence.end_all(session, policy, session.ended_at)
    monitor.finished_at, monitor.silence_due_at = timezone.now(), None
    monitor.frames_lost = _lost(monitor)
    monitor.sound_memory = {}  # the voices of people, which nobody needs any more
    monitor.save(update_fields=["state", "sound_memory", "finished_at", "silence_due_at", "frames_lost"])
    activities = write_changes(assessment, changes, policy, {})
    tell_again_who_spoke(assessment, policy)
    write_state(assessment, policy, monitor.state, duration_s=session.duration.total_seconds())
    news.tell_all_found([news.News(monitor, assessment, activities, before)])
    transaction.on_commit(lambda: session_closed.send(ExamSession, session=session))
    return assessment


def _lost(monitor: SessionMonitor) -> int:
    """Return how many pictures came in of which, though nothing waits any more, nothing is known."""
    examined = Observation.objects.filter(session=monitor.pk, stream="frame").count()
    lost = max(0, monitor.frames_total - monitor.frames_skipped - examined)
    if lost:
        logger.error("%s pictures of session %s were lost before they were examined", lost, monitor.pk)
        meters.count_frames(lost=lost)
    return lost


def lock_monitor(session_id: uuid.UUID) -> SessionMonitor:
    """Return the session's monitor with its session; until the transaction ends nobody else changes it."""
    return lock_monitors([session_id])[session_id]


def lock_monitors(
    session_ids: Collection[uuid.UUID], *, without: Sequence[str] = ()
) -> dict[uuid.UUID, SessionMonitor]:
    """Do for several sessions what ``lock_monitor`` does; always in one order, so that no two wait for each other.

    ``without`` names fields that are not read, since they are long and the caller only writes them.
    """
    rows = SessionMonitor.objects.select_for_update().filter(pk__in=session_ids).order_by("pk").defer(*without)
    monitors = {monitor.pk: monitor for monitor in rows}
    for session_id in sorted(set(session_ids) - set(monitors)):  # it died between the start and the monitor
        open_monitor(session=ExamSession.objects.get(pk=session_id))
        monitors[session_id] = SessionMonitor.objects.select_for_update().get(pk=session_id)
    # By a query of its own: what one joins to rows that it waits for is as it was before the wait.
    silent = Silence.objects.filter(session=OuterRef("pk"), kind=Kind.CAMERA_SILENT)
    for session in ExamSession.objects.annotate(was_silent=Exists(silent)).filter(pk__in=monitors):
        monitors[session.pk].session, monitors[session.pk].was_silent = session, session.was_silent
    return monitors


def _unheard(session: ExamSession, reports: Sequence[Report]) -> list[Report]:
    """Return the reports that are not stored yet, each number once and those without a number all."""
    numbered = {report.seq: report for report in reversed(reports) if report.seq is not None}
    stored = set(MonitoringLog.objects.filter(session=session, seq__in=numbered).values_list("seq", flat=True))
    return [
        report
        for report in reports
        if report.seq is None or (numbered[report.seq] is report and report.seq not in stored)
    ]


def _log(session: ExamSession, report: Report, source: str) -> MonitoringLog:
    return MonitoringLog(
        session=session,
        event_type=report.event_type,
        severity=report.severity or Severity.LOW,
        source=source,
        occurred_at=report.occurred_at,
        detail=dict(report.detail),
        seq=report.seq,
    )


def _fold_reports(monitor: SessionMonitor, logs: Sequence[MonitoringLog]) -> list[SuspiciousActivity]:
    if monitor.finished_at is not None:
        return []
    policy, pauses = monitor.session.rules, pauses_of(monitor.session)
    moments = [moment for log in logs if (moment := reported_moment(log, policy, pauses))]
    changes: list[rules.Change] = []
    for moment in sorted(moments, key=lambda moment: moment.at):
        monitor.state, more = rules.report(monitor.state, moment, policy)
        changes += more
    if not changes:
        return []
    monitor.save(update_fields=["state"])
    return write_found(Found(monitor, changes, reported=True))


def _is_known_gap(log: MonitoringLog) -> bool:
    """Say whether the gap is one the server noticed; whether it is told at its beginning or its end, nobody says."""
    told = log.detail.get("seconds")
    sensible = isinstance(told, int | float) and CLOCKS_DIFFER_S < told <= LONGEST_GAP_S
    length = timedelta(seconds=float(told) if sensible else CLOCKS_DIFFER_S)
    return silence.is_known_gap(log.session, log.believed_at - length, log.believed_at + length)
