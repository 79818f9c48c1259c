"""Faces: who is there and how many, by several detectors that must agree before nobody is said to be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vision.pictures import shrink
from vision.types import Box, Face, Frame, Memory

if TYPE_CHECKING:
    from vision.loading import Models

COUNTER_SIDE = 224
"""Longest side in pixels that the face counter sees."""
RECOUNT_SIDE = 640
COUNTER_LEAST_SIDE = 64
"""With a side of 32 pixels OpenCV 4.11 reads memory that was never written, and finds faces in it."""
SURE_SCORE = 0.75
"""A spectator out of focus and a pattern on the wall look like faces in a small picture; a larger one costs seven times
as much."""
FULL_RANGE_SCORE = 0.65
SHORT_RANGE_SCORE = 0.6
"""The bundled models take furniture for a face now and then, but below these scores; they ignore the threshold that
they are built with."""
SECOND_FACE_SCORE = 0.7
"""What the short-range model adds to faces found already must be surer than what it finds alone."""
SAME_FACE_IOU = 0.3
SAME_FACE_INSIDE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face and its key points as (5 or 6, 2) shares of the picture, the eye on the picture's left first.

    Five are YuNet's: eyes, nose tip, corners of the mouth. Six are BlazeFace's: eyes, nose tip, mouth, ears.
    """

    face: Face
    keypoints: np.ndarray

    @property
    def area(self) -> float:
        """Share of the picture that the face's box covers."""
        return self.face.box[2] * self.face.box[3]


def analyze(frame: Frame, memory: Memory, models: Models) -> tuple[tuple[FoundFace, ...], Memory]:
    """Find the faces, largest first; ``()`` only when every face model found none. Remembers nothing.

    YuNet counts where its weights are present; MediaPipe's two models are then asked only where it found no face.
    Without YuNet both always count: each misses faces that the other one finds.
    """
    found = _by_counter(frame.rgb, models) or _by_both_ranges(frame.rgb, models)
    return tuple(sorted(found, key=lambda one: one.area, reverse=True)), memory


def merge(found: list[FoundFace], more: list[FoundFace]) -> list[FoundFace]:
    """Return the faces and those of ``more`` that are not among them already."""
    merged = list(found)
    for one in sorted(more, key=lambda candidate: candidate.face.score, reverse=True):
        if not any(_same(one.face.box, other.face.box) for other in merged):
            merged.append(one)
    return merged


def overlap(a: Box, b: Box) -> tuple[float, float]:
    """Return the intersection of two boxes over their union, and over the smaller of them."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(0.0, width) * max(0.0, height)
    area_a, area_b = a[2] * a[3], b[2] * b[3]
    return common / max(area_a + area_b - common, 1e-9), common / max(min(area_a, area_b), 1e-9)


def _same(a: Box, b: Box) -> bool:
    over_union, inside = overlap(a, b)
    return over_union >= SAME_FACE_IOU or inside >= SAME_FACE_INSIDE


def _by_counter(rgb: np.ndarray, models: Models) -> list[FoundFace]:
    """Count on a small picture; where it holds several faces and one of them is unsure, count again on a larger one."""
    counter = models.face_counter
    if counter is None:
        return []
    found = _count(rgb, counter, COUNTER_SIDE)
    if len(found) > 1 and min(one.face.score for one in found) < SURE_SCORE:
        return _count(rgb, counter, RECOUNT_SIDE) or found[:1]
    return found


def _count(rgb: np.ndarray, counter: Any, side: int) -> list[FoundFace]:
    import cv2

    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    size = (max(COUNTER_LEAST_SIDE, round(width * scale)), max(COUNTER_LEAST_SIDE, round(height * scale)))
    counter.setInputSize(size)
    rows = counter.detect(cv2.cvtColor(shrink(rgb, size), cv2.COLOR_RGB2BGR))[1]
    return (
        [] if rows is None else [_found(row[:4] / (size * 2), row[14], row[4:14].reshape(5, 2) / size) for row in rows]
    )


def _by_both_ranges(rgb: np.ndarray, models: Models) -> list[FoundFace]:
    far, near = _by_full_range(rgb, models), _by_short_range(rgb, models)
    return merge(far, [one for one in near if one.face.score >= SECOND_FACE_SCORE] if far else near)


def _by_full_range(rgb: np.ndarray, models: Models) -> list[FoundFace]:
    return _by_solution(rgb, models.full_range_faces, FULL_RANGE_SCORE)


def _by_short_range(rgb: np.ndarray, models: Models) -> list[FoundFace]:
    return _by_solution(rgb, models.short_range_faces, SHORT_RANGE_SCORE)


def _by_solution(rgb: np.ndarray, solution: Any, min_score: float) -> list[FoundFace]:
    found = []
    for detection in solution.process(rgb).detections or []:
        if detection.score[0] < min_score:
            continue
        place = detection.location_data
        box = place.relative_bounding_box
        keypoints = np.array([(point.x, point.y) for point in place.relative_keypoints])
        found.append(_found((box.xmin, box.ymin, box.width, box.height), detection.score[0], keypoints))
    return found


def _found(box: Any, score: Any, keypoints: np.ndarray) -> FoundFace:
    x, y, width, height = (float(value) for value in box)
    return FoundFace(Face((x, y, width, height), min(1.0, float(score))), keypoints)
