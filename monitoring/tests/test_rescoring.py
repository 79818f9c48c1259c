"""Another policy over what was stored."""

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Role
from exams.services import add_policy_version
from monitoring.models import Assessment, Evidence, Observation, ReviewDecision, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.review import decide_activity
from monitoring.tests.factories import end_session, facts, make_session, make_user, watch

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def session():
    """Turned by 40 degrees for ten seconds, an empty seat for ten, each with pictures."""
    session = make_session()
    stream = [facts(at) for at in range(10)]
    stream += [facts(at, yaw=40) for at in range(10, 20)]
    stream += [facts(at, faces=0, objects={}) for at in range(20, 30)]
    stream += [facts(at) for at in range(30, 40)]
    watch(session, *stream, pictures={item.seq: lambda: b"\xff\xd8 picture" for item in stream})
    end_session(session, 40)
    session.refresh_from_db()
    return session


def kinds(assessment):
    return sorted(assessment.activities.values_list("kind", flat=True))


def test_it_gives_the_same_under_the_same_rules(session):
    policy, _ = add_policy_version(exam=session.exam, settings={"trust_zero_risk": 21})
    before = Assessment.objects.get()
    spans = list(before.activities.values_list("kind", "started_at", "ended_at", "confidence", "explanation"))
    result = rescore_session(session=session, policy=policy)
    after = Assessment.objects.get(is_current=True)
    assert not result.changed
    assert after.pk != before.pk
    assert list(after.activities.values_list("kind", "started_at", "ended_at", "confidence", "explanation")) == spans
    assert (after.coverage, after.compliance_score) == (before.coverage, before.compliance_score)


def test_it_changes_activities_with_one_threshold_and_runs_no_model(session):
    policy, _ = add_policy_version(exam=session.exam, settings={"thresholds": {"head_yaw": 50}})
    count = Observation.objects.count()
    result = rescore_session(session=session, policy=policy)
    assert result.changed
    assert (result.activities_before, result.activities_after) == (2, 1)
    assert kinds(Assessment.objects.get(is_current=True)) == ["NO_FACE"]
    assert kinds(Assessment.objects.get(is_current=False)) == ["LOOKING_AWAY", "NO_FACE"]
    assert Observation.objects.count() == count


def test_it_carries_pictures_and_decisions_over_to_overlapping_activities(session):
    reviewer = make_user(Role.REVIEWER)
    activity = SuspiciousActivity.objects.get(kind="NO_FACE")
    decide_activity(activity=activity, verdict="dismissed", reason="Break agreed.", reviewer=reviewer)
    policy, _ = add_policy_version(exam=session.exam, settings={"kinds": {"NO_FACE": {"hold": 2}}})
    rescore_session(session=session, policy=policy)
    new = SuspiciousActivity.objects.get(kind="NO_FACE", assessment__is_current=True)
    decision = ReviewDecision.objects.get(activity=new)
    assert (decision.verdict, decision.reason, decision.reviewer) == ("dismissed", "Break agreed.", reviewer)
    assert decision.carried_from.activity == activity
    assert Evidence.objects.get(activity=new).file.name == Evidence.objects.get(activity=activity).file.name
    assert new.assessment.reviewed_risk_score == new.assessment.risk_score - 2


def test_it_writes_nothing_on_a_dry_run(session):
    add_policy_version(exam=session.exam, settings={"thresholds": {"head_yaw": 50}})
    call_command("rescore", exam=session.exam.code, dry_run=True)
    assert Assessment.objects.get().policy == session.policy


def test_it_does_nothing_new_the_second_time(session, capsys):
    add_policy_version(exam=session.exam, settings={"thresholds": {"head_yaw": 50}})
    call_command("rescore", exam=session.exam.code)
    call_command("rescore", exam=session.exam.code)
    assert Assessment.objects.count() == 2
    assert capsys.readouterr().out.splitlines()[-1] == "1 sessions judged, 0 changed."


@pytest.mark.parametrize("options", [{"exam": "nowhere"}, {"policy": 99}])
def test_it_says_what_it_does_not_know(session, options):
    with pytest.raises(CommandError, match=r"no exam|No exam has a policy version 99"):
        call_command("rescore", **options)


def test_it_leaves_a_session_alone_that_is_still_open():
    open_session = make_session()
    assert rescore_session(session=open_session, policy=open_session.policy) is None


def test_it_scores_a_decision_by_what_was_observed_under_the_same_policy(session):
    policy, _ = add_policy_version(exam=session.exam, settings={"max_gap_s": 0.5})
    rescore_session(session=session, policy=policy)
    before = Assessment.objects.get(is_current=True)
    assert before.coverage["faces"] == pytest.approx(0.5, abs=0.02)
    activity = before.activities.get(kind="NO_FACE")
    decide_activity(activity=activity, verdict="escalated", reason="Look at this.", reviewer=make_user(Role.REVIEWER))
    after = Assessment.objects.get(is_current=True)
    assert (after.coverage, after.compliance_score) == (before.coverage, before.compliance_score)


def test_it_takes_newer_decisions_back_to_an_earlier_assessment_once(session):
    policy, _ = add_policy_version(exam=session.exam, settings={"trust_zero_risk": 21})
    rescore_session(session=session, policy=policy)
    for activity in SuspiciousActivity.objects.filter(assessment__is_current=True):
        decide_activity(activity=activity, verdict="dismissed", reason="Agreed.", reviewer=make_user(Role.REVIEWER))
    for _ in range(2):
        rescore_session(session=session, policy=session.policy)
        current = Assessment.objects.get(is_current=True)
        assert (current.policy, current.reviewed_risk_score) == (session.policy, 0)
        assert ReviewDecision.objects.filter(activity__assessment=current).count() == 2
        rescore_session(session=session, policy=policy)


def test_it_judges_only_exams_that_have_the_version(session, capsys):
    other = make_session(ended_after_s=5)
    add_policy_version(exam=session.exam, settings={"thresholds": {"head_yaw": 50}})
    call_command("rescore", policy=2)
    assert capsys.readouterr().out.splitlines()[-1] == "1 sessions judged, 1 changed."
    assert Assessment.objects.get(session=other).policy.version == 1
