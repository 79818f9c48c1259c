"""When the object model is due."""

import cv2
import numpy as np
import pytest

from vision import gate
from vision.tests.media import frame, one_man, two_men
from vision.types import Detection, Due

PHONE = Detection("cell phone", 0.3, (0.4, 0.6, 0.1, 0.1))
PERSON = Detection("person", 0.9, (0.1, 0.1, 0.8, 0.9))
DUE = Due(objects_every_s=10)


@pytest.fixture(scope="module")
def scene():
    return cv2.resize(one_man(), (640, 480), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def memory(scene):
    return gate.remember_look(frame(scene), gate.WHOLE, (PERSON,), {}, faces=1)


def shaken(scene, pixels):
    shift = np.array([[1, 0, pixels], [0, 1, pixels]], np.float32)
    moved = cv2.warpAffine(scene, shift, (640, 480), borderMode=cv2.BORDER_REFLECT)
    noise = np.random.default_rng(3).normal(0, 8, scene.shape)
    return np.clip(moved + noise, 0, 255).astype(np.uint8)


def test_it_is_due_at_the_first_frame_and_after_its_rest(scene, memory):
    assert gate.objects_due(frame(scene), DUE, {})
    assert not gate.objects_due(frame(scene, 5), DUE, memory)
    assert gate.objects_due(frame(scene, 10), DUE, memory)
    assert gate.objects_due(frame(scene, -1), DUE, memory), "a clock that went back must not stop it"


@pytest.mark.parametrize("pixels", [0, 2, 5])
def test_it_is_not_due_for_noise_and_shake(scene, memory, pixels):
    assert not gate.objects_due(frame(shaken(scene, pixels), 5), DUE, memory)


@pytest.mark.parametrize(("gain", "offset"), [(0.6, 0), (1.25, 0), (1.0, 40), (0.8, -20)])
def test_it_is_not_due_for_a_change_of_light(scene, memory, gain, offset):
    lit = np.clip(scene * gain + offset, 0, 255).astype(np.uint8)
    assert not gate.objects_due(frame(lit, 5), DUE, memory)


def test_it_is_due_when_the_scene_changes_but_rests_between(memory):
    other = frame(cv2.resize(two_men()[:, ::-1], (640, 480)), 5)
    assert gate.objects_due(other, DUE, memory)
    looked = gate.remember_look(frame(np.zeros((480, 640, 3), np.uint8), 4), gate.WHOLE, (), memory, faces=1)
    assert not gate.objects_due(other, DUE, looked)


def test_it_is_due_in_every_frame_while_there_is_doubt_but_not_for_ever(scene):
    memory = {}
    for second in range(60):
        looked = gate.objects_due(frame(scene, second), DUE, memory)
        assert looked or second > gate.DOUBT_S
        if looked:
            memory = gate.remember_look(frame(scene, second), gate.WHOLE, (PERSON, PHONE), memory, faces=1)
    assert not gate.objects_due(frame(scene, memory["gate"]["ran_at"] + 1), DUE, memory)
    cleared = gate.remember_look(frame(scene, 60), gate.WHOLE, (PERSON,), memory, faces=1)
    assert cleared["gate"]["doubt_since"] is None


def test_it_looks_at_the_whole_picture_and_at_the_desk_in_turn(scene):
    from vision.types import Face

    face = (Face((0.4, 0.1, 0.2, 0.3), 0.9),)
    first = gate.remember_look(frame(scene), gate.WHOLE, (PERSON,), {}, faces=1)
    desk = gate.region(frame(scene, 10), face, first)
    assert desk[3] == gate.DESK_HEIGHT and desk[1] + desk[3] == pytest.approx(1)
    assert gate.region(frame(scene, 10), (), first) == gate.WHOLE, "nobody is looked for everywhere"
    kept = gate.remember_look(frame(scene, 10), desk, (PHONE,), first, faces=1)
    assert gate.region(frame(scene, 11), face, kept) == desk, "a doubt is followed where it arose"
    assert (
        gate.region(frame(scene, 12), face, gate.remember_look(frame(scene, 11), desk, (), kept, faces=1)) == gate.WHOLE
    )
