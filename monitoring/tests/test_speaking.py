"""Who may have spoken: a voice beside a mouth that moves or does not, and a mouth beside a voice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from exams.services import add_policy_version
from monitoring import services, sounds
from monitoring.models import SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.speaking import mouth_told, speech_told
from monitoring.tests.factories import START, end_session, facts, make_exam, make_session, watch
from vision.types import Hand, Heard, Mouth, Speech

STILL, TALKING = [0.02, 0.03, 0.02, 0.01, 0.02], [0.02, 0.3, 0.05, 0.28, 0.03]


@pytest.mark.parametrize(
    ("openings", "expected"),
    [
        ([], {}),
        (STILL[:4], {}),
        (STILL, {"mouth": "still", "mouth_pictures": 5}),
        ([0.4, 0.41, 0.4, 0.42, 0.4], {"mouth": "still", "mouth_pictures": 5}),  # a mouth that hangs open
        (TALKING, {"mouth": "moved", "mouth_pictures": 5}),
        ([0.0, 0.1, 0.5, 0.6, 0.3, 0.0], {}),  # a yawn
        ([0.0] * 30 + [0.3] + [0.0] * 30 + [0.3] + [0.0] * 10, {}),  # a bite now and then
    ],
)
def test_a_mouth_is_still_moves_as_in_speech_or_tells_nothing(openings, expected):
    assert mouth_told(openings) == expected


def heard(at, *spoken, seconds=4.0):
    speech = tuple(Speech(start, end, 0.95) for start, end in spoken)
    return Heard(seq=round(at), captured_at=START.timestamp() + at, duration_s=seconds, speech=speech)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], {}),
        ([heard(0, (0, 4))], {}),  # most of the time nobody listened
        ([replace(heard(4), speech=None), heard(8)], {}),
        ([heard(4), heard(8)], {"speech": "none"}),
        ([heard(0, (0, 4)), heard(4, (3.5, 4)), heard(8)], {"speech": "none"}),  # before it, and a cough
        ([heard(4, (1, 3)), heard(8)], {"speech": "heard"}),
    ],
)
def test_speech_was_heard_meanwhile_or_not(chunks, expected):
    start = START.timestamp() + 4
    assert speech_told(chunks, start, start + 8) == expected


# --- in a session -----------------------------------------------------------------------------------------------------


@pytest.fixture
def session(db):
    return make_session(make_exam())


def speak(session, start=4, end=12):
    """Have somebody speak from start to end; the sound goes on for another eight seconds."""
    chunks = [heard(at, (0, 4)) if start <= at < end else heard(at) for at in range(0, end + 8, 4)]
    batch = sounds.SoundBatch([sounds.Sound(chunk.seq, chunk.captured_at, chunk) for chunk in chunks])
    sounds.record_sounds(session_id=session.pk, batch=batch)


def show(session, openings, *, start=4, covered=0.0):
    """Show a mouth that is so far open, once a second."""
    hand = Hand((0, 0, 0.1, 0.1), 0.9, True, 0.4, 0, 0, 1, 0, 0, 0.3, covered, 0.5)
    seen = [
        replace(facts(start + second), mouth=Mouth(opened), hands=(hand,)) for second, opened in enumerate(openings)
    ]
    watch(session, *seen)


def voice(session):
    return SuspiciousActivity.objects.get(session=session, kind="SPEECH", assessment__is_current=True)


def judge_again(session, settings):
    """Apply another version of the policy to the session, which has ended."""
    session.refresh_from_db()
    policy, _is_new = add_policy_version(exam=session.exam, settings=settings)
    assert rescore_session(session=session, policy=policy) is not None
    assert voice(session).assessment.policy == policy


def test_pictures_that_came_first_tell_who_spoke(session):
    show(session, TALKING)
    speak(session)
    assert voice(session).detail["mouth"] == "moved"
    assert voice(session).explanation.endswith(
        "The candidate's mouth moved in 5 pictures of that time: it may have been theirs."
    )


def test_pictures_that_came_later_tell_it_when_the_session_ends(session):
    speak(session)
    show(session, STILL * 2)
    assert "mouth" not in voice(session).detail
    end_session(session, 30)
    assert voice(session).detail["mouth"] == "still"
    assert "did not move in 9 pictures" in voice(session).explanation


def test_a_mouth_behind_a_hand_tells_nothing(session):
    show(session, STILL * 2, covered=1.0)
    speak(session)
    assert "mouth" not in voice(session).detail


def test_pictures_of_another_time_tell_nothing(session):
    show(session, STILL * 2, start=40)
    speak(session)
    end_session(session, 60)
    assert "mouth" not in voice(session).detail


def test_it_weighs_nothing_and_another_policy_may_leave_it_out(session):
    show(session, STILL * 2)
    speak(session)
    before = end_session(session, 30)
    assert before.risk_score == 0
    senses = [sense for sense in session.rules.senses if sense != "mouth"]
    judge_again(session, {"senses": senses})
    assert "mouth" not in voice(session).detail


def test_judged_again_it_says_the_same(session):
    speak(session)
    show(session, TALKING + TALKING)
    end_session(session, 30)
    told = voice(session).detail
    judge_again(session, {"objects_every_s": 9})
    assert told["mouth"] == "moved" and voice(session).detail == told


def test_a_moving_mouth_is_told_with_what_was_heard(db):
    exam = make_exam()
    add_policy_version(exam=exam, settings={"kinds": {"MOUTH_MOVING": {"enabled": True}}})
    session = make_session(exam)
    speak(session, start=4, end=8)
    moving = [replace(facts(at), mouth=Mouth(0.2, turns=6)) for at in range(10)]
    watch(session, *moving, *[replace(facts(at), mouth=Mouth(0.0)) for at in range(10, 18)])
    activity = SuspiciousActivity.objects.get(session=session, kind="MOUTH_MOVING")
    assert activity.ended_at - activity.started_at > timedelta(seconds=5)
    assert activity.explanation.endswith("Speech was heard meanwhile: it may have been theirs.")


def test_finishing_twice_says_it_once(session):
    show(session, TALKING)
    speak(session)
    end_session(session, 30)
    services.finish_monitoring(session_id=session.pk)
    assert voice(session).explanation.count("mouth moved") == 1
