"""Deciding over the interface, and what the candidate is told of it."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Role
from accounts.tests.client import client_of
from exams.services import add_policy_version
from monitoring.models import ReviewDecision
from monitoring.rescoring import rescore_session
from monitoring.review import decide_activity, decide_session
from monitoring.tests.factories import (
    end_session,
    facts,
    make_candidate,
    make_exam,
    make_session,
    make_user,
    watch,
)
from monitoring.tests.words import say_in_bangla

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    candidate = make_candidate(full_name="Candidate One")
    return {
        "candidate": candidate.user,
        "other candidate": make_candidate().user,
        "owner": make_user(Role.TEACHER, full_name="Teacher One"),
        "another teacher": make_user(Role.TEACHER),
        "assigned reviewer": make_user(Role.REVIEWER),
        "another reviewer": make_user(Role.REVIEWER),
        "admin": make_user(Role.ADMIN),
        "nobody": None,
    }


@pytest.fixture
def open_session(people):
    """Nobody in view for ten seconds, several faces for ten."""
    exam = make_exam(people["owner"])
    exam.reviewers.add(people["assigned reviewer"])
    session = make_session(exam, people["candidate"].candidate)
    watch(session, *[facts(at, faces=0, objects={}) for at in range(10)])
    watch(session, *[facts(at, faces=2) for at in range(10, 20)], *[facts(at) for at in range(20, 30)])
    return session


@pytest.fixture
def session(open_session):
    end_session(open_session, 30)
    open_session.refresh_from_db()
    return open_session


@pytest.fixture
def activity(session):
    return session.activities.get(kind="NO_FACE")


def judge(user, activity, **sent):
    return client_of(user).post(f"/api/v1/activities/{activity.pk}/review", sent)


def conclude(user, session, **sent):
    return client_of(user).post(f"/api/v1/sessions/{session.pk}/review", sent)


def outcome(user, session, **options):
    return client_of(user, **options).get(f"/api/v1/sessions/{session.pk}/outcome")


DECIDERS = [
    ("nobody", 401),
    ("candidate", 403),
    ("other candidate", 403),
    ("owner", 201),
    ("another teacher", 404),
    ("assigned reviewer", 201),
    ("another reviewer", 404),
    ("admin", 201),
]


@pytest.mark.parametrize(("who", "status"), DECIDERS)
def test_it_takes_verdicts_from_staff_of_the_exam_only(people, activity, who, status):
    answer = judge(people[who], activity, verdict="dismissed", reason="A break was agreed.")
    assert answer.status_code == status
    assert ReviewDecision.objects.count() == (status == 201)


@pytest.mark.parametrize(("who", "status"), DECIDERS)
def test_it_takes_outcomes_from_staff_of_the_exam_only(people, session, who, status):
    assert conclude(people[who], session, outcome="clear", reason="Fine.").status_code == status
    assert ReviewDecision.objects.count() == (status == 201)


def test_it_writes_a_verdict_down_and_answers_with_the_reviewed_scores(people, session, activity):
    answer = judge(people["owner"], activity, verdict="dismissed", reason=" A break was agreed. ").json()
    decision = ReviewDecision.objects.get()
    assert (decision.activity, decision.verdict, decision.reason) == (activity, "dismissed", "A break was agreed.")
    assert decision.reviewer == people["owner"]
    assert answer["id"] == str(decision.pk)
    assert (answer["activity"], answer["session"]) == (str(activity.pk), str(session.pk))
    assert (answer["verdict"], answer["reviewer"]) == ("dismissed", "Teacher One")
    assert (answer["scores"]["risk_score"], answer["scores"]["reviewed_risk_score"]) == (6, 4)


def test_it_keeps_earlier_verdicts_and_lets_the_latest_hold(people, activity):
    judge(people["owner"], activity, verdict="dismissed", reason="A break.")
    answer = judge(people["owner"], activity, verdict="confirmed", reason="There was none.").json()
    assert list(ReviewDecision.objects.values_list("verdict", flat=True)) == ["dismissed", "confirmed"]
    assert answer["scores"]["reviewed_risk_score"] == 6


BAD_REASONS = [None, "", "   ", "x" * 1001, ["x"], {"a": 1}]


@pytest.mark.parametrize("sent", [{}, *({"reason": reason} for reason in BAD_REASONS)])
def test_it_asks_for_a_reason_of_a_bearable_length(people, session, activity, sent):
    for answer in (
        judge(people["owner"], activity, verdict="confirmed", **sent),
        conclude(people["owner"], session, outcome="clear", **sent),
    ):
        assert answer.status_code == 400
        assert "reason" in answer.json()["fields"]
    assert not ReviewDecision.objects.exists()


def test_it_takes_a_verdict_back_once_and_only_where_there_is_one(people, activity):
    back = {"verdict": "withdrawn", "reason": "Meant for another activity."}
    assert judge(people["owner"], activity, **back).json()["code"] == "wrong_state"
    judge(people["owner"], activity, verdict="dismissed", reason="A break.")
    answer = judge(people["owner"], activity, **back)
    assert (answer.status_code, answer.json()["label"]) == (201, "taken back")
    assert answer.json()["scores"]["reviewed_risk_score"] == answer.json()["scores"]["risk_score"]
    rows = client_of(people["owner"]).get(f"/api/v1/sessions/{activity.session_id}/activities").json()["results"]
    assert {row["verdict"] for row in rows} == {"undecided"}
    assert judge(people["owner"], activity, **back).status_code == 409


@pytest.mark.parametrize("verdict", [None, "", "clear", "guilty", 1, ["confirmed"]])
def test_it_refuses_what_is_no_verdict(people, activity, verdict):
    answer = judge(people["owner"], activity, verdict=verdict, reason="x")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["verdict"])
    assert not ReviewDecision.objects.exists()


@pytest.mark.parametrize("choice", [None, "", "confirmed", "dismissed", {"a": 1}])
def test_it_refuses_what_is_no_outcome(people, session, choice):
    answer = conclude(people["owner"], session, outcome=choice, reason="x")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["outcome"])
    assert not ReviewDecision.objects.exists()


def test_it_takes_a_reason_of_a_thousand_letters(people, session):
    assert conclude(people["owner"], session, outcome="concern", reason="ক" * 1000).status_code == 201
    assert ReviewDecision.objects.get().reason == "ক" * 1000


def test_it_finds_no_activity_that_never_was(people):
    answer = client_of(people["admin"]).post(
        f"/api/v1/activities/{uuid.uuid4()}/review", {"verdict": "confirmed", "reason": "x"}
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_it_refuses_an_activity_of_an_assessment_that_no_longer_counts(people, session, activity):
    policy, _new = add_policy_version(exam=session.exam, settings={"trust_zero_risk": 21})
    rescore_session(session=session, policy=policy)
    answer = judge(people["owner"], activity, verdict="confirmed", reason="x")
    assert (answer.status_code, answer.json()["code"]) == (409, "superseded")
    assert not ReviewDecision.objects.exists()


def test_it_judges_activities_of_an_open_session_but_not_its_outcome(people, open_session):
    activity = open_session.activities.get(kind="NO_FACE")
    assert judge(people["owner"], activity, verdict="confirmed", reason="x").status_code == 201
    answer = conclude(people["owner"], open_session, outcome="clear", reason="x")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert "when it has ended" in answer.json()["detail"]
    assert ReviewDecision.objects.get().activity == activity


def test_it_writes_an_outcome_down_and_keeps_the_earlier_one(people, session):
    conclude(people["assigned reviewer"], session, outcome="escalated", reason="Look at this.")
    answer = conclude(people["owner"], session, outcome="violation", reason="Two people.").json()
    decisions = ReviewDecision.objects.filter(session=session, activity=None)
    assert list(decisions.values_list("verdict", flat=True)) == ["escalated", "violation"]
    assert (answer["outcome"], answer["reason"], answer["reviewer"]) == ("violation", "Two people.", "Teacher One")
    assert "verdict" not in answer


@pytest.mark.parametrize(
    ("who", "status"),
    [(who, {201: 200}.get(status, status)) for who, status in DECIDERS if "candidate" not in who]
    + [("candidate", 200), ("other candidate", 404)],
)
def test_it_tells_the_outcome_to_the_candidate_and_to_staff(people, session, who, status):
    assert outcome(people[who], session).status_code == status


def test_it_tells_nothing_but_that_nothing_is_decided(people, session, activity):
    judge(people["owner"], activity, verdict="confirmed", reason="Seen.")
    told = outcome(people["candidate"], session).json()
    assert told == {
        "decided": False,
        "outcome": None,
        "label": "",
        "sentence": "Nobody has decided yet. No score fails a candidate by itself.",
        "reason": "",
        "decided_at": None,
        "activities": [],
        "may_appeal": False,
        "appeal_until": None,
        "appeal": None,
    }


def test_it_says_that_an_open_session_has_not_ended(people, open_session):
    assert "has not ended" in outcome(people["candidate"], open_session).json()["sentence"]


@pytest.mark.database
def test_it_tells_the_candidate_the_outcome_and_what_was_confirmed_and_no_more(people, session, activity):
    several = session.activities.get(kind="MULTIPLE_FACES")
    judge(people["owner"], several, verdict="confirmed", reason="A secret between reviewers.")
    judge(people["owner"], activity, verdict="dismissed", reason="A break.")
    conclude(people["owner"], session, outcome="violation", reason="Two people.")
    answer = outcome(people["candidate"], session)
    told = answer.json()
    assert (told["decided"], told["outcome"], told["reason"]) == (True, "violation", "Two people.")
    assert told["sentence"] == "This session was reviewed, and the rules were broken."
    assert told["decided_at"]
    (counted,) = told["activities"]
    assert (counted["id"], counted["kind"], counted["label"]) == (str(several.pk), "MULTIPLE_FACES", "Several faces")
    assert counted["offset_s"] == 10
    assert counted["explanation"].startswith("2 faces were in the picture.")
    for secret in ("Teacher One", "A secret between reviewers.", "A break.", "NO_FACE", "reviewer"):
        assert secret not in answer.content.decode()


def test_it_leaves_out_what_was_confirmed_and_dismissed_later(people, session, activity):
    judge(people["owner"], activity, verdict="confirmed", reason="Seen.")
    judge(people["owner"], activity, verdict="dismissed", reason="On second thought.")
    conclude(people["owner"], session, outcome="clear", reason="Fine.")
    assert outcome(people["candidate"], session).json()["activities"] == []


def test_it_keeps_an_escalated_session_undecided(people, session):
    conclude(people["owner"], session, outcome="violation", reason="Two people.")
    conclude(people["owner"], session, outcome="escalated", reason="A secret doubt.")
    answer = outcome(people["candidate"], session)
    told = answer.json()
    assert (told["decided"], told["outcome"], told["reason"]) == (False, None, "")
    assert "handed on" in told["sentence"]
    assert "doubt" not in answer.content.decode()


def test_it_tells_of_the_assessment_that_counts(people, session, activity):
    judge(people["owner"], activity, verdict="confirmed", reason="Seen.")
    policy, _new = add_policy_version(exam=session.exam, settings={"trust_zero_risk": 21})
    rescore_session(session=session, policy=policy)
    conclude(people["owner"], session, outcome="violation", reason="Away.")
    (counted,) = outcome(people["candidate"], session).json()["activities"]
    assert counted["id"] == str(session.activities.get(kind="NO_FACE", assessment__is_current=True).pk)


def test_it_tells_the_outcome_in_the_readers_language(people, session, activity, monkeypatch):
    words = {
        "This session was reviewed, and the rules were broken.": "নিয়ম ভাঙা হয়েছে।",
        "No face and no person could be seen.": "কাউকে দেখা যায়নি।",
    }
    say_in_bangla(monkeypatch, words)
    decide_activity(activity=activity, verdict="confirmed", reason="Seen.", reviewer=people["owner"])
    decide_session(session=session, outcome="violation", reason="Away.", reviewer=people["owner"])
    told = outcome(people["candidate"], session, language="bn").json()
    assert told["sentence"] == "নিয়ম ভাঙা হয়েছে।"
    assert told["activities"][0]["explanation"].startswith("কাউকে দেখা যায়নি।")


def test_it_tells_of_many_activities_with_as_many_queries_as_of_few(people, session):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert outcome(people["candidate"], session).status_code == 200
        return len(captured)

    decide_session(session=session, outcome="violation", reason="x", reviewer=people["owner"])
    few = queries()
    for activity in session.activities.all():
        decide_activity(activity=activity, verdict="confirmed", reason="x", reviewer=people["owner"])
    assert queries() == few
    assert few <= 6
