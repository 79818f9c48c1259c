"""Who is there: signs of life of the candidates' clients, and the beat that notices when one falls silent."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from exams.kinds import Kind
from exams.models import ExamSession, ProctoringPolicy, SessionStatus
from exams.policy import Policy
from monitoring import news, services, silence
from monitoring.found import Found, write_found
from monitoring.frame_store import frame_store
from monitoring.models import SessionMonitor, Silence, SuspiciousActivity
from monitoring.rules import Change
from monitoring.silence import CONNECTED_S, Verdict, signs_of

NOTE_EVERY_S = 4.0
"""A sign of life is written down at most so often by one process; the others in between say nothing new."""

REMEMBERED = 50_000
AT_ONCE, MOST_ROUNDS = 500, 40
"""So many sessions are looked at in one transaction, and so often in one beat; what is left is due at the next."""

_noted: dict[uuid.UUID, float] = {}

is_connected = silence.is_connected


def seen(*session_ids: uuid.UUID, now: datetime | None = None) -> None:
    """Note a sign of life of these sessions' clients, which also ends the gaps in which there was none.

    Cheap enough for every call: mostly a look into a dictionary, now and then a query and an update, however many they
    are. A session that has not begun, or is over, has nothing to note it in.
    """
    now = now or timezone.now()
    due = [pk for pk in session_ids if not 0 <= now.timestamp() - _noted.get(pk, 0.0) < NOTE_EVERY_S]
    if len(_noted) >= REMEMBERED:
        _noted.clear()
    _noted.update(dict.fromkeys(due, now.timestamp()))
    for start in range(0, len(due), AT_ONCE):
        _note_seen(due[start : start + AT_ONCE], now)


def forget(session_id: uuid.UUID) -> None:
    """Have the next sign of life of this session written down in any case."""
    _noted.pop(session_id, None)


def _note_seen(session_ids: list[uuid.UUID], now: datetime) -> None:
    monitors = SessionMonitor.objects.filter(pk__in=session_ids, finished_at__isnull=True).order_by()
    rows = list(monitors.values_list("pk", "last_seen_at", "gone_at"))
    came = {pk: before for pk, before, gone_at in rows if gone_at is not None or not _is_fresh(before, now)}
    going_on = _going_on(came) if came else {}
    for session_id, before in came.items():
        was_away = before is not None and not _is_fresh(before, now)
        if was_away or Kind.NETWORK_GAP in going_on.get(session_id, ()):
            _note_return(session_id, before, now)
    # What the return of some has noted already is not older than now.
    unnoted = Q(last_seen_at__lt=now) | Q(last_seen_at__isnull=True) | Q(gone_at__isnull=False)
    services.update_monitors(
        [row[0] for row in rows], unnoted & Q(finished_at__isnull=True), last_seen_at=now, gone_at=None
    )
    news.tell_presence(*came)


def _is_fresh(before: datetime | None, now: datetime) -> bool:
    return before is not None and (now - before).total_seconds() <= CONNECTED_S


def gone(session_id: uuid.UUID, *, now: datetime | None = None) -> None:
    """Note that the client's connection was closed: until its next sign of life it is not there."""
    forget(session_id)
    SessionMonitor.objects.filter(pk=session_id).update(gone_at=now or timezone.now())
    news.tell_presence(session_id)


@transaction.atomic
def _note_return(session_id: uuid.UUID, before: datetime | None, now: datetime) -> list[SuspiciousActivity]:
    """Note the first sign of life after a while, and what that while was."""
    monitor = services.lock_monitor(session_id)
    if monitor.finished_at is not None or monitor.last_seen_at != before:
        return []  # another process noted the return
    changes = _end_gap(monitor, now)
    monitor.last_seen_at, monitor.gone_at = now, None
    monitor.save(update_fields=["last_seen_at", "gone_at"])
    return write_found(Found(monitor, changes)) if changes else []


def _end_gap(monitor: SessionMonitor, now: datetime) -> list[Change]:
    """End the gap that goes on, or keep the whole of one that no beat has noticed.

    Before the first sign of all there is only what a beat noticed: nobody knows since when a client should be there.
    """
    session = monitor.session
    if not _runs(session):
        return []
    policy = session.rules
    changes: list[Change] = []
    if monitor.last_seen_at is not None and not silence.open_silences(session, Kind.NETWORK_GAP):
        lost_since = _judge(monitor, policy, now).lost_since
        changes += [] if lost_since is None else _lose(session, policy, lost_since)
    for row in silence.open_silences(session, Kind.NETWORK_GAP):
        changes += silence.shorten(row, policy, [now])
    return changes


def watch_silence(*, now: datetime | None = None) -> int:
    """Look at the sessions that are due, and begin or end their silences; returns for how many.

    Most are well and are only asked for again at the moment at which they could first have fallen silent, many in a
    handful of queries.
    """
    now = now or timezone.now()
    changed = 0
    for _round in range(MOST_ROUNDS):
        looked_at, wrong = _look_at_those_due(now)
        for session_id in wrong:
            look_at(session_id=session_id, now=now)
        changed += len(wrong)
        if looked_at < AT_ONCE:
            break
    return changed


@transaction.atomic
def _look_at_those_due(now: datetime) -> tuple[int, list[uuid.UUID]]:
    """Put off the sessions that are due; returns how many, and which may have silences that are not as they should be.

    What another beat, or the analysis, holds right now is left for the next beat.
    """
    rows = SessionMonitor.objects.filter(silence_due_at__lte=now, finished_at__isnull=True).defer("state", "memory")
    rows = rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    due = list(rows.order_by("silence_due_at")[:AT_ONCE])
    if not due:
        return 0, []
    sessions = ExamSession.objects.in_bulk([monitor.pk for monitor in due])
    policies = ProctoringPolicy.objects.in_bulk({session.policy_id for session in sessions.values()})
    going_on, wrong = _going_on(sessions), []
    for monitor in due:
        session = monitor.session = sessions[monitor.pk]
        policy = policies[session.policy_id].rules.without(session.muted)
        monitor.silence_due_at, is_wrong = _look(monitor, policy, going_on.get(monitor.pk, set()), now)
        wrong += [monitor.pk] if is_wrong else []
    SessionMonitor.objects.bulk_update(due, ["silence_due_at"], batch_size=100)
    return len(due), wrong


def _going_on(session_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, set[str]]:
    """Return the kinds of the silences that go on, by session."""
    going_on: dict[uuid.UUID, set[str]] = {}
    rows = Silence.objects.filter(session__in=list(session_ids), ended_at__isnull=True).order_by()
    for session_id, kind in rows.values_list("session_id", "kind"):
        going_on.setdefault(session_id, set()).add(kind)
    return going_on


def _look(monitor: SessionMonitor, policy: Policy, open_kinds: set[str], now: datetime) -> tuple[datetime | None, bool]:
    """Return when to look at a session again, and whether its open silences may not be what they should be."""
    session = monitor.session
    if session.source == ExamSession.Source.RECORDING:
        return None, bool(open_kinds)
    if not _runs(session):
        paused = session.status == SessionStatus.PAUSED
        return now + timedelta(seconds=CONNECTED_S), paused and bool(open_kinds)
    # Pauses and past silences are left out here: with them, signs are due later still.
    verdict = silence.judge(signs_of(monitor, session.started_at or now), policy, now)
    return verdict.look_again_at, _wanted(verdict, open_kinds, policy) != open_kinds


def _wanted(verdict: Verdict, open_kinds: set[str], policy: Policy) -> set[str]:
    """Return the silences that should go on; one of the camera ends by pictures, not by the clock."""
    if verdict.lost_since is not None:
        return {Kind.NETWORK_GAP.value} if policy.rule(Kind.NETWORK_GAP).enabled else set()
    camera = verdict.silent_since is not None or Kind.CAMERA_SILENT in open_kinds
    return {Kind.CAMERA_SILENT.value} if camera else set()


@transaction.atomic
def look_at(*, session_id: uuid.UUID, now: datetime) -> list[SuspiciousActivity]:
    """Begin and end the silences of one session as its signs now stand; returns the activities that changed."""
    monitor = services.lock_monitor(session_id)
    session, policy = monitor.session, monitor.session.rules
    if monitor.finished_at is not None or session.ended_at is not None:
        return []  # the end of the session ends them
    if not _runs(session):
        return write_found(Found(monitor, silence.end_all(session, policy, session.paused_at or now)))
    verdict = _judge(monitor, policy, now)
    lost_since = verdict.lost_since
    changes = _find(monitor, verdict) if lost_since is None else _lose(session, policy, lost_since)
    return write_found(Found(monitor, changes))


def _find(monitor: SessionMonitor, verdict: Verdict) -> list[Change]:
    """End a gap whose end was missed, and begin the camera's silence unless pictures still wait to be examined."""
    session = monitor.session
    changes: list[Change] = []
    for row in silence.open_silences(session, Kind.NETWORK_GAP):
        returned_at = silence.latest(row.started_at, silence.due_since(session), monitor.last_seen_at)
        changes += silence.shorten(row, session.rules, [returned_at])
    if verdict.silent_since is not None and not frame_store().waiting(session.pk, "frame"):
        changes += silence.begin(session, Kind.CAMERA_SILENT, verdict.silent_since)
    return changes


def _lose(session: ExamSession, policy: Policy, since: datetime) -> list[Change]:
    """Begin a gap; nobody knows what the camera would have shown in it, so its silence ends there."""
    changes = []
    for row in silence.open_silences(session, Kind.CAMERA_SILENT):
        changes += silence.shorten(row, policy, [silence.latest(row.started_at, since)])
    if policy.rule(Kind.NETWORK_GAP).enabled:
        changes += silence.begin(session, Kind.NETWORK_GAP, since)
    return changes


def _judge(monitor: SessionMonitor, policy: Policy, now: datetime) -> Verdict:
    return silence.judge(signs_of(monitor, silence.due_since(monitor.session)), policy, now)


def _runs(session: ExamSession) -> bool:
    return (
        session.status == SessionStatus.ACTIVE
        and session.source != ExamSession.Source.RECORDING
        and session.started_at is not None
    )
