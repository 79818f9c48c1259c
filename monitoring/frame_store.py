"""Where pictures and sound wait between the candidate and the analysis: bounded queues per session, in a folder.

``put`` returns once the item would survive the death of any of our processes (written aside, then renamed). A full
queue of pictures is thinned evenly: every second waiting one goes and is counted, so that what stays still covers the
time. Sound with holes is worth little, so a full queue of sound takes no more until some of it was worked off.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from django.conf import settings

Stream = Literal["frame", "audio"]


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One waiting picture or chunk of sound: number, capture time in seconds since 1970, and encoded bytes."""

    seq: int
    captured_at: float
    data: bytes
    stream: Stream = "frame"


class QueueFull(Exception):
    """A queue that is not thinned holds all it may; nothing was stored."""


class FrameStore(Protocol):
    """What the queues of waiting pictures and sound can do; each stream is a queue of its own."""

    def put(self, session: uuid.UUID, frame: StoredFrame) -> int | None:
        """Store one item; return how many pictures were thinned out for it, or None if its number waits already.

        Raises ``QueueFull`` for sound when no more of it may wait.
        """

    def take(self, session: uuid.UUID, limit: int, stream: Stream = "frame") -> list[StoredFrame]:
        """Return the oldest waiting items by capture time without removing them."""

    def discard(self, session: uuid.UUID, seqs: Sequence[int], stream: Stream = "frame") -> None:
        """Remove items that are done with."""

    def waiting(self, session: uuid.UUID, stream: Stream | None = None) -> int:
        """Return how many wait, in one stream or in all."""

    def sessions(self) -> Iterator[uuid.UUID]:
        """Return the sessions with anything waiting."""

    def forget(self, session: uuid.UUID) -> None:
        """Give up the place of a queue that stays empty; what waits is kept."""

    def clear(self, session: uuid.UUID) -> None:
        """Remove everything that waits for a session."""


class DirectorySpool:
    """The queues as files ``<session>/<captured ms>-<seq>.<stream>``; the name is all there is to know of an item."""

    def __init__(self, root: Path, length: int) -> None:
        self._root, self._length = root, length

    def put(self, session: uuid.UUID, frame: StoredFrame) -> int | None:
        """See ``FrameStore.put``."""
        folder = self._root / str(session)
        names = self._names(folder, frame.stream)
        if any(_seq(name) == frame.seq for name in names):
            return None  # the same number again, whatever time it gives now: the first one counts
        if frame.stream == "audio" and len(names) >= self._length:
            raise QueueFull
        try:
            self._write(folder, frame)
        except FileNotFoundError:
            self._write(folder, frame)  # the session ended, and its folder went between making and using it
        return self._thin(folder) if frame.stream == "frame" else 0

    def take(self, session: uuid.UUID, limit: int, stream: Stream = "frame") -> list[StoredFrame]:
        """See ``FrameStore.take``."""
        frames = []
        for name in self._names(self._root / str(session), stream)[:limit]:
            try:
                data = (self._root / str(session) / name).read_bytes()
            except FileNotFoundError:
                continue  # thinned out a moment ago
            frames.append(StoredFrame(_seq(name), int(name.partition("-")[0]) / 1000, data, stream))
        return frames

    def discard(self, session: uuid.UUID, seqs: Sequence[int], stream: Stream = "frame") -> None:
        """See ``FrameStore.discard``."""
        folder, done = self._root / str(session), set(seqs)
        for name in self._names(folder, stream):
            if _seq(name) in done:
                (folder / name).unlink(missing_ok=True)

    def waiting(self, session: uuid.UUID, stream: Stream | None = None) -> int:
        """See ``FrameStore.waiting``."""
        return len(self._names(self._root / str(session), stream))

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
            aside.replace(folder / f"{round(frame.captured_at * 1000):015d}-{frame.seq}.{frame.stream}")
        except OSError:
            aside.unlink(missing_ok=True)
            raise

    def _names(self, folder: Path, stream: Stream | None = None) -> list[str]:
        wanted = (".frame", ".audio") if stream is None else (f".{stream}",)
        try:
            return sorted(path.name for path in folder.iterdir() if path.suffix in wanted)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _thin(self, folder: Path) -> int:
        names = self._names(folder, "frame")
        if len(names) <= self._length:
            return 0
        gone = names[1:-1:2]
        for name in gone:
            (folder / name).unlink(missing_ok=True)
        return len(gone)


def _seq(name: str) -> int:
    return int(name.partition("-")[2].partition(".")[0])


def frame_store() -> FrameStore:
    """Return the deployment's queues."""
    return DirectorySpool(settings.FRAME_SPOOL, settings.FRAME_QUEUE_LENGTH)
