"""Where the head and the eyes of the candidate point: face mesh with irises on the largest face.

The person's own way of sitting is learnt slowly from frames in which they face the screen, so that a camera beside the
screen or a bent neck accuses nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vision.analyzers import mouth
from vision.analyzers.faces import FoundFace
from vision.baseline import USUAL, learn
from vision.face_mesh import POINTS, Region
from vision.types import Eyes, Frame, Head, Lids, Memory, Mouth, overlap

if TYPE_CHECKING:
    from vision.loading import Models

MARGINS = {5: 1.25, 6: 1.5}
"""How much larger than the face's box its region is, by the number of key points: MediaPipe takes 1.5 times the
box of its own, and YuNet's is larger."""

MIN_FACE_PX = 36
MIN_EYE_PX = 9
SAME_FACE_IOU = 0.2
CLOSED_OPENNESS = 0.15
FARTHEST_YAW_FOR_EYES = 38.0
EYES_DISAGREE = 0.45
"""Irises that point this far apart were not found; glare on glasses does that."""

FAR = 6
"""Focal length in face lengths."""
PROFILE_YAW = 25.0
PROFILE_SCORE = 0.7

# Mesh points that move little with the expression and their places in MediaPipe's canonical face model in centimetres
# (x to the picture's right, y up, z towards the camera): the basis that its face geometry module fits the pose to.
# Each row holds the point on the picture's left, its mirror image on the right, and |x|, y, z.
_PAIRS = np.array(
    [
        (33, 263, 4.4459, 2.6640, 3.1734),
        (54, 284, 6.2798, 6.6151, 1.4258),
        (67, 297, 3.5229, 8.0055, 3.7296),
        (117, 346, 5.2570, 0.9455, 2.9747),
        (119, 348, 3.2992, 0.8617, 3.8728),
        (121, 350, 1.8206, 1.4674, 4.2243),
        (127, 356, 7.7431, 2.3650, -2.0052),
        (129, 358, 1.7896, -0.9786, 4.8507),
        (132, 361, 7.2719, -2.8904, -2.2525),
        (133, 362, 1.8564, 2.5852, 3.7579),
        (136, 365, 5.0858, -7.1790, 0.7146),
        (143, 372, 6.4071, 2.2369, 1.5624),
        (147, 376, 6.2342, -1.9437, 1.6619),
        (198, 420, 1.2466, 0.2303, 5.6813),
        (205, 425, 3.8320, -1.5372, 4.1371),
    ]
)
_MIDDLE = np.array([(4, -0.4632, 7.5866), (6, 2.4733, 5.7886), (10, 8.2618, 4.4815)])
POSE_POINTS = np.concatenate([_PAIRS[:, 0], _PAIRS[:, 1], _MIDDLE[:, 0]]).astype(int)
POSE_MODEL = np.concatenate(
    [
        _PAIRS[:, 2:] * (-1, 1, 1),
        _PAIRS[:, 2:],
        np.column_stack([np.zeros(len(_MIDDLE)), _MIDDLE[:, 1:]]),
    ]
)
_CENTRED_MODEL = POSE_MODEL - POSE_MODEL.mean(axis=0)
# The detectors' key points in the same model: eyes, nose tip, then the mouth's corners, or its middle and the ears.
_EYES_AND_NOSE = [(-3.15, 2.62, 3.47), (3.15, 2.62, 3.47), (0.0, -0.46, 7.59)]
KEYPOINT_MODELS = {
    5: np.array([*_EYES_AND_NOSE, (-2.46, -4.34, 4.28), (2.46, -4.34, 4.28)]),
    6: np.array([*_EYES_AND_NOSE, (0.0, -4.27, 5.31), (-7.66, 0.67, -2.44), (7.66, 0.67, -2.44)]),
}
# Per eye: corner on the picture's left, corner on its right, two upper lid points and the two lower ones below them,
# and the iris's centre.
EYES = ((33, 133, (160, 158), (144, 153), 468), (362, 263, (385, 387), (380, 373), 473))
EYE_POINTS = [point for eye in EYES for point in np.hstack(eye).tolist()]
USED_POINTS = sorted({*POSE_POINTS.tolist(), *EYE_POINTS, *mouth.POINTS})


@dataclass(frozen=True, slots=True)
class EyeShape:
    """Where the iris is across and up in its eye, in half widths of it; openness; and the eye's width in pixels."""

    across: float
    up: float
    openness: float
    width: float


Pair = tuple[EyeShape, EyeShape]


@dataclass(frozen=True, slots=True)
class Looks:
    """What the mesh of one face shows; ``None`` where nothing can be said. ``mesh`` is as ``mesh`` returns it."""

    head: Head | None = None
    eyes: Eyes | None = None
    lids: Lids | None = None
    mouth: Mouth | None = None
    mesh: np.ndarray | None = None


def analyze(
    frame: Frame, memory: Memory, faces: tuple[FoundFace, ...], models: Models, wanted: Sequence[int] = USED_POINTS
) -> tuple[Looks, Memory]:
    """Return head pose and iris direction of the largest face, with the person's baseline, its lids and its mouth.

    Where the mesh does not fit, the head's pose comes from the face detector's key points, if these see a head that is
    turned far. Of eyes that are too small or turned too far nothing is said, of closed ones no direction.
    ``wanted``: the points that the mesh is to have, those used here among them.
    """
    if not faces:
        return Looks(), memory
    found = max(faces, key=lambda one: one.area)
    fitted = mesh(frame.rgb, found, models, wanted)
    if fitted is None:
        return Looks(_with_base(_profile(frame.rgb, found), memory.get("gaze"))), memory
    head, points = head_pose(fitted), fitted[:, :2]
    turned = abs(head.yaw) > FARTHEST_YAW_FOR_EYES
    pair = None if turned else measure_eyes(points)
    eyes = eye_direction(pair) if pair else None
    usual = memory.get("usual") or USUAL
    baseline = learn(memory.get("gaze"), frame.captured_at, found.face.box, head, eyes, usual)
    if eyes is not None:
        eyes = replace(eyes, base_horizontal=baseline["horizontal"], base_vertical=baseline["vertical"])
    lids = lid_openness(pair) if pair else None
    opened, memory = (None, memory) if turned else mouth.analyze(points, frame.captured_at, memory)
    return Looks(_with_base(head, baseline), eyes, lids, opened, fitted), {**memory, "gaze": baseline}


def _with_base(head: Head | None, baseline: dict[str, Any] | None) -> Head | None:
    if head is None or baseline is None:
        return head
    return replace(head, base_yaw=baseline["yaw"], base_pitch=baseline["pitch"])


def _profile(rgb: np.ndarray, found: FoundFace) -> Head | None:
    """Return the pose by the detector's key points where they see a head turned far, which is where meshes fail."""
    height, width = rgb.shape[:2]
    small = min(found.face.box[2] * width, found.face.box[3] * height) < MIN_FACE_PX
    if small or found.face.score < PROFILE_SCORE:  # what has no mesh may be no face
        return None
    head = _keypoint_pose(found.keypoints * (width, height), KEYPOINT_MODELS[len(found.keypoints)])
    return head if PROFILE_YAW <= abs(head.yaw) <= 90 else None


def head_pose(points: np.ndarray) -> Head:
    """Return the head's pose from (478, 3) mesh points in pixels: how the face model is turned (Kabsch 1976)."""
    fitted = points[POSE_POINTS]
    left, _, right = np.linalg.svd(_CENTRED_MODEL.T @ (fitted - fitted.mean(axis=0)))
    mirrored = np.sign(np.linalg.det(left @ right))
    return _angles((left * (1, 1, mirrored) @ right).T)


def _keypoint_pose(image: np.ndarray, model: np.ndarray) -> Head:
    """Return the pose that turns the model's points, in centimetres, into the picture's, in pixels.

    Solves the perspective-n-point problem (SQPnP, Terzakis and Lourakis 2020) for a camera so far away that the angles
    do not depend on its unknown focal length or on where in the picture the face is.
    """
    import cv2

    image = np.ascontiguousarray(image, np.float64)
    undistorted = np.zeros(4)
    centre, focal = image.mean(axis=0), FAR * float(np.ptp(image, axis=0).max())
    camera = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    _, rotation_vector, _ = cv2.solvePnP(model, image, camera, undistorted, flags=cv2.SOLVEPNP_SQPNP)
    return _angles(cv2.Rodrigues(rotation_vector)[0])


def _angles(rotation: np.ndarray) -> Head:
    """Return the angles of a rotation from the face model's axes to the picture's: right, down and away from us."""
    sideways, forward = rotation[:, 0], rotation[:, 2]
    yaw = np.degrees(np.arctan2(-forward[0], -forward[2]))
    pitch = np.degrees(np.arcsin(np.clip(-forward[1], -1, 1)))
    roll = np.degrees(np.arctan2(sideways[1], sideways[0]))
    return Head(float(yaw), float(pitch), float(roll))


def measure_eyes(points: np.ndarray) -> Pair:
    """Return the shapes of both eyes, the one on the picture's left first, from (478, 2) points in pixels."""
    left, right = (_measure_eye(points, eye) for eye in EYES)
    return left, right


def eye_direction(eyes: Pair) -> Eyes | None:
    """Return where the irises are within the eyes, and how open these are.

    Openness is the eye aspect ratio of Soukupová and Čech (2016). ``None`` where the eyes are too small or closed, or
    the two irises contradict each other.
    """
    left, right = eyes
    if min(left.width, right.width) < MIN_EYE_PX or min(left.openness, right.openness) < CLOSED_OPENNESS:
        return None
    if abs(left.across - right.across) > EYES_DISAGREE:
        return None
    openness = (left.openness + right.openness) / 2
    return Eyes((left.across + right.across) / 2, (left.up + right.up) / 2, openness)


def lid_openness(eyes: Pair) -> Lids | None:
    """Return how far each eye is open; ``None`` where they are too small."""
    left, right = eyes
    return None if min(left.width, right.width) < MIN_EYE_PX else Lids(left.openness, right.openness)


def _measure_eye(points: np.ndarray, eye: Any) -> EyeShape:
    left, right, upper, lower, iris = eye
    along = points[right] - points[left]
    width = max(float(np.hypot(*along)), 1e-6)
    along = along / width
    across = np.array([along[1], -along[0]])  # up in the picture
    offset = points[iris] - (points[left] + points[right]) / 2
    openness = float(np.linalg.norm(points[list(upper)] - points[list(lower)], axis=1).mean()) / width
    return EyeShape(-2 * float(offset @ along) / width, 2 * float(offset @ across) / width, openness, width)


def mesh(rgb: np.ndarray, found: FoundFace, models: Models, wanted: Sequence[int] = USED_POINTS) -> np.ndarray | None:
    """Return the mesh points in the picture's pixels, or ``None`` where no mesh fits this face.

    The array is (478, 3), the third being depth, and holds NaN for the points that are not ``wanted``.
    """
    height, width = rgb.shape[:2]
    box = found.face.box
    if min(box[2] * width, box[3] * height) < MIN_FACE_PX:
        return None
    used = models.face_mesh.fit(np.ascontiguousarray(rgb), region_of(found, (width, height)), wanted)
    if used is None:
        return None
    low, high = used[:, :2].min(axis=0) / (width, height), used[:, :2].max(axis=0) / (width, height)
    fitted = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
    if overlap(fitted, box)[0] < SAME_FACE_IOU:  # it slid off to something else
        return None
    points = np.full((POINTS, 3), np.nan)
    points[list(wanted)] = used
    return points


def region_of(found: FoundFace, size: tuple[int, int]) -> Region:
    """Return the upright square around a face in a picture of this (width, height) that the mesh is made for."""
    x, y, width, height = np.array(found.face.box) * (*size, *size)
    side = MARGINS[len(found.keypoints)] * max(width, height)
    eyes = (found.keypoints[1] - found.keypoints[0]) * size
    return Region(x + width / 2, y + height / 2, side, float(np.arctan2(eyes[1], eyes[0])))
