"""Hands near the candidate's face: how they are held, and how much of the face they cover.

MediaPipe's hands find few hands that are none, if they are shown the part of the picture around the face alone.
When they look says ``vision.hand_gate``; a look costs as much as all that is done with a face.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vision.analyzers.faces import FoundFace
from vision.hand_gate import RAISED_RISE
from vision.types import Box, Frame, Hand, Memory, overlap

if TYPE_CHECKING:
    from vision.loading import Models

REACH_ASIDE, REACH_UP, REACH_DOWN = 2.5, 1.4, 2.4
"""How far from the face hands are looked for, in face lengths: in the whole picture they would be too small."""

LEAST_FACE_PX = 48
SIZES = (0.2, 1.0)
"""Palms from wrist to knuckles, in face lengths; others belong to somebody else, or are none."""

MOVED_S, PALMS_KEPT = 1.5, 12
"""For so long it is remembered where raised palms were: at an exam's pace until the next picture."""

INSIDE_FACE = 0.6

# MediaPipe's hand: the wrist, then four points a finger from its root to its tip, the thumb first.
WRIST, MIDDLE_KNUCKLE, PALM = 0, 9, (0, 5, 9, 13, 17)
FINGERS = ((1, 2, 4), (5, 6, 8), (9, 10, 12), (13, 14, 16), (17, 18, 20))
STRAIGHT_DEGREES = 150.0
FLESH = 0.15
"""The points lie inside the fingers; so much flesh, in palm lengths, is around them."""

# The face as the detector's box and key points draw it, in face lengths, which are the box's height.
EAR_ASIDE, EAR_DOWN = 0.41, 0.45
FACE_WIDTH = 0.7
_ROWS = np.linspace(-1, 1, 9)
OVAL = np.array([(x * FACE_WIDTH / 2, y / 2) for x in _ROWS for y in _ROWS if x * x + y * y <= 1])
"""Points all over a face around its middle, in face lengths."""

LIPS = np.array([(x, y) for x in np.linspace(-0.35, 0.35, 7) for y in (-0.1, 0.05, 0.2)])
"""Points of the lips around the mouth's middle, in distances between mouth and eyes."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundHand:
    """A hand, the score of its being a right or a left one, and its (21, 3) points in the picture's pixels."""

    score: float
    right: bool
    points: np.ndarray


def analyze(
    frame: Frame, memory: Memory, faces: Sequence[FoundFace], models: Models
) -> tuple[tuple[Hand, ...] | None, Memory]:
    """Return at most two hands near the largest face; ``None`` where there is no face or it is too small to tell.

    Remembers where raised palms were a moment ago, by which signs are told from hands that rest.
    """
    height, width = frame.rgb.shape[:2]
    if not faces or faces[0].face.box[3] * height < LEAST_FACE_PX:
        return None, memory
    face = faces[0]
    palms = [one for one in memory.get("palms", ()) if 0 <= frame.captured_at - one[0] <= MOVED_S]
    found = [measure(one, face, (height, width), palms) for one in find(frame.rgb, face.face.box, models)]
    hands = tuple(hand for hand in found if SIZES[0] <= hand.size <= SIZES[1] and not _is_face(hand, faces[1:]))
    raised = [hand for hand in hands if hand.rise >= RAISED_RISE]
    at = round(frame.captured_at, 2)
    palms += [[at, int(hand.right), round(hand.across, 2), round(hand.rise, 2)] for hand in raised]
    return hands, {**memory, "palms": palms[-PALMS_KEPT:]}


def measure(found: FoundHand, face: FoundFace, shape: tuple[int, int], palms: Sequence[Sequence[float]] = ()) -> Hand:
    """Return how a hand is held in a picture of this (height, width).

    ``palms`` are those of the last seconds as [seconds, whether it is a right one, across, rise].
    """
    height, width = shape
    points = found.points
    left, top, face_width, length = np.array(face.face.box) * (width, height, width, height)
    centre = np.array([left + face_width / 2, top + length / 2])
    flat = points[:, :2]
    palm = flat[list(PALM)].mean(axis=0)
    size = float(np.linalg.norm(points[MIDDLE_KNUCKLE] - points[WRIST]))
    across, rise = float(palm[0] - centre[0]) / length, float(top + length - palm[1]) / length
    ears = [(centre[0] + side * EAR_ASIDE * length, top + EAR_DOWN * length) for side in (-1, 1)]
    (x, y), (right, bottom) = flat.min(axis=0) / (width, height), flat.max(axis=0) / (width, height)
    return Hand(
        box=(float(x), float(y), float(right - x), float(bottom - y)),
        score=found.score,
        right=found.right,
        size=size / length,
        across=across,
        rise=rise,
        upright=float(flat[WRIST, 1] - flat[MIDDLE_KNUCKLE, 1]) / max(size, 1.0),
        fingers=sum(_bend(points[list(finger)]) >= STRAIGHT_DEGREES for finger in FINGERS),
        apart=_gap(flat - centre, length) / length,
        on_face=_covered(OVAL * length + centre, flat, FLESH * size),
        on_mouth=_covered(_lips(face.keypoints * (width, height)), flat, FLESH * size),
        to_ear=min(float(np.hypot(*(palm - ear))) for ear in ears) / length,
        moved=_moved(across, rise, [one for one in palms if one[1] == found.right]),
    )


def find(rgb: np.ndarray, face: Box, models: Models) -> Iterator[FoundHand]:
    """Yield each hand around the face."""
    height, width = rgb.shape[:2]
    length, middle = face[3] * height, (face[0] + face[2] / 2) * width
    left, right = max(0, int(middle - REACH_ASIDE * length)), min(width, int(middle + REACH_ASIDE * length))
    top = max(0, int(face[1] * height - REACH_UP * length))
    bottom = min(height, int(face[1] * height + (1 + REACH_DOWN) * length))
    around = np.ascontiguousarray(rgb[top:bottom, left:right])
    found = models.hands.process(around)
    for hand, side in zip(found.multi_hand_landmarks or (), found.multi_handedness or (), strict=True):
        points = np.array([(point.x, point.y, point.z) for point in hand.landmark])
        scale = (right - left, bottom - top, right - left)
        kind = side.classification[0]
        # MediaPipe takes pictures for mirrored ones, as a selfie's are: what it calls left is a right hand.
        yield FoundHand(kind.score, kind.label == "Left", points * scale + (left, top, 0))


def _is_face(hand: Hand, others: Sequence[FoundFace]) -> bool:
    """Say whether what was taken for a hand is the face of somebody else."""
    return any(overlap(hand.box, other.face.box)[1] >= INSIDE_FACE for other in others)


def _bend(joints: np.ndarray) -> float:
    """Return the angle at the second of three joints in degrees; a finger that is stretched out has nearly 180."""
    towards_root, towards_tip = joints[0] - joints[1], joints[2] - joints[1]
    lengths = float(np.linalg.norm(towards_root) * np.linalg.norm(towards_tip))
    return float(np.degrees(np.arccos(np.clip(towards_root @ towards_tip / max(lengths, 1e-9), -1, 1))))


def _gap(around_middle: np.ndarray, length: float) -> float:
    """Return how far the nearest of these points is from the face's oval, 0 where one lies on it."""
    radius = np.hypot(around_middle[:, 0] / (FACE_WIDTH * length / 2), around_middle[:, 1] / (length / 2))
    outside = np.maximum(radius - 1, 0) / np.maximum(radius, 1e-9)
    return float((np.linalg.norm(around_middle, axis=1) * outside).min())


def _lips(keypoints: np.ndarray) -> np.ndarray:
    """Return points of the lips in pixels, from the face's five or six key points."""
    eyes = keypoints[:2].mean(axis=0)
    mouth = keypoints[3:5].mean(axis=0) if len(keypoints) == 5 else keypoints[3]
    down = mouth - eyes
    aside = np.array([down[1], -down[0]])
    return np.asarray(mouth + LIPS[:, :1] * aside + LIPS[:, 1:] * down)


def _covered(places: np.ndarray, hand: np.ndarray, flesh: float) -> float:
    """Return the share of these places that lie within the hand's outline, widened by so many pixels."""
    import cv2

    outline = cv2.convexHull(hand.astype(np.float32))
    inside = [cv2.pointPolygonTest(outline, (float(x), float(y)), True) >= -flesh for x, y in places]
    return sum(inside) / len(inside)


def _moved(across: float, rise: float, palms: Sequence[Sequence[float]]) -> float | None:
    """Return how far away the nearest palm was at most in the last seconds' looks; ``None`` if there was none."""
    nearest: dict[float, float] = {}
    for at, _right, before_across, before_rise in palms:
        distance = float(np.hypot(across - before_across, rise - before_rise))
        nearest[at] = min(distance, nearest.get(at, distance))
    return max(nearest.values(), default=None)
