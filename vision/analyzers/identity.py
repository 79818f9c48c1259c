"""Whose face it is: one clear face as 128 numbers, and whether two pictures of it show a head rather than a flat photo.

The embedding is dlib's ResNet (King 2017), fed with the face mesh's eye corners and nose base in place of dlib's own
five landmarks: as exact, without a second face detector, and with the very faces that are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vision.analyzers import camera, faces, gaze
from vision.analyzers.faces import FoundFace
from vision.face_network import SIDE
from vision.types import Box, Condition, Frame, Head

if TYPE_CHECKING:
    from vision.loading import Models

MODEL = "dlib-resnet-v1+mediapipe-mesh"
"""Embeddings of another model cannot be compared with these."""
LENGTH = 128
Embedding = npt.NDArray[np.float64]
NOBODY: Embedding = np.zeros(LENGTH)
"""An embedding that no face has: those of faces are about 1.4 long."""

MIN_FACE_PX = 70
"""From the forehead's upper edge to the chin; below it the distances to a good picture of the same person grow."""
REGION_PX = 128
DARK_HIGHLIGHTS = 0.2
BURNT_LEVEL, BURNT_SHARE = 250, 0.3
UNLIT, BRIGHT = 0.03, 0.9
BLUR = 0.0018
"""Sharpness over the face's own variance: a blur of 2 % of the face's height already lengthens distances by 0.37."""
OUTSIDE = 0.03
PADDING = 0.25
"""Margin around the face that the ResNet was trained to see, as a share of the face's size."""
FRONTAL_YAW, FRONTAL_PITCH, UPRIGHT_ROLL = 18.0, 30.0, 30.0

CLEARLY_NEAR = 0.45
"""Nobody doubts here. Of 371 labelled pictures none that was so near by itself was further than 0.461 with its mirror
image; it is nine of ten that show the person."""

TURNED_YAW = 20.0
TURNED_BY = 18.0
TURNED_TOO_FAR = 55.0
"""Beyond it the mesh and the embedding become unreliable."""
SOLID_PARALLAX = 0.15
SOLID_WIDTH = 0.9

FOREHEAD, CHIN = 10, 152
# dlib's five landmarks: corners of the eye on the picture's right, outer first, of the one on its left, nose base.
LANDMARKS = (263, 362, 33, 133, 2)
OUTER_CORNERS = (33, 263)
# Eyes, brows and mouth lie nearly in one plane, the ridge of the nose stands out of it.
PLANE = (33, 133, 362, 263, 61, 291, 159, 386, 145, 374, 0, 17, 107, 336)
NOSE = (4, 1, 5, 195)
OUTLINE = (10, 54, 67, 127, 132, 136, 149, 152, 172, 284, 297, 356, 361, 365, 378, 397)
WANTED = sorted({*gaze.USED_POINTS, *LANDMARKS, *PLANE, *NOSE, *OUTLINE})


class Flaw(StrEnum):
    """Why a picture will not do."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    TOO_SMALL = "too_small"
    CUT_OFF = "cut_off"
    COVERED = "covered"
    DARK = "dark"
    BRIGHT = "bright"
    BLURRED = "blurred"
    TURNED = "turned"
    NOT_TURNED = "not_turned"
    WRONG_SIDE = "wrong_side"
    TURNED_TOO_FAR = "turned_too_far"


class UnfitPicture(ValueError):
    """A picture that will not do, with its flaw and what was measured up to there."""

    def __init__(self, flaw: Flaw, measured: dict[str, float] | None = None) -> None:
        super().__init__(flaw.value)
        self.flaw = flaw
        self.measured = measured or {}


class Side(StrEnum):
    """A person's own left and right; in a picture that is not mirrored, their left is the picture's right."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One clear face: its (478, 2) mesh points in pixels, NaN where not wanted, and its pose.

    ``highlights`` and ``sharpness`` are those of the face alone.
    """

    points: np.ndarray
    head: Head
    height_px: float
    highlights: float
    sharpness: float

    def measured(self) -> dict[str, float]:
        """Return the numbers that say how good the picture is, rounded for a record."""
        return {
            "face_px": round(self.height_px),
            "highlights": round(self.highlights, 2),
            "sharpness": round(self.sharpness, 4),
            "yaw": round(self.head.yaw, 1),
            "pitch": round(self.head.pitch, 1),
            "roll": round(self.head.roll, 1),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Portrait(View):
    """One clear face and its (128,) embedding."""

    embedding: Embedding


@dataclass(frozen=True, slots=True)
class Relief:
    """How far two views differ as those of a solid head do.

    ``parallax``: by which share of the face's height the nose leaves the plane of eyes and mouth, over the sine of the
    turn. A head has about 0.21, a flat photo 0, whatever the angle from which it is taken. ``width``: how wide the eyes
    stand compared with what the turn leaves of them, about 1; a photo must be turned much further than it seems to be.
    """

    parallax: float
    width: float

    @property
    def solid(self) -> bool:
        """Whether both are as a head's."""
        return self.parallax >= SOLID_PARALLAX and self.width >= SOLID_WIDTH


def portray(rgb: np.ndarray, models: Models) -> Portrait:
    """Return the one clear face in the (height, width, 3) uint8 RGB picture; raises ``UnfitPicture``."""
    found, _ = faces.analyze(Frame(0, 0.0, rgb), {}, models)
    if not found:
        raise UnfitPicture(_why_nobody(rgb))
    if len(found) > 1:
        raise UnfitPicture(Flaw.SEVERAL_FACES, {"faces": len(found)})
    return portray_view(rgb, view_face(rgb, found[0], models), models)


def view_face(rgb: np.ndarray, found: FoundFace, models: Models) -> View:
    """Return what a face that was found shows, but for its embedding, which costs most; raises ``UnfitPicture``."""
    fitted = gaze.mesh(rgb, found, models, WANTED)
    if fitted is None:
        raise UnfitPicture(_why_no_mesh(rgb, found))
    return view_mesh(rgb, fitted)


def view_mesh(rgb: np.ndarray, fitted: np.ndarray, outside: float = OUTSIDE) -> View:
    """Return what the face with this (478, 3) mesh, of the points ``WANTED``, shows; raises ``UnfitPicture``.

    ``outside``: so much of it, as a share of its height, may lie beyond the picture's edge.
    """
    points = fitted[:, :2]
    height_px = _height(points)
    if height_px < MIN_FACE_PX:
        raise UnfitPicture(Flaw.TOO_SMALL, {"face_px": round(height_px)})
    _refuse_cut_off(rgb, points, outside)
    highlights, sharpness = _light_and_sharpness(rgb, points)
    return View(points, gaze.head_pose(fitted), height_px, highlights, sharpness)


def portray_view(rgb: np.ndarray, view: View, models: Models) -> Portrait:
    """Return the face seen in this picture with its embedding."""
    seen = (view.points, view.head, view.height_px, view.highlights, view.sharpness)
    return Portrait(*seen, embed(rgb, view.points, models))


def embed(rgb: np.ndarray, points: np.ndarray, models: Models) -> Embedding:
    """Return the (128,) embedding of the face with these (478, 2) mesh points.

    It is the mean of the picture's and its mirror image's: light from one side then matters less, and a third fewer of
    one person's pictures are taken for somebody else's at the same risk of taking a stranger for that person.
    """
    face = _cut_out(rgb, points)
    return mean_of(models.face_embedder.forward(np.stack([face, face[:, ::-1]])))


def distance_from(enrolled: Embedding, rgb: np.ndarray, points: np.ndarray, models: Models) -> float:
    """Return how far the face with these (478, 2) mesh points is from an enrolled one.

    Where the picture is near enough by itself, its mirror image would change nothing that anybody asks.
    """
    face = _cut_out(rgb, points)
    seen = models.face_embedder.forward(face[None])
    if distance(seen[0], enrolled) > CLEARLY_NEAR:
        seen = np.concatenate([seen, models.face_embedder.forward(face[None, :, ::-1])])
    return distance(mean_of(seen), enrolled)


def _cut_out(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the face as the ResNet was trained to see it, (SIDE, SIDE, 3)."""
    import dlib

    five = [dlib.point(*(round(float(value)) for value in points[index])) for index in LANDMARKS]
    low, high = points[list(PLANE)].min(axis=0), points[list(PLANE)].max(axis=0)
    around = dlib.rectangle(*(round(float(value)) for value in (*low, *high)))
    shape = dlib.full_object_detection(around, five)
    return np.asarray(dlib.get_face_chip(np.ascontiguousarray(rgb), shape, size=SIDE, padding=PADDING))


def mean_of(embeddings: Sequence[Embedding] | np.ndarray) -> Embedding:
    """Return what to compare with where there are several pictures of one person: better than the nearest of them."""
    mean: Embedding = np.mean(embeddings, axis=0)
    return mean


def distance(one: Embedding, other: Embedding) -> float:
    """Return the Euclidean distance: mostly under 0.5 for pictures of one person, over 0.6 for those of two."""
    return float(np.linalg.norm(one - other))


def box_of(view: View, rgb: np.ndarray) -> Box:
    """Return where the face is in the picture that it was seen in: left, top, width and height as shares of it."""
    outline = view.points[list(OUTLINE)] / (rgb.shape[1], rgb.shape[0])
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)


def require_frontal(portrait: View) -> None:
    """Raise ``UnfitPicture`` unless the person looks straight ahead, head upright."""
    head = portrait.head
    if abs(head.yaw) > FRONTAL_YAW or abs(head.pitch) > FRONTAL_PITCH or abs(head.roll) > UPRIGHT_ROLL:
        raise UnfitPicture(Flaw.TURNED, portrait.measured())


def require_turned(front: Portrait, turned: Portrait, side: Side) -> None:
    """Raise ``UnfitPicture`` unless the head is turned clearly to the person's own side."""
    sign = -1 if side is Side.LEFT else 1  # yaw counts up towards the picture's left
    yaw = turned.head.yaw * sign
    by = (turned.head.yaw - front.head.yaw) * sign
    if yaw >= TURNED_YAW and by >= TURNED_BY:
        if yaw > TURNED_TOO_FAR:
            raise UnfitPicture(Flaw.TURNED_TOO_FAR, turned.measured())
        return
    raise UnfitPicture(Flaw.WRONG_SIDE if yaw <= -TURNED_YAW else Flaw.NOT_TURNED, turned.measured())


def relief(front: Portrait, turned: Portrait) -> Relief:
    """Compare the views of a face from the front and from aside: a head has depth, a photo has none.

    Plane and parallax (Irani and Anandan 1996): an affine map that carries eyes, brows and mouth from one picture into
    the other carries a flat photo's nose along and leaves a real one behind.
    """
    before, after = front.points, turned.points
    turn = turned.head.yaw - front.head.yaw
    # Less than what is asked for is noise that a division would blow up.
    by = np.sin(np.radians(np.copysign(max(abs(turn), TURNED_BY), turn)))
    plane, nose = list(PLANE), list(NOSE)
    to_affine = np.column_stack([before, np.ones(len(before))])
    carry = np.linalg.lstsq(to_affine[plane], after[plane], rcond=None)[0]
    left_behind = (after[nose] - to_affine[nose] @ carry).mean(axis=0) / _height(after)
    up = (after[FOREHEAD] - after[CHIN]) / _height(after)
    sideways = float(left_behind @ (up[1], -up[0]))  # towards the picture's left
    foreshortened = np.cos(np.radians(turned.head.yaw)) / np.cos(np.radians(front.head.yaw))
    width = _eyes_width(after) / _eyes_width(before) / foreshortened
    return Relief(parallax=sideways / float(by), width=float(width))


def _height(points: np.ndarray) -> float:
    """Return the face's height, which a turn to the side does not shorten."""
    return float(np.linalg.norm(points[FOREHEAD] - points[CHIN]))


def _eyes_width(points: np.ndarray) -> float:
    left, right = OUTER_CORNERS
    return float(np.linalg.norm(points[left] - points[right])) / _height(points)


def _why_nobody(rgb: np.ndarray) -> Flaw:
    seen, _ = camera.analyze(Frame(0, 0.0, rgb), {})
    # Whoever is to be enrolled is told of the light, even where there is too little of it to tell that from a shutter.
    if seen.condition is Condition.DARK or seen.brightness < UNLIT:
        return Flaw.DARK
    if seen.condition is Condition.BLURRED:
        return Flaw.BLURRED
    return Flaw.BRIGHT if seen.brightness > BRIGHT else Flaw.NO_FACE


def _why_no_mesh(rgb: np.ndarray, found: FoundFace) -> Flaw:
    height, width = rgb.shape[:2]
    box = found.face.box
    return Flaw.TOO_SMALL if min(box[2] * width, box[3] * height) < MIN_FACE_PX * 0.8 else Flaw.COVERED


def _refuse_cut_off(rgb: np.ndarray, points: np.ndarray, outside: float) -> None:
    height, width = rgb.shape[:2]
    outline = points[list(OUTLINE)]
    reach = outside * _height(points)
    if outline.min() < -reach or (outline > np.array([width, height]) + reach).any():
        raise UnfitPicture(Flaw.CUT_OFF)


def _light_and_sharpness(rgb: np.ndarray, points: np.ndarray) -> tuple[float, float]:
    """Return how bright the face's brightest twentieth is and its sharpness; raises ``UnfitPicture`` for bad light."""
    grey, inside = _face_region(rgb, points)
    levels = grey[inside]
    highlights = float(np.percentile(levels, 95)) / 255
    measured = {"highlights": round(highlights, 2)}
    if highlights < DARK_HIGHLIGHTS:
        raise UnfitPicture(Flaw.DARK, measured)
    if float((levels >= BURNT_LEVEL).mean()) > BURNT_SHARE:
        raise UnfitPicture(Flaw.BRIGHT, measured)
    sharpness = _sharpness(grey, inside)
    if sharpness < BLUR:
        raise UnfitPicture(Flaw.BLURRED, {**measured, "sharpness": round(sharpness, 4)})
    return highlights, sharpness


def _face_region(rgb: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the face's box as grey levels, 128 pixels high, and which of its pixels lie inside the outline."""
    import cv2

    outline = points[list(OUTLINE)]
    left, top = np.maximum(outline.min(axis=0), 0).astype(int)
    right, bottom = np.ceil(outline.max(axis=0)).astype(int)
    crop = rgb[top:bottom, left:right]
    scale = REGION_PX / crop.shape[0]
    size = (max(8, round(crop.shape[1] * scale)), REGION_PX)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    grey = cv2.cvtColor(cv2.resize(crop, size, interpolation=how), cv2.COLOR_RGB2GRAY)
    hull = cv2.convexHull(((outline - (left, top)) * scale).astype(np.int32))
    mask = np.zeros(grey.shape, np.uint8)
    cv2.fillConvexPoly(mask, hull, (1,))
    return grey, mask.astype(bool)


def _sharpness(grey: np.ndarray, inside: np.ndarray) -> float:
    """Return the variance of the smoothed face's Laplacian (Pech-Pacheco et al. 2000) over that of its levels."""
    import cv2

    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    edges = cv2.Laplacian(smooth, cv2.CV_32F)[inside]
    return float(edges.var() / max(float(grey[inside].var()), 1.0))
