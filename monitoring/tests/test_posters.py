"""A man at a desk and a picture of another on the wall, composed: what becomes of it under the rules."""

from dataclasses import replace

import pytest

from exams.policy import Policy, parse_policy
from monitoring import rules
from monitoring.cues import read_cue
from monitoring.services import seen_moment
from monitoring.tests.factories import facts
from vision.pipeline import analyze
from vision.tests.media import COUNTER_NEEDED, OBJECTS_NEEDED, frame
from vision.tests.rooms import Room
from vision.types import Detection, Face

POLICY = Policy()
ABOUT_PEOPLE = {"NO_FACE", "MULTIPLE_FACES", "EXTRA_PERSON", "SPOOF_SUSPECTED", "IDENTITY_MISMATCH", "LOOKING_AWAY"}
POSTER = Face((0.1, 0.1, 0.1, 0.15), 0.9, alike_s=12.0)
ITS_MAN = Detection("person", 0.8, (0.05, 0.05, 0.25, 0.4))
SOMEBODY = Detection("person", 0.8, (0.5, 0.2, 0.4, 0.8))
CANDIDATE = Face((0.6, 0.3, 0.15, 0.25), 0.95)


def activities(pictures, policy=POLICY):
    """Watch pictures, one a second; return the activities about people as (kind, start, end), open ones with None."""
    state, memory, found = rules.initial_state(), {}, {}
    for second, picture in enumerate(pictures):
        observation, memory = analyze(frame(picture, second), policy.due(), memory)
        state, changes = rules.step(state, seen_moment(observation, policy), policy)
        found |= {(str(change.kind), change.started_at): change.ended_at for change in changes}
    return [(kind, start, end) for (kind, start), end in found.items() if kind in ABOUT_PEOPLE]


def seen(*faces, objects=(), **fields):
    return replace(facts(0), faces=faces, objects=objects, **fields)


# --- cues -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (seen(POSTER, objects=(ITS_MAN,)), True),
        (seen(POSTER), True),
        (seen(POSTER, objects=(ITS_MAN, SOMEBODY)), False),
        (seen(POSTER, CANDIDATE), False),
        (seen(replace(POSTER, alike_s=9.0), objects=(ITS_MAN,)), False),
        (seen(POSTER, objects=None), None),
        (seen(POSTER, objects=None, person_share=0.01), True),
        (seen(POSTER, objects=None, person_share=0.3), False),
    ],
)
def test_a_poster_hides_no_empty_seat(observation, expected):
    cue = read_cue("NO_FACE", observation, POLICY)
    assert cue.value is expected
    assert not expected or cue.detail["pictures"] == 1


def test_a_picture_beside_somebody_counts_neither_as_a_face_nor_as_a_person():
    fresh, known = replace(POSTER, alike_s=1.0), replace(POSTER, alike_s=2.0)
    for poster, several in ((fresh, True), (known, False)):
        assert read_cue("MULTIPLE_FACES", seen(CANDIDATE, poster), POLICY).value is several
    people = seen(CANDIDATE, known, objects=(SOMEBODY, ITS_MAN))
    assert read_cue("EXTRA_PERSON", people, POLICY).value is False
    assert read_cue("EXTRA_PERSON", replace(people, faces=(CANDIDATE,)), POLICY).value is True
    patient = parse_policy({"thresholds": {"picture_beside_s": 5, "picture_alone_s": 20}})
    assert read_cue("MULTIPLE_FACES", seen(CANDIDATE, known), patient).value is True
    assert read_cue("NO_FACE", seen(POSTER, objects=(ITS_MAN,)), patient).value is False


# --- composed rooms ---------------------------------------------------------------------------------------------------


@COUNTER_NEEDED
@OBJECTS_NEEDED
@pytest.mark.slow
@pytest.mark.parametrize("width", [150, 220], ids=["small", "large"])
def test_an_empty_seat_beside_a_poster_is_told_and_who_comes_back_closes_it(width):
    room = Room()
    story = [room.shows(candidate=at < 20 or at >= 60, poster=True, width=width) for at in range(75)]
    ((start, end),) = [(start, end) for kind, start, end in activities(story) if kind == "NO_FACE"]
    assert 20 <= start <= 36 and end == 60


@COUNTER_NEEDED
@pytest.mark.slow
def test_without_an_object_model_the_segmentation_leaves_the_poster_out():
    room = Room()
    policy = parse_policy({"senses": ["camera", "faces", "head", "liveness"]})
    story = [room.shows(candidate=at < 20, poster=True) for at in range(40)]
    ((kind, start, _end),) = activities(story, policy)
    assert kind == "NO_FACE" and 20 <= start <= 24


@COUNTER_NEEDED
@OBJECTS_NEEDED
@pytest.mark.slow
def test_a_poster_beside_somebody_is_nobody_from_the_first_second():
    room = Room()
    assert activities(room.shows(candidate=True, poster=True) for _ in range(45)) == []


@COUNTER_NEEDED
@OBJECTS_NEEDED
@pytest.mark.slow
def test_somebody_who_looks_over_a_shoulder_is_told_at_once():
    """The same face as the poster's, that moves by two pixels as heads do."""
    room = Room()
    story = [room.shows(candidate=True, poster=at >= 10, at=(60 + (at % 3) * 2, 40 + (at % 2) * 2)) for at in range(25)]
    kinds = {kind: start for kind, start, _end in activities(story)}
    assert kinds["MULTIPLE_FACES"] == 10


@COUNTER_NEEDED
@pytest.mark.slow
def test_a_photo_shown_to_the_camera_is_livenesss_and_no_empty_seat():
    still = Room(noise=0.0).shows(candidate=True, poster=True)
    found = {kind for kind, _start, _end in activities([still] * 45)}
    assert "SPOOF_SUSPECTED" in found and "NO_FACE" not in found
    room = Room()
    held = [room.shows(poster=True, at=(200 + (at % 4) * 3, 60 + (at % 3) * 4), width=300) for at in range(45)]
    assert "NO_FACE" not in {kind for kind, _start, _end in activities(held)}
