"""Whether the mouth moves: how far the lips are apart, and how often that changed in the last seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vision.types import Memory, Mouth

# Mesh points of the inner lips: upper and lower of three pairs from the picture's left to its right, and the corners.
PAIRS = ((81, 178), (13, 14), (311, 402))
CORNERS = (78, 308)
POINTS = sorted({*CORNERS, *(point for pair in PAIRS for point in pair)})
MIN_WIDTH_PX = 12
SPEAKING_S = 10.0
KEPT = 12
STIR = 0.06
"""A change of the opening that is no noise of the mesh."""


def analyze(points: np.ndarray, at: float, memory: Memory) -> tuple[Mouth | None, Memory]:
    """Return how open the mouth is and how often it turned from opening to closing or back in the last ten seconds.

    ``points`` are (478, 2) mesh points in pixels. Who speaks opens and shuts the mouth again and again; who yawns does
    it once. ``None`` where the mouth is too small to tell.
    """
    opened = openness(points)
    if opened is None:
        return None, memory
    before = [item for item in memory.get("mouth", ()) if 0 <= at - item[0] <= SPEAKING_S][-KEPT:]
    kept = [*before, [round(at, 3), round(opened, 3)]]
    return Mouth(opened, turns([value for _at, value in kept])), {**memory, "mouth": kept}


def openness(points: np.ndarray) -> float | None:
    """Return the distance between the inner lips as a share of the mouth's width (mouth aspect ratio)."""
    width = float(np.linalg.norm(points[CORNERS[0]] - points[CORNERS[1]]))
    if width < MIN_WIDTH_PX:
        return None
    return float(np.mean([np.linalg.norm(points[upper] - points[lower]) for upper, lower in PAIRS])) / width


def turns(values: Sequence[float]) -> int:
    """Return how often a row of numbers turned round, leaving out what is smaller than noise."""
    count, direction, extreme = 0, 0, values[0]
    for value in values[1:]:
        way = int(np.sign(value - extreme)) if abs(value - extreme) >= STIR else 0
        if way and way != direction:
            count += direction != 0
            direction, extreme = way, value
        elif way or (direction and (value - extreme) * direction > 0):
            extreme = value
    return count
