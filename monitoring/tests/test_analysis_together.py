"""What waits for several sessions is examined together, and each of them stands for itself."""

import uuid
from datetime import timedelta

import pytest
from celery import current_app
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from exams.lifecycle import move_session
from exams.models import SessionStatus
from monitoring import analysis, intake, observing, queue, tasks
from monitoring.claims import Claim, claimed
from monitoring.frame_store import StoredFrame, frame_store
from monitoring.models import Assessment, Evidence, MonitoringLog, Observation, SessionMonitor, SuspiciousActivity
from monitoring.services import lock_monitors
from monitoring.tests.factories import START, end_session, facts, make_exam, make_session, two_men_jpeg, watch

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def two_men():
    return two_men_jpeg()


@pytest.fixture(autouse=True)
def own_spool(settings, tmp_path):
    settings.FRAME_SPOOL = tmp_path


def take(session, seq, data):
    intake.take_frame(session=session, seq=seq, captured_at=START.timestamp() + seq, data=data)


@pytest.fixture
def sessions():
    exam = make_exam()
    return [make_session(exam) for _ in range(3)]


def numbers(session):
    return list(Observation.objects.filter(session=session).values_list("seq", flat=True))


def test_each_session_gets_its_own_rows_from_one_message(sessions, two_men):
    for session in sessions:
        for seq in range(5):
            take(session, seq, two_men)
    tasks.analyze_sessions(*(str(session.pk) for session in sessions))
    assert [numbers(session) for session in sessions] == [[0, 1, 2, 3, 4]] * 3
    assert SuspiciousActivity.objects.filter(kind="MULTIPLE_FACES").count() == 3
    assert not SessionMonitor.objects.exclude(claim=None).exists()
    assert sum(frame_store().count([session.pk for session in sessions], "frame").values()) == 0


def test_a_session_that_another_process_holds_is_left_alone_and_the_others_are_not(sessions, two_men):
    for session in sessions:
        take(session, 0, two_men)
    with claimed([sessions[1].pk], "frame"):
        assert analysis.analyze_waiting(session_ids=[session.pk for session in sessions]) == 2
        assert [numbers(session) for session in sessions] == [[0], [], [0]]
    assert analysis.analyze_waiting(session_ids=[session.pk for session in sessions]) == 1


def test_one_that_cannot_be_recorded_keeps_nobody_from_being_recorded(sessions, two_men, monkeypatch, caplog):
    real, broken = lock_monitors, sessions[1].pk

    def lock(session_ids, **kwargs):
        if broken in session_ids:
            raise OSError("no space left on device")
        return real(session_ids, **kwargs)

    for session in sessions:
        take(session, 0, two_men)
    monkeypatch.setattr(observing, "lock_monitors", lock)
    assert analysis.analyze_waiting(session_ids=[session.pk for session in sessions]) == 2
    assert [numbers(session) for session in sessions] == [[0], [], [0]]
    assert frame_store().waiting(broken) == 1  # the sweep has it tried again
    assert analysis.sessions_to_sweep() == ([broken], [])
    assert "one by one" in caplog.text


def test_who_dies_over_several_sessions_is_counted_in_each_and_forgotten_where_work_goes_on(sessions, two_men):
    ids = [session.pk for session in sessions]
    for session in sessions[:2]:
        for seq in range(2):
            take(session, seq, two_men)
    dead = Claim(ids, "frame")
    dead.take()
    SessionMonitor.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    claim = Claim(ids, "frame")
    claim.take()
    assert claim.deaths == dict.fromkeys(ids, 1)
    claim.release()
    assert analysis.analyze_waiting(session_ids=ids) == 4
    assert dict(SessionMonitor.objects.values_list("pk", "holders_lost")) == {ids[0]: 0, ids[1]: 0, ids[2]: 1}


def test_a_long_queue_of_one_keeps_no_other_waiting(sessions, two_men, monkeypatch):
    order = []
    real = observing.record_observations

    def record(*, batches):
        order.append({str(pk): len(batch.facts) for pk, batch in batches.items()})
        return real(batches=batches)

    monkeypatch.setattr(observing, "record_observations", record)
    for seq in range(20):
        take(sessions[0], seq, two_men)
    take(sessions[1], 0, two_men)
    assert analysis.analyze_waiting(session_ids=[session.pk for session in sessions[:2]]) == 21
    assert order[0] == {str(sessions[0].pk): 12, str(sessions[1].pk): 1}


def test_many_sessions_cost_as_many_queries_as_one(sessions, django_assert_num_queries):
    for session in sessions:
        watch(session, facts(0.1))
    # A savepoint and its end, locks, sessions, known numbers, rows and monitors.
    for at, together in enumerate([sessions[:1], sessions]):
        with django_assert_num_queries(7):
            record(together, facts(1.1 + at))


def test_activities_of_many_sessions_are_written_in_as_many_queries_as_those_of_one(sessions, two_men):
    def queries(together, seen):
        with CaptureQueriesContext(connection) as context:
            record(together, *seen, pictures={one.seq: lambda: two_men for one in seen})
        return len(context)

    for session in sessions:
        watch(session, facts(0.1))
    shown, gone = [facts(at, faces=2) for at in range(1, 13)], [facts(at) for at in range(13, 25)]
    one, others = sessions[:1], sessions[1:]
    begin, end = queries(one, shown), queries(one, gone)
    assert (queries(others, shown), queries(others, gone)) == (begin, end)
    assert SuspiciousActivity.objects.filter(ended_at__isnull=False).count() == len(sessions)
    assert Evidence.objects.count() == len(sessions)
    assert {row.risk_score for row in Assessment.objects.all()} == {4.0}


def test_one_activity_may_end_and_the_next_of_its_kind_begin_in_the_same_round(sessions):
    record(sessions, *(facts(at, faces=2) for at in range(12)))
    again = [facts(at) for at in range(12, 100)] + [facts(at, faces=2) for at in range(100, 112)]
    record(sessions, *again)
    for session in sessions:
        ends = (
            SuspiciousActivity.objects.filter(session=session).order_by("started_at").values_list("ended_at", flat=True)
        )
        assert [end is None for end in ends] == [False, True]


def record(sessions, *seen, pictures=None):
    batch = observing.Batch(facts=seen, pictures=pictures or {})
    observing.record_observations(batches={session.pk: batch for session in sessions})


def test_messages_carry_sessions_in_shares_of_one_size(monkeypatch):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, arguments, **_options: sent.append(arguments))
    asked = [uuid.uuid4() for _ in range(16)]
    queue.send(queue.ANALYZE, *asked)
    assert sorted(map(len, sent)) == [8, 8]
    assert {one for share in sent for one in share} == set(map(str, asked))
    queue.send(queue.ANALYZE, *asked)
    assert len(sent) == 2  # they wait in the queue already


def test_what_was_acknowledged_too_late_is_counted_as_skipped(two_men):
    session = make_session()
    end_session(session, 60)
    frame_store().put(session.pk, StoredFrame(7, START.timestamp() + 59, two_men))
    frame_store().put(session.pk, StoredFrame(8, START.timestamp() + 59, b"RIFF no sound", "audio"))
    for _ in range(2):  # however often
        frame_store().put(session.pk, StoredFrame(7, START.timestamp() + 59, two_men))
        analysis.analyze_waiting(session_ids=[session.pk])
    assert SessionMonitor.objects.get().frames_skipped == 1
    assert set(Observation.objects.values_list("stream", "seq")) == {("frame", 7), ("audio", 8)}
    assert Observation.objects.get(stream="frame").facts == {}
    assert not SuspiciousActivity.objects.exists()
    assert not MonitoringLog.objects.exists()


def test_what_shows_a_pause_is_not_looked_at(two_men):
    session = make_session()
    for to, at in ((SessionStatus.PAUSED, 10), (SessionStatus.ACTIVE, 40)):
        session = move_session(session=session, to=to, at=START + timedelta(seconds=at))
    for seq in (5, *range(15, 40), 45):
        frame_store().put(session.pk, StoredFrame(seq, START.timestamp() + seq, two_men))
    analysis.analyze_waiting(session_ids=[session.pk])
    seen = {row.seq for row in Observation.objects.all() if row.facts}
    assert seen == {5, 45}
    assert SessionMonitor.objects.get().frames_skipped == 25
    assert not SuspiciousActivity.objects.exists()


def test_a_picture_from_the_future_does_not_blind_the_rules(two_men):
    session = make_session()
    now = timezone.now().timestamp()
    intake.take_frame(session=session, seq=0, captured_at=now + 59, data=two_men)
    assert frame_store().take(session.pk, 1)[0].captured_at <= timezone.now().timestamp()


def test_what_was_thinned_out_in_a_workers_hands_is_not_counted_as_lost(two_men, settings, monkeypatch):
    settings.FRAME_QUEUE_LENGTH = 8
    session = make_session()
    real, store = observing.record_observations, frame_store()

    def record(*, batches):
        for seq in range(100, 106):  # the queue overflows while these are being examined
            store.put(session.pk, StoredFrame(seq, START.timestamp() + seq, two_men))
        monkeypatch.setattr(observing, "record_observations", real)
        return real(batches=batches)

    for seq in range(8):
        take(session, seq, two_men)
    monkeypatch.setattr(observing, "record_observations", record)
    analysis.analyze_waiting(session_ids=[session.pk])
    monitor = SessionMonitor.objects.get()
    assert store.thinned(session.pk) > 0
    assert monitor.frames_skipped == 14 - len(numbers(session))


def test_what_another_process_removed_takes_nothing_from_what_is_counted_as_skipped(two_men, settings, monkeypatch):
    settings.FRAME_QUEUE_LENGTH = 8
    session = make_session()
    real, store = observing.record_observations, frame_store()

    def record(*, batches):
        store.discard(session.pk, store.numbers(session.pk))
        return real(batches=batches)

    for seq in range(20):
        take(session, seq, two_men)
    monkeypatch.setattr(observing, "record_observations", record)
    analysis.analyze_waiting(session_ids=[session.pk])
    assert SessionMonitor.objects.get().frames_skipped == 20 - len(numbers(session)) > 0


def test_evidence_that_cannot_be_kept_costs_no_other_session_its_own(sessions, two_men, monkeypatch):
    real = FileSystemStorage._save  # type: ignore[attr-defined]

    def save(self, name, content):
        if str(sessions[0].pk) in name:
            raise OSError("no space left on device")
        return real(self, name, content)

    monkeypatch.setattr(FileSystemStorage, "_save", save)
    for session in sessions[:2]:
        for seq in range(5):
            take(session, seq, two_men)
    analysis.analyze_waiting(session_ids=[session.pk for session in sessions[:2]])
    assert Evidence.objects.get().activity.session == sessions[1]
    assert frame_store().waiting(sessions[0].pk) > 0
