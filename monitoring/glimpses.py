"""What a live wall shows beyond the rows: a small last picture, how many people it shows, how loud it is.

A glimpse is made only while somebody looks at the wall of the exam, is gone a minute later, and lies in a cache of its
own: never among the rows, never on the channel layer. Where workers and server share no cache there are none. A cache
that is away costs glimpses, nothing else.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.cache import caches
from redis import RedisError

from exams.policy import Thresholds
from monitoring.cues import counted_faces
from vision.types import Frame, Heard, Observation

logger = logging.getLogger(__name__)

WATCHED_S = 20
"""So long after the last look at a wall it is taken to be looked at; an open wall asks every few seconds."""

HELD_S = 60
WIDTH, QUALITY = 320, 60


@dataclass(frozen=True, slots=True)
class Picture:
    """A small JPEG and when it was taken, in seconds since 1970 by the clock of the candidate's side."""

    taken_at: float
    jpeg: bytes

    @property
    def version(self) -> str:
        """What tells this picture of a session from its others."""
        return f"{self.taken_at:.3f}"


@dataclass(frozen=True, slots=True)
class Signs:
    """How many people the newest picture shows and how loud the newest sound is; None where it is not known."""

    people: int | None = None
    sound_db: float | None = None


class Passing:
    """Pictures on their way to the analysis, of which the last is kept hold of."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self.last: Frame | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the pictures as they come."""
        for frame in self._frames:
            self.last = frame
            yield frame


def note_watching(exam_id: uuid.UUID) -> None:
    """Note that somebody looks at the wall of this exam right now."""
    with _unless_away():
        _cache().set(f"watched:{exam_id}", 1, WATCHED_S)


def watched(exam_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of the exams at whose wall somebody looks."""
    keys = {f"watched:{exam_id}": exam_id for exam_id in exam_ids}
    found: Mapping[str, Any] = {}
    with _unless_away():
        found = _cache().get_many(keys)
    return {keys[key] for key in found}


def keep_picture(session_id: uuid.UUID, frame: Frame | None, seen: Iterable[Observation], limits: Thresholds) -> None:
    """Hold a small copy of a picture, and how many faces in it count, for a minute."""
    from vision.decoding import downscale, encode_jpeg

    if frame is None:
        return
    picture = Picture(frame.captured_at, encode_jpeg(downscale(frame.rgb, WIDTH), QUALITY))
    facts = next((one for one in seen if one.seq == frame.seq), None)
    people = None if facts is None or facts.faces is None else counted_faces(facts, limits)
    with _unless_away():
        _cache().set_many({f"picture:{session_id}": picture, f"people:{session_id}": people}, HELD_S)


def keep_sound(session_id: uuid.UUID, heard: Iterable[Heard | None]) -> None:
    """Hold how loud the newest of some chunks is, for a minute."""
    levels = [one.level.rms for one in heard if one is not None and one.level is not None]
    if levels:
        with _unless_away():
            _cache().set(f"sound:{session_id}", levels[-1], HELD_S)


def pictures_of(session_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Picture]:
    """Return the pictures that are held of these sessions."""
    keys = {f"picture:{session_id}": session_id for session_id in session_ids}
    found: Mapping[str, Any] = {}
    with _unless_away():
        found = _cache().get_many(keys)
    return {keys[key]: picture for key, picture in found.items()}


def signs_of(session_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Signs]:
    """Return what is known of these sessions, each of them, in one question to the cache."""
    wanted = list(session_ids)
    found: Mapping[str, Any] = {}
    with _unless_away():
        found = _cache().get_many([f"{what}:{pk}" for pk in wanted for what in ("people", "sound")])
    return {pk: Signs(found.get(f"people:{pk}"), found.get(f"sound:{pk}")) for pk in wanted}


def forget(session_id: uuid.UUID) -> None:
    """Let go of all that is held of a session."""
    with _unless_away():
        _cache().delete_many([f"{what}:{session_id}" for what in ("picture", "people", "sound")])


def _cache() -> Any:
    return caches["glimpses"]


@contextmanager
def _unless_away() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        logger.debug("The cache of glimpses is away: %s", error)
