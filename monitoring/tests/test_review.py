"""What humans decide."""

import pytest

from accounts.models import Role
from monitoring.models import Assessment, SuspiciousActivity
from monitoring.review import ReviewRefused, decide_activity, decide_session
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


def test_it_takes_a_verdict_on_the_whole_session(activity):
    decision = decide_session(
        session=activity.session, verdict="confirmed", reason="Seen.", reviewer=make_user(Role.TEACHER)
    )
    assert decision.activity is None
