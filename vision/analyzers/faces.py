"""Faces: who is there and how many, by several detectors that must agree before nobody is said to be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vision.types import Box, Face, Frame, Memory, overlap

if TYPE_CHECKING:
    from vision.loading import Models

COUNTER_SIDE = 224
"""Longest side in pixels that the face counter sees."""
RECOUNT_SIDE = 416
SURE_SCORE = 0.75
"""One face that is as sure as this is all there is to count; everything else is counted again, larger."""
RECOUNT_SCORE = 0.7
"""A spectator out of focus and a pattern on the wall look like faces too, but below this score."""
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
    """Find the faces, largest first; ``()`` only when every face model that was asked found none. Remembers nothing.

    YuNet counts where its weights are present; where it finds no face MediaPipe's short-range model is asked, which
    knows faces that are very near. Without YuNet MediaPipe's two models always count: each misses faces that the other
    one finds.
    """
    if models.face_counter is None:
        found = _by_both_ranges(frame.rgb, models)
    else:
        found = _by_counter(frame.rgb, models.face_counter) or _by_short_range(frame.rgb, models)
    return tuple(sorted(found, key=lambda one: one.area, reverse=True)), memory


def merge(found: list[FoundFace], more: list[FoundFace]) -> list[FoundFace]:
    """Return the faces and those of ``more`` that are not among them already."""
    merged = list(found)
    for one in sorted(more, key=lambda candidate: candidate.face.score, reverse=True):
        if not any(_same(one.face.box, other.face.box) for other in merged):
            merged.append(one)
    return merged


def _same(a: Box, b: Box) -> bool:
    over_union, inside = overlap(a, b)
    return over_union >= SAME_FACE_IOU or inside >= SAME_FACE_INSIDE


def _by_counter(rgb: np.ndarray, counter: Any) -> list[FoundFace]:
    """Count on a small picture; unless it holds just one face, and surely, count again on a larger one."""
    rows = counter.detect(rgb, COUNTER_SIDE)
    if len(rows) != 1 or rows[0, 14] < SURE_SCORE:
        rows = counter.detect(rgb, RECOUNT_SIDE)
        rows = rows[rows[:, 14] >= RECOUNT_SCORE]
    return [_found(row[:4], row[14], row[4:14].reshape(5, 2)) for row in rows]


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
