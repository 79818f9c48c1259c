"""What humans decide."""

import pytest

from accounts.models import Role
from exams.services import add_policy_version
from monitoring.cases import ReviewRefused
from monitoring.models import Assessment, ReviewDecision, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.review import decide_activity, decide_session
from monitoring.tests.factories import end_session, facts, make_session, make_user, watch

pytestmark = pytest.mark.django_db


@pytest.fixture
def activity():
    session = make_session()
    watch(session, *[facts(at, faces=0, objects={}) for at in range(6)])
    end_session(session, 6)
    return SuspiciousActivity.objects.get()


def test_it_keeps_the_machines_score_and_gives_a_reviewed_one(activity):
    decide_activity(activity=activity, verdict="dismissed", reason="A break.", reviewer=make_user(Role.REVIEWER))
    assessment = Assessment.objects.get()
    assert (assessment.risk_score, assessment.reviewed_risk_score) == (2, 0)


def test_it_lets_the_latest_decision_count_and_keeps_the_earlier_one(activity):
    reviewer = make_user(Role.REVIEWER)
    decide_activity(activity=activity, verdict="dismissed", reason="A break.", reviewer=reviewer)
    decide_activity(activity=activity, verdict="confirmed", reason="No break was agreed.", reviewer=reviewer)
    assert activity.decisions.count() == 2
    assert Assessment.objects.get().reviewed_risk_score == 2


@pytest.mark.parametrize(("verdict", "reason"), [("guilty", "x"), ("confirmed", ""), ("confirmed", "   ")])
def test_it_refuses_a_verdict_it_does_not_know_or_without_a_reason(activity, verdict, reason):
    with pytest.raises(ReviewRefused):
        decide_activity(activity=activity, verdict=verdict, reason=reason, reviewer=make_user(Role.REVIEWER))
    assert not activity.decisions.exists()


def test_it_refuses_a_reason_that_is_too_long(activity):
    with pytest.raises(ReviewRefused, match="at most 1000 letters"):
        decide_activity(activity=activity, verdict="confirmed", reason="x" * 1001, reviewer=make_user(Role.REVIEWER))


def test_it_refuses_an_activity_of_an_assessment_that_no_longer_counts(activity):
    policy, _new = add_policy_version(exam=activity.session.exam, settings={"trust_zero_risk": 21})
    rescore_session(session=activity.session, policy=policy)
    with pytest.raises(ReviewRefused, match="judged again") as refused:
        decide_activity(activity=activity, verdict="confirmed", reason="Seen.", reviewer=make_user(Role.REVIEWER))
    assert (refused.value.status, refused.value.code) == (409, "superseded")
    assert not activity.decisions.exists()


@pytest.mark.parametrize("outcome", ["clear", "concern", "violation", "escalated"])
def test_it_takes_an_outcome_of_the_whole_session(activity, outcome):
    decide_session(session=activity.session, outcome=outcome, reason=" Seen. ", reviewer=make_user(Role.TEACHER))
    decision = ReviewDecision.objects.get()
    assert (decision.activity, decision.verdict, decision.reason) == (None, outcome, "Seen.")


@pytest.mark.parametrize(("outcome", "reason"), [("confirmed", "x"), ("guilty", "x"), ("clear", " ")])
def test_it_refuses_an_outcome_it_does_not_know_or_without_a_reason(activity, outcome, reason):
    with pytest.raises(ReviewRefused):
        decide_session(session=activity.session, outcome=outcome, reason=reason, reviewer=make_user(Role.TEACHER))
    assert not ReviewDecision.objects.exists()


def test_it_judges_activities_of_an_open_session_but_not_its_outcome():
    session, reviewer = make_session(), make_user(Role.TEACHER)
    watch(session, *[facts(at, faces=0, objects={}) for at in range(6)])
    decide_activity(activity=session.activities.get(), verdict="confirmed", reason="Seen.", reviewer=reviewer)
    with pytest.raises(ReviewRefused, match="still open") as refused:
        decide_session(session=session, outcome="clear", reason="Fine.", reviewer=reviewer)
    assert (refused.value.status, refused.value.code) == (409, "wrong_state")
    assert ReviewDecision.objects.get().activity is not None
