"""Where pictures wait between the candidate and the analysis: a bounded queue per session, in a folder.

``put`` returns once the picture would survive the death of any of our processes (written aside, then renamed). A full
queue is thinned evenly: every second waiting picture goes and is counted, so that what stays still covers the time.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.conf import settings


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One waiting picture: its number, capture time in seconds since 1970, and encoded bytes."""

    seq: int
    captured_at: float
    data: bytes


class FrameStore(Protocol):
    """What a queue of waiting pictures can do."""

    def put(self, session: uuid.UUID, frame: StoredFrame) -> int:
        """Store one picture (a number already waiting is stored once); return how many were thinned out for it."""

    def take(self, session: uuid.UUID, limit: int) -> list[StoredFrame]:
        """Return the oldest waiting pictures by capture time without removing them."""

    def discard(self, session: uuid.UUID, seqs: Sequence[int]) -> None:
        """Remove pictures that are done with."""

    def waiting(self, session: uuid.UUID) -> int:
        """Return how many wait."""

    def sessions(self) -> Iterator[uuid.UUID]:
        """Return the sessions with waiting pictures."""

    def forget(self, session: uuid.UUID) -> None:
        """Give up the place of a queue that stays empty; what waits is kept."""

    def clear(self, session: uuid.UUID) -> None:
        """Remove everything that waits for a session."""


class DirectorySpool:
    """The queue as files ``<session>/<captured ms>-<seq>.frame``; the name is all there is to know of a picture."""

    def __init__(self, root: Path, length: int) -> None:
        self._root, self._length = root, length

    def put(self, session: uuid.UUID, frame: StoredFrame) -> int:
        """See ``FrameStore.put``."""
        folder = self._root / str(session)
        if any(_seq(name) == frame.seq for name in self._names(folder)):
            return 0  # the same number again, whatever time it gives now: the first one counts
        try:
            self._write(folder, frame)
        except FileNotFoundError:
            self._write(folder, frame)  # the session ended, and its folder went between making and using it
        return self._thin(folder)

    def take(self, session: uuid.UUID, limit: int) -> list[StoredFrame]:
        """See ``FrameStore.take``."""
        frames = []
        for name in self._names(self._root / str(session))[:limit]:
            try:
                data = (self._root / str(session) / name).read_bytes()
            except FileNotFoundError:
                continue  # thinned out a moment ago
            frames.append(StoredFrame(_seq(name), int(name.partition("-")[0]) / 1000, data))
        return frames

    def discard(self, session: uuid.UUID, seqs: Sequence[int]) -> None:
        """See ``FrameStore.discard``."""
        folder, done = self._root / str(session), set(seqs)
        for name in self._names(folder):
            if _seq(name) in done:
                (folder / name).unlink(missing_ok=True)

    def waiting(self, session: uuid.UUID) -> int:
        """See ``FrameStore.waiting``."""
        return len(self._names(self._root / str(session)))

    def sessions(self) -> Iterator[uuid.UUID]:
        """See ``FrameStore.sessions``."""
        folders = sorted(self._root.iterdir()) if self._root.is_dir() else []
        for folder in folders:
            with suppress(ValueError):  # what else lies there is none of ours
                session = uuid.UUID(folder.name)
                if self._names(folder):
                    yield session

    def forget(self, session: uuid.UUID) -> None:
        """See ``FrameStore.forget``."""
        # Only once a session is over: done after every batch, it would pull the folder from under the next picture.
        with suppress(OSError):
            (self._root / str(session)).rmdir()

    def clear(self, session: uuid.UUID) -> None:
        """See ``FrameStore.clear``."""
        shutil.rmtree(self._root / str(session), ignore_errors=True)

    def _write(self, folder: Path, frame: StoredFrame) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{uuid.uuid4().hex}.part"
        try:
            aside.write_bytes(frame.data)
            aside.replace(folder / f"{round(frame.captured_at * 1000):015d}-{frame.seq}.frame")
        except OSError:
            aside.unlink(missing_ok=True)
            raise

    def _names(self, folder: Path) -> list[str]:
        try:
            return sorted(path.name for path in folder.iterdir() if path.suffix == ".frame")
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _thin(self, folder: Path) -> int:
        names = self._names(folder)
        if len(names) <= self._length:
            return 0
        gone = names[1:-1:2]
        for name in gone:
            (folder / name).unlink(missing_ok=True)
        return len(gone)


def _seq(name: str) -> int:
    return int(name.partition("-")[2].removesuffix(".frame"))


def frame_store() -> FrameStore:
    """Return the deployment's queue."""
    return DirectorySpool(settings.FRAME_SPOOL, settings.FRAME_QUEUE_LENGTH)
