"""A recorded exam, read one picture at a time: a video file or a folder of timestamped pictures."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from vision.decoding import Picture
    from vision.recorded_sound import RecordedSound

MAX_WIDTH = 1280
LONGEST_S = 31 * 86_400.0
"""A recording that claims to be longer than a month has wrong times."""
EDGE_S = 0.001  # containers round timestamps to milliseconds


class RecordingError(ValueError):
    """The recording cannot be replayed; the message is one sentence that names the file."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedFrame:
    """One picture: ``offset_s`` seconds after the start, ``rgb`` (height, width, 3) uint8, upright."""

    offset_s: float
    rgb: Picture


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch ``[start_s, end_s)`` of which no picture could be had, and why."""

    start_s: float
    end_s: float
    reason: str


class SamplingClock:
    """Picks the first picture at or after each multiple of ``1 / fps`` seconds."""

    def __init__(self, fps: float) -> None:
        if not (math.isfinite(fps) and fps > 0):
            raise RecordingError("The sampling rate must be a number above zero.")
        self.fps = fps
        self._slot = -1

    def slot(self, offset_s: float) -> int:
        """Return the number of the sampling interval that this moment lies in."""
        return math.floor((offset_s + EDGE_S) * self.fps)

    def wants(self, offset_s: float) -> bool:
        """Tell whether no picture was taken yet in this moment's interval."""
        return self.slot(offset_s) > self._slot

    def take(self, offset_s: float) -> None:
        """Note that the interval of this moment has its picture."""
        self._slot = self.slot(offset_s)


class Recording(ABC):
    """A recording that was found readable; ``width`` and ``height`` are those of the pictures it yields.

    ``duration_s`` is None where the file does not tell, ``fps`` is the rate it was recorded at, ``note`` is
    one sentence about an assumption that the reader should know, or empty.
    """

    name: str
    duration_s: float | None
    fps: float
    width: int
    height: int
    note: str = ""

    @abstractmethod
    def frames(self, fps: float) -> Iterator[RecordedFrame | Gap]:
        """Yield pictures at most ``fps`` times a second, and the gaps between them, in order of time.

        Memory does not grow with the recording's length. May be called again for a second pass.
        Raises RecordingError if ``fps`` is not above zero.
        """

    def sounds(self) -> Iterator[RecordedSound]:
        """Yield the recording's sound in chunks of a few seconds, in order of time; none where it has none."""
        return iter(())

    @abstractmethod
    def expected_frames(self, fps: float) -> int | None:
        """Estimate how many pictures ``frames`` will yield, for a progress bar; None if that is unknown."""

    @abstractmethod
    def close(self) -> None:
        """Release the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_recording(path: Path) -> Recording:
    """Open a video file or a folder of timestamped pictures, and make sure at least one picture decodes.

    Use it in a ``with`` statement. Raises RecordingError with one sentence that names the file.
    """
    from vision.recorded_pictures import PictureFolder
    from vision.recorded_video import VideoFile

    path = Path(path)
    try:
        if path.is_dir():
            return PictureFolder(path)
        if not path.exists():
            raise RecordingError(f"There is no recording at {path}.")
        if not path.is_file():
            raise RecordingError(f"{path.name} is neither a file nor a folder.")
        if path.stat().st_size == 0:
            raise RecordingError(f"{path.name} is empty (0 bytes).")
        return VideoFile(path)
    except PermissionError as error:
        raise RecordingError(f"{path.name} may not be read by this user.") from error
