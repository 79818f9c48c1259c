"""Pictures on the wall, which show faces, never move, and stay as they are while something else changes."""

import json

import numpy as np
import pytest

from vision.analyzers import faces, posters
from vision.decoding import downscale
from vision.loading import models
from vision.pipeline import analyze
from vision.recording import RecordedFrame, open_recording
from vision.tests.media import COUNTER_NEEDED, EVERYTHING, frame, media_folder, two_men
from vision.types import Face

WALL = np.random.default_rng(3).integers(60, 180, (48, 64, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
MAN = Face((0.3, 0.2, 0.2, 0.26), 0.9)


def face(x, y=0.1, width=0.06):
    return Face((x, y, width, width * 1.3), 0.9)


def stood(*pictures):
    """Return for how long the second face of each picture, one a second, stood still; None where there is none."""
    memory, found = {}, []
    for second, shown in enumerate(pictures):
        seen, memory = posters.analyze(frame(WALL, second), tuple(shown), memory)
        memory = json.loads(json.dumps(memory))
        found.append(seen[1].still_s if len(seen) > 1 else None)
    assert len(json.dumps(memory)) < 1300
    return found


def test_a_poster_stands_still_however_its_box_wavers():
    wavering = [(MAN, face(0.7 + 0.002 * (second % 3))) for second in range(40)]
    assert stood(*wavering)[-1] == 39


def test_who_moves_is_no_poster_and_not_where_they_were_before():
    walk = [(MAN, face(0.6 + 0.02 * second)) for second in range(6)]
    assert max(stood(*walk, *reversed(walk))) <= 1


def test_a_poster_is_known_again_behind_a_head_that_hid_it():
    pictures = [(MAN, face(0.7))] * 20 + [(MAN,)] * 30 + [(MAN, face(0.7))] * 5
    assert stood(*pictures)[-1] == 19 + 5 + 4, "what was out of view counts as little as a long step"


def test_the_largest_face_is_never_one():
    assert stood(*[(MAN,)] * 60) == [None] * 60
    assert posters.analyze(frame(WALL), (MAN, face(0.7)), {})[0][0].still_s == 0


def test_many_places_are_not_remembered():
    seen, memory = posters.analyze(frame(WALL), (MAN, *(face(0.02 + 0.12 * place) for place in range(8))), {})
    assert len(seen) == 9 and len(memory["posters"]) == posters.MOST


@COUNTER_NEEDED
def test_of_two_men_in_a_picture_that_stands_still_the_second_is_taken_for_a_poster():
    memory, rgb = {}, np.ascontiguousarray(two_men())
    for second in range(4):
        observation, memory = analyze(frame(rgb, second), EVERYTHING, memory)
    assert [one.still_s for one in observation.faces] == [0, 3]
    assert [one.alike_s for one in observation.faces] == [
        0,
        0,
    ], "all of it stands still: nothing shows that they do not live"


# --- pixels -----------------------------------------------------------------------------------------------------------

POSTER = Face((0.1, 0.1, 0.1, 0.17), 0.9)


def alike(*pictures):
    """Return for how long the first face was seen without a change, picture by picture, one a second."""
    memory, found = {}, []
    for second, picture in enumerate(pictures):
        seen, memory = posters.analyze(frame(picture, second), (POSTER,), json.loads(json.dumps(memory)))
        found.append(seen[0].alike_s)
    return found


def with_block(left, top=200, level=20):
    """Return the wall with a dark block before it, as large as a head."""
    picture = WALL.copy()
    picture[top : top + 150, left : left + 120] = level
    return picture


def test_a_face_that_stays_while_something_else_moves_is_like_a_picture():
    walk = [with_block(left) for left in range(300, 420, 10)]
    assert alike(*walk) == [float(second) for second in range(12)]
    assert posters.is_picture(Face(POSTER.box, 0.9, alike_s=11.0)) and not posters.is_picture(POSTER)


def test_of_a_picture_that_stands_still_as_a_whole_and_of_one_that_only_gets_lighter_nothing_is_said():
    assert alike(*[WALL] * 12) == [0.0] * 12
    assert alike(*[(WALL * (1 + 0.02 * second)).astype(np.uint8) for second in range(12)]) == [0.0] * 12


def test_once_something_else_has_moved_the_face_may_be_all_that_is_left():
    walk = [with_block(300), with_block(340), *[WALL] * 10]
    assert alike(*walk)[-1] == 11.0


def test_a_face_that_changes_lives_and_one_odd_look_is_noise():
    moving = [with_block(300 + 20 * second) for second in range(12)]
    living = [np.roll(picture, second * 5 % 13, axis=1) for second, picture in enumerate(moving)]
    assert max(alike(*living)) <= 1.0
    odd = [*moving[:6], np.roll(moving[6], 4, axis=1), *moving[7:]]
    assert alike(*odd)[-1] == 10.0


def test_what_moves_below_a_face_may_be_its_own_body():
    near = [with_block(40 + 4 * second, top=170) for second in range(12)]
    assert max(alike(*near)) == 0.0


def test_a_person_is_what_a_picture_shows_if_its_face_and_size_fit():
    assert posters.shows((0.0, 0.05, 0.3, 0.5), (POSTER,))
    assert not posters.shows((0.0, 0.05, 0.9, 0.9), (POSTER,)), "somebody who sits before it"
    assert not posters.shows((0.5, 0.05, 0.3, 0.5), (POSTER,)), "somebody beside it"


@pytest.mark.parametrize("light", [1.0, 0.5, 0.3])
@pytest.mark.parametrize("name", ["center_focus", "center_left_center"])
def test_nobody_living_is_like_a_picture_for_long_however_dim_the_light(name, light):
    (clip,) = (one for one in read_videos() if name in one.name)
    noise = np.random.default_rng(2)
    with open_recording(clip) as recording:
        items = [one for one in recording.frames(1.0) if isinstance(one, RecordedFrame)]
    memory, longest, seen = {}, 0.0, 0
    for second, item in enumerate(items):
        # A bar that moves beside him, so that something else changes all the time.
        rgb = downscale(item.rgb, 640) * light
        rgb[:40, 40 * second % 400 : 40 * second % 400 + 40] = 120
        dim = np.clip(rgb + noise.normal(0, 1.5, rgb.shape), 0, 255).astype(np.uint8)
        found, _ = faces.analyze(frame(dim, second), {}, models())
        told, memory = posters.analyze(frame(dim, second), tuple(one.face for one in found), memory)
        longest, seen = max([longest, *(face.alike_s for face in told)]), seen + bool(told)
    assert seen >= 8 and longest <= 2.0


def read_videos():
    return (media_folder() / "video").iterdir()
