"""What a candidate may say against an outcome, until when, and who hears it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.tests.client import client_of
from monitoring.appeals import AppealRefused, appeal_session
from monitoring.case_models import Appeal, ReviewCase
from monitoring.cases import ReviewRefused
from monitoring.erasure import erase_session
from monitoring.models import ReviewDecision
from monitoring.outcomes import outcome_of
from monitoring.picture_models import PictureAccess
from monitoring.retention import sessions_to_thin_out
from monitoring.review import decide_activity, decide_session
from monitoring.tests.factories import make_session
from monitoring.tests.reviewers import (
    FIRSTS_WORDS,
    activity_of,
    convict,
    convict_and_appeal,
    ended_session,
    hand_on,
    make_desk,
    picture,
)

pytestmark = [pytest.mark.django_db, pytest.mark.database]
TEXT = "I was there all the time."


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def desk():
    return make_desk()


@pytest.fixture
def session(desk):
    return ended_session(desk.exam)


@pytest.fixture
def candidate(session):
    return client_of(session.candidate.user)


def outcome(candidate, session):
    return candidate.get(f"/api/v1/sessions/{session.pk}/outcome").json()


def appeal(candidate, session, text=TEXT):
    return candidate.post(f"/api/v1/sessions/{session.pk}/appeal", {"text": text}, format="json")


def evidence(candidate, session, activity):
    return candidate.get(f"/api/v1/sessions/{session.pk}/outcome/evidence/{activity.pk}")


def decided_days_ago(session, days):
    """Pretend that the outcome was given so long ago."""
    ReviewDecision.objects.filter(session=session).update(decided_at=timezone.now() - timedelta(days=days))


def test_a_candidate_is_told_until_when_they_may_appeal(desk, session, candidate):
    convict(session, desk.first)
    told = outcome(candidate, session)
    assert (told["may_appeal"], told["appeal"]) == (True, None)
    assert outcome_of(session).appeal_until == outcome_of(session).decided_at + timedelta(days=7)


def test_an_appeal_is_kept_and_the_outcome_stays_meanwhile(desk, session, candidate):
    convict(session, desk.first)
    answer = appeal(candidate, session, f"  {TEXT}\n")
    assert answer.status_code == 201
    assert (answer.json()["text"], answer.json()["state"], answer.json()["decided_at"]) == (TEXT, "open", None)
    told = outcome(candidate, session)
    assert (told["decided"], told["outcome"], told["reason"]) == (True, "violation", FIRSTS_WORDS)
    assert (told["may_appeal"], told["appeal_until"], told["appeal"]["text"]) == (False, None, TEXT)
    assert "Somebody else looks" in told["appeal"]["sentence"]
    assert ReviewCase.objects.get().stage == "appeal"


def test_what_counted_stays_as_it_was_until_the_appeal_is_decided(desk, session, candidate):
    convict(session, desk.first)
    appeal_session(session=session, text=TEXT)
    decide_activity(activity=activity_of(session), verdict="dismissed", reason="No.", reviewer=desk.second)
    assert len(outcome(candidate, session)["activities"]) == 1
    decide_session(session=session, outcome="clear", reason="Nothing.", reviewer=desk.second)
    assert outcome(candidate, session)["activities"] == []


@pytest.mark.parametrize(
    ("outcome_then", "state", "says"), [("violation", "upheld", "stays"), ("clear", "changed", "changed")]
)
def test_it_is_decided_by_somebody_who_has_not_decided_before(desk, session, candidate, outcome_then, state, says):
    convict(session, desk.first)
    appeal_session(session=session, text=TEXT)
    with pytest.raises(ReviewRefused) as refused:
        decide_session(session=session, outcome="violation", reason="Again.", reviewer=desk.first)
    assert (refused.value.code, refused.value.status) == ("took_part", 403)
    with pytest.raises(ReviewRefused, match="not handed on"):
        decide_session(session=session, outcome="escalated", reason="Hm.", reviewer=desk.second)
    decision = decide_session(session=session, outcome=outcome_then, reason="Looked anew.", reviewer=desk.second)
    told = outcome(candidate, session)
    assert (told["outcome"], told["reason"], told["appeal"]["state"]) == (outcome_then, "Looked anew.", state)
    assert says in told["appeal"]["sentence"]
    kept, case = Appeal.objects.get(), ReviewCase.objects.get()
    assert (kept.decided_at, case.stage, case.settled) == (decision.decided_at, "decided", True)


def test_a_session_is_appealed_once(desk, session, candidate):
    convict(session, desk.first)
    assert appeal(candidate, session).status_code == 201
    again = appeal(candidate, session)
    assert (again.status_code, again.json()["code"]) == (409, "already_appealed")
    decide_session(session=session, outcome="violation", reason="Looked anew.", reviewer=desk.second)
    assert appeal(candidate, session).json()["code"] == "already_appealed"
    assert outcome(candidate, session)["may_appeal"] is False


def test_it_comes_too_late_after_the_days_of_the_exam(desk, session, candidate):
    convict(session, desk.first)
    decided_days_ago(session, 8)
    told = outcome(candidate, session)
    assert (told["may_appeal"], told["appeal_until"] is not None) == (False, True)
    answer = appeal(candidate, session)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_late")
    desk.exam.appeal_days = 30
    desk.exam.save()
    assert appeal(candidate, session).status_code == 201


def test_an_exam_may_allow_none(desk, session, candidate):
    desk.exam.appeal_days = 0
    desk.exam.save()
    convict(session, desk.first)
    assert outcome(candidate, session)["appeal_until"] is None
    assert appeal(candidate, session).json()["code"] == "no_appeals"


def test_there_is_nothing_to_appeal_against_before_a_decision_nor_in_a_clear_one(desk, session, candidate):
    assert appeal(candidate, session).json()["code"] == "wrong_state"
    hand_on(session, desk.first)
    assert appeal(candidate, session).json()["code"] == "wrong_state"
    decide_session(session=session, outcome="violation", reason="Seen.", reviewer=desk.second)
    decide_session(session=session, outcome="clear", reason="Nothing.", reviewer=desk.third)
    assert appeal(candidate, session).json()["code"] == "clear"
    assert outcome(candidate, session)["appeal_until"] is None
    assert not Appeal.objects.exists()


@pytest.mark.parametrize("text", ["", "   ", "x" * 5001])
def test_an_appeal_says_something_and_not_too_much(desk, session, candidate, text):
    convict(session, desk.first)
    assert appeal(candidate, session, text).status_code == 400
    with pytest.raises(AppealRefused):
        appeal_session(session=session, text=text)
    assert not Appeal.objects.exists()


def test_a_candidate_looks_at_the_evidence_that_counted_and_at_no_other(desk, session, candidate):
    activity = activity_of(session)
    assert evidence(candidate, session, activity).status_code == 404
    decide_activity(activity=activity, verdict="confirmed", reason="Seen.", reviewer=desk.first)
    assert evidence(candidate, session, activity).status_code == 404  # nobody has decided on the outcome
    decide_session(session=session, outcome="violation", reason="Seen.", reviewer=desk.first)
    (counted,) = outcome(candidate, session)["activities"]
    assert counted["evidence"]["media_type"] == "image/jpeg"
    answer = candidate.get(counted["evidence"]["url"])
    assert (answer.status_code, b"".join(answer.streaming_content)) == (200, picture())
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("image/jpeg", "private, no-store")
    assert answer["X-Content-Type-Options"] == "nosniff"
    look = PictureAccess.objects.get()
    assert (look.user, look.subject, look.session) == (session.candidate.user, session.candidate.user, session)
    assert (look.what, look.way, look.evidence_id) == ("picture", "api", activity.evidence.pk)
    other = client_of(make_session(desk.exam).candidate.user)
    assert evidence(other, session, activity).status_code == 404
    decide_activity(activity=activity, verdict="dismissed", reason="No.", reviewer=desk.first)
    assert evidence(candidate, session, activity).status_code == 404


def test_evidence_whose_file_was_removed_is_no_longer_there(desk, session, candidate):
    convict(session, desk.first)
    file = activity_of(session).evidence.file
    file.storage.delete(file.name)
    assert evidence(candidate, session, activity_of(session)).status_code == 404


def test_a_session_that_goes_away_takes_its_case_and_appeal_along(desk, session):
    convict_and_appeal(session, desk.first)
    erase_session(session=session)
    assert not ReviewCase.objects.exists()
    assert not Appeal.objects.exists()
    assert not ReviewDecision.objects.exists()


@pytest.mark.parametrize("wait_for", [hand_on, convict_and_appeal])
def test_pictures_are_kept_as_long_as_somebody_has_yet_to_look_at_them(desk, session, settings, wait_for):
    settings.KEEP_DAYS = 30
    later = timezone.now() + timedelta(days=40)
    assert sessions_to_thin_out(now=later) == [session.pk]
    wait_for(session, desk.first)
    assert sessions_to_thin_out(now=later) == []
    decide_session(session=session, outcome="violation", reason="Seen.", reviewer=desk.second)
    assert sessions_to_thin_out(now=later) == [session.pk]
