"""Whether the face in front is alive or a print or a screen held to the camera, by two looks of different width.

Silent-Face-Anti-Spoofing (minivision 2020): two small networks that know paper, screens and their edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vision.types import Box, Due, Face, Frame, Memory

if TYPE_CHECKING:
    import numpy as np

    from vision.loading import Models

LOOK_EVERY_S, DOUBT_EVERY_S = 20.0, 4.0
DOUBT = 0.5
"""A face that looks less living than this is looked at again soon, until as many looks as are kept agree."""
GONE_S = 10.0
"""After so long without a face somebody else may sit there: what was seen before says nothing any more."""
STALE_S = 3 * LOOK_EVERY_S
"""After so long in which the face could not be examined the looks before say nothing any more either."""
KEPT = 4

NEAR_SCALE, WIDE_SCALE = 2.7, 4.0
"""So many times the face's size the networks have learnt to see."""
LEAST_SCALE = 1.3
LEAST_FACE_PX = 64
LEAST_COLOUR = 5.0
"""Grey pictures look like prints to the networks, which have learnt from none."""


def analyze(
    frame: Frame, memory: Memory, faces: tuple[Face, ...], due: Due, models: Models
) -> tuple[tuple[float, ...] | None, Memory]:
    """Return how living the largest face looked at each of the last looks, 0..1, the newest last; ``None`` if at none.

    It is looked at now and then, and again soon where there is doubt. Not examined are small and grey faces, and those
    that fill the picture: there is nothing around them to tell paper by.
    """
    seen: dict[str, Any] | None = memory.get("antispoof")
    at = frame.captured_at
    if seen is not None and not 0 <= at - seen["face_at"] <= GONE_S:
        seen = None
    if seen is not None and seen["looked_at"] is not None and at - seen["looked_at"] > STALE_S:
        seen = None
    looks = seen["looks"] if seen else []
    if not faces:
        return tuple(looks) or None, memory
    looked_at = seen["looked_at"] if seen else None
    rest_s = LOOK_EVERY_S * (due.first_rest if len(looks) == 1 else 1.0)
    if looked_at is None or at - looked_at >= (DOUBT_EVERY_S if _in_doubt(looks) else rest_s):
        score = living(frame.rgb, faces[0].box, models)
        if score is not None:
            looks, looked_at = [*looks, round(score, 3)][-KEPT:], at
    return tuple(looks) or None, {**memory, "antispoof": {"looks": looks, "looked_at": looked_at, "face_at": at}}


def _in_doubt(looks: list[float]) -> bool:
    doubtful = [look < DOUBT for look in looks]
    return any(doubtful) and not (all(doubtful) and len(looks) == KEPT)


def living(rgb: np.ndarray, box: Box, models: Models) -> float | None:
    """Return how living the face in this box of the (height, width, 3) uint8 RGB picture looks, 0..1.

    ``None`` where the weights are missing or the face cannot be examined.
    """
    near, wide = models.near_antispoof, models.wide_antispoof
    if near is None or wide is None or not examinable(rgb, box):
        return None
    return float(near.living(_around(rgb, box, NEAR_SCALE)) + wide.living(_around(rgb, box, WIDE_SCALE))) / 2


def examinable(rgb: np.ndarray, box: Box) -> bool:
    """Say whether the face is large and colourful enough, and has something around it."""
    _left, _top, width, height = _in_pixels(rgb, box)
    return min(width, height) >= LEAST_FACE_PX and not fills(rgb, box) and tint(rgb, box) >= LEAST_COLOUR


def fills(rgb: np.ndarray, box: Box) -> bool:
    """Say whether the face fills the picture, so that there is nothing around it."""
    return _scale(rgb, box, LEAST_SCALE) < LEAST_SCALE


def tint(rgb: np.ndarray, box: Box) -> float:
    """Return how colourful a face is, 0 for a grey one; also 0 where it has no pixels."""
    import cv2
    import numpy as np

    left, top, width, height = _in_pixels(rgb, box)
    face = rgb[round(top) : round(top + height), round(left) : round(left + width)]
    if not face.size:
        return 0.0
    tints = cv2.cvtColor(np.ascontiguousarray(face[::2, ::2]), cv2.COLOR_RGB2LAB)[..., 1:].astype(np.float32) - 128
    return float(np.hypot(tints[..., 0], tints[..., 1]).mean())


def _in_pixels(rgb: np.ndarray, box: Box) -> tuple[float, float, float, float]:
    height, width = rgb.shape[:2]
    return max(0.0, box[0] * width), max(0.0, box[1] * height), box[2] * width, box[3] * height


def _scale(rgb: np.ndarray, box: Box, wanted: float) -> float:
    """Return how many times the face's size the picture holds, at most what is wanted."""
    _left, _top, width, height = _in_pixels(rgb, box)
    return min(wanted, (rgb.shape[0] - 1) / height, (rgb.shape[1] - 1) / width)


def _around(rgb: np.ndarray, box: Box, wanted: float) -> np.ndarray:
    """Return the face and what is around it as (80, 80, 3) BGR, moved into the picture where it would reach out."""
    import cv2
    import numpy as np

    from vision.minifasnet import SIDE

    left, top, width, height = _in_pixels(rgb, box)
    scale = _scale(rgb, box, wanted)
    sizes = width * scale, height * scale
    x, y = (
        max(0.0, min(start + side / 2 - size / 2, whole - 1 - size))
        for start, side, size, whole in zip((left, top), (width, height), sizes, rgb.shape[1::-1], strict=True)
    )
    part = rgb[int(y) : int(y + sizes[1]) + 1, int(x) : int(x + sizes[0]) + 1]
    return np.ascontiguousarray(cv2.resize(part, (SIDE, SIDE))[..., ::-1])
