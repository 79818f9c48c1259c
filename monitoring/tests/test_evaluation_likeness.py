"""Same person or not on the card: error rates of distances that are known, and whose face an exam goes by."""

import numpy as np
import pytest

from exams.policy import Policy
from monitoring.evaluation import compare, likeness, printed
from monitoring.evaluation.figures import Rate
from monitoring.evaluation.labels import Sample
from monitoring.evaluation.likeness import Portraits, Portrayed, Tries, by_condition, data_of, figures_of, tries_of
from monitoring.evaluation.looking import Span
from monitoring.evaluation.run import _is_by_another

POLICY = Policy()


def tries(*told):
    """Make comparisons out of (distance, enrolled, shown), nearest first."""
    apart, enrolled, shown = (np.array(column) for column in zip(*sorted(told), strict=True))
    return Tries(apart, enrolled, shown, [frozenset()] * len(told))


def portrait(person, place, *conditions, frontal=True):
    return Portrayed(person, frozenset(conditions), np.array([place, 0.0]), frontal)


def test_people_who_are_well_apart_make_no_errors():
    figures = figures_of(tries(*[(0.2, 0, 0)] * 3, *[(0.3, 1, 1)] * 3, *[(0.8, 0, 1)] * 6), POLICY)
    assert (figures["same"], figures["strangers"]) == (6, 6)
    assert figures["equal_error"]["share"] == figures["missed"]["share"] == 0
    assert figures["limit"] == 0.3


def test_error_rates_are_what_one_counts_by_hand():
    """Of ten own pictures one lies beyond the nearest stranger, of ten strangers one lies nearer than the last own."""
    own, others = [*np.linspace(0.1, 0.4, 9), 0.7], [0.6, *np.linspace(0.8, 0.9, 9)]
    figures = figures_of(tries(*[(apart, 0, 0) for apart in own], *[(apart, 0, 1) for apart in others]), POLICY)
    assert figures["equal_error"]["share"] == pytest.approx(0.1)
    assert figures["missed"]["share"] == pytest.approx(0.1)  # no stranger at all may be taken among ten
    assert figures["said"]["strangers_told"] == Rate(10, 10)
    assert figures["said"]["same_accused"] == Rate(1, 10)


def test_intervals_are_wide_where_all_errors_are_one_persons():
    rows = [(0.2, person, person) for person in range(10) for _ in range(4)]
    rows += [(0.9, person, other) for person in range(10) for other in range(10) if person != other]
    rows += [(0.95, 0, 0)] * 4
    missed = figures_of(tries(*rows), POLICY)["missed"]
    assert missed["low"] == 0 and missed["high"] > 2 * missed["share"] > 0


def test_every_pair_of_pictures_is_compared_once():
    found = tries_of([portrait("ada", 0.0), portrait("ada", 0.1), portrait("bob", 1.0)], 1)
    assert len(found.apart) == 3
    assert found.apart.tolist() == pytest.approx([0.1, 0.9, 1.0])
    assert found.same.tolist() == [True, False, False]


def test_several_pictures_are_enrolled_by_their_mean_and_not_compared_with_themselves():
    people = [portrait("ada", 0.0), portrait("ada", 0.2), portrait("ada", 0.4), portrait("bob", 1.0)]
    found = tries_of(people, 2)
    assert sorted(found.apart[found.same].tolist()) == pytest.approx([0.0, 0.3, 0.3])
    assert len(found.apart) == 6  # three ways to enrol ada, each against the third picture and bob


def test_turned_heads_are_not_enrolled_with_others():
    people = [portrait("ada", 0.0), portrait("ada", 0.2, frontal=False), portrait("ada", 0.4), portrait("bob", 1.0)]
    found = tries_of(people, 2)
    assert len(found.apart[found.same]) == 1


def test_where_nobody_has_several_pictures_only_single_ones_are_compared():
    people = [portrait("a", 0.0), portrait("a", 0.1), portrait("b", 1.0)]
    assert [row["enrolled"] for row in data_of(Portraits(people, 3), POLICY)["rows"]] == [1]
    assert tries_of(people, 3).same.size == 0


def test_misses_are_split_by_condition():
    people = [portrait("ada", 0.0), portrait("ada", 0.1, "glasses"), portrait("ada", 0.9, "side light")]
    rates = dict(by_condition(tries_of(people, 1), 0.5))
    assert rates == {"glasses": Rate(1, 2), "side light": Rate(2, 2)}


def test_the_card_prints_it_and_notices_when_it_gets_worse():
    people = [portrait(name, place + step / 50) for place, name in enumerate("abcdefgh") for step in range(4)]
    data = data_of(Portraits(people, 40), POLICY)
    row = {**data["rows"][0], "said": {name: _rate(rate) for name, rate in data["rows"][0]["said"].items()}}
    told = {**data, "rows": [row], "not_examined": _rate(data["not_examined"]), "conditions": []}
    assert printed._likeness(row)[0] == "1 picture"
    assert "40 pictures of 8 people; not examined 20.0%" in printed._likeness_note(told)
    worse = {**row, "missed": {"share": 0.5, "low": 0.4, "high": 0.6}}
    assert list(compare._less_alike(told, told)) == []
    assert [what for what, _ in compare._less_alike(told, {**told, "rows": [worse]})] == ["faces, 1 enrolled, missed"]
    assert list(compare._less_alike(None, told)) == []


def _rate(rate):
    low, high = rate.interval
    return {"hits": rate.hits, "n": rate.n, "share": rate.share, "low": low, "high": high}


def test_nobody_labelled_makes_an_empty_row():
    assert data_of(Portraits(), POLICY)["rows"] == []
    assert likeness.portray_people([]).pictures == 0


@pytest.mark.parametrize(
    ("kind", "at", "another"),
    [
        ("IDENTITY_MISMATCH", 5, False),  # the candidate: a false alarm
        ("IDENTITY_MISMATCH", 15, False),  # staged
        ("IDENTITY_MISMATCH", 25, True),  # somebody else holds the phone, so it is true
        ("IDENTITY_MISMATCH", 35, False),  # nobody says who that is
        ("LOOKING_AWAY", 25, False),
    ],
)
def test_a_part_that_somebody_else_plays_is_not_judged(tmp_path, kind, at, another):
    timeline = [
        {"kind": "present", "start_s": 0, "end_s": 10, "files": ["ada_1.jpg"]},
        {"kind": "IDENTITY_MISMATCH", "start_s": 10, "end_s": 20, "files": ["bob_1.jpg"]},
        {"kind": "PHONE", "start_s": 20, "end_s": 30, "files": ["phone.jpg"]},
        {"kind": "NO_FACE", "start_s": 30, "end_s": 40},
    ]
    sample = Sample("exam.mp4", tmp_path / "exam.mp4", "video", {"candidate": "ada", "timeline": timeline})
    assert _is_by_another(Span(kind, at, at + 2), sample) is another
