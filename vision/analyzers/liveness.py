"""Whether the pictures come from a living scene: one that stands still, or shows again what it showed, is a recording.

In front of a camera nobody holds as still as a photo, and nothing that moved ever comes back exactly as it was.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from vision.pictures import median, shrink
from vision.types import Frame, Liveness, Memory

if TYPE_CHECKING:
    import numpy.typing as npt

THUMBNAIL = (64, 48)
CELLS = (12, 16)
STILL_LEVELS = 2.0
"""Grey levels by which no cell may have changed. Compression leaves half of it; who sits still for a second changes
more than that somewhere, if only by breathing."""
UNSEEN_S = 10.0
"""After so long without a face in view it is not known what happened meanwhile."""

NUMBERS, STEP = 16, 0.25
"""A sketch has so many numbers, each counted in this many grey levels and from 256 of them on from 0 again."""
RECORD = np.dtype([("at", "<u2"), ("sketch", "u1", NUMBERS)])
TENTHS = 10
EVERY_S = 0.9
RECENT, OLDER, OLDER_EVERY_S = 30, 22, 15.0
"""The last pictures are remembered one a second, and those before them one in 15 seconds, for five minutes."""

MOVED = 1.0
"""Grey levels (RMS) between two pictures from which on something moved; noise and compression stay below."""
LEAST_LAG_S = 3.0
SAME, SAME_SHARE = 0.5, 0.25
ALIKE, ALIKE_SHARE = 1.0, 1 / 3
"""Grey levels within which a picture is the same as an earlier one, or alike as after another compression, and at most
which share of the scene's usual movement that may be: where little moves, little is like something else."""
LAG_DIFFERS_S = 0.3
REMEMBERED_S, MOST_REPEATS, LONGEST_ORDER = 600.0, 20, 60


def analyze(frame: Frame, memory: Memory, *, face: bool) -> tuple[Liveness, Memory]:
    """Return for how long nothing has moved, and how often of late a picture came back; ``face``: one is in view.

    Only pictures of somebody are compared: an empty room may stand as still as a photo. Pictures are compared by a few
    random projections, which keep distances (Johnson and Lindenstrauss 1984).
    """
    known: dict[str, Any] = memory.get("liveness") or {"at": frame.captured_at}
    passed_s = frame.captured_at - known["at"]
    if passed_s < 0:
        known, passed_s = {"at": frame.captured_at}, 0.0
    if not face:
        return _facts(known, 0.0), memory
    thumbnail = _thumbnail(frame.small)
    known = {**known, "at": frame.captured_at, **_still(known, thumbnail, frame.captured_at, passed_s)}
    known |= _compare(known, _sketch(thumbnail), frame.captured_at)
    return _facts(known, frame.captured_at - known["since"]), {**memory, "liveness": known}


def _facts(known: dict[str, Any], frozen_s: float) -> Liveness:
    repeats, run = known.get("repeats", []), known.get("run") or [0.0, 0]
    return Liveness(round(frozen_s, 1), len(repeats), run[1], run[0] if run[1] else 0.0)


def _still(known: dict[str, Any], thumbnail: np.ndarray, at: float, passed_s: float) -> dict[str, Any]:
    """Return since when no part of the picture has changed, and how it looked then."""
    height, width = CELLS
    cells = thumbnail.reshape(height, thumbnail.shape[0] // height, width, -1).mean(axis=(1, 3))
    if "cells" in known and passed_s <= UNSEEN_S:
        before = np.frombuffer(b64decode(known["cells"]), np.uint8).reshape(CELLS)
        if float(np.abs(cells - before).max()) < STILL_LEVELS:
            return {}
    return {"since": at, "cells": _text(np.rint(cells).astype(np.uint8))}


def _compare(known: dict[str, Any], sketch: npt.NDArray[np.uint8], at: float) -> dict[str, Any]:
    """Look for the picture among the earlier ones, and remember it, unless it is still the last one."""
    records = np.frombuffer(b64decode(known.get("records", "")), RECORD)
    now = round(at * TENTHS) % 2**16
    ages_s = ((now - records["at"].astype(int)) % 2**16) / TENTHS
    apart = _distance(records["sketch"], sketch)
    if len(records) and (ages_s[-1] < EVERY_S or apart[-1] < MOVED):
        return {}
    repeats = [then for then in known.get("repeats", []) if 0 <= at - then <= REMEMBERED_S]
    run = known.get("run") or [0.0, 0]
    if len(records) > 2:
        usual = float(median(_distance(records["sketch"][1:][-8:], records["sketch"][:-1][-8:])))
        earlier = ages_s >= LEAST_LAG_S
        if (apart[earlier] < min(SAME, SAME_SHARE * usual)).any():
            repeats.append(round(at, 1))
        run = _order(run, ages_s[earlier], apart[earlier], min(ALIKE, ALIKE_SHARE * usual))
    records = np.append(records, np.array([(now, sketch)], RECORD))
    return {"records": _text(_thinned(records)), "repeats": repeats[-MOST_REPEATS:], "run": run}


def _order(run: list[Any], ages_s: np.ndarray, apart: np.ndarray, limit: float) -> list[Any]:
    """Return the lag in seconds at which pictures come back, and how many more in a row did so than did not."""
    lag_s, count = run
    alike = apart < limit
    if count and (np.abs(ages_s[alike] - lag_s) <= LAG_DIFFERS_S).any():
        return [lag_s, min(count + 1, LONGEST_ORDER)]
    if count > 1:
        return [lag_s, count - 1]
    return [float(ages_s[np.argmin(apart)]), 1] if alike.any() else [0.0, 0]


def _thinned(records: np.ndarray) -> np.ndarray:
    """Keep the last pictures, and of those before them one in some seconds."""
    older, recent = records[:-RECENT], records[-RECENT:]
    if len(older) > 1 and (int(older["at"][-1]) - int(older["at"][-2])) % 2**16 < OLDER_EVERY_S * TENTHS:
        older = older[:-1]
    return np.concatenate([older[-OLDER:], recent])


def _thumbnail(rgb: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.cvtColor(shrink(rgb, THUMBNAIL), cv2.COLOR_RGB2GRAY).astype(np.float32)


def _sketch(thumbnail: np.ndarray) -> npt.NDArray[np.uint8]:
    steps = np.rint(_projections() @ thumbnail.ravel() / STEP)
    return np.asarray(np.mod(steps, 256), np.uint8)


@cache
def _projections() -> npt.NDArray[np.float32]:
    pixels = THUMBNAIL[0] * THUMBNAIL[1]
    signs = np.random.default_rng(20).integers(0, 2, (NUMBERS, pixels)) * 2 - 1
    return np.asarray(signs / np.sqrt(pixels), np.float32)


def _distance(sketches: np.ndarray, other: np.ndarray) -> npt.NDArray[np.float64]:
    """Return about how many grey levels (RMS) the pictures of these sketches are apart, up to some 30."""
    steps = (sketches - other).view(np.int8).astype(float)
    return np.asarray(STEP * np.sqrt((steps**2).mean(axis=-1)))


def _text(array: np.ndarray) -> str:
    return b64encode(array.tobytes()).decode()
