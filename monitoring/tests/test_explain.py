"""The sentences that explain an activity, in the language of whoever reads."""

from datetime import timedelta

import pytest
from django.utils.translation import override

from exams.kinds import Kind
from monitoring.explain import explain, explanation_of
from monitoring.models import SuspiciousActivity
from monitoring.tests.factories import START, facts, make_session, watch
from monitoring.tests.words import say_in_bangla
from monitoring.timeline import Timeline, draw

TURNED = {"by": "head", "direction": "left", "degrees": 40}


def activity(kind=Kind.NO_FACE, lasted_s=5.0, **detail):
    ended_at = None if lasted_s is None else START + timedelta(seconds=lasted_s)
    return SuspiciousActivity(
        kind=kind, started_at=START, ended_at=ended_at, explanation="As it was stored.", detail=detail
    )


SEEN = "This was so in 4 of 6 pictures examined, over 5 s."
SHOWN = "This was so in 4 of 6 pictures, over 5 s."


@pytest.mark.parametrize(
    ("kind", "detail", "what", "how_often"),
    [
        ("NO_FACE", {}, "No face and no person could be seen.", SEEN),
        (
            "NO_FACE",
            {"pictures": 1},
            "No person could be seen: a face in view never changed, as that of a picture on the wall.",
            SEEN,
        ),
        (
            "EYE_MOVEMENT",
            {"looks": 7, "direction": "left", "degrees": 15},
            "Within a short time the eyes went 7 times to one place to the left of the picture, and back.",
            SEEN,
        ),
        ("MULTIPLE_FACES", {"faces": 3}, "3 faces were in the picture.", SEEN),
        ("CAMERA_BLOCKED", {}, "The camera seemed to be covered, so nothing could be examined.", SHOWN),
        ("LOOKING_AWAY", TURNED, "The head was turned to the left of the picture, by 40° at its clearest.", SEEN),
        (
            "LOOKING_AWAY",
            TURNED | {"by": "eyes", "direction": "right"},
            "The eyes looked to the right of the picture, by 40° together with the head at its clearest.",
            SEEN,
        ),
    ],
)
def test_it_says_what_was_seen_how_often_and_for_how_long(kind, detail, what, how_often):
    assert explanation_of(activity(kind, positives=4, examined=6, **detail)) == f"{what} {how_often}"
    assert explain(kind, detail, positives=4, examined=6, duration_s=5) == f"{what} {how_often}"


def test_it_says_that_an_activity_still_lasts():
    said = explanation_of(activity(lasted_s=None, positives=4, examined=6))
    assert said == "No face and no person could be seen. So far this was so in 4 of 6 pictures examined."


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("TAB_SWITCH", "The browser reported that the exam's tab was left."),
        ("PASTE", "This was reported: Pasted something."),
        ("SOMETHING_NEW", "“SOMETHING_NEW” was reported."),
        ("LOOKING_AWAY", "The head or the eyes were turned away."),
        ("MULTIPLE_FACES", "Several faces were in the picture."),
        ("EXTRA_PERSON", "Several people were in the picture."),
    ],
)
def test_it_says_only_what_was_reported_of_an_instant(kind, sentence):
    assert explanation_of(activity(kind, positives=1, examined=1)) == sentence


def test_it_believes_no_words_where_a_number_belongs():
    told = {"faces": "<b>" * 1000, "persons": True, "direction": "left", "degrees": "x" * 1000}
    for kind in ("MULTIPLE_FACES", "EXTRA_PERSON", "LOOKING_AWAY", "EYE_MOVEMENT"):
        assert len(explain(kind, told, positives=1, examined=1, duration_s=1)) < 100


@pytest.mark.parametrize("detail", [{}, {"positives": 4}, {"positives": "4", "examined": 6}, {"examined": None}])
def test_it_falls_back_to_the_stored_sentence_without_the_numbers(detail):
    assert explanation_of(activity(**detail)) == "As it was stored."


@pytest.mark.parametrize("kind", Kind.values)
def test_it_has_a_sentence_for_every_kind(kind):
    said = explain(kind, {}, positives=2, examined=3, duration_s=None)
    assert said.count(".") == 2
    assert kind not in said


def test_it_speaks_the_readers_language_and_stores_english(monkeypatch, db):
    say_in_bangla(
        monkeypatch,
        {
            "The head was turned %(direction)s, by %(degrees)d° at its clearest.": "মাথা %(direction)s %(degrees)d°।",
            "to the left of the picture": "ছবির বাঁ দিকে",
        },
    )
    session = make_session()
    with override("bn"):
        watch(session, *[facts(at) for at in range(10)], *[facts(at, yaw=40) for at in range(10, 16)])
        row = SuspiciousActivity.objects.get()
        assert explanation_of(row).startswith("মাথা ছবির বাঁ দিকে 40°।")
    assert row.explanation.startswith("The head was turned to the left of the picture, by 40°")


def test_it_draws_the_timeline_in_the_readers_language(monkeypatch):
    say_in_bangla(monkeypatch, {"No suspicious activity": "কিছু নেই"})
    empty = Timeline(duration_s=10, examined=(), lanes=())
    assert "No suspicious activity" in draw(empty, description="x")
    with override("bn"):
        assert "কিছু নেই" in draw(empty, description="x")
