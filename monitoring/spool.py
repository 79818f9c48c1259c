"""The queues as files in folders, for machines without services."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

from monitoring.frame_store import (
    MOST_BYTES,
    STREAMS,
    QueueFull,
    StoredFrame,
    StoreUnavailable,
    Stream,
    Tally,
    thin_out,
)

THINNED = "thinned"
"""The file of a session that is as long as pictures were thinned out."""

LARGE = 256 * 1024
"""After an item of so many bytes the queue is looked at in any case."""

LEFT_BEHIND_S = 600.0
"""A file half written so long ago belongs to a process that died."""


class Waiting(NamedTuple):
    """One waiting file; in the order of its fields it is in the order of capture."""

    captured_ns: int
    seq: int
    size: int


class DirectorySpool:
    """The queues as files ``<session>/<number>.<stream>``, whose time of change is the time of capture.

    The number alone makes the name, so that the file system itself refuses a second one. Other processes may put and
    take at the same time: how many wait is counted anew at every ``length / 16``-th picture, and a queue may be longer
    than it should by so many for each process that puts into it.
    """

    def __init__(self, root: Path, length: int) -> None:
        self._root, self._length = str(root), length
        self._count_every = max(1, length // 16)
        # Of each queue: how many there were when they were counted, and how many this process has put since.
        self._counted: dict[tuple[uuid.UUID, Stream], tuple[int, int]] = {}
        # Processes on several machines, or of several containers with the same numbers, may share the folder.
        self._mark, self._asides = uuid.uuid4().hex, count()

    def put(self, session: uuid.UUID, frame: StoredFrame) -> int | None:
        """See ``FrameStore.put``."""
        folder, name = self._folder(session), f"{frame.seq}.{frame.stream}"
        try:
            large = len(frame.data) >= LARGE
            if frame.stream == "audio" and self._is_full(session, look=large):
                if os.path.exists(f"{folder}/{name}"):
                    return None
                raise QueueFull
            if not self._write(folder, name, frame):
                return None
            return self._thin(session, look=large) if frame.stream == "frame" else self._note(session, "audio")
        except OSError as error:
            raise StoreUnavailable(error.errno, f"the spool takes nothing: {error.strerror}") from error

    def take(self, session: uuid.UUID, limit: int, stream: Stream = "frame") -> list[StoredFrame]:
        """See ``FrameStore.take``."""
        frames, folder = [], self._folder(session)
        for captured_ns, seq, _size in self._list(folder, stream)[:limit]:
            with suppress(FileNotFoundError):  # thinned out a moment ago
                data = Path(f"{folder}/{seq}.{stream}").read_bytes()
                frames.append(StoredFrame(seq, captured_ns // 1_000_000 / 1000, data, stream))
        return frames

    def take_each(
        self, limits: Mapping[uuid.UUID, int], stream: Stream = "frame"
    ) -> dict[uuid.UUID, list[StoredFrame]]:
        """See ``FrameStore.take_each``."""
        return {session: self.take(session, limit, stream) for session, limit in limits.items()}

    def numbers(self, session: uuid.UUID, stream: Stream = "frame") -> list[int]:
        """See ``FrameStore.numbers``."""
        return [item.seq for item in self._list(self._folder(session), stream)]

    def discard(self, session: uuid.UUID, seqs: Sequence[int], stream: Stream = "frame") -> int:
        """See ``FrameStore.discard``."""
        folder = self._folder(session)
        return sum(_remove(f"{folder}/{seq}.{stream}") for seq in set(seqs))

    def discard_each(self, done: Mapping[uuid.UUID, Sequence[int]], stream: Stream = "frame") -> dict[uuid.UUID, int]:
        """See ``FrameStore.discard_each``."""
        return {session: self.discard(session, seqs, stream) for session, seqs in done.items()}

    def waiting(self, session: uuid.UUID, stream: Stream | None = None) -> int:
        """See ``FrameStore.waiting``."""
        return len(_names(self._folder(session), stream))

    def count(self, sessions: Sequence[uuid.UUID], stream: Stream) -> dict[uuid.UUID, int]:
        """See ``FrameStore.count``."""
        return {session: self.waiting(session, stream) for session in sessions}

    def thinned(self, session: uuid.UUID) -> int:
        """See ``FrameStore.thinned``."""
        try:
            return os.stat(f"{self._folder(session)}/{THINNED}").st_size
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def thinned_of(self, sessions: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
        """See ``FrameStore.thinned_of``."""
        return {session: self.thinned(session) for session in sessions}

    def sessions(self) -> Iterator[uuid.UUID]:
        """See ``FrameStore.sessions``."""
        try:
            found = sorted(os.listdir(self._root))
        except FileNotFoundError:
            return
        for name in found:
            with suppress(ValueError):  # what else lies there is none of ours
                session = uuid.UUID(name)
                if _names(f"{self._root}/{name}"):
                    yield session

    def tally(self) -> Tally:
        """See ``FrameStore.tally``."""
        waiting: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        oldest: dict[Stream, float] = {}
        sessions = list(self.sessions())
        for session in sessions:
            for stream in STREAMS:
                found = self._list(self._folder(session), stream)
                waiting[stream] += len(found)
                if found:
                    oldest[stream] = min(oldest.get(stream, found[0].captured_ns / 1e9), found[0].captured_ns / 1e9)
        return Tally(waiting, oldest, len(sessions))

    def forget(self, session: uuid.UUID) -> None:
        """See ``FrameStore.forget``."""
        # Only once a session is over: done after every batch, it would pull the folder from under the next picture.
        folder = self._folder(session)
        with suppress(OSError):
            if not _names(folder):
                _remove(f"{folder}/{THINNED}")
            os.rmdir(folder)
        self._lose_count(session)

    def tidy(self) -> None:
        """See ``FrameStore.tidy``."""
        before = time.time() - LEFT_BEHIND_S
        with suppress(FileNotFoundError):  # nothing was stored yet
            for folder in os.scandir(self._root):
                with suppress(OSError):
                    old = [one.path for one in os.scandir(folder.path) if _is_left_behind(one, before)]
                    if sum(map(_remove, old)):
                        os.rmdir(folder.path)  # goes only where nothing else is in it

    def clear(self, session: uuid.UUID) -> None:
        """See ``FrameStore.clear``."""
        shutil.rmtree(self._folder(session), ignore_errors=True)
        self._lose_count(session)

    def _folder(self, session: uuid.UUID) -> str:
        return f"{self._root}/{session}"

    def _write(self, folder: str, name: str, frame: StoredFrame) -> bool:
        """Write aside, then give it its name; False if that number waits already, whatever time it gives now."""
        if os.path.exists(f"{folder}/{name}"):
            return False  # spares the writing; what came in between is found by the link
        aside = f"{folder}/.{self._mark}-{os.getpid()}-{next(self._asides)}.part"
        try:
            _write_file(aside, frame)
        except FileNotFoundError:  # the session's first, or it ended and its folder went between
            os.makedirs(folder, exist_ok=True)
            _write_file(aside, frame)
        try:
            os.link(aside, f"{folder}/{name}")
        except FileExistsError:
            return False
        finally:
            _remove(aside)
        return True

    def _is_full(self, session: uuid.UUID, *, look: bool) -> bool:
        """Say whether no more sound may wait; asks the folder only when it may be so."""
        counted, since = self._counted.get((session, "audio"), (self._length, 0))
        if counted + since < self._length and since < self._count_every and not look:
            return False
        waiting = self._list(self._folder(session), "audio")
        found = self._keep_count(session, "audio", len(waiting))
        return found >= self._length or _size_of(waiting) >= MOST_BYTES

    def _note(self, session: uuid.UUID, stream: Stream) -> int:
        counted, since = self._counted.get((session, stream), (self._length, 0))
        self._counted[session, stream] = counted, since + 1
        return 0

    def _thin(self, session: uuid.UUID, *, look: bool) -> int:
        """Remove a quarter of the pictures if too many wait; returns how many went by this call."""
        self._note(session, "frame")
        counted, since = self._counted[session, "frame"]
        if counted + since <= self._length and since < self._count_every and not look:
            return 0
        waiting = self._list(self._folder(session), "frame")
        found = self._keep_count(session, "frame", len(waiting))
        if found <= self._length and _size_of(waiting) <= MOST_BYTES:
            return 0
        places = thin_out([item.captured_ns for item in waiting])
        gone = self._remove_thinned(self._folder(session), [waiting[place].seq for place in places])
        self._keep_count(session, "frame", found - gone)
        return gone

    def _remove_thinned(self, folder: str, seqs: Sequence[int]) -> int:
        gone = 0
        # One by one, so that a process that dies here leaves at most one uncounted; appending needs no lock.
        with open(f"{folder}/{THINNED}", "ab", buffering=0) as counted:
            for seq in seqs:
                if _remove(f"{folder}/{seq}.frame"):
                    counted.write(b".")
                    gone += 1
        return gone

    def _keep_count(self, session: uuid.UUID, stream: Stream, found: int) -> int:
        if len(self._counted) > 20_000:  # sessions that ended through another process
            self._counted.clear()
        self._counted[session, stream] = found, 0
        return found

    def _lose_count(self, session: uuid.UUID) -> None:
        self._counted.pop((session, "frame"), None)
        self._counted.pop((session, "audio"), None)

    def _list(self, folder: str, stream: Stream) -> list[Waiting]:
        found, ending = [], f".{stream}"
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(ending):
                        with suppress(FileNotFoundError):
                            told, seq = entry.stat(), int(entry.name[: -len(ending)])
                            found.append(Waiting(told.st_mtime_ns, seq, told.st_size))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(found)


def _is_left_behind(entry: os.DirEntry[str], before: float) -> bool:
    return entry.name.endswith(".part") and entry.stat().st_ctime < before


def _size_of(waiting: Sequence[Waiting]) -> int:
    return sum(item.size for item in waiting)


def _write_file(path: str, frame: StoredFrame) -> None:
    captured_ns = round(frame.captured_at * 1000) * 1_000_000
    try:
        with open(path, "xb", buffering=0) as file:
            # Without a buffer a full disk may take a part and say so only by the count.
            rest = memoryview(frame.data)
            while rest:
                rest = rest[file.write(rest) :]
        os.utime(path, ns=(captured_ns, captured_ns))
    except FileNotFoundError:
        raise
    except OSError:
        _remove(path)
        raise


def _names(folder: str, stream: Stream | None = None) -> list[str]:
    wanted = (".frame", ".audio") if stream is None else (f".{stream}",)
    try:
        return [name for name in os.listdir(folder) if name.endswith(wanted)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove(path: str) -> bool:
    """Remove a file; False if somebody else did."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
