"""Waiting pictures are analysed once, by one process at a time, with real models on real pictures."""

import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from exams.lifecycle import move_session
from exams.models import SessionStatus
from monitoring import analysis, intake
from monitoring.frame_store import StoredFrame, frame_store
from monitoring.models import Assessment, MonitoringLog, Observation, SessionMonitor, SuspiciousActivity
from monitoring.tests.factories import START, make_session, two_men_jpeg

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def two_men():
    return two_men_jpeg()


@pytest.fixture(autouse=True)
def own_spool(settings, tmp_path):
    settings.FRAME_SPOOL = tmp_path


def take(session, seq, data):
    intake.take_frame(session=session, seq=seq, captured_at=START.timestamp() + seq, data=data)


def test_it_turns_waiting_pictures_into_an_activity_with_the_candidates_own_jpeg_as_evidence(two_men):
    session = make_session()
    for seq in range(5):
        take(session, seq, two_men)
    assert analysis.analyze_waiting(session_id=session.pk) == 5
    activity = SuspiciousActivity.objects.get(kind="MULTIPLE_FACES")
    assert activity.evidence.file.read() == two_men
    monitor = SessionMonitor.objects.get()
    assert (monitor.frames_total, monitor.frames_analysed, monitor.claim) == (5, 5, None)
    assert frame_store().waiting(session.pk) == 0


def test_it_counts_and_logs_a_picture_that_cannot_be_read_and_goes_on(two_men):
    session = make_session()
    frame_store().put(session.pk, StoredFrame(0, START.timestamp(), two_men[:3000]))
    take(session, 1, two_men)
    analysis.analyze_waiting(session_id=session.pk)
    assert list(Observation.objects.values_list("seq", "usable")) == [(0, False), (1, True)]
    log = MonitoringLog.objects.get()
    assert (log.event_type, log.detail["seq"]) == ("INVALID_IMAGE", 0)
    assert SessionMonitor.objects.get().frames_unusable == 1
    assert Assessment.objects.get().risk_score == 0


def test_it_repeats_work_after_a_death_without_doubling_anything(two_men):
    session = make_session()
    frames = [StoredFrame(seq, START.timestamp() + seq, two_men) for seq in range(4)]
    for frame in frames:
        frame_store().put(session.pk, frame)
    analysis.analyze_waiting(session_id=session.pk)
    rows = list(SuspiciousActivity.objects.values())
    for frame in frames:  # as if the process had died before it could remove them
        frame_store().put(session.pk, frame)
    analysis.analyze_waiting(session_id=session.pk)
    assert Observation.objects.count() == 4
    assert list(SuspiciousActivity.objects.values()) == rows


def test_it_leaves_a_session_alone_that_another_process_holds(two_men):
    session = make_session()
    take(session, 0, two_men)
    held = timezone.now() + timedelta(seconds=30)
    SessionMonitor.objects.update(claim=uuid.uuid4(), claimed_until=held)
    assert analysis.analyze_waiting(session_id=session.pk) == 0
    assert analysis.sessions_to_sweep() == ([], [])
    SessionMonitor.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert analysis.sessions_to_sweep() == ([session.pk], [])
    assert analysis.analyze_waiting(session_id=session.pk) == 1


def test_it_sweeps_up_sessions_that_ended_but_were_not_finished(two_men):
    session = make_session()
    take(session, 0, two_men)
    move_session(session=session, to=SessionStatus.SUBMITTED, at=START + timedelta(seconds=2))
    assert analysis.sessions_to_sweep() == ([session.pk], [session.pk])
    assert analysis.finish_session(session_id=session.pk)
    assert analysis.sessions_to_sweep() == ([], [])
    assert SessionMonitor.objects.get().finished_at is not None


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "empty"), (b"hello", "not a picture"), (b"\xff\xd8\xff" + b"0" * 50, "picture")]
)
def test_it_refuses_what_is_no_picture_and_stores_nothing(data, words):
    session = make_session()
    with pytest.raises(intake.IntakeRefused, match=words):
        take(session, 0, data)
    assert frame_store().waiting(session.pk) == 0
    assert SessionMonitor.objects.get().frames_total == 0


def test_it_refuses_pictures_for_a_session_that_is_not_active(two_men):
    session = make_session(ended_after_s=5)
    with pytest.raises(intake.IntakeRefused, match="submitted"):
        take(session, 0, two_men)


@pytest.mark.parametrize(("seq", "at"), [(-1, 0.0), (2**60, 0.0), (0, float("nan")), (0, -1.0), (0, 1e12)])
def test_it_refuses_numbers_that_make_no_sense(two_men, seq, at):
    with pytest.raises(intake.IntakeRefused, match="must"):
        intake.take_frame(session=make_session(), seq=seq, captured_at=at, data=two_men)


def test_it_logs_an_unreadable_picture_once_though_the_work_is_repeated(two_men):
    session = make_session()
    broken = StoredFrame(0, START.timestamp(), two_men[:3000])
    for _ in range(2):  # as if the process had died before it could remove it
        frame_store().put(session.pk, broken)
        analysis.analyze_waiting(session_id=session.pk)
    assert MonitoringLog.objects.count() == 1
    assert SessionMonitor.objects.get().frames_unusable == 1


def test_it_acknowledges_a_picture_that_was_analysed_already_without_counting_it_again(two_men):
    session = make_session()
    take(session, 0, two_men)
    analysis.analyze_waiting(session_id=session.pk)
    take(session, 0, two_men)
    assert frame_store().waiting(session.pk) == 0
    assert SessionMonitor.objects.get().frames_total == 1


def test_it_keeps_the_first_of_two_waiting_pictures_with_one_number(two_men):
    session = make_session()
    take(session, 0, two_men)
    intake.take_frame(session=session, seq=0, captured_at=START.timestamp() + 9, data=two_men)
    assert [item.captured_at for item in frame_store().take(session.pk, 5)] == [START.timestamp()]


@pytest.mark.parametrize("to_come", [True, False])
def test_it_refuses_a_time_before_the_session_or_to_come(two_men, to_come):
    at = time.time() + 3600 if to_come else START.timestamp() - 3600
    with pytest.raises(intake.IntakeRefused, match="between the start of the session and now"):
        intake.take_frame(session=make_session(), seq=0, captured_at=at, data=two_men)


def test_it_refuses_a_picture_when_the_session_ended_behind_the_callers_back(two_men):
    session = make_session()
    move_session(session=session, to=SessionStatus.SUBMITTED)
    with pytest.raises(intake.IntakeRefused, match="submitted"):
        take(session, 0, two_men)


def test_it_watches_a_session_whose_monitor_was_never_opened(two_men):
    session = make_session()
    SessionMonitor.objects.all().delete()
    take(session, 0, two_men)
    assert analysis.analyze_waiting(session_id=session.pk) == 1


def test_it_sweeps_past_what_is_none_of_its_own(two_men, tmp_path):
    (tmp_path / ".DS_Store").write_text("x")
    (tmp_path / "notes").mkdir()
    frame_store().put(uuid.uuid4(), StoredFrame(0, START.timestamp(), two_men))  # of a session that is no more
    session = make_session()
    take(session, 0, two_men)
    assert analysis.sessions_to_sweep() == ([session.pk], [])
    assert list(frame_store().sessions()) == [session.pk]


def test_it_does_not_hold_a_session_that_somebody_took_over():
    session = make_session()
    with analysis._claim(session.pk) as held:
        assert held()
        SessionMonitor.objects.update(claim=uuid.uuid4())
        assert not held()
    assert SessionMonitor.objects.get().claim is not None
