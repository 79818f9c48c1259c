"""Conditions that fare worse than the rest: what is said of them, and of what nothing may be claimed."""

import json
from typing import Any

import numpy as np
import pytest

from exams.policy import Policy
from monitoring.evaluation import gaps, traits
from monitoring.evaluation.figures import FEWEST, Answer, Rate
from monitoring.evaluation.labels import Sample
from monitoring.evaluation.likeness import Tries, beside_the_rest
from monitoring.evaluation.looking import look_at
from monitoring.evaluation.printed import as_text
from monitoring.evaluation.traits import Traits, traits_of, why_unexamined
from vision.decoding import encode_jpeg
from vision.tests.media import one_man
from vision.types import Camera, Condition, Face, Observation

SMALL, LARGE = Traits(0.5, 30.0, 30.0, 9.0), Traits(0.5, 150.0, 150.0, 9.0)


def answers(right, wrong, *, truth=True, condition="", unseen=0, traits=LARGE, why=""):
    """Return so many answers that are right, wrong, and missing."""
    said = [truth] * right + [not truth] * wrong + [None] * unseen
    conditions = frozenset([condition] if condition else [])
    return [Answer(str(at), truth, one, 0.9, conditions, traits, why) for at, one in enumerate(said)]


def told(some):
    return [(gap.condition, gap.measure, gap.why) for gap in gaps.gaps_of("KIND", some)]


def test_the_interval_of_a_difference_is_that_of_newcombe():
    # Newcombe (1998), Statistics in Medicine 17, 873–890: 56/70 against 48/80, method 10.
    points = gaps.worse_by("false_alarms", Rate(56, 70), Rate(48, 80))
    assert points == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    low, high = gaps.worse_by("recall", Rate(48, 80), Rate(56, 70))[1:]
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=5e-5), "of recall less is worse"


def test_three_points_are_no_gap():
    rest = answers(100, 0)
    assert told(rest + answers(97, 3, condition="glasses")) == []
    assert [gap[:2] for gap in told(rest + answers(60, 40, condition="glasses"))] == [("glasses", "recall")]


def test_of_fewer_than_thirty_on_either_side_nothing_is_claimed():
    few = answers(0, FEWEST - 1, condition="glasses")
    assert told(answers(100, 0) + few) == [("glasses", "recall", gaps.TOO_FEW)]
    enough = answers(0, FEWEST, condition="glasses")
    assert told(answers(FEWEST - 1, 0) + enough) == [("glasses", "recall", gaps.TOO_FEW)]
    assert told(answers(100, 0) + enough) == [("glasses", "recall", gaps.UNEXPLAINED)]


def test_what_may_be_chance_is_called_so():
    assert told(answers(95, 5) + answers(36, 4, condition="glasses")) == [("glasses", "recall", gaps.CHANCE)]


def test_what_was_not_examined_says_why():
    unseen = answers(20, 0, condition="low_res", unseen=12, traits=SMALL, why="face smaller than 36 pixels")
    ((condition, measure, why),) = told(answers(200, 0) + unseen)
    assert (condition, measure) == ("low_res", "not_examined")
    assert why.startswith(
        "cannot be seen: face smaller than 36 pixels (12); face height 30 px against 150 px (medians)"
    )


def test_small_faces_explain_a_gap_where_small_faces_of_the_rest_fare_alike():
    here = answers(60, 40, condition="far", traits=SMALL)
    alike = answers(200, 0) + answers(36, 24, traits=SMALL)
    ((_condition, _measure, why),) = told(here + alike)
    assert "which explains it: 0.0 points beside 60 of the rest that are alike" in why
    better = answers(200, 0) + answers(60, 0, traits=SMALL)
    assert "which does not explain it: 40.0 points" in told(here + better)[0][2]
    assert "only 0 of the rest are alike in it" in told(here + answers(200, 0))[0][2]


def test_false_alarms_are_a_gap_of_their_own():
    here = answers(60, 40, truth=False, condition="far")
    assert told(here + answers(200, 0, truth=False)) == [("far", "false_alarms", gaps.UNEXPLAINED)]


def test_of_people_it_is_people_that_must_be_enough():
    random = np.random.default_rng(5)
    people = random.integers(0, 10, 400)
    apart = np.sort(random.uniform(0, 1, 400))
    worn = [frozenset(["glasses"] if far > 0.5 else []) for far in apart]
    rows = [(1, *one) for one in beside_the_rest(Tries(apart, people, people, worn), 0.8)]
    ((enrolled, condition, there, rest, count),) = rows
    assert (enrolled, condition, rest.hits, count) == (1, "glasses", 0, 10)
    assert there.hits == int((apart > 0.8).sum()) and there.n + rest.n == 400
    ((gap,),) = [list(gaps.gaps_of_people(rows))]
    assert gap.why == "10 people, too few to say"
    ((many,),) = [list(gaps.gaps_of_people([(1, condition, there, rest, FEWEST)]))]
    assert many.why == gaps.UNEXPLAINED


# --- what a picture is like -------------------------------------------------------------------------------------------


def looked(*faces, condition=Condition.OK):
    return Observation(0, 0.0, camera=Camera(condition, 0.4, 0.2, 300.0), faces=faces or ())


FACE = Face((0.4, 0.2, 0.2, 0.3), 0.9)


@pytest.mark.parametrize(
    ("question", "facts", "like", "why"),
    [
        ("HEAD_TURNED", looked(condition=Condition.DARK), Traits(), "picture too dark"),
        ("HEAD_TURNED", looked(), Traits(), "no face found"),
        ("LOOKING_AWAY", looked(FACE), Traits(0.4, 12.0, 30.0, 9.0), "face smaller than 36 pixels"),
        ("MOUTH_OPEN", looked(FACE), LARGE, "no mesh fits the face"),
        ("PRINT_OR_SCREEN", looked(FACE), SMALL, "face smaller than 64 pixels"),
        ("PRINT_OR_SCREEN", looked(FACE), Traits(0.4, 90.0, 90.0, 1.0), "grey face"),
        ("PRINT_OR_SCREEN", looked(FACE), Traits(0.4, 400.0, 400.0, 9.0, fills=True), "face fills the picture"),
        ("PRINT_OR_SCREEN", looked(FACE), LARGE, traits.NOT_KNOWN),
        ("PHONE", looked(FACE), LARGE, traits.NOT_KNOWN),
    ],
)
def test_it_says_why_a_question_got_no_answer(question, facts, like, why):
    assert why_unexamined(question, facts, like) == why


def test_the_height_of_a_face_is_that_in_the_file_not_in_what_was_enlarged():
    rgb = np.full((480, 640, 3), 128, np.uint8)
    like = traits_of(looked(FACE), rgb, enlarged=4.0)
    assert (like.face_px, like.seen_px, like.brightness) == (36.0, 128.0, 0.4)
    assert like.tint == 0.0 and not like.fills
    assert traits_of(looked(), rgb, 1.0) == Traits(0.4)


def test_a_look_at_a_labelled_picture_tells_its_traits(tmp_path):
    path = tmp_path / "man.jpg"
    path.write_bytes(encode_jpeg(np.ascontiguousarray(one_man()[::4, ::4])))  # 160 pixels wide
    seen = look_at(Sample("man.jpg", path, "image"), Policy())
    whole = tmp_path / "whole.jpg"
    whole.write_bytes(encode_jpeg(one_man()))
    large = look_at(Sample("whole.jpg", whole, "image"), Policy())
    assert seen.traits.face_px == pytest.approx(large.traits.face_px / 4, rel=0.15)
    assert large.traits.tint > 5


# --- as it is printed -------------------------------------------------------------------------------------------------


def test_gaps_are_printed_and_those_of_too_few_only_counted():
    rate: dict[str, Any] = {"hits": 48, "n": 52, "share": 0.0769, "low": 0.03, "high": 0.18}
    gap: dict[str, Any] = {
        "kind": "HEAD_TURNED",
        "condition": "low_res",
        "measure": "not_examined",
        "there": rate,
        "rest": rate,
    }
    gap |= {"worse_by": 0.077, "low": 0.031, "high": 0.18, "why": "cannot be seen: no face found (4)"}
    few = gap | {"condition": "hard", "why": gaps.TOO_FEW}
    run: dict[str, Any] = {
        "pictures": [],
        "conditions": [],
        "sounds": [],
        "clips": [],
        "exams": [],
        "unread": 0,
        "gaps": [gap, few],
    }
    run |= {"counting": {"exact": {"n": 0}}, "diarization": {"recordings": 0}}
    text = as_text({"media": {"image": 1}, "runs": {"all": json.loads(json.dumps(run))}})
    assert "low_res" in text and "7.7 points (3.1 to 18.0)" in text and "no face found (4)" in text
    assert "hard" not in text and "of which nothing is claimed: 1." in text
