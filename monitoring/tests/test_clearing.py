"""Logs set aside: what rested on them goes, everything else stays as it was."""

from datetime import timedelta

import pytest

from accounts.models import AuditEvent, Role
from exams.services import add_policy_version
from monitoring import services
from monitoring.clearing import clear_logs
from monitoring.models import Assessment, Evidence, LogClearing, MonitoringLog, ReviewDecision, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.review import decide_activity
from monitoring.tests.factories import START, end_session, facts, make_session, make_user, watch

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def report(session, kind, at):
    services.record_event(
        session_id=session.pk, event_type=kind, source="browser", occurred_at=START + timedelta(seconds=at)
    )


@pytest.fixture
def session():
    """An empty seat from second 5 to 15, with pictures, among tab switches and copies; still open."""
    session = make_session()
    report(session, "TAB_SWITCH", 2)
    stream = [*[facts(at) for at in range(5)], *[facts(at, faces=0, objects={}) for at in range(5, 15)]]
    watch(session, *stream, pictures={item.seq: lambda: b"\xff\xd8 picture" for item in stream})
    report(session, "COPY", 12)
    return session


def clear(session):
    return clear_logs(session=session, reason="A broken browser.", by=make_user(Role.ADMIN))


def kinds(session):
    return sorted(SuspiciousActivity.objects.filter(session=session).values_list("kind", flat=True))


def spans(session):
    rows = SuspiciousActivity.objects.filter(session=session, kind="NO_FACE")
    return list(rows.values_list("pk", "started_at", "ended_at", "confidence", "explanation"))


def test_it_clears_a_live_session_and_watching_goes_on_as_if_nothing_had_been_reported(session):
    twin = make_session()
    watch(twin, *[facts(at) for at in range(5)], *[facts(at, faces=0, objects={}) for at in range(5, 15)])
    assert kinds(session) == ["COPY", "NO_FACE", "TAB_SWITCH"]
    before = spans(session)
    cleared = clear(session)
    assert (cleared.logs, cleared.activities, kinds(session), spans(session)) == (2, 2, ["NO_FACE"], before)
    session.monitor.refresh_from_db()
    assert session.monitor.state == twin.monitor.__class__.objects.get(pk=twin.pk).state
    assessment = Assessment.objects.get(session=session)
    assert (assessment.risk_score, [line["kind"] for line in assessment.breakdown]) == (2, ["NO_FACE"])
    for one in (session, twin):
        watch(one, *[facts(at) for at in range(15, 20)])
        end_session(one, 20)
    columns = ("risk_score", "trust_score", "compliance_score", "coverage", "observed", "breakdown")
    assert Assessment.objects.values(*columns).get(session=session) == Assessment.objects.values(*columns).get(
        session=twin
    )


def test_it_clears_a_closed_session_and_keeps_pictures_and_decisions_of_what_stays(session):
    end_session(session, 20)
    empty_seat = SuspiciousActivity.objects.get(kind="NO_FACE")
    reviewer = make_user(Role.REVIEWER)
    for activity in SuspiciousActivity.objects.all():
        decide_activity(activity=activity, verdict="confirmed", reason="Seen.", reviewer=reviewer)
    evidence = Evidence.objects.get()
    before = spans(session)
    clear(session)
    assert spans(session) == before
    assert Evidence.objects.get() == evidence
    assert evidence.file.storage.exists(evidence.file.name)
    assert ReviewDecision.objects.get().activity == empty_seat
    assert Assessment.objects.get().risk_score == 2


def test_it_keeps_the_entries_for_the_record_and_says_what_went(session):
    admin = make_user(Role.ADMIN)
    tab = SuspiciousActivity.objects.get(kind="TAB_SWITCH")
    decide_activity(activity=tab, verdict="dismissed", reason="A dialog.", reviewer=make_user(email="r@example.com"))
    clear_logs(session=session, reason="A broken browser.", by=admin)
    clearing = LogClearing.objects.get()
    assert (clearing.cleared_by, clearing.logs.count(), MonitoringLog.objects.count()) == (admin, 2, 2)
    told = AuditEvent.objects.get(action="logs_cleared").detail
    assert (told["session"], told["reason"], told["logs"]) == (str(session.pk), "A broken browser.", 2)
    gone = {item["kind"]: item["decisions"] for item in told["activities"]}
    assert gone == {"TAB_SWITCH": [["dismissed", "A dialog.", "r@example.com"]], "COPY": []}


def test_it_writes_nothing_where_nothing_was_reported(session):
    clear(session)
    assert clear(session).logs == 0
    assert (LogClearing.objects.count(), AuditEvent.objects.filter(action="logs_cleared").count()) == (1, 1)


def test_it_counts_what_is_reported_afterwards(session):
    clear(session)
    report(session, "TAB_SWITCH", 20)
    assert kinds(session) == ["NO_FACE", "TAB_SWITCH"]
    assert Assessment.objects.get().risk_score == 5


def test_it_clears_every_assessment_so_that_none_brings_the_entries_back(session):
    end_session(session, 20)
    policy, _ = add_policy_version(exam=session.exam, settings={"kinds": {"TAB_SWITCH": {"weight": 9}}})
    session.refresh_from_db()
    rescore_session(session=session, policy=policy)
    assert Assessment.objects.get(is_current=True).risk_score == 12
    assert clear(session).activities == 2
    assert set(Assessment.objects.values_list("risk_score", flat=True)) == {2}
    rescore_session(session=session, policy=session.policy)
    assert (Assessment.objects.get(is_current=True).risk_score, kinds(session)) == (2, ["NO_FACE", "NO_FACE"])


def test_it_keeps_an_activity_that_begins_at_another_moment_when_judged_again(session):
    """A picture that came late was left out when it came, and has its place when all is judged again."""
    activity = SuspiciousActivity.objects.get(kind="NO_FACE")
    late = activity.started_at + timedelta(seconds=2)
    SuspiciousActivity.objects.filter(pk=activity.pk).update(started_at=late)
    decide_activity(activity=activity, verdict="confirmed", reason="Seen.", reviewer=make_user(Role.REVIEWER))
    clear(session)
    again = SuspiciousActivity.objects.get(kind="NO_FACE")
    assert (again.pk, again.started_at) == (activity.pk, activity.started_at)
    assert ReviewDecision.objects.get().activity == again
    assert Evidence.objects.get().activity == again


def test_it_clears_a_session_that_nobody_has_watched_yet():
    session = make_session()
    session.assessments.all().delete()
    session.monitor.delete()
    MonitoringLog.objects.create(session=session, event_type="COPY", source="browser", occurred_at=START)
    assert clear(session).logs == 1
    assert MonitoringLog.objects.get().clearing is not None
