"""A folder of timestamped pictures, read as a recording."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from vision.decoding import MAX_BYTES, Picture, PictureError, decode_picture, downscale
from vision.recording import LONGEST_S, MAX_WIDTH, Gap, RecordedFrame, Recording, RecordingError, SamplingClock

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}
HOLE_S = 2.0
HOLE_INTERVALS = 3
DATE_TIME = re.compile(
    r"(?<!\d)(\d{4})[-_.]?(\d\d)[-_.]?(\d\d)[T_ .-]?(\d\d)[-:_.h]?(\d\d)[-:_.m]?(\d\d)(?:[.,_-]?(\d{3}|\d{6}))?Z?(?!\d)"
)
EPOCH_MS = re.compile(r"(?<!\d)(\d{13})(?!\d)")
EPOCH_S = re.compile(r"(?<!\d)(\d{10}(?:\.\d+)?)(?!\d)")
SECONDS = re.compile(r"(?<![\d.])(\d+\.\d+|\d{1,9})s?$")


class PictureFolder(Recording):
    """Pictures whose names tell their time; one that cannot be read is a gap with its reason."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        pictures = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
        if not pictures:
            raise RecordingError(f"The folder {folder.name} holds no pictures (JPEG, PNG, WebP, BMP, GIF).")
        self._pictures, self.note = _in_order_of_time(folder, pictures)
        offsets = [offset for offset, _ in self._pictures]
        if offsets[-1] > LONGEST_S:
            raise RecordingError(f"The times of the pictures in the folder {folder.name} lie more than a month apart.")
        steps = [later - earlier for earlier, later in pairwise(offsets) if later > earlier]
        self._step = median(steps) if steps else 1.0
        self.fps = 1.0 / self._step
        self.duration_s = offsets[-1] + self._step
        self.height, self.width = self._first_size(folder)

    def frames(self, fps: float) -> Iterator[RecordedFrame | Gap]:
        clock = SamplingClock(fps)
        return self._read(clock)

    def expected_frames(self, fps: float) -> int | None:
        clock = SamplingClock(fps)
        return len({clock.slot(offset) for offset, _ in self._pictures})

    def close(self) -> None:
        """Do nothing: no file stays open between pictures."""

    def _first_size(self, folder: Path) -> tuple[int, int]:
        reason = ""
        for _, path in self._pictures:
            try:
                height, width = _decode(path).shape[:2]
                return height, width
            except PictureError as error:
                reason = reason or f"{path.name}: {error}"
        raise RecordingError(f"No picture in the folder {folder.name} can be decoded ({reason.rstrip('.')}).")

    def _read(self, clock: SamplingClock) -> Iterator[RecordedFrame | Gap]:
        hole = max(HOLE_S, HOLE_INTERVALS * self._step)
        for number, (offset, path) in enumerate(self._pictures):
            later = self._pictures[number + 1][0] if number + 1 < len(self._pictures) else offset + self._step
            if clock.wants(offset):
                try:
                    frame = RecordedFrame(offset, _decode(path))
                except PictureError as error:
                    yield Gap(offset, min(later, offset + hole), f"{path.name}: {error}")
                else:
                    clock.take(offset)
                    yield frame
            if later - offset > hole:
                yield Gap(offset + self._step, later, "The folder holds no pictures of this time.")


def _decode(path: Path) -> Picture:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PictureError(f"The picture is larger than {MAX_BYTES // 1024**2} MB.")
        return downscale(decode_picture(path.read_bytes()), MAX_WIDTH)
    except OSError as error:
        raise PictureError(f"The picture cannot be read: {error.strerror}.") from error


def _in_order_of_time(folder: Path, pictures: list[Path]) -> tuple[list[tuple[float, Path]], str]:
    """Return (seconds since the first picture, path) in order, and a note on what had to be assumed."""
    for read_time, note in SCHEMES:
        timed: list[tuple[float, Path]] = []
        for path in sorted(pictures):
            seconds = read_time(path.stem)
            if seconds is None:
                break
            timed.append((seconds, path))
        else:
            timed.sort()
            first = timed[0][0]
            return [(round(seconds - first, 6), path) for seconds, path in timed], note
    unclear = next((p for p in sorted(pictures) if all(read(p.stem) is None for read, _ in SCHEMES)), None)
    if unclear is None:
        raise RecordingError(f"The pictures in the folder {folder.name} write their times in different ways.")
    raise RecordingError(
        f"{unclear.name} in the folder {folder.name} has no time in its name (2026-01-31T10-15-02.jpg)."
    )


def _date_time(stem: str) -> float | None:
    found = DATE_TIME.search(stem)
    if not found:
        return None
    *parts, fraction = found.groups()
    try:
        moment = datetime(*(int(part) for part in parts), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None
    return moment.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)


def _epoch_ms(stem: str) -> float | None:
    found = EPOCH_MS.search(stem)
    return int(found[1]) / 1000 if found else None


def _epoch_s(stem: str) -> float | None:
    found = EPOCH_S.search(stem)
    return float(found[1]) if found else None


def _seconds(stem: str) -> float | None:
    found = SECONDS.search(stem)
    return float(found[1]) if found else None


# A name may fit several ways of writing a time; the first that fits every picture of the folder is meant.
SCHEMES: tuple[tuple[Callable[[str], float | None], str], ...] = (
    (_date_time, ""),
    (_epoch_ms, ""),
    (_epoch_s, ""),
    (_seconds, "The numbers in the file names are taken for seconds, one picture a second where they just count."),
)
