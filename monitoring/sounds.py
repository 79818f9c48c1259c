"""Chunks of sound: decoded far enough to know that they are sound, written down as not examined, and forgotten."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from exams.models import ExamSession
from monitoring.frame_store import StoredFrame
from monitoring.models import Observation
from monitoring.services import lock_monitor, record_refusal
from monitoring.store import moment_of


@dataclass(frozen=True, slots=True)
class Sound:
    """A chunk of sound that came in: its facts, or why it could not be decoded; ``captured_at`` in seconds."""

    seq: int
    captured_at: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def examine_sound(chunk: StoredFrame) -> Sound:
    """Decode one chunk and tell its length, rate and channels; ``examined`` names the senses that listened."""
    from vision.sound import SoundError, read_sound

    try:
        read = read_sound(chunk.data)
    except SoundError as error:
        return Sound(chunk.seq, chunk.captured_at, reason=str(error))
    facts: dict[str, Any] = {
        "duration_s": read.duration_s,
        "rate": read.rate,
        "channels": read.channels,
        "examined": [],
    }
    return Sound(chunk.seq, chunk.captured_at, facts)


@transaction.atomic
def record_sounds(*, session_id: uuid.UUID, sounds: Sequence[Sound]) -> None:
    """Store what is known of chunks of sound, each number once; rules, coverage and counters stay as they are."""
    monitor = lock_monitor(session_id)
    wanted = {sound.seq: sound for sound in reversed(sounds)}
    stored = Observation.objects.filter(session=monitor.session, stream="audio", seq__in=wanted)
    for seq in stored.values_list("seq", flat=True):
        del wanted[seq]
    Observation.objects.bulk_create([_row(monitor.session, sound) for sound in wanted.values()])
    broken = [sound for sound in wanted.values() if sound.reason]
    if broken and monitor.finished_at is None:
        record_refusal(
            session_id=session_id,
            event_type="INVALID_AUDIO",
            occurred_at=moment_of(broken[0].captured_at),
            detail={"seq": broken[0].seq, "reason": broken[0].reason, "chunks": len(broken)},
        )


def _row(session: ExamSession, sound: Sound) -> Observation:
    """A row that says what came: unknown where it could be decoded, since nothing was examined."""
    return Observation(
        session=session,
        stream="audio",
        seq=sound.seq,
        captured_at=moment_of(sound.captured_at),
        usable=False if sound.reason else None,
        facts=dict(sound.facts),
    )
