"""Chunks of sound: examined, written down, folded into the rules, and kept only where they show something."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from exams.policy import Policy
from monitoring import rules
from monitoring.found import Found, write_found
from monitoring.frame_store import StoredFrame
from monitoring.models import Observation, SessionMonitor, SuspiciousActivity
from monitoring.selectors import is_within, pauses_of
from monitoring.services import lock_monitor, record_refusal
from monitoring.sound_cues import heard_moments
from monitoring.store import Exhibit, moment_of
from vision.types import Due, Heard, Memory

SCORED_EVERY_S = 20.0
"""While nothing begins or ends, what was heard is brought into coverage and scores so often."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A chunk of sound that came in: what was heard in it, or why it could not be; ``captured_at`` in seconds."""

    seq: int
    captured_at: float
    heard: Heard | None = None
    exhibit: Exhibit | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SoundBatch:
    """What one round found in a session's sound, and what its analyzers remember afterwards."""

    sounds: Sequence[Sound]
    memory: Memory | None = None


def examine_sound(chunk: StoredFrame, *, due: Due, memory: Memory) -> tuple[Sound, Memory]:
    """Decode one chunk and listen to it; returns what was heard, and what is to be remembered."""
    from vision.hearing import listen
    from vision.sound import RATE, SoundError, decode_sound
    from vision.types import SoundChunk

    try:
        samples = decode_sound(chunk.data)
    except SoundError as error:
        return Sound(chunk.seq, chunk.captured_at, reason=str(error)), memory
    heard, memory = listen(SoundChunk(chunk.seq, chunk.captured_at, samples, RATE), due, memory)
    return Sound(chunk.seq, chunk.captured_at, heard, lambda: chunk.data), memory


@transaction.atomic
def record_sounds(*, session_id: uuid.UUID, batch: SoundBatch) -> list[SuspiciousActivity]:
    """Store what was heard, each number once, fold it into the rules and bring activities and scores up to date.

    Of what comes when the books are closed, or was captured during a pause, only the numbers are kept. Returns what
    changed.
    """
    monitor = lock_monitor(session_id)
    new = _not_stored(monitor, batch.sounds)
    judged = _judged(monitor, new)
    Observation.objects.bulk_create([_row(monitor, sound, seen=sound in judged) for sound in new])
    activities = _fold_in(monitor, judged, batch.memory) if judged else []
    broken = [sound for sound in judged if sound.reason]
    if broken:
        activities += record_refusal(
            session_id=session_id,
            event_type="INVALID_AUDIO",
            occurred_at=moment_of(broken[0].captured_at),
            detail={"seq": broken[0].seq, "reason": broken[0].reason, "chunks": len(broken)},
        )
    return activities


def fold_sound(state: rules.State, heard: Heard, policy: Policy) -> tuple[rules.State, list[rules.Change]]:
    """Put what was heard in a chunk through the rules."""
    changes: list[rules.Change] = []
    for moment in heard_moments(heard, policy):
        state, more = rules.step(state, moment, policy)
        changes += more
    return state, changes


def _fold_in(monitor: SessionMonitor, judged: Sequence[Sound], memory: Memory | None) -> list[SuspiciousActivity]:
    policy, changes = monitor.session.rules, list[rules.Change]()
    before = monitor.state.get("heard_at")
    for sound in judged:
        if sound.heard is not None:
            monitor.state, more = fold_sound(monitor.state, sound.heard, policy)
            changes += more
    if memory is not None:
        monitor.sound_memory = memory
    monitor.save(update_fields=["state", "sound_memory"])
    heard_at = monitor.state.get("heard_at")
    if not changes and before is not None and before // SCORED_EVERY_S == heard_at // SCORED_EVERY_S:
        return []
    exhibits = {sound.seq: sound.exhibit for sound in judged if sound.exhibit is not None}
    return write_found(Found(monitor, changes, exhibits))


def _not_stored(monitor: SessionMonitor, sounds: Sequence[Sound]) -> list[Sound]:
    """Return what is not stored yet in order of capture, each number once."""
    wanted = {sound.seq: sound for sound in reversed(sounds)}
    stored = Observation.objects.filter(session=monitor.session, stream="audio", seq__in=wanted)
    for seq in stored.values_list("seq", flat=True):
        del wanted[seq]
    return sorted(wanted.values(), key=lambda sound: sound.captured_at)


def _judged(monitor: SessionMonitor, new: Sequence[Sound]) -> list[Sound]:
    if monitor.finished_at is not None:
        return []
    pauses = pauses_of(monitor.session) if monitor.session.paused_seconds else ()
    return [sound for sound in new if not is_within(moment_of(sound.captured_at), pauses)]


def _row(monitor: SessionMonitor, sound: Sound, *, seen: bool) -> Observation:
    """A row for what was heard; where it could not be, or came too late, only its number is taken."""
    row = Observation(session=monitor.session, stream="audio", seq=sound.seq, captured_at=moment_of(sound.captured_at))
    if seen:
        row.usable = sound.heard is not None
        row.facts = _facts(sound.heard)
    return row


def _facts(heard: Heard | None) -> Mapping[str, Any]:
    return {} if heard is None else heard.to_facts()
