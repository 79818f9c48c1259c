"""Hands and a face at the picture's edge: facts → yes, no, unknown, and recordings, real and composed → activities."""

from dataclasses import replace

import numpy as np
import pytest

from exams.policy import Policy, parse_policy
from monitoring import rules
from monitoring.cues import read_cue, wanted_facts
from monitoring.evaluation.labels import read_samples
from monitoring.evaluation.looking import watch
from monitoring.hand_cues import hand_raised
from monitoring.services import seen_moment
from monitoring.tests.factories import facts
from vision.pipeline import analyze
from vision.tests.hands import labelled_fist, with_hand
from vision.tests.media import COUNTER_NEEDED, frame, labelled, media_folder, one_man
from vision.types import Face, Hand, Head, Sense

POLICY = Policy()
HANDS_ONLY = parse_policy(
    {
        "senses": ["camera", "faces", "head", "hands"],
        "kinds": {"HAND_AT_EAR": {"enabled": True}, "HAND_OVER_MOUTH": {"enabled": True}},
    }
)
# An open hand, held up to the picture's right of the head, that was not seen before.
RAISED = Hand(
    box=(0.6, 0.3, 0.1, 0.2),
    score=0.9,
    right=True,
    size=0.4,
    across=1.0,
    rise=0.0,
    upright=1.0,
    fingers=5,
    apart=0.4,
    on_face=0.0,
    on_mouth=0.0,
    to_ear=0.8,
)
IN_FRONT = replace(RAISED, across=0.1, rise=-0.9, apart=0.3)
AT_EAR = replace(RAISED, across=0.5, rise=0.4, fingers=0, apart=0.0, on_face=0.05, to_ear=0.15)
AT_CHEEK = replace(AT_EAR, across=0.35, rise=0.1, on_face=0.2, to_ear=0.42)
OVER_MOUTH = replace(AT_CHEEK, across=0.0, rise=0.1, on_face=0.4, on_mouth=1.0, to_ear=0.6)
UNDER_CHIN = replace(OVER_MOUTH, rise=-0.25, on_face=0.05, on_mouth=0.0, to_ear=0.9)


def seen(*hands, pitch=0.0):
    return replace(facts(0), hands=hands, head=Head(0.0, pitch, 0.0))


@pytest.mark.parametrize(
    ("kind", "looked", "expected"),
    [
        ("HAND_GESTURE", facts(0), None),
        ("HAND_GESTURE", seen(), False),
        ("HAND_GESTURE", seen(RAISED), True),
        ("HAND_GESTURE", seen(replace(RAISED, across=-1.0, fingers=0)), True),
        ("HAND_GESTURE", seen(replace(RAISED, rise=-2.0)), False),  # on the desk
        ("HAND_GESTURE", seen(replace(RAISED, apart=0.0)), False),  # at the face
        ("HAND_GESTURE", seen(replace(RAISED, upright=0.2)), False),  # a forearm that lies
        ("HAND_GESTURE", seen(IN_FRONT), False),
        ("HAND_GESTURE", seen(replace(IN_FRONT, moved=0.05)), False),  # folded hands
        ("HAND_GESTURE", seen(replace(IN_FRONT, moved=0.5)), True),
        ("HAND_GESTURE", seen(replace(IN_FRONT, moved=0.5), pitch=-15.0), False),  # looks at what the hands do
        ("HAND_GESTURE", replace(seen(replace(IN_FRONT, moved=0.5)), head=None), False),
        ("HAND_GESTURE", seen(UNDER_CHIN), False),
        ("HAND_GESTURE", seen(replace(UNDER_CHIN, moved=0.5)), False),
        ("HAND_AT_EAR", facts(0), None),
        ("HAND_AT_EAR", seen(), False),
        ("HAND_AT_EAR", seen(AT_EAR), True),
        ("HAND_AT_EAR", seen(AT_CHEEK), False),
        ("HAND_AT_EAR", seen(replace(AT_EAR, fingers=4)), False),  # hair, ear or eye behind a flat hand
        ("HAND_AT_EAR", seen(RAISED), False),
        ("HAND_OVER_MOUTH", facts(0), None),
        ("HAND_OVER_MOUTH", seen(OVER_MOUTH), True),
        ("HAND_OVER_MOUTH", seen(UNDER_CHIN, AT_CHEEK), False),
    ],
)
def test_it_answers_yes_no_or_unknown(kind, looked, expected):
    assert read_cue(kind, looked, POLICY).value is expected


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0.4, 0.2, 0.2, 0.3), False),
        ((0.4, -0.01, 0.2, 0.3), False),
        ((0.4, 0.8, 0.2, 0.3), True),
        ((-0.1, 0.2, 0.2, 0.3), True),
    ],
)
def test_a_face_is_partly_hidden_where_the_edge_cuts_it(box, expected):
    looked = replace(facts(0), faces=(Face(box, 0.9), Face((0.9, 0.9, 0.2, 0.2), 0.2)))
    assert read_cue("FACE_PARTLY_HIDDEN", looked, POLICY).value is expected


def test_nobody_is_no_hidden_face():
    assert read_cue("FACE_PARTLY_HIDDEN", facts(0, faces=0), POLICY).value is None
    assert read_cue("FACE_PARTLY_HIDDEN", facts(0, faces=None), POLICY).value is None


def test_a_raised_hand_alone_is_no_sign():
    assert hand_raised(seen(IN_FRONT), POLICY.thresholds).value is True
    assert hand_raised(seen(replace(IN_FRONT, rise=-2.0)), POLICY.thresholds).value is False
    assert hand_raised(facts(0), POLICY.thresholds).value is None


def test_another_threshold_judges_the_same_facts_differently():
    strict = parse_policy({"thresholds": {"hand_beside": 1.2}})
    assert read_cue("HAND_GESTURE", seen(RAISED), strict).value is False


def test_who_talks_with_the_hands_may_have_them_muted():
    muted = POLICY.without(["hands"])
    assert Sense.HANDS not in muted.due().senses and not muted.rule("HAND_GESTURE").enabled
    assert wanted_facts(seen(RAISED), muted).hands is None


def activities(pictures, policy=HANDS_ONLY):
    """Watch pictures, one a second, and return the activities as (kind, start, end); the last ones may be open."""
    state, memory, found = rules.initial_state(), {}, {}
    for second, picture in enumerate(pictures):
        observation, memory = analyze(frame(picture, second), policy.due(), memory)
        state, changes = rules.step(state, seen_moment(observation, policy), policy)
        found |= {(str(change.kind), change.started_at): change.ended_at for change in changes}
    return [(kind, start, end) for (kind, start), end in found.items()]


def person():
    """Return a labelled picture of a face with a closed mouth."""
    return labelled("eyes_mouth", 1, mouth="closed")[0][0]


@pytest.mark.slow
@pytest.mark.parametrize(("place", "kind"), [("mouth", "HAND_OVER_MOUTH"), ("ear", "HAND_AT_EAR")])
def test_a_composed_hand_at_the_face_is_raised_and_closed(place, kind):
    bare = person()
    held = with_hand(bare, place, labelled_fist())
    ((found, start, end),) = activities([bare] * 4 + [held] * 16 + [bare] * 36)
    assert found == kind and 4 <= start <= 12 and 14 <= end <= 25


@pytest.mark.slow
@pytest.mark.parametrize("place", ["chin", "cheek"])
def test_a_composed_chin_or_cheek_on_a_hand_is_nothing(place):
    assert activities([with_hand(person(), place, labelled_fist())] * 12) == []


def test_a_composed_hand_that_covers_the_mouth_for_a_moment_is_nothing():
    bare = person()
    assert activities([bare] * 2 + [with_hand(bare, "mouth", labelled_fist())] * 2 + [bare] * 10) == []


@COUNTER_NEEDED
def test_a_composed_face_at_the_edge_is_told_and_one_that_comes_back_closes_it():
    cut = np.ascontiguousarray(one_man()[:216])  # the lower lip is at 216
    ((kind, start, end),) = activities([one_man()] * 3 + [cut] * 8 + [one_man()] * 8)
    assert (kind, start, end) == ("FACE_PARTLY_HIDDEN", 3.0, 11.0)


@pytest.mark.slow
def test_real_signs_are_found_and_phones_and_eyes_that_wander_are_none():
    policy = parse_policy({"senses": ["camera", "faces", "head", "hands"]})
    samples = [sample for sample in read_samples(media_folder()) if sample.media == "video"]
    signs = [sample for sample in samples if sample.labels.get("hand_gesture")]
    others = [sample for sample in samples if {"gaze", "looking_at_phone_every_5_frames"} & sample.labels.keys()]
    found = {
        sample.name: [span for span in watch(sample, policy).spans if span.kind == "HAND_GESTURE"]
        for sample in signs + others
    }
    assert sum(bool(found[sample.name]) for sample in signs) >= 0.4 * len(signs) > 0
    assert not any(found[sample.name] for sample in others)
