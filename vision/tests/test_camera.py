"""Pictures that show nothing are told from pictures that are merely poor."""

import cv2
import numpy as np
import pytest

from vision.analyzers import camera
from vision.pipeline import analyze
from vision.tests.media import EVERYTHING, frame, labelled, one_man
from vision.types import Condition


def noisy(rgb, deviation=4.0):
    noise = np.random.default_rng(7).normal(0, deviation, rgb.shape)
    return np.clip(rgb.astype(float) + noise, 0, 255).astype(np.uint8)


def dark():
    return noisy((one_man() * 0.04).astype(np.uint8), 2)


def blurred():
    return noisy(cv2.GaussianBlur(one_man(), (0, 0), one_man().shape[1] / 50), 3)


def finger():
    rows, columns = np.mgrid[0:480, 0:640] / 640
    red = 150 + 80 * columns - 30 * rows
    return noisy(np.stack([red, red * 0.3, red * 0.25], axis=2))


def tape():
    return noisy(np.full((480, 640, 3), 120.0))


def shutter():
    return noisy(np.full((480, 640, 3), 2.0), 1)


@pytest.mark.parametrize(
    ("picture", "condition"),
    [
        (shutter, Condition.COVERED),
        (dark, Condition.DARK),
        (blurred, Condition.BLURRED),
        (finger, Condition.COVERED),
        (tape, Condition.COVERED),
    ],
)
def test_it_leaves_everything_unexamined_where_nothing_can_be_seen(picture, condition):
    observation, _ = analyze(frame(picture()), EVERYTHING, {})
    assert observation.camera.condition is condition and observation.usable is False
    examined = (observation.faces, observation.head, observation.eyes, observation.objects, observation.person_share)
    assert examined == (None,) * 5


@pytest.mark.parametrize("poorer", ["dim", "soft", "small", "noisy", "flat"])
def test_it_still_examines_a_poor_picture(poorer):
    picture = cv2.resize(one_man(), (640, 720), interpolation=cv2.INTER_AREA)
    poor = {
        "dim": lambda: noisy((picture * 0.3).astype(np.uint8), 3),
        "soft": lambda: cv2.GaussianBlur(picture, (0, 0), 2),
        "small": lambda: cv2.resize(picture, (160, 180), interpolation=cv2.INTER_AREA),
        "noisy": lambda: noisy(picture, 12),
        "flat": lambda: (picture * 0.3 + 120).astype(np.uint8),
    }[poorer]()
    observation, _ = analyze(frame(poor), EVERYTHING, {})
    assert observation.usable is True and len(observation.faces) == 1


def test_it_takes_an_empty_room_for_a_usable_picture():
    rooms = labelled("faces", faces=0)
    conditions = [camera.analyze(frame(picture), {})[0].condition for picture, _ in rooms]
    assert conditions == [Condition.OK] * len(rooms)


def test_it_takes_hardly_any_real_picture_for_an_unusable_one():
    pictures = labelled("faces", at_most=120) + labelled("objects", at_most=80)
    unusable = [camera.analyze(frame(picture), {})[0].condition is not Condition.OK for picture, _ in pictures]
    assert np.mean(unusable) <= 0.02
