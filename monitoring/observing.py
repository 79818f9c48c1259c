"""What pictures showed: facts come in, and activities, evidence and scores come out."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from exams.kinds import Kind
from exams.policy import Policy
from monitoring import meters, rules, silence
from monitoring.bulk import update_each
from monitoring.found import Found, write_all_found
from monitoring.models import Observation, SessionMonitor, SuspiciousActivity
from monitoring.selectors import is_within, pauses_of
from monitoring.services import count_frames, lock_monitors, record_refusal, seen_moment
from monitoring.store import Exhibit, moment_of
from vision.types import Memory
from vision.types import Observation as Facts

LATE = timedelta(seconds=30)
"""After so long pictures may have been made for the purpose of breaking a silence: the reviewer is told."""

SCORED_EVERY_S = 5.0
"""Of a stretch in which nothing begins or ends, coverage and scores are brought up to date so often."""

WRITTEN_EVERY = 5
"""An activity that merely goes on is written at every so many yeses; its end brings the whole of it."""

COUNTED = ("last_frame_at", "pictures_at", "frames_analysed", "frames_unusable")
MEMORIES = ("memory", "sound_memory")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that came in and could not be read, and why; ``captured_at`` in seconds."""

    seq: int
    captured_at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one round of analysis found: facts in order of capture, pictures by number, and the memory afterwards.

    ``missing`` says why a sense could not work in this session, whatever is installed.
    """

    facts: Sequence[Facts]
    pictures: Mapping[int, Exhibit] = field(default_factory=dict)
    memory: Memory | None = None
    unreadable: Sequence[Unreadable] = ()
    missing: Mapping[str, str] = field(default_factory=dict)


@transaction.atomic
def record_observations(*, batches: Mapping[uuid.UUID, Batch]) -> list[SuspiciousActivity]:
    """Store facts by session, fold them into the rules and bring activities, evidence and scores up to date.

    All or nothing, for all the sessions. Facts whose number is stored already are left out, so a repeated batch
    changes nothing. Of what comes when the books are closed, or was captured during a pause, only the numbers are kept,
    and it is counted as skipped. Returns what changed.
    """
    monitors, new = lock_monitors(batches, without=MEMORIES), _not_stored(batches)
    judged = {session_id: _judged(monitor, new[session_id]) for session_id, monitor in monitors.items()}
    rows = [_row(session_id, one, seen=one in judged[session_id]) for session_id, came in new.items() for one in came]
    Observation.objects.bulk_create(rows)
    seen = {session_id: monitor for session_id, monitor in monitors.items() if judged[session_id]}
    found = {pk: _fold_in(monitor, judged[pk], batches[pk]) for pk, monitor in seen.items()}
    _save(seen, batches)
    missing, detectors = _senses_here() if found else ({}, {})
    activities = write_all_found(
        [
            Found(
                seen[pk],
                changes,
                batches[pk].pictures,
                missing={**batches[pk].missing, **_wanted(missing, seen[pk])},
                detectors=_wanted(detectors, seen[pk]),
            )
            for pk, changes in found.items()
            if changes is not None
        ]
    )
    for session_id, came in new.items():
        activities += _refuse(session_id, judged[session_id])
        if len(came) > len(judged[session_id]):
            count_frames(session_id=session_id, skipped=len(came) - len(judged[session_id]))
    return activities


def _judged(monitor: SessionMonitor, new: list[Facts | Unreadable]) -> list[Facts | Unreadable]:
    """Return what counts of what came: nothing once the books are closed, and never what shows a pause."""
    if monitor.finished_at is not None:
        return []
    pauses = pauses_of(monitor.session) if monitor.session.paused_seconds else ()
    return [one for one in new if not is_within(moment_of(one.captured_at), pauses)]


def _fold_in(monitor: SessionMonitor, new: list[Facts | Unreadable], batch: Batch) -> list[rules.Change] | None:
    """Bring a monitor up to what came; returns what is to be written besides it, None if scores can wait as well."""
    policy, scored_at = monitor.session.rules, monitor.state["last_at"]
    fresh = [one for one in new if isinstance(one, Facts)]
    unreadable = [one for one in new if isinstance(one, Unreadable)]
    changes: list[rules.Change] = []
    for facts in fresh:
        monitor.state, more = rules.step(monitor.state, seen_moment(facts, policy), policy)
        changes += more
    changes = _worth_writing(changes)
    if monitor.was_silent:
        changes += _break_silence(monitor, policy, [moment_of(one.captured_at) for one in new])
    _count(monitor, fresh, unreadable)
    transaction.on_commit(lambda: meters.count_examined(fresh, unreadable=len(unreadable)))
    # What was withdrawn is no change: who was silent once is scored each time.
    is_due = changes or monitor.was_silent or _are_scores_due(scored_at, monitor.state["last_at"])
    return changes if is_due else None


def _save(monitors: Mapping[uuid.UUID, SessionMonitor], batches: Mapping[uuid.UUID, Batch]) -> None:
    remembering = []
    for session_id, monitor in monitors.items():
        memory = batches[session_id].memory
        if memory is not None:
            monitor.memory = memory
            remembering.append(monitor)
    update_each(remembering, [*COUNTED, "state", "memory"])
    update_each([one for pk, one in monitors.items() if batches[pk].memory is None], [*COUNTED, "state"])


def _break_silence(monitor: SessionMonitor, policy: Policy, captured: list[datetime]) -> list[rules.Change]:
    """Take from the camera's silences what pictures show; where they came long after, the log says so."""
    changes, broken = silence.note_pictures(monitor.session, policy, captured)
    late = timezone.now() - min(captured)
    if broken and late > LATE:
        detail = {"pictures_came_late_s": round(late.total_seconds()), "pictures": len(captured)}
        record_refusal(session_id=monitor.pk, event_type=Kind.CAMERA_SILENT, detail=detail)
    return changes


def _refuse(session_id: uuid.UUID, judged: list[Facts | Unreadable]) -> list[SuspiciousActivity]:
    unreadable = [one for one in judged if isinstance(one, Unreadable)]
    if not unreadable:
        return []
    first = unreadable[0]
    return record_refusal(
        session_id=session_id,
        event_type="INVALID_IMAGE",
        occurred_at=moment_of(first.captured_at),
        detail={"seq": first.seq, "reason": first.reason, "pictures": len(unreadable)},
    )


def _worth_writing(changes: list[rules.Change]) -> list[rules.Change]:
    """Leave out activities of which nothing happened but that they go on, but for now and then."""
    worth = {
        (change.kind, change.started_at)
        for change in changes
        if change.action != "update" or change.best or change.positives % WRITTEN_EVERY == 0
    }
    return [change for change in changes if (change.kind, change.started_at) in worth]


def _are_scores_due(before: float | None, now: float | None) -> bool:
    """Say whether a mark was passed that stands every few seconds, so that nothing has to be remembered."""
    if before is None or now is None:
        return True
    return before // SCORED_EVERY_S != now // SCORED_EVERY_S


def _senses_here() -> tuple[dict[str, str], dict[str, str]]:
    """Return why a sense cannot work here, and by which model each other one does.

    Both are part of the result, since tomorrow it may be otherwise.
    """
    from vision.loading import availability

    found = {str(sense): one for sense, one in availability().items()}
    missing = {sense: one.reason for sense, one in found.items() if not one.available}
    return missing, {sense: one.model for sense, one in found.items() if one.available}


def _wanted(told: Mapping[str, str], monitor: SessionMonitor) -> dict[str, str]:
    return {sense: text for sense, text in told.items() if sense in monitor.session.rules.senses}


def _not_stored(batches: Mapping[uuid.UUID, Batch]) -> dict[uuid.UUID, list[Facts | Unreadable]]:
    """Return by session what is not stored yet in order of capture, each number once."""
    wanted: dict[tuple[uuid.UUID, int], Facts | Unreadable] = {}
    for session_id, batch in batches.items():
        came: list[Facts | Unreadable] = [*batch.facts, *batch.unreadable]
        for one in reversed(came):
            wanted[session_id, one.seq] = one
    numbers = {seq for _session_id, seq in wanted}
    stored = Observation.objects.filter(session__in=batches, stream="frame", seq__in=numbers)
    for session_id, seq in stored.order_by().values_list("session_id", "seq"):
        wanted.pop((session_id, seq), None)
    new: dict[uuid.UUID, list[Facts | Unreadable]] = {session_id: [] for session_id in batches}
    for (session_id, _seq), one in sorted(wanted.items(), key=lambda item: item[1].captured_at):
        new[session_id].append(one)
    return new


def _count(monitor: SessionMonitor, fresh: list[Facts], unreadable: list[Unreadable]) -> None:
    if fresh:
        newest = moment_of(max(facts.captured_at for facts in fresh))
        monitor.last_frame_at = max(monitor.last_frame_at or newest, newest)
    if fresh or unreadable:
        monitor.pictures_at = timezone.now()
    monitor.frames_analysed += len(fresh)
    monitor.frames_unusable += sum(facts.usable is False for facts in fresh) + len(unreadable)


def _row(session_id: uuid.UUID, one: Facts | Unreadable, *, seen: bool) -> Observation:
    """A row for what was seen; where the picture could not be read, or came too late, only its number is taken."""
    row = Observation(session_id=session_id, seq=one.seq, captured_at=moment_of(one.captured_at))
    if seen and isinstance(one, Facts):
        row.usable, row.facts = one.usable, one.to_facts()
    elif seen:
        row.usable = False
    return row
