"""One chunk of sound through all senses that listen: what is due is examined, what cannot be stays unknown.

No clock but for timings, no database, no state of its own: what a session remembers comes in and goes out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

from vision import loading
from vision.analyzers import level, speakers, speech
from vision.types import Due, Heard, Level, Memory, Sense, SoundChunk, Speech, Turn

logger = logging.getLogger(__name__)
T = TypeVar("T")


def listen(chunk: SoundChunk, due: Due, memory: Memory) -> tuple[Heard, Memory]:
    """Return the facts of one chunk and what is to be remembered for the next one of the same session.

    ``memory`` is ``{}`` for a session's first chunk; it is never changed, holds less than 4 kB and survives JSON.
    An analyzer that fails leaves its sense not examined and is logged; it never raises.
    """
    ear = _Ear(chunk, due, memory)
    return ear.heard(), ear.memory


class _Ear:
    """The facts of one chunk as they come together."""

    def __init__(self, chunk: SoundChunk, due: Due, memory: Memory) -> None:
        self.chunk, self.memory = chunk, dict(memory)
        self.timings_ms: dict[str, float] = {}
        senses = due.senses
        self.level: Level | None = None
        self.speech: tuple[Speech, ...] | None = None
        self.turns: tuple[Turn, ...] | None = None
        if Sense.LEVEL in senses:
            self.level = self._guarded("level", lambda: level.analyze(chunk, self.memory))
        if senses & {Sense.SPEECH, Sense.SPEAKERS}:
            found = self._guarded("speech", lambda: speech.analyze(chunk, self.memory, loading.models()))
            self.speech = found if Sense.SPEECH in senses else None
            if Sense.SPEAKERS in senses and found is not None:
                self.turns = self._guarded(
                    "speakers", lambda: speakers.analyze(chunk, self.memory, found, loading.models())
                )

    def heard(self) -> Heard:
        """Return the facts."""
        end = self.chunk.captured_at + self.chunk.duration_s
        return Heard(
            seq=self.chunk.seq,
            captured_at=self.chunk.captured_at,
            duration_s=round(self.chunk.duration_s, 3),
            level=self.level,
            speech=self.speech,
            turns=self.turns,
            voices=None if self.turns is None else speakers.recent_voices(self.memory, end),
            knows_candidate=speakers.knows_candidate(self.memory),
            timings_ms=self.timings_ms,
        )

    def _guarded(self, stage: str, step: Callable[[], tuple[T | None, Memory]]) -> T | None:
        """Run one step, note its time, and log instead of raising."""
        started = perf_counter()
        try:
            facts, self.memory = step()
        except loading.ModelError:
            return None  # it has been complained of
        except Exception:
            logger.exception("Sense %s failed on chunk %s", stage, self.chunk.seq)
            return None
        finally:
            self.timings_ms[stage] = round((perf_counter() - started) * 1000, 3)
        return facts
