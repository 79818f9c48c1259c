"""Where pictures and sound wait between the candidate and the analysis: bounded queues per session.

``put`` returns once the item would survive the death of any of our processes. A full queue of pictures is thinned
evenly: a quarter goes, where pictures are closest together, and is counted, so that what stays still covers the time.
Sound with holes is worth little, so a full queue of sound takes no more until some of it was worked off.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

from django.conf import settings

MOST_BYTES = 48 * 1024**2
"""So much of one stream of a session may wait, however few items it is: nobody fills the store for all others."""

Stream = Literal["frame", "audio"]
STREAMS: tuple[Stream, ...] = ("frame", "audio")


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One waiting picture or chunk of sound: number, capture time in seconds since 1970, and encoded bytes."""

    seq: int
    captured_at: float
    data: bytes
    stream: Stream = "frame"


class QueueFull(Exception):
    """A queue that is not thinned holds all it may; nothing was stored."""


class StoreUnavailable(OSError):
    """The disk is full, or Redis is away or full; what was to be stored was not acknowledged and may be sent again."""


@dataclass(frozen=True, slots=True)
class Tally:
    """All queues: how many items of each stream wait, when the oldest was captured, and of how many sessions."""

    waiting: dict[Stream, int]
    oldest: dict[Stream, float]
    sessions: int


class FrameStore(Protocol):
    """What the queues of waiting pictures and sound can do; each stream is a queue of its own.

    Where the place itself fails, ``put`` raises ``StoreUnavailable`` and the others that or another ``OSError``.
    """

    def put(self, session: uuid.UUID, frame: StoredFrame) -> int | None:
        """Store one item; return how many pictures were thinned out for it, or None if its number waits already.

        Raises ``QueueFull`` for sound when no more of it may wait.
        """

    def take(self, session: uuid.UUID, limit: int, stream: Stream = "frame") -> list[StoredFrame]:
        """Return the oldest waiting items by capture time without removing them."""

    def take_each(
        self, limits: Mapping[uuid.UUID, int], stream: Stream = "frame"
    ) -> dict[uuid.UUID, list[StoredFrame]]:
        """Do what ``take`` does for several sessions at once, so many items of each."""

    def numbers(self, session: uuid.UUID, stream: Stream = "frame") -> list[int]:
        """Return the numbers of all that waits, oldest first, without reading any of it."""

    def discard(self, session: uuid.UUID, seqs: Sequence[int], stream: Stream = "frame") -> int:
        """Remove items that are done with; returns how many of them still waited."""

    def discard_each(self, done: Mapping[uuid.UUID, Sequence[int]], stream: Stream = "frame") -> dict[uuid.UUID, int]:
        """Do what ``discard`` does for several sessions at once."""

    def waiting(self, session: uuid.UUID, stream: Stream | None = None) -> int:
        """Return how many wait, in one stream or in all."""

    def count(self, sessions: Sequence[uuid.UUID], stream: Stream) -> dict[uuid.UUID, int]:
        """Return how many wait in one stream of each session."""

    def thinned(self, session: uuid.UUID) -> int:
        """Return how many pictures of a session were thinned out so far; as durable as the queues themselves."""

    def thinned_of(self, sessions: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
        """Do what ``thinned`` does for several sessions at once."""

    def sessions(self) -> Iterator[uuid.UUID]:
        """Return the sessions with anything waiting."""

    def tally(self) -> Tally:
        """Return what waits in all queues, without reading any of it."""

    def forget(self, session: uuid.UUID) -> None:
        """Give up the place of a queue that stays empty, and its count of what was thinned; what waits is kept."""

    def tidy(self) -> None:
        """Remove what processes that died in the middle of storing left behind."""

    def clear(self, session: uuid.UUID) -> None:
        """Remove everything that waits for a session, and its count of what was thinned."""


def thin_out(times: Sequence[int]) -> list[int]:
    """Return the places of a quarter of these moments (in order), those closest to their neighbours; pure.

    The first and the last stay, and of two neighbours one, so that no hole is torn. Redis does the same in Lua.
    """
    nearness = sorted((times[i + 1] - times[i - 1], i) for i in range(1, len(times) - 1))
    gone: set[int] = set()
    for _, i in nearness:
        if len(gone) >= max(1, len(times) // 4):
            break
        if i - 1 not in gone and i + 1 not in gone:
            gone.add(i)
    return sorted(gone)


def frame_store() -> FrameStore:
    """Return the deployment's queues."""
    if settings.FRAME_STORE == "redis":
        return _redis(settings.REDIS_URL, settings.FRAME_QUEUE_LENGTH, settings.FRAME_TTL_S)
    return _spool(settings.FRAME_SPOOL, settings.FRAME_QUEUE_LENGTH)


@lru_cache(maxsize=16)
def _spool(root: Path, length: int) -> FrameStore:
    from monitoring.spool import DirectorySpool

    return DirectorySpool(root, length)


@lru_cache(maxsize=16)
def _redis(url: str, length: int, ttl_s: int) -> FrameStore:
    from monitoring.redis_store import RedisFrameStore

    return RedisFrameStore(url, length, ttl_s)
