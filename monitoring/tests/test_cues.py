"""Facts → yes, no, unknown."""

import pytest

from exams.policy import Policy, parse_policy
from monitoring.cues import examined_senses, read_cues
from monitoring.tests.factories import facts
from vision.types import Condition, Eyes, Head, Observation, Sense

POLICY = Policy()


@pytest.mark.parametrize(
    ("kind", "seen", "expected"),
    [
        ("NO_FACE", facts(0), False),
        ("NO_FACE", facts(0, faces=None), None),
        ("NO_FACE", facts(0, faces=0), None),  # the face models' word alone accuses nobody
        ("NO_FACE", facts(0, faces=0, objects={}), True),
        ("NO_FACE", facts(0, faces=0, objects={"person": 0.2}), True),
        ("NO_FACE", facts(0, faces=0, objects={"person": 0.3}), False),
        ("NO_FACE", Observation(0, 0, faces=(), person_share=0.02), True),
        ("NO_FACE", Observation(0, 0, faces=(), person_share=0.4), False),
        ("NO_FACE", facts(0, condition=Condition.DARK), None),
        ("NO_FACE", facts(0, condition=Condition.COVERED), None),
        ("NO_FACE", facts(0, condition=Condition.BLURRED), None),
        ("MULTIPLE_FACES", facts(0), False),
        ("MULTIPLE_FACES", facts(0, faces=2), True),
        ("MULTIPLE_FACES", facts(0, faces=None), None),
        ("EXTRA_PERSON", facts(0, objects={"person": 0.9}), False),
        ("EXTRA_PERSON", facts(0), None),
        ("LOOKING_AWAY", facts(0, yaw=10), False),
        ("LOOKING_AWAY", facts(0, yaw=60), True),
        ("LOOKING_AWAY", facts(0, yaw=-60), True),
        ("LOOKING_AWAY", facts(0, yaw=None), None),
        ("LOOKING_AWAY", facts(0, faces=0), None),
        ("PHONE", facts(0, objects={"cell phone": 0.9}), True),
        ("PHONE", facts(0, objects={"remote": 0.9}), False),
        ("PHONE", facts(0, objects={"cell phone": 0.01}), False),
        ("PHONE", facts(0), None),
        ("CAMERA_BLOCKED", facts(0, condition=Condition.COVERED), True),
        ("CAMERA_BLOCKED", facts(0, condition=Condition.DARK), False),
        ("POOR_LIGHT", facts(0, condition=Condition.DARK), True),
        ("CAMERA_BLURRED", facts(0, condition=Condition.BLURRED), True),
    ],
)
def test_it_answers_yes_no_or_unknown(kind, seen, expected):
    assert read_cues(seen, POLICY)[kind].value is expected


def test_it_reads_the_head_from_the_persons_own_baseline():
    turned = Head(yaw=40.0, pitch=0.0, roll=0.0, base_yaw=38.0)
    assert read_cues(Observation(0, 0, head=turned), POLICY)["LOOKING_AWAY"].value is False


def test_it_reads_the_eyes_even_when_the_head_stays():
    seen = Observation(0, 0, head=Head(0.0, 0.0, 0.0), eyes=Eyes(horizontal=0.17, vertical=0.0, openness=0.3))
    cue = read_cues(seen, POLICY)["LOOKING_AWAY"]
    assert (cue.value, cue.detail["by"], cue.detail["direction"]) == (True, "eyes", "left")


def test_it_lets_the_eyes_make_up_for_the_head():
    seen = Observation(0, 0, head=Head(-11.0, 0.0, 0.0), eyes=Eyes(horizontal=0.15, vertical=0.0, openness=0.3))
    assert read_cues(seen, POLICY)["LOOKING_AWAY"].value is False


def test_it_adds_the_eyes_to_the_head():
    seen = Observation(0, 0, head=Head(-20.0, 0.0, 0.0), eyes=Eyes(horizontal=-0.16, vertical=0.0, openness=0.3))
    cue = read_cues(seen, POLICY)["LOOKING_AWAY"]
    assert (cue.value, cue.detail["direction"], cue.detail["degrees"]) == (True, "right", 31)


def test_it_follows_the_policys_thresholds():
    strict = parse_policy({"thresholds": {"head_yaw": 5}})
    assert read_cues(facts(0, yaw=10), strict)["LOOKING_AWAY"].value is True


def test_it_leaves_out_what_the_policy_switches_off():
    policy = parse_policy({"kinds": {"PHONE": {"enabled": False}}})
    assert "PHONE" not in read_cues(facts(0, objects={"cell phone": 0.9}), policy)


def test_it_says_which_senses_could_speak():
    assert examined_senses(facts(0, objects={})) == {Sense.CAMERA, Sense.FACES, Sense.HEAD, Sense.OBJECTS}
    assert examined_senses(facts(0, condition=Condition.DARK)) == frozenset()


def test_it_gives_the_same_answers_from_stored_facts():
    seen = facts(3, yaw=61, objects={"cell phone": 0.71})
    again = Observation.from_facts(seen.to_facts(), seq=seen.seq, captured_at=seen.captured_at)
    assert read_cues(again, POLICY) == read_cues(seen, POLICY)
