"""Waiting pictures are analysed once, by one process at a time, with real models on real pictures."""

import time
import uuid
from datetime import timedelta
from itertools import pairwise

import pytest
from celery import current_app
from django.utils import timezone

from exams.lifecycle import move_session
from exams.models import SessionStatus
from monitoring import analysis, intake, queue
from monitoring.claims import Claim, ClaimLost, claimed, held_sessions
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
    assert analysis.analyze_waiting(session_ids=[session.pk]) == 5
    activity = SuspiciousActivity.objects.get(kind="MULTIPLE_FACES")
    assert activity.evidence.file.read() == two_men
    monitor = SessionMonitor.objects.get()
    assert (monitor.frames_total, monitor.frames_analysed, monitor.claim) == (5, 5, None)
    assert frame_store().waiting(session.pk) == 0


def test_it_counts_and_logs_a_picture_that_cannot_be_read_and_goes_on(two_men):
    session = make_session()
    frame_store().put(session.pk, StoredFrame(0, START.timestamp(), two_men[:3000]))
    take(session, 1, two_men)
    analysis.analyze_waiting(session_ids=[session.pk])
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
    analysis.analyze_waiting(session_ids=[session.pk])
    rows = list(SuspiciousActivity.objects.values())
    for frame in frames:  # as if the process had died before it could remove them
        frame_store().put(session.pk, frame)
    analysis.analyze_waiting(session_ids=[session.pk])
    assert Observation.objects.count() == 4
    assert list(SuspiciousActivity.objects.values()) == rows


def test_what_is_dear_falls_due_at_another_time_in_each_of_the_sessions_that_begin_together(two_men, monkeypatch):
    shares, examine = [], analysis.analyze_frames

    def noted(frames, *, due, **rest):
        shares.append(due.first_rest)
        return examine(frames, due=due, **rest)

    monkeypatch.setattr(analysis, "analyze_frames", noted)
    sessions = [make_session() for _number in range(4)]
    for session in sessions:
        take(session, 0, two_men)
    analysis.analyze_waiting(session_ids=[session.pk for session in sessions])
    assert len(shares) == 4 and len(set(shares)) > 1
    assert all(0.25 <= share <= 1 for share in shares)


def test_it_leaves_a_session_alone_that_another_process_holds(two_men):
    session = make_session()
    take(session, 0, two_men)
    held = timezone.now() + timedelta(seconds=30)
    SessionMonitor.objects.update(claim=uuid.uuid4(), claimed_until=held)
    assert analysis.analyze_waiting(session_ids=[session.pk]) == 0
    assert analysis.sessions_to_sweep() == ([], [])
    SessionMonitor.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert analysis.sessions_to_sweep() == ([session.pk], [])
    assert analysis.analyze_waiting(session_ids=[session.pk]) == 1


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
        analysis.analyze_waiting(session_ids=[session.pk])
    assert MonitoringLog.objects.count() == 1
    assert SessionMonitor.objects.get().frames_unusable == 1


def test_it_acknowledges_a_picture_that_was_analysed_already_without_counting_it_again(two_men):
    session = make_session()
    take(session, 0, two_men)
    analysis.analyze_waiting(session_ids=[session.pk])
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
    assert analysis.analyze_waiting(session_ids=[session.pk]) == 1


def test_it_sweeps_past_what_is_none_of_its_own(two_men, tmp_path):
    (tmp_path / ".DS_Store").write_text("x")
    (tmp_path / "notes").mkdir()
    frame_store().put(uuid.uuid4(), StoredFrame(0, START.timestamp(), two_men))  # of a session that is no more
    session = make_session()
    take(session, 0, two_men)
    assert analysis.sessions_to_sweep() == ([session.pk], [])
    assert list(frame_store().sessions()) == [session.pk]


def test_it_does_not_hold_a_session_that_somebody_took_over(settings):
    session = make_session()
    with claimed([session.pk], "frame") as claim:
        settings.CLAIM_S = 0
        claim.step()  # it is time to say that it lives, and it may
        SessionMonitor.objects.update(claim=uuid.uuid4())
        with pytest.raises(ClaimLost):
            claim.step()
    assert SessionMonitor.objects.get().claim is not None


def test_pictures_and_sound_are_held_each_on_their_own():
    session = make_session()
    with claimed([session.pk], "frame") as pictures, claimed([session.pk], "audio") as sound:
        assert session.pk in pictures.deaths and session.pk in sound.deaths
        with claimed([session.pk], "frame") as second:
            assert second.deaths == {}
        assert held_sessions([session.pk], "audio") == {session.pk}
    assert SessionMonitor.objects.values_list("claim", "sound_claim").get() == (None, None)


@pytest.fixture
def failing_model(monkeypatch):
    """Real senses, but for a failure on every third picture."""
    from vision import pipeline

    real = pipeline.analyze

    def analyze(frame, due, memory):
        if frame.seq % 3 == 1:
            raise RuntimeError("a model fell over")
        return real(frame, due, memory)

    monkeypatch.setattr(pipeline, "analyze", analyze)


def test_a_model_that_fails_on_a_picture_costs_that_picture_alone(two_men, failing_model, caplog):
    session = make_session()
    for seq in range(8):
        take(session, seq, two_men)
    assert analysis.analyze_waiting(session_ids=[session.pk]) == 8
    rows = list(Observation.objects.values_list("seq", "usable"))
    assert rows == [(seq, seq % 3 != 1) for seq in range(8)]
    assert frame_store().waiting(session.pk) == 0
    assert SuspiciousActivity.objects.filter(kind="MULTIPLE_FACES").exists()
    assert MonitoringLog.objects.get().detail == {"seq": 1, "reason": "analysis failed", "pictures": 3}
    assert caplog.text.count("Traceback") == 1
    assert analysis.sessions_to_sweep() == ([], [])


def die_over_it(session):
    """Leave the session as a process leaves it that is killed in the middle of its work."""
    claim = Claim([session.pk], "frame")
    claim.take()
    assert session.pk in claim.deaths
    SessionMonitor.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))


def test_a_picture_that_kills_processes_is_given_up_after_a_while_and_the_next_one_is_analysed(two_men):
    session = make_session()
    for seq in range(3):
        take(session, seq, two_men)
    for _ in range(4):
        die_over_it(session)
    assert SessionMonitor.objects.get().holders_lost == 3  # the fourth died, but nobody noticed yet
    assert analysis.analyze_waiting(session_ids=[session.pk]) == 3
    assert list(Observation.objects.values_list("seq", "usable")) == [(0, False), (1, True), (2, True)]
    assert SessionMonitor.objects.get().holders_lost == 0


def test_a_picture_survives_the_death_of_two_processes(two_men):
    session = make_session()
    take(session, 0, two_men)
    for _ in range(2):
        die_over_it(session)
    assert analysis.analyze_waiting(session_ids=[session.pk]) == 1
    assert Observation.objects.get().usable is True


def test_what_was_never_examined_is_given_up_in_the_end_and_counted(two_men, settings):
    old, new = make_session(), make_session()
    for session in (old, new):
        take(session, 0, two_men)
        frame_store().put(session.pk, StoredFrame(1, START.timestamp(), b"sound", "audio"))
    move_session(
        session=old, to=SessionStatus.SUBMITTED, at=timezone.now() - timedelta(seconds=settings.FRAME_TTL_S + 60)
    )
    move_session(
        session=new, to=SessionStatus.SUBMITTED, at=timezone.now() - timedelta(seconds=settings.FRAME_TTL_S - 60)
    )
    assert analysis.drop_expired() == 2
    assert (frame_store().waiting(old.pk), frame_store().waiting(new.pk)) == (0, 2)
    assert SessionMonitor.objects.get(pk=old.pk).frames_skipped == 1
    assert analysis.drop_expired() == 0


class TestAsking:
    """One message is enough for all that waits; none is lost for long."""

    @pytest.fixture
    def sent(self, monkeypatch):
        sent = []
        monkeypatch.setattr(current_app, "send_task", lambda name, arguments, **_options: sent.append(name))
        return sent

    def test_one_message_waits_for_each_session_and_task(self, sent):
        one, other = uuid.uuid4(), uuid.uuid4()
        for session in (one, one, other, one):
            queue.send(queue.ANALYZE, session)
            queue.send(queue.LISTEN, session)
        assert sorted(sent) == [queue.ANALYZE] * 2 + [queue.LISTEN] * 2

    def test_what_comes_in_once_a_worker_has_begun_is_asked_for_again(self, sent):
        session = uuid.uuid4()
        for _ in range(3):
            queue.send(queue.ANALYZE, session)
            queue.begin(queue.ANALYZE, session)
        assert sent == [queue.ANALYZE] * 3

    def test_a_lost_message_is_sent_again_after_a_while_and_then_ever_later(self, sent, monkeypatch):
        session, clock = uuid.uuid4(), [time.time()]
        monkeypatch.setattr("django.core.cache.backends.locmem.time.time", lambda: clock[0])
        times = []
        for _ in range(200):
            before = len(sent)
            queue.send(queue.ANALYZE, session)
            if len(sent) > before:
                times.append(clock[0])
            clock[0] += 1
        gaps = [round(after - before) for before, after in pairwise(times)]
        assert gaps[0] in (5, 6)
        assert gaps == sorted(gaps)
        assert len(sent) < 8

    def test_every_message_is_sent_where_workers_do_not_see_the_cache(self, sent, settings):
        settings.CELERY_BROKER_URL = "amqp://rabbit.example.org"
        session = uuid.uuid4()
        for _ in range(3):
            queue.send(queue.ANALYZE, session)
        assert len(sent) == 3

    def test_a_report_is_asked_for_as_often_as_it_is_wanted(self, sent):
        session = uuid.uuid4()
        for _ in range(2):
            queue.send("reports.tasks.make_session_report", session)
        assert len(sent) == 2
