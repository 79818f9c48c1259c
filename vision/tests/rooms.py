"""A room before a camera, composed: a man who sits and moves a little, and a picture of another on the wall."""

from functools import cache

import cv2
import numpy as np

from vision.decoding import decode_picture, encode_jpeg
from vision.demo import package_picture
from vision.tests.heads import straight

WIDTH, HEIGHT = 640, 480
NOISE_LEVELS, FLICKER = 3.0, 0.02
QUALITIES = (70, 75, 80)
POSTER_PLACE, POSTER_WIDTH = (60, 40), 220


@cache
def wall() -> np.ndarray:
    """Return an empty room: a wall that gets darker to one side, and the edge of a desk."""
    across = np.linspace(170, 110, WIDTH)[None, :, None]
    picture = np.broadcast_to(across, (HEIGHT, WIDTH, 3)) * (1.0, 0.95, 0.85)
    picture[400:] *= 0.5
    return picture.astype(np.uint8)


@cache
def other_man() -> np.ndarray:
    """Return the left one of the package's two men, as a photo with a frame."""
    photo = package_picture("zidane.jpg")[150:590, 300:740]
    return cv2.copyMakeBorder(np.ascontiguousarray(photo), 16, 16, 16, 16, cv2.BORDER_CONSTANT, value=(30, 30, 30))


class Room:
    """What a camera shows second by second: noise, light that wavers, and each picture compressed anew."""

    def __init__(self, *, seed=11, noise=NOISE_LEVELS):
        self.random, self.noise = np.random.default_rng(seed), noise

    def shows(self, *, candidate=False, poster=False, at=POSTER_PLACE, width=POSTER_WIDTH):
        """Return the next picture."""
        picture = wall().copy()
        if poster:
            _paste(picture, _sized(other_man(), width), *at)
        if candidate:
            _paste(picture, _sized(straight(), 330), *(self.random.normal((290, 170), (3.0, 2.0)).round().astype(int)))
        lit = picture * (1 + FLICKER * self.random.uniform(-1, 1)) + self.random.normal(0, self.noise, picture.shape)
        jpeg = encode_jpeg(np.clip(lit, 0, 255).astype(np.uint8), int(self.random.choice(QUALITIES)))
        return decode_picture(jpeg)


def _sized(picture, width):
    height = round(picture.shape[0] * width / picture.shape[1])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _paste(picture, part, left, top):
    height, width = min(part.shape[0], HEIGHT - top), min(part.shape[1], WIDTH - left)
    picture[top : top + height, left : left + width] = part[:height, :width]
