"""The candidate's own voice at the system check: the sample goes to the workers that listen, and only numbers stay.

It waits in the session's queue of sound under a number that no client may use, is examined once and removed. What is
kept of it is one row of 256 small numbers in ``SessionMonitor.sound_memory``, until the books are closed.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import close_old_connections, transaction
from django.db.models import Max

from exams.kinds import Kind
from exams.models import ExamSession
from monitoring import intake, services
from monitoring.examined import FIRST_LOOK_S, LATER_LOOKS_S, place_to_wait
from monitoring.frame_store import StoredFrame
from monitoring.models import MonitoringLog, SessionMonitor
from vision.types import Memory, Sense

if TYPE_CHECKING:
    from vision.analyzers.speakers import Voice

logger = logging.getLogger(__name__)

SAMPLE_FROM = intake.LARGEST_SEQ + 1
KNOWN, WAITING, FAILED = "known", "waiting", "failed"
"""What is said of a sample, beside the faults of ``vision.own_voice``."""

MICROPHONE_CHANGES = (Kind.DEVICE_CHANGE, Kind.MIC_OFF)

OUTCOME = "sample"
"""Under this name the memory tells what became of the newest sample."""


def is_wanted(session: ExamSession) -> bool:
    """Say whether voices are told apart in this session."""
    return Sense.SPEAKERS in session.rules.senses


def take_sample(*, session: ExamSession, data: bytes, media_type: str = "") -> str:
    """Have a voice learnt from encoded sound and return what became of it, or ``WAITING`` if that takes too long.

    Raises ``IntakeRefused`` for what is no sound, or cannot be stored.
    """
    if fault := intake.fault_of("audio", data, media_type):
        intake.raise_fault("audio", fault, media_type)
    services.open_monitor(session=session)
    seq = SAMPLE_FROM + time.time_ns() // 1000
    intake.store(session.pk, StoredFrame(seq, time.time(), data, "audio"))
    intake.ask_for_analysis(session.pk, stream="audio")
    with place_to_wait(session.pk) as has_place:
        return _wait_for(session.pk, seq, settings.FRAME_WAIT_S if has_place else 0.0)


def standing(session_id: uuid.UUID) -> str | None:
    """Return ``KNOWN`` where the candidate's voice is known, else what became of the newest sample; None without."""
    memory = SessionMonitor.objects.filter(pk=session_id).values_list("sound_memory", flat=True).first() or {}
    from vision.analyzers.speakers import knows_candidate

    return KNOWN if knows_candidate(memory) else (memory.get(OUTCOME) or {}).get("says")


def without_samples(
    session_id: uuid.UUID, waiting: Sequence[StoredFrame], memory: Memory, *, deadly: bool = False
) -> tuple[list[StoredFrame], Memory]:
    """Learn from the newest sample among what waits; returns the rest, and what is remembered now.

    From what is ``deadly``, as it has ended several processes, nothing is learnt.
    """
    samples = [item for item in waiting if item.seq >= SAMPLE_FROM]
    if samples:
        newest = max(samples, key=lambda item: item.seq)
        own, says = (None, FAILED) if deadly else _examined(session_id, newest)
        memory = _remember(session_id, newest.seq, own, says)
    return [item for item in waiting if item.seq < SAMPLE_FROM], memory


def with_same_microphone(memories: Mapping[uuid.UUID, Memory]) -> dict[uuid.UUID, Memory]:
    """Return by session what is remembered, less the own voice where the microphone may be another since the sample.

    Through another microphone the candidate's own voice sounds like somebody else's.
    """
    from vision.analyzers.speakers import forget_candidate, knows_candidate

    known = [session_id for session_id, memory in memories.items() if knows_candidate(memory)]
    changes = MonitoringLog.objects.filter(session__in=known, event_type__in=MICROPHONE_CHANGES)
    newest = dict(changes.order_by().values_list("session").annotate(Max("received_at"))) if known else {}
    return {
        session_id: forget_candidate(memory) if _since_sample(memory, newest.get(session_id)) else memory
        for session_id, memory in memories.items()
    }


def _since_sample(memory: Memory, at: datetime | None) -> bool:
    taken_s = ((memory.get(OUTCOME) or {}).get("seq", SAMPLE_FROM) - SAMPLE_FROM) / 1_000_000
    return at is not None and at.timestamp() > taken_s


def _remember(session_id: uuid.UUID, seq: int, own: Voice | None, says: str) -> Memory:
    from vision.analyzers.speakers import learn_candidate

    with transaction.atomic():
        monitor = services.lock_monitor(session_id)
        if monitor.finished_at is None:
            memory = monitor.sound_memory if own is None else learn_candidate(monitor.sound_memory, own)
            monitor.sound_memory = {**memory, OUTCOME: {"seq": seq, "says": says}}
            monitor.save(update_fields=["sound_memory"])
    found: Memory = monitor.sound_memory
    return found


def _examined(session_id: uuid.UUID, sample: StoredFrame) -> tuple[Voice | None, str]:
    """Return the voice, or None and why there is none."""
    from vision import loading, own_voice
    from vision.sound import RATE, SoundError, decode_sound
    from vision.types import SoundChunk

    try:
        chunk = SoundChunk(sample.seq, sample.captured_at, decode_sound(sample.data), RATE)
        return own_voice.learn(chunk, loading.models()), KNOWN
    except own_voice.VoiceError as error:
        return None, str(error.fault)
    except SoundError:
        return None, own_voice.VoiceFault.UNHEARD
    except Exception:
        logger.exception("The voice sample of session %s could not be examined", session_id)
        return None, FAILED


def _wait_for(session_id: uuid.UUID, seq: int, longest_s: float) -> str:
    deadline, pause = time.monotonic() + longest_s, FIRST_LOOK_S
    while True:
        memory = SessionMonitor.objects.filter(pk=session_id).values_list("sound_memory", flat=True).first() or {}
        outcome = memory.get(OUTCOME) or {}
        if outcome.get("seq", 0) >= seq:
            return str(outcome["says"])
        if time.monotonic() >= deadline:
            return WAITING
        close_old_connections()  # back to the pool: a few who wait must not hold all there are
        time.sleep(pause)
        pause = min(LATER_LOOKS_S, pause * 1.5)
