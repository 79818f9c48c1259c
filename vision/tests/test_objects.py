"""Objects by the real model: phones in hands, and what only looks like one."""

import numpy as np
import pytest

from vision import loading, weights, yolo
from vision.analyzers import objects
from vision.gate import Look
from vision.tests.media import OBJECTS_NEEDED, frame, labelled, two_men
from vision.types import WHOLE, Face, Sense

pytestmark = OBJECTS_NEEDED


def look(picture, how=Look.EVERYWHERE, faces=(), turn=0):
    memory = {"gate": {"turn": turn}}
    seen, after = objects.analyze(frame(picture), memory, loading.models(), how, faces)
    assert after is memory, "it remembers nothing"
    return seen


def phones(seen):
    return [one for one in seen.objects if one.label == "cell phone" and one.held and one.score >= 0.25]


def test_it_finds_held_phones_from_nearby_that_it_misses_in_the_whole_picture():
    near = [picture for picture, labels in labelled("objects", in_hand=True) if "phone" in labels["objects"]]
    found = sum(bool(phones(look(picture))) for picture in near)
    at_once = sum(bool(phones(look(picture, Look.WHOLE))) for picture in near)
    assert len(near) > 10 and found > 0.5 * len(near) and found > 1.5 * at_once


def test_neither_hands_that_sign_nor_the_badges_beside_them_are_held_phones():
    signing = [picture for picture, _ in labelled("objects", hand_gesture=True)]
    assert signing and not any(phones(look(picture)) for picture in signing)


def test_a_closer_look_says_which_part_it_saw_and_finds_no_people():
    man = (Face((0.3, 0.1, 0.1, 0.3), 0.9),)
    seen = look(two_men(), Look.CLOSE, man)
    assert seen.part is not None and seen.part != WHOLE
    assert not any(one.label in ("person", "laptop") for one in seen.objects)
    assert look(two_men(), Look.WHOLE, man).part is None


def test_boxes_from_a_part_lie_where_they_do_in_the_whole_picture():
    picture = two_men()
    whole = next(one for one in yolo.look(picture, loading.models().object_model, WHOLE) if one.label == "person")
    x, y, width, height = whole.box
    part = (max(0.0, x - 0.1), max(0.0, y - 0.1), 0.0, 0.0)
    part = (part[0], part[1], min(1 - part[0], width + 0.2), min(1 - part[1], height + 0.2))
    near = yolo.look(picture, loading.models().object_model, part)
    assert any(np.abs(np.array(one.box) - np.array(whole.box)).max() < 0.05 for one in near if one.label == "person")


def test_weights_that_suppress_nothing_themselves_are_refused(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(Exception, match=r"broken\.onnx|Protobuf|INVALID"):
        yolo.load(tmp_path / "broken.onnx")


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (1, 1), (3, 900)])
def test_it_fits_pictures_of_any_shape_into_the_model(shape):
    grey = np.full((*shape, 3), 90, np.uint8)
    picture, (left, top, width, height) = yolo.letterbox(grey, (416, 416))
    assert picture.shape == (1, 3, 416, 416) and left >= 0 and top >= 0 and width <= 416 and height <= 416
    assert float(picture[0, 0][top, left]) == pytest.approx(90 / 255, abs=1e-3)
    look(grey, Look.WHOLE)


def test_weights_of_which_nothing_can_be_made_are_told_and_looked_at_again_once_they_are_others(tmp_path, monkeypatch):
    path = tmp_path / "yolov8n-416.onnx"
    path.write_bytes(b"as large as it should be, and no model")
    monkeypatch.setattr(weights, "find", lambda *_names: path)
    monkeypatch.setattr(loading, "_unloadable", {})
    own = loading.Models()
    assert loading.availability()[Sense.OBJECTS].available and own.object_model is None
    told = loading.availability()[Sense.OBJECTS]
    assert (told.available, told.reason) == (False, "The weights yolov8n-416.onnx cannot be loaded.")
