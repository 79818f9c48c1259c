"""The reviewers' live wall: what stands on it, in which order, and what it costs."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from exams.lifecycle import move_session
from exams.models import ExamSession, SessionStatus
from monitoring import wall, wire
from monitoring.models import Assessment, SessionMonitor, SuspiciousActivity
from monitoring.services import record_event
from monitoring.tests.factories import START, end_session, make_candidate, make_exam, make_session

pytestmark = pytest.mark.django_db


def report(session, kind="TAB_SWITCH", after_s=10):
    record_event(
        session_id=session.pk, event_type=kind, source="browser", occurred_at=START + timedelta(seconds=after_s)
    )


@pytest.mark.database
def test_it_shows_open_sessions_of_the_exam_the_riskiest_first():
    exam = make_exam()
    names = ("Ada", "Bo", "Cy", "Di")
    ada, bo, cy, di = (make_session(exam, make_candidate(full_name=name)) for name in names)
    report(cy)
    report(cy, after_s=50)
    report(bo)
    end_session(di, 60)
    report(make_session())
    rows = wall.open_rows(exam.pk)
    assert [(row.candidate, row.risk_score, row.risk_level) for row in rows] == [
        ("Cy", 6.0, "Medium"),
        ("Bo", 3.0, "Low"),
        ("Ada", 0.0, "Low"),
    ]
    assert [row.id for row in rows] == [str(session.pk) for session in (cy, bo, ada)]
    assert {row.status for row in rows} == {SessionStatus.ACTIVE}


def test_it_shows_the_activity_that_began_last():
    session = make_session()
    assert wall.open_rows(session.exam_id)[0].newest is None
    for kind, after_s in (("PASTE", 20), ("TAB_SWITCH", 40), ("COPY", 30)):
        report(session, kind, after_s)
    row = wall.open_rows(session.exam_id)[0]
    assert (row.newest["kind"], row.newest["label"]) == ("TAB_SWITCH", "Left the exam tab")
    assert row.newest["started_at"] == START + timedelta(seconds=40)
    assert row.ongoing == []


def test_it_shows_all_that_goes_on_whatever_began_since():
    session = make_session()
    for kind, after_s in (("PASTE", 20), ("COPY", 30), ("TAB_SWITCH", 40)):
        report(session, kind, after_s)
    SuspiciousActivity.objects.filter(kind__in=["PASTE", "COPY"]).update(ended_at=None)
    row = wall.open_rows(session.exam_id)[0]
    assert row.newest["kind"] == "TAB_SWITCH"
    assert [one["kind"] for one in row.ongoing] == ["PASTE", "COPY"]
    told = wall.in_active_language(wire.SessionChanged(row).to_text())
    assert [one["label"] for one in json.loads(told)["session"]["ongoing"]] == ["Pasted something", "Copied something"]


@pytest.mark.parametrize(
    ("seen_s", "gone_s", "connected"),
    [(None, None, False), (1, None, True), (60, None, False), (5, 3, False), (3, 5, True)],
    ids=["never seen", "seen just now", "seen long ago", "gone since", "back again"],
)
def test_it_shows_who_is_there(seen_s, gone_s, connected):
    session, now = make_session(), timezone.now()
    seen = None if seen_s is None else now - timedelta(seconds=seen_s)
    gone = None if gone_s is None else now - timedelta(seconds=gone_s)
    SessionMonitor.objects.filter(pk=session.pk).update(last_seen_at=seen, gone_at=gone)
    row = wall.open_rows(session.exam_id)[0]
    assert (row.connected, row.last_seen) == (connected, seen)


def test_it_tells_until_when_the_clock_runs_and_since_when_it_rests():
    session, at = make_session(), START + timedelta(minutes=20)
    ExamSession.objects.update(deadline_at=START + timedelta(minutes=60))
    row = wall.open_rows(session.exam_id)[0]
    assert (row.deadline, row.paused_at) == (START + timedelta(minutes=60), None)
    move_session(session=session, to=SessionStatus.PAUSED, at=at)
    row = wall.open_rows(session.exam_id)[0]
    assert (row.deadline, row.paused_at) == (START + timedelta(minutes=60), at)


def test_a_session_that_was_never_watched_stands_on_it_too():
    session = make_session()
    SessionMonitor.objects.all().delete()
    session.assessments.all().delete()
    row = wall.open_rows(session.exam_id)[0]
    assert (row.risk_score, row.risk_level, row.connected, row.newest) == (0.0, "Low", False, None)


@pytest.mark.parametrize("count", [1, 12])
def test_it_costs_the_same_queries_however_many_sessions_there_are(count, django_assert_num_queries):
    exam = make_exam()
    for _number in range(count):
        report(make_session(exam))
    with django_assert_num_queries(2):
        rows = wall.open_rows(exam.pk)
    assert len(rows) == count
    assert all(row.newest for row in rows)


def test_one_row_is_found_open_or_over_and_none_where_there_is_none():
    session = make_session(ended_after_s=30)
    [row] = wall.rows_of([session.pk])
    assert row.status == SessionStatus.SUBMITTED
    assert wall.rows_of([session.exam_id]) == []


def test_what_was_found_under_a_superseded_policy_does_not_stand_on_it():
    session = make_session()
    report(session)
    Assessment.objects.update(is_current=False)
    row = wall.open_rows(session.exam_id)[0]
    assert (row.risk_score, row.newest) == (0.0, None)
