"""Pictures and raw observations go when their time is over; what people decided stays."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from accounts.models import Role
from exams.models import ExamSession
from monitoring import clearing, retention, tasks
from monitoring.activity_cards import why_no_evidence
from monitoring.models import (
    Assessment,
    Evidence,
    MonitoringLog,
    Observation,
    ReviewDecision,
    SessionMonitor,
    SuspiciousActivity,
)
from monitoring.picture_models import PictureAccess
from monitoring.rescoring import rescore_session
from monitoring.retention import remove_evidence, sessions_to_thin_out
from monitoring.review import decide_activity, decide_session
from monitoring.session_page import session_context
from monitoring.tests.factories import end_session, facts, make_session, make_user, watch
from reports.context import build_context
from reports.models import SessionReport

pytestmark = [pytest.mark.django_db, pytest.mark.database]
YEAR = timedelta(days=366)


@pytest.fixture
def session():
    session = make_session()
    stream = [facts(at, faces=0, objects={}) for at in range(10)]
    watch(session, *stream, pictures={item.seq: lambda: b"\xff\xd8 picture" for item in stream})
    end_session(session, 10)
    return session


def aged(session, by=YEAR):
    SessionMonitor.objects.filter(pk=session.pk).update(finished_at=timezone.now() - by)


def test_pictures_reports_and_observations_go_and_the_record_stays(session, django_capture_on_commit_callbacks):
    aged(session)
    report = SessionReport.objects.filter(session=session).first() or SessionReport(session=session)
    report.file.save("old.pdf", ContentFile(b"%PDF"))
    picture, score = Evidence.objects.get().file, Assessment.objects.get().risk_score
    assert picture.storage.exists(picture.name) and Observation.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.remove_old_evidence()
    assert not picture.storage.exists(picture.name)
    assert not report.file.storage.exists(report.file.name)
    assert not (Evidence.objects.exists() or Observation.objects.exists() or SessionReport.objects.exists())
    assert (Assessment.objects.get().risk_score, SuspiciousActivity.objects.count()) == (score, 1)
    assert sessions_to_thin_out() == []
    assert remove_evidence(session_id=session.pk) is False


def test_all_that_is_due_goes_in_one_round_and_one_that_fails_keeps_no_other(monkeypatch, caplog):
    sessions = [make_session(ended_after_s=10) for _ in range(5)]
    for number, session in enumerate(sessions):
        aged(session, YEAR + timedelta(days=5 - number))
    real = retention.remove_evidence

    def remove(*, session_id):
        if session_id == sessions[0].pk:
            raise OSError("the storage is away")
        return real(session_id=session_id)

    monkeypatch.setattr(retention, "AT_ONCE", 2)
    monkeypatch.setattr(retention, "remove_evidence", remove)
    tasks.remove_old_evidence()
    assert sessions_to_thin_out() == [sessions[0].pk]
    assert "could not be removed" in caplog.text


def test_nothing_goes_before_its_time_or_soon_after_a_decision(session, settings):
    assert sessions_to_thin_out() == []
    aged(session)
    assert sessions_to_thin_out() == [session.pk]
    decide_activity(
        activity=SuspiciousActivity.objects.get(),
        verdict=ReviewDecision.Verdict.ESCALATED,
        reason="Look again.",
        reviewer=make_user(Role.REVIEWER),
    )
    assert sessions_to_thin_out() == []
    assert sessions_to_thin_out(now=timezone.now() + YEAR) == [session.pk]
    settings.KEEP_DAYS = 0
    assert sessions_to_thin_out(now=timezone.now() + YEAR) == []


def test_they_stay_as_long_as_an_appeal_may_come(session, settings):
    settings.KEEP_DAYS = 3
    decided = decide_session(
        session=session, outcome="concern", reason="Nobody there.", reviewer=make_user(Role.REVIEWER)
    )
    aged(session)
    last = decided.decided_at + timedelta(days=session.exam.appeal_days)
    assert sessions_to_thin_out(now=last - timedelta(seconds=1)) == []
    assert sessions_to_thin_out(now=last + timedelta(seconds=1)) == [session.pk]
    ReviewDecision.objects.update(verdict=ReviewDecision.Outcome.CLEAR)  # against which nobody appeals
    assert sessions_to_thin_out(now=last - timedelta(seconds=1)) == [session.pk]


def test_they_stay_where_a_session_is_handed_on_in_the_last_moment(session):
    aged(session)
    assert sessions_to_thin_out() == [session.pk]
    reviewer = make_user(Role.REVIEWER)
    decide_session(session=session, outcome="escalated", reason="Unclear.", reviewer=reviewer)
    assert remove_evidence(session_id=session.pk) is False
    assert Evidence.objects.exists() and Observation.objects.exists()


def test_a_session_that_still_runs_keeps_everything():
    session = make_session()
    watch(session, facts(1, faces=0, objects={}))
    assert sessions_to_thin_out(now=timezone.now() + YEAR) == []


def test_what_is_gone_is_not_judged_again(session):
    MonitoringLog.objects.create(
        session=session, event_type="TAB_SWITCH", source="browser", occurred_at=session.started_at
    )
    remove_evidence(session_id=session.pk)
    before = list(Assessment.objects.values())
    session = ExamSession.objects.get(pk=session.pk)
    assert rescore_session(session=session, policy=session.policy) is None
    with pytest.raises(clearing.NoLongerKept):
        clearing.clear_logs(session=session, reason="Wrong.", by=make_user(Role.ADMIN))
    assert list(Assessment.objects.values()) == before
    assert session.logs.filter(clearing__isnull=True).exists()


def test_who_looked_is_forgotten_after_a_time_of_its_own(session, settings, monkeypatch):
    settings.KEEP_ACCESS_DAYS, settings.KEEP_DAYS = 30, 0
    monkeypatch.setattr(retention, "LOOKS_AT_ONCE", 2)
    ages = (0, 29, 31, 32, 400)
    for days in ages:
        at = timezone.now() - timedelta(days=days)
        PictureAccess.objects.create(session=session, what="picture", way="console", at=at)
    tasks.remove_old_evidence()
    kept = [(timezone.now() - look.at).days for look in PictureAccess.objects.order_by("-at")]
    assert kept == [0, 29]
    assert Evidence.objects.exists()
    settings.KEEP_ACCESS_DAYS = 0
    PictureAccess.objects.update(at=timezone.now() - 10 * YEAR)
    tasks.remove_old_evidence()
    assert PictureAccess.objects.count() == 2


def test_page_and_report_say_why_there_is_no_picture(session, django_capture_on_commit_callbacks):
    activity, removed = (
        SuspiciousActivity.objects.get(),
        "Removed: the time for which pictures and sound are kept is over.",
    )
    Evidence.objects.all().delete()
    assert why_no_evidence(activity.kind, session) == "Neither a picture nor sound of this was kept."
    with django_capture_on_commit_callbacks(execute=True):
        remove_evidence(session_id=session.pk)
    session = ExamSession.objects.get(pk=session.pk)
    assert [why_no_evidence(kind, session)[:20] for kind in ("PASTE", "CAMERA_SILENT")] == [
        "No picture: this was",
        "No picture: none cam",
    ]
    assert [entry.no_evidence for entry in build_context(session).entries] == [removed]
    [card] = session_context(make_user(Role.REVIEWER), session)["activities"]
    assert card.no_evidence == removed
