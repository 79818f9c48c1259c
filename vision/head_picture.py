"""A small picture of a head, cut out of a larger one: what people compare by eye."""

from __future__ import annotations

import numpy as np

from vision.decoding import downscale, encode_jpeg
from vision.types import Box

SIDE_PX = 240
ROOM = 2.0
"""The cut is so many faces high: hair, neck and a little of what is around are seen as well."""
QUALITY = 85


def head_picture(rgb: np.ndarray, box: Box) -> bytes:
    """Return the face in this box of the (height, width, 3) uint8 RGB picture with room around it, as a square JPEG.

    ``box``: left, top, width and height as shares of the picture. At most 240 pixels a side, never enlarged, and
    freshly encoded, so without any metadata of what was sent.
    """
    height, width = rgb.shape[:2]
    x, y, wide, high = box
    side = max(1, min(round(ROOM * max(high * height, wide * width)), width, height))
    left = _within(round((x + wide / 2) * width - side / 2), width - side)
    top = _within(round((y + high / 2) * height - side / 2), height - side)
    return encode_jpeg(downscale(np.ascontiguousarray(rgb[top : top + side, left : left + side]), SIDE_PX), QUALITY)


def _within(value: int, most: int) -> int:
    return min(max(value, 0), most)
