"""Facts → yes, no, unknown."""

from dataclasses import replace

import pytest

from exams.policy import Policy, parse_policy
from monitoring.cues import examined_senses, read_cues
from monitoring.tests.factories import facts
from vision.types import Condition, Detection, Eyes, Face, Head, Lids, Likeness, Observation, Sense

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
        ("IDENTITY_MISMATCH", facts(0), None),
        ("IDENTITY_MISMATCH", Observation(0, 0, identity=Likeness(0.3)), False),
        ("IDENTITY_MISMATCH", Observation(0, 0, identity=Likeness(0.54)), False),
        ("IDENTITY_MISMATCH", Observation(0, 0, identity=Likeness(0.8)), True),
        ("IDENTITY_UNSURE", facts(0), None),
        ("IDENTITY_UNSURE", Observation(0, 0, identity=Likeness(0.3)), False),
        ("IDENTITY_UNSURE", Observation(0, 0, identity=Likeness(0.54)), True),
        ("IDENTITY_UNSURE", Observation(0, 0, identity=Likeness(0.8)), None),  # the other kind tells it
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


PHONE_BOX, BADGE_BOX = (0.7, 0.75, 0.1, 0.1), (0.46, 0.5, 0.06, 0.1)


def with_phone(score, box=PHONE_BOX, *, held=False, faces=1, others=(), looked_at=None):
    found = (Detection("cell phone", score, box, held), *others)
    face = (Face((0.4, 0.2, 0.15, 0.2), 0.9),) * faces
    return Observation(0, 0, faces=face, objects=found, looked_at=looked_at)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (with_phone(0.3, held=True), True),
        (with_phone(0.3), False),  # lies about, and is not sure enough
        (with_phone(0.4), True),
        (with_phone(0.7, BADGE_BOX), False),  # a badge on the chest
        (with_phone(0.7, BADGE_BOX, faces=0), True),
        (with_phone(0.3, BADGE_BOX, held=True), True),
        (with_phone(0.9, BADGE_BOX), True),
        (with_phone(0.7, (0.1, 0.1, 0.5, 0.8)), False),  # fills the picture: mostly something else
        (with_phone(0.3, held=True, others=(Detection("remote", 0.5, PHONE_BOX),)), False),
        (with_phone(0.3, held=True, others=(Detection("remote", 0.5, BADGE_BOX),)), True),
        (with_phone(0.3, held=True, others=(Detection("remote", 0.35, PHONE_BOX),)), True),
    ],
)
def test_a_phone_is_told_from_what_looks_like_one(seen, expected):
    cue = read_cues(seen, POLICY)["PHONE"]
    assert cue.value is expected
    assert cue.confidence > 0.5 if expected else cue.confidence == 0


def test_a_closer_look_answers_nothing_about_people_and_laptops():
    near = with_phone(0.1, looked_at=(0.3, 0.4, 0.4, 0.4))
    cues = read_cues(near, POLICY)
    assert cues["PHONE"].value is False
    assert cues["EXTRA_PERSON"].value is None and cues["LAPTOP"].value is None and cues["BOOK"].value is None
    whole = Observation.from_facts(with_phone(0.1).to_facts(), seq=0, captured_at=0)
    assert read_cues(whole, POLICY)["LAPTOP"].value is False
    nearby = with_phone(0.1, faces=0, looked_at=(0.3, 0.4, 0.4, 0.4))
    assert read_cues(nearby, POLICY)["NO_FACE"].value is None, "nobody was looked for"


def test_what_a_closer_look_saw_survives_being_stored():
    near = with_phone(0.3, held=True, looked_at=(0.3, 0.4, 0.4, 0.4))
    again = Observation.from_facts(near.to_facts(), seq=0, captured_at=0)
    assert again == near and read_cues(again, POLICY) == read_cues(near, POLICY)


def test_a_face_that_hung_there_for_long_is_a_poster_and_counts_for_nobody():
    candidate, poster = Face((0.3, 0.2, 0.2, 0.3), 0.9), Face((0.7, 0.1, 0.05, 0.07), 0.9, still_s=31.0)
    cues = read_cues(Observation(0, 0.0, faces=(candidate, poster)), POLICY)
    assert cues["MULTIPLE_FACES"].value is False
    someone = Face((0.7, 0.1, 0.05, 0.07), 0.9, still_s=3.0)
    assert (
        read_cues(Observation(0, 0.0, faces=(candidate, poster, someone)), POLICY)["MULTIPLE_FACES"].detail["faces"]
        == 2
    )
    patient = parse_policy({"thresholds": {"poster_s": 60}})
    assert read_cues(Observation(0, 0.0, faces=(candidate, poster)), patient)["MULTIPLE_FACES"].value is True


@pytest.mark.parametrize(
    ("lids", "expected"),
    [(None, False), (Lids(0.3, 0.3), False), (Lids(0.3, 0.1), True)],
    ids=["not seen", "glare", "one shut"],
)
def test_open_eyes_without_a_gaze_were_not_examined(lids, expected):
    seen = replace(facts(0), eyes=None, lids=lids)
    assert (Sense.EYES in examined_senses(seen)) is expected
