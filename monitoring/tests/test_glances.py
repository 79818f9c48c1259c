"""Short looks that return to one place beside the screen, against glances that mean nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest

from exams.policy import Policy, parse_policy
from exams.services import add_policy_version
from monitoring import rules
from monitoring.cues import read_cue, wanted_facts
from monitoring.evaluation.labels import read_samples
from monitoring.examined import seen_in
from monitoring.models import Observation, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.services import seen_moment
from monitoring.tests.factories import START, end_session, facts, make_session, watch
from vision.decoding import downscale
from vision.pipeline import analyze
from vision.recording import RecordedFrame, open_recording
from vision.tests.heads import straight, turned_head
from vision.tests.media import frame, media_folder
from vision.types import Eyes, Head

KIND = "EYE_MOVEMENT"
SETTINGS = {"kinds": {KIND: {"enabled": True}}}
POLICY = parse_policy(SETTINGS)
ASIDE = {"l": 20.0, "L": 45.0, "r": -20.0}
READING = "ccccc" + "cccccclc" * 8 + "c" * 40
"""One letter a second: c at the screen, l left, L further left, r right, d down at the keyboard, ? eyes not seen."""


def gaze(at, letter):
    """Return what a second shows in which the eyes alone look somewhere, and the head stays."""
    head = Head(0.0, -20.0 if letter == "d" else 0.0, 0.0)
    eyes = None if letter == "?" else Eyes(ASIDE.get(letter, 0.0) / 70.0, 0.0, 0.3)
    return replace(facts(at), head=replace(head, yaw=0.0), eyes=eyes)


def spans(seen, policy=POLICY):
    """Return (start, end) of every EYE_MOVEMENT, its state stored and restored at each step, and all changes."""
    state, changes = rules.initial_state(), []
    for one in seen:
        state, more = rules.step(json.loads(json.dumps(state)), seen_moment(one, policy), policy)
        changes += [change for change in more if change.kind == KIND]
    begin = seen[0].captured_at
    found = {change.started_at - begin: change.ended_at and change.ended_at - begin for change in changes}
    return list(found.items()), changes


def looked(line, policy=POLICY):
    return spans([gaze(at, letter) for at, letter in enumerate(line)], policy)


# --- one moment -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "eyes", "expected"),
    [
        (Head(0, 0, 0), Eyes(0.0, 0, 0.3), False),
        (Head(0, 0, 0), Eyes(0.2, 0, 0.3), True),
        (Head(0, 0, 0), Eyes(0.11, 0, 0.3), None),  # neither there nor clearly back
        (Head(20, 0, 0), Eyes(-0.28, 0, 0.3), False),  # the eyes make up for the head
        (Head(8, 0, 0), Eyes(0.1, 0, 0.3), True),
        (Head(20, 0, 0, base_yaw=20), Eyes(0.2, 0, 0.3, base_horizontal=0.2), False),
        (Head(0, -20, 0), Eyes(0.0, 0, 0.3), False),  # the keyboard
        (Head(0, -20, 0), Eyes(0.2, 0, 0.3), False),
        (Head(0, 30, 0), Eyes(0.0, 0, 0.3), False),  # who thinks looks up
        (Head(0, 0, 0), None, None),
        (Head(30, 0, 0), None, True),
        (None, Eyes(0.2, 0, 0.3), None),
    ],
)
def test_a_moment_says_whether_the_gaze_is_beside_the_screen(head, eyes, expected):
    assert read_cue(KIND, replace(facts(0), head=head, eyes=eyes), POLICY).value is expected


# --- many looks -------------------------------------------------------------------------------------------------------


def test_short_looks_that_return_to_one_place_are_one_activity_from_the_first_to_the_last():
    found, changes = looked(READING)
    assert found == [(11, 5 + 8 * 8 - 1)]
    opened, closed = changes[0], changes[-1]
    assert (opened.action, closed.action) == ("open", "close")
    assert opened.detail == {"looks": 6, "direction": "left", "degrees": 20, "window_s": 40}
    assert (opened.positives, opened.examined, opened.confidence) == (6, 41, 0.5)
    assert closed.detail["looks"] == 8 and 0.5 < closed.confidence < 0.7
    assert (closed.positives, closed.examined) == (8, 57)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("cccccccclc" * 5 + "c" * 60, "five looks are too few"),
        (("c" * 19 + "l") * 10, "they come too rarely"),
        ("cccclcccccrccccLcccc" * 6, "they are scattered: as many go elsewhere"),
        ("cccccdcc" * 12, "down is where the keyboard is"),
        ("ccc" + "l" * 30 + "ccc", "one long look is LOOKING_AWAY's"),
        ("ccclllllcc" * 8, "and so are many"),
        ("cccc?ccc" * 12, "eyes that were not seen looked nowhere"),
        ("l?????" * 12, "a look that was never seen to end is one look"),
    ],
)
def test_what_is_no_reading_raises_nothing(line, why):
    assert looked(line)[0] == [], why


def test_some_other_glances_and_unseen_moments_do_not_hide_the_place_that_eyes_return_to():
    ((start, end),), changes = looked("ccccccl?ccccllccrc" * 5 + "c" * 40)
    assert start == 6 and end == 5 * 18 - 4
    assert all(change.confidence < 0.6 for change in changes)


def test_who_wavers_at_the_limit_looks_neither_here_nor_there():
    at_limit = [replace(gaze(at, "c"), eyes=Eyes((0.15, 0.12)[at % 2], 0.0, 0.3)) for at in range(90)]
    assert spans(at_limit)[0] == []


def test_after_one_is_over_old_looks_count_no_more():
    found, _changes = looked(READING[:53] + "c" * 31 + "ccl" + "c" * 90 + READING)
    assert [start for start, _end in found] == [11, 53 + 31 + 3 + 90 + 11]


def test_more_pictures_a_second_tell_the_same():
    seen = [gaze(at / 5, letter) for at, letter in enumerate("".join(letter * 5 for letter in READING))]
    ((start, end),), _changes = spans(seen)
    assert (start, end) == (11, 68)


def test_it_is_off_unless_a_policy_wants_it_and_who_has_the_gaze_muted_is_left_alone():
    assert not Policy().rule(KIND).enabled
    assert looked(READING, POLICY.without(["gaze"]))[0] == []
    assert looked(READING, parse_policy(SETTINGS | {"thresholds": {"glance_returns": 9}}))[0] == []
    assert wanted_facts(gaze(0, "l"), POLICY.without(["eyes"])).eyes is None


def test_what_is_said_of_a_single_picture_leaves_out_a_look_that_alone_means_nothing():
    far = replace(gaze(0, "L"), head=Head(0.0, 0.0, 0.0))
    row = Observation(seq=0, captured_at=START, facts=far.to_facts(), usable=True)
    assert seen_in(row, POLICY).events == ["LOOKING_AWAY"]


# --- stored and judged again ------------------------------------------------------------------------------------------


@pytest.mark.database
@pytest.mark.django_db
def test_another_threshold_changes_the_activities_without_any_model():
    session = make_session()
    strict, _ = add_policy_version(exam=session.exam, settings=SETTINGS | {"thresholds": {"glance_gaze": 25}})
    loose, _ = add_policy_version(exam=session.exam, settings=SETTINGS)
    watch(session, *(gaze(at, letter) for at, letter in enumerate(READING)))
    end_session(session, len(READING))
    session.refresh_from_db()
    assert not SuspiciousActivity.objects.exists()
    result = rescore_session(session=session, policy=loose)
    assert (result.activities_after, result.risk_after) == (1, 1.0)
    activity = SuspiciousActivity.objects.get()
    assert (activity.kind, (activity.started_at - START).total_seconds()) == (KIND, 11)
    assert activity.explanation == (
        "Within a short time the eyes went 8 times to one place to the left of the picture, and back. "
        "This was so in 8 of 57 pictures examined, over 57 s."
    )
    assert rescore_session(session=session, policy=strict).activities_after == 0


# --- composed recordings ----------------------------------------------------------------------------------------------


def watched(pictures, policy=POLICY):
    """Look at pictures, one a second, through the real models."""
    memory, seen = {}, []
    for second, picture in enumerate(pictures):
        observation, memory = analyze(frame(picture, second), policy.due(), memory)
        seen.append(observation)
    return spans(seen, policy)[0]


LOOKS_ONLY = parse_policy(SETTINGS | {"senses": ["camera", "faces", "head", "eyes"]})
COMPOSED = "c" * 12 + "cccccl" * 7 + "c" * 35


@pytest.mark.slow
def test_a_composed_head_that_turns_aside_again_and_again_is_raised_and_closed():
    rng = np.random.default_rng(7)
    shown = {"c": straight(), "l": turned_head(straight(), 30), "r": turned_head(straight(), -30)}

    def story(line):
        return (
            np.clip(shown[letter] + rng.normal(0, 2, shown[letter].shape), 0, 255).astype(np.uint8) for letter in line
        )

    ((start, end),) = watched(story(COMPOSED), LOOKS_ONLY)
    assert (start, end) == (17, 54)
    assert watched(story("c" * 12 + "ccccclcccccr" * 6), LOOKS_ONLY) == []


def labelled_gaze():
    """Return real pictures by where the eyes are labelled to look: c and l, and r from mirrored ones."""
    (sample,) = (
        one for one in read_samples(media_folder()) if "center_left_center" in one.name and one.media == "video"
    )
    shown = {"c": [], "l": []}
    with open_recording(sample.path) as recording:
        items = [item for item in recording.frames(6.0) if isinstance(item, RecordedFrame)]
    for first, last, where in sample.labels["gaze"][:2]:
        begin, end = first / sample.labels["fps"] + 0.3, last / sample.labels["fps"] - 0.3
        part = [downscale(item.rgb) for item in items if begin <= item.offset_s <= end]
        shown[where[0]] += part
    return {"c": shown["c"], "l": shown["l"], "r": [np.ascontiguousarray(one[:, ::-1]) for one in shown["l"]]}


@pytest.mark.slow
def test_a_composed_recording_of_real_eyes_that_return_to_one_place_is_raised_and_closed():
    places = labelled_gaze()

    def story(line):
        return (places[letter][second % len(places[letter])] for second, letter in enumerate(line))

    ((start, end),) = watched(story(COMPOSED), LOOKS_ONLY)
    assert (start, end) == (17, 54)
    assert watched(story("c" * 12 + "ccccclcccccr" * 6), LOOKS_ONLY) == [], "looks to both sides"
    assert watched(story("c" * 12 + ("c" * 24 + "l") * 4), LOOKS_ONLY) == [], "a rare glance"
    assert watched(story("c" * 12 + "ccccclllllll" * 6), LOOKS_ONLY) == [], "long looks"


@pytest.mark.slow
def test_real_signs_and_real_phones_one_after_the_other_are_no_reading():
    clips = [sample for sample in read_samples(media_folder()) if sample.media == "video"]
    signs = [sample for sample in clips if sample.labels.get("hand_gesture")]
    phones = [sample for sample in clips if "looking_at_phone_every_5_frames" in sample.labels]
    assert len(signs) > 9 and len(phones) > 4
    for some in (signs, phones):
        pictures = []
        for sample in some * 2:
            with open_recording(sample.path) as recording:
                pictures += [downscale(one.rgb) for one in recording.frames(2.0) if isinstance(one, RecordedFrame)]
        assert watched(pictures, LOOKS_ONLY) == []
