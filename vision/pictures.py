"""Small calculations that every picture needs several times, done quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SMALL_WIDTH = 320
"""So wide, at least, is the picture that is made once for everything that needs no more."""


def averaged(picture: np.ndarray, block: int) -> np.ndarray:
    """Return the averages of blocks of so many pixels each way; up to a block at the right and lower edge is lost.

    From a block of one, or none, on it is the picture itself.
    """
    import cv2
    import numpy as np

    if block <= 1:
        return picture
    height, width = picture.shape[0] // block, picture.shape[1] // block
    whole = picture[: height * block, : width * block]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))


def shrink(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the (height, width, 3) picture at this (width, height), enlarged where it is smaller.

    Averages over whole blocks first, which is ten times as fast as averaging over parts of pixels and keeps noise and
    aliasing down as well; up to a block at the right and lower edge is lost.
    """
    import cv2
    import numpy as np

    height, width = picture.shape[:2]
    picture = averaged(picture, min(width // size[0], height // size[1]))
    if picture.shape[1::-1] != size:
        return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(picture)


def median(values: np.ndarray) -> np.ndarray:
    """Return the median along the first axis; of a few hundred values in a fraction of the time that numpy takes."""
    import numpy as np

    ordered, middle = np.sort(values, axis=0), len(values) // 2
    return np.asarray(ordered[middle - 1 + len(values) % 2 : middle + 1].mean(axis=0))
