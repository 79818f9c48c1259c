"""What is to be reached, what was, and how sure a yes is beside how often it is right."""

import pytest

from exams.kinds import Kind
from exams.policy import Policy
from monitoring.evaluation import targets
from monitoring.evaluation.compare import worse_than
from monitoring.evaluation.figures import Answer, Rate, reliability
from monitoring.evaluation.labels import Sample
from monitoring.evaluation.spoilt import spoilt_pictures
from monitoring.evaluation.targets import Target, judged
from vision.decoding import encode_jpeg
from vision.tests.heads import straight


def of(share, low, high, n=100):
    return {"share": share, "low": low, "high": high, "n": n}


@pytest.mark.parametrize(
    ("found", "at_most", "verdict"),
    [
        (of(0.88, 0.84, 0.91), False, "reached"),
        (of(0.80, 0.75, 0.89), False, "not reached"),
        (of(0.95, 0.90, 0.97), True, "reached"),
        (of(0.95, 0.92, 0.97), True, "not reached"),
        (of(1.0, 0.9, 1.0, 29), False, "too few to say"),
        (of(None, None, None, 0), False, "not measured"),
        (None, False, "not measured"),
    ],
)
def test_a_target_is_reached_where_the_interval_reaches_it(monkeypatch, found, at_most, verdict):
    monkeypatch.setattr(targets, "TARGETS", (Target("x", 0.9, lambda _run: found, at_most=at_most),))
    assert [row["verdict"] for row in judged({})] == [verdict]


def test_sure_yeses_are_put_beside_how_often_they_are_right():
    said = [Answer("a", True, True, 0.95), Answer("b", False, True, 0.93), Answer("c", True, True, 0.72)]
    said += [Answer("d", True, False, 0.9), Answer("e", True, None)]
    assert reliability(said) == [(0.72, Rate(1, 1)), (pytest.approx(0.94), Rate(1, 2))]


def test_pictures_are_asked_as_they_are_and_spoilt(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(straight()))
    sample = Sample("a.jpg", tmp_path / "a.jpg", "image", {"faces": 1})
    kinds = {Kind.POOR_LIGHT, Kind.CAMERA_BLURRED, Kind.CAMERA_BLOCKED}
    found = spoilt_pictures([sample], Policy(), lambda kind: kind in kinds)
    assert {kind: [(one.sample, one.truth, one.said) for one in said] for kind, said in found.items()} == {
        kind: [("a.jpg", False, False), ("a.jpg (composed)", True, True)] for kind in kinds
    }


def row(kind, not_examined):
    rate = {"hits": 9, "n": 10, "share": 0.9, "low": 0.6, "high": 0.98}
    return {"kind": kind, "precision": rate, "recall": rate, "not_examined": {**rate, **not_examined}}


def test_a_row_that_is_gone_and_a_sense_that_says_less_are_told():
    nothing = {"share": None, "low": None, "high": None, "n": 0}
    run = {
        "counting": {"exact": nothing},
        "sounds": [],
        "clips": [],
        "exams": [],
        "diarization": {"error_rate": None},
    }
    before = {
        **run,
        "pictures": [row("PHONE", {"share": 0.0, "high": 0.02}), row("BOOK", {"share": 0.0, "high": 0.02})],
    }
    after = {**run, "pictures": [row("PHONE", {"share": 0.5, "high": 0.6})]}
    assert worse_than({"runs": {"all": before}}, {"runs": {"all": after}}) == [
        "all, PHONE not examined: 50.0% after 0.0% (60.0% to 2.0%)",
        "all, BOOK: no longer among the pictures",
    ]
