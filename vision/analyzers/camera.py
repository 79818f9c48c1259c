"""Whether a picture can be examined at all: too dark, out of focus, or the lens covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vision.pictures import shrink
from vision.types import Camera, Condition, Frame, Memory

if TYPE_CHECKING:
    import numpy as np

WIDTH = 320
SMOOTHING_PX = 1.5
DARK_HIGHLIGHTS = 0.16
"""In a dark picture even the brightest twentieth is darker than this share of full brightness."""
FEATURELESS = 0.0005
"""Sharpness over the picture's own variance, so that dim and flat pictures, whose edges are weak but there, are spared.
Soft webcams and pictures enlarged fourfold stay above; a blur of 1 % of the width falls below."""
LARGEST_DEVIATION = 60.0
"""The variance counts up to this deviation in grey levels: a window behind the candidate does not blur them."""
COVERED_CONTRAST = 0.12
UNIFORM_CONTRAST = 0.035
OPAQUE_CONTRAST = 0.005
"""However dark a room is, more than this is left of it; behind a shutter or tape there is noise alone."""


def analyze(frame: Frame, memory: Memory) -> tuple[Camera, Memory]:
    """Measure brightness, contrast and sharpness and name the picture's condition; remembers nothing.

    Sharpness is the variance of the Laplacian (Pech-Pacheco et al. 2000) at 320 pixels width, taken after a slight
    smoothing (Marr and Hildreth 1980), without which the sensor's noise makes a picture of nothing look sharp.
    """
    import cv2
    import numpy as np

    grey = _grey(frame.small)
    mean, deviation = (float(value.item()) for value in cv2.meanStdDev(grey))
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), SMOOTHING_PX)
    sharpness = float(cv2.meanStdDev(cv2.Laplacian(smooth, cv2.CV_32F))[1].item()) ** 2
    sample = grey[::4, ::4].ravel()
    highlights = float(np.partition(sample, int(sample.size * 0.95))[int(sample.size * 0.95)]) / 255
    return Camera(_condition(highlights, deviation, sharpness), mean / 255, deviation / 255, sharpness), memory


def _grey(rgb: np.ndarray) -> np.ndarray:
    import cv2

    height, width = rgb.shape[:2]
    scale = min(1.0, WIDTH / width)  # enlarging would look like blur
    return cv2.cvtColor(shrink(rgb, (round(width * scale), max(1, round(height * scale)))), cv2.COLOR_RGB2GRAY)


def _condition(highlights: float, deviation: float, sharpness: float) -> Condition:
    contrast = deviation / 255
    if contrast < OPAQUE_CONTRAST:
        return Condition.COVERED
    featureless = sharpness < FEATURELESS * min(deviation, LARGEST_DEVIATION) ** 2
    if highlights < DARK_HIGHLIGHTS:
        return Condition.DARK
    if contrast < UNIFORM_CONTRAST or (featureless and contrast < COVERED_CONTRAST):
        return Condition.COVERED
    return Condition.BLURRED if featureless else Condition.OK
