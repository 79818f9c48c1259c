"""Head and eyes point where the labels say; a person's own way of sitting is learnt."""

import numpy as np
import pytest

from vision import pipeline
from vision.analyzers import faces, gaze
from vision.baseline import USUAL, calibrated, learn
from vision.loading import models
from vision.tests.media import EVERYTHING, frame, labelled, one_man
from vision.types import Eyes, Face, Head

BOX = (0.4, 0.2, 0.2, 0.3)


def examine(rgb, memory=None):
    found, _ = faces.analyze(frame(rgb), {}, models())
    looks, _ = gaze.analyze(frame(rgb), memory or {}, found, models())
    return looks


@pytest.mark.parametrize(("direction", "sign"), [("left", 1), ("right", -1)])
def test_its_yaw_has_the_side_of_the_picture_that_the_face_points_to(direction, sign):
    heads = [examine(picture).head for picture, _ in labelled("pose", direction=direction)]
    yaws = [head.yaw * sign for head in heads if head is not None]
    assert len(yaws) >= len(heads) * 0.8 and min(yaws) > 10


def test_its_yaw_is_near_the_labelled_degrees_and_mirrors_with_the_picture():
    for picture, labels in labelled("pose", at_most=100):
        if "yaw" in labels:
            assert examine(picture).head.yaw == pytest.approx(labels["yaw"], abs=14)
            mirrored = examine(np.ascontiguousarray(picture[:, ::-1])).head
            assert mirrored.yaw == pytest.approx(-examine(picture).head.yaw, abs=12)


def test_its_irises_tell_eyes_that_look_aside_from_eyes_that_look_ahead():
    def directions(gaze_label):
        eyes = [examine(picture).eyes for picture, _ in labelled("pose", gaze=gaze_label)]
        return [one.horizontal for one in eyes if one is not None]

    aside, ahead = directions("left"), directions("center")
    assert len(aside) >= 5 and len(ahead) >= 5
    assert min(aside) > max(ahead) + 0.05


def test_it_does_not_examine_eyes_that_are_closed():
    closed = [examine(picture).eyes for picture, _ in labelled("eyes_mouth", eyes="closed")]
    assert sum(one is None for one in closed) >= len(closed) * 0.9
    opened = [examine(picture).eyes for picture, _ in labelled("eyes_mouth", eyes="open")]
    assert sum(one is not None for one in opened) >= len(opened) * 0.9


def test_it_does_not_examine_a_face_that_is_too_small():
    tiny = one_man()[::20, ::20]
    found = faces.FoundFace(Face((0.3, 0.2, 0.5, 0.5), 0.9), np.full((5, 2), 0.5))
    assert gaze.analyze(frame(np.ascontiguousarray(tiny)), {}, (found,), models()) == (gaze.Looks(), {})


def seated(yaw, horizontal, seconds, known=None, start=0.0):
    for second in range(seconds):
        known = learn(known, start + second, BOX, Head(yaw, 3.0, 0.0), Eyes(horizontal, 0.1, 0.3))
    return known


def test_it_learns_how_a_person_sits():
    known = seated(yaw=12.0, horizontal=-0.1, seconds=120)
    assert known["yaw"] == pytest.approx(12, abs=1.5) and known["horizontal"] == pytest.approx(-0.1, abs=0.02)


def test_it_does_not_learn_from_a_person_who_looks_away():
    known = seated(yaw=0.0, horizontal=0.0, seconds=30)
    away = seated(yaw=40.0, horizontal=0.0, seconds=60, known=known, start=30)
    aside = seated(yaw=0.0, horizontal=0.25, seconds=60, known=known, start=30)
    assert away["yaw"] == known["yaw"] and aside["horizontal"] == known["horizontal"]


def test_it_starts_anew_when_the_known_face_was_gone_for_long_but_not_for_a_visitor():
    known = seated(yaw=12.0, horizontal=0.0, seconds=60)
    visitor = learn(known, 61.0, (0.0, 0.0, 0.05, 0.08), Head(0.0, 0.0, 0.0), None)
    assert visitor == known
    assert learn(known, 200.0, BOX, Head(0.0, 0.0, 0.0), None)["head_frames"] == 1


def test_a_calibration_moves_what_is_usual_but_not_beyond_a_screen_beside():
    usual = calibrated({"yaw": 9.0, "horizontal": -0.1})
    assert usual == USUAL | {"yaw": 9.0, "horizontal": -0.1}
    assert calibrated({"yaw": 80.0, "pitch": -60.0, "vertical": 9.0}) == {
        "yaw": 12.0,
        "pitch": USUAL["pitch"] - 12.0,
        "horizontal": USUAL["horizontal"],
        "vertical": pytest.approx(USUAL["vertical"] + 0.15),
    }


def test_a_session_begins_with_what_was_calibrated():
    rgb = one_man()
    _facts, memory = pipeline.analyze(frame(rgb), EVERYTHING, {"usual": calibrated({"yaw": 12.0})})
    plain = pipeline.analyze(frame(rgb), EVERYTHING, {})[1]
    assert memory["gaze"]["yaw"] == pytest.approx(plain["gaze"]["yaw"] + 12.0, abs=3.0)
    assert memory["usual"]["yaw"] == 12.0
