"""Pictures that stand still or come back, composed of real ones, and scenes of living people, who do neither."""

import json

import cv2
import numpy as np
import pytest

from vision.analyzers import liveness
from vision.decoding import decode_picture, encode_jpeg
from vision.pipeline import analyze
from vision.recording import RecordedFrame, open_recording
from vision.tests.media import frame, media_folder, one_man
from vision.types import Due, Liveness, Observation, Sense

CLIPS = "h1579*", "h1580*"
"""People who sit in front of a camera, for 10 and 15 seconds."""
SIZE = 320, 240
LOOKED_FOR = Due(senses=frozenset({Sense.FACES, Sense.LIVENESS}))


def watch(pictures):
    """Return the facts of pictures of somebody, given with their times, and what is remembered at the end."""
    found, memory = [], {}
    for at, rgb in pictures:
        facts, memory = liveness.analyze(frame(rgb, at), memory, face=True)
        found.append(facts)
    return found, memory


def compressed(rgb, quality):
    return decode_picture(encode_jpeg(rgb, quality))


def clip(pattern):
    (path,) = (media_folder() / "video").glob(pattern)
    with open_recording(path) as recording:
        return [item.rgb for item in recording.frames(15) if isinstance(item, RecordedFrame)]


@pytest.fixture(scope="module")
def man():
    return cv2.resize(one_man(), SIZE, interpolation=cv2.INTER_AREA)


def swaying(man, at):
    """A man who sways, breathes and never sits twice as he sat before, in front of a noisy camera (composed)."""
    x, y = 3 * np.sin(at * 0.71) + 2 * np.sin(at * 1.93), 2 * np.sin(at * 0.53)
    zoom = 1 + 0.01 * np.sin(at * 1.37)
    moved = cv2.warpAffine(man, np.array([[zoom, 0, x], [0, zoom, y]], np.float32), SIZE, borderMode=cv2.BORDER_REFLECT)
    noise = np.random.default_rng(int(at * 1000)).normal(0, 3, man.shape)
    return np.clip(moved + noise, 0, 255).astype(np.uint8)


# --- what stands still ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qualities", [(75,), (60, 85, 70)])
def test_a_picture_that_stands_still_is_timed_however_it_is_compressed(man, qualities):
    found, _memory = watch((at, compressed(man, qualities[at % len(qualities)])) for at in range(40))
    assert found[-1] == Liveness(frozen_s=39.0)


def test_it_begins_anew_when_something_moves_and_after_a_time_without_a_face(man):
    found, memory = watch([(0, man), (5, man), (6, swaying(man, 6)), (7, swaying(man, 7))])
    assert [one.frozen_s for one in found] == [0, 5, 0, 0]
    facts, after = liveness.analyze(frame(man, 30), memory, face=False)
    assert (facts.frozen_s, after) == (0.0, memory)
    _found, memory = watch([(0, man), (5, man)])
    assert liveness.analyze(frame(man, 16), memory, face=True)[0].frozen_s == 0.0
    assert liveness.analyze(frame(man, 3), memory, face=True)[0] == Liveness(), "a clock that goes back"


def test_who_sits_still_in_front_of_a_noisy_camera_is_no_photo(man):
    found, _memory = watch((at, compressed(swaying(man, at), 75)) for at in range(180))
    assert max(one.frozen_s for one in found) <= 2
    assert found[-1].repeats == 0 and max(one.in_order for one in found) <= 2


# --- what comes back --------------------------------------------------------------------------------------------------


def test_a_recording_on_repeat_is_found(man):
    film = [compressed(swaying(man, number / 10), 75) for number in range(120)]
    found, _memory = watch((at, film[at * 10 % len(film)]) for at in range(60))
    first = next(at for at, one in enumerate(found) if one.repeats >= 4)
    assert 12 <= first <= 24, "in its second round at the earliest"
    assert (found[-1].in_order >= 30, found[-1].lag_s) == (True, 12.0)
    assert max(one.frozen_s for one in found) <= 2


def test_what_is_compressed_differently_each_time_comes_back_in_order(man):
    film = [swaying(man, number / 10) for number in range(120)]
    found, _memory = watch((at, compressed(film[at * 10 % len(film)], (50, 85)[at // 12 % 2])) for at in range(60))
    assert found[-1].in_order >= 8


def test_it_remembers_little_however_long_it_lasts(man):
    random = np.random.default_rng(1)
    found, memory = watch((at, np.roll(man, random.integers(0, 300, 2), (0, 1))) for at in range(700))
    assert len(json.dumps(memory)) < 1700
    assert found[-1].repeats <= liveness.MOST_REPEATS
    assert json.loads(json.dumps(memory)) == memory


# --- real people ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("pattern", CLIPS)
def test_real_people_are_alive_and_their_clips_on_repeat_are_not(pattern):
    pictures = clip(pattern)
    found, _memory = watch((number / 15, rgb) for number, rgb in enumerate(pictures))
    assert max(one.frozen_s for one in found) < 2
    assert max(one.repeats for one in found) == 0
    late = np.random.default_rng(3).uniform(0, 0.15, 240)
    found, _memory = watch((at, pictures[round((at + late[at]) * 15) % len(pictures)]) for at in range(240))
    assert found[-1].repeats >= 4


@pytest.mark.slow
def test_pictures_shown_again_and_again_with_movement_of_their_own_do_not_count():
    for path in sorted((media_folder() / "exams").glob("*.mp4")):
        with open_recording(path) as recording:
            found, _memory = watch(
                (item.offset_s, item.rgb) for item in recording.frames(1) if isinstance(item, RecordedFrame)
            )
        assert max(one.repeats for one in found) < 3
        assert max(one.in_order for one in found) < 6
        assert max(one.frozen_s for one in found) < 5


# --- the whole way ----------------------------------------------------------------------------------------------------


def test_the_pipeline_looks_for_life_only_where_there_is_a_face_and_it_is_wanted(man):
    memory = {}
    for at in (0, 10, 20):
        seen, memory = analyze(frame(man, at), LOOKED_FOR, memory)
    assert seen.liveness.frozen_s == 20.0
    kept = Observation.from_facts(json.loads(json.dumps(seen.to_facts())), seq=seen.seq, captured_at=20.0)
    assert kept.liveness == seen.liveness and kept.live_looks == seen.live_looks
    unwanted, memory = analyze(frame(man, 30), Due(senses=frozenset({Sense.FACES})), memory)
    assert (unwanted.liveness, unwanted.live_looks) == (None, None)
    dark, _memory = analyze(frame(man // 12, 31), LOOKED_FOR, memory)
    assert dark.liveness is None
    wall, _memory = analyze(frame(np.ascontiguousarray(man[:60, :80]), 32), LOOKED_FOR, memory)
    assert wall.faces == () and wall.liveness.frozen_s == 0
