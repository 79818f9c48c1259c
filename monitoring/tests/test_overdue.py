"""Time is up while the connection is lost: the session waits a while, takes what is of before the end, and no more."""

from datetime import timedelta

import pytest

from accounts.tests.client import client_of
from exams.authoring import add_problem
from exams.lifecycle import expire_overdue, submit_session
from exams.models import ExamSession, SessionStatus
from exams.submissions import SubmissionRefused, submit_code
from monitoring import intake, lost_time, overdue, presence, services
from monitoring.models import MonitoringLog, SessionMonitor, SuspiciousActivity
from monitoring.tests.factories import make_user
from monitoring.tests.live import Live
from monitoring.tests.pictures import encoded

pytestmark = [pytest.mark.django_db, pytest.mark.database]
END_S = 30.0
"""Of the clock, in seconds after moment 0."""

MINUTES = 10


@pytest.fixture(autouse=True)
def _own_queue(no_worker, settings):
    """Nothing waits but what a test puts there."""
    settings.RETURN_MINUTES = MINUTES


@pytest.fixture
def live():
    live = Live()
    ExamSession.objects.update(deadline_at=live.time(END_S))
    live.session.refresh_from_db()
    return live


def expire(live, at):
    """Close what is overdue, as the beat does; returns how the session stands, and when it ended."""
    expire_overdue(now=live.time(at), but=overdue.waited_for(now=live.time(at)))
    session = ExamSession.objects.get()
    return session.status, session.ended_at and (session.ended_at - live.zero).total_seconds()


def lose(live, at=0.0):
    """Lose the connection, which a beat notices."""
    live.send(at)
    live.live(at)
    live.beat(END_S - 1)
    assert live.spans() == [("NETWORK_GAP", at, None)]


def test_who_is_out_of_reach_at_the_end_is_waited_for_and_no_longer_than_said(live):
    lose(live)
    assert expire(live, END_S + MINUTES * 60 - 1) == (SessionStatus.ACTIVE, None)
    assert expire(live, END_S + MINUTES * 60) == (SessionStatus.EXPIRED, END_S)
    services.finish_monitoring(session_id=live.session.pk)
    assert live.spans() == [("NETWORK_GAP", 0, END_S)]


def test_a_connection_lost_too_late_to_be_a_gap_is_waited_for_as_well(live):
    live.live(END_S - 5)
    presence.gone(live.session.pk, now=live.time(END_S - 2))
    assert expire(live, END_S + 1) == (SessionStatus.ACTIVE, None)


@pytest.mark.parametrize("signs", [[], [0, 10, 20, END_S + 2]], ids=["never there", "there at the end"])
def test_whoever_was_there_at_the_end_or_never_is_not_waited_for(live, signs):
    live.live(*signs)
    if signs:
        presence.gone(live.session.pk, now=live.time(END_S + 3))
    assert expire(live, END_S + 5) == (SessionStatus.EXPIRED, END_S)


def test_nobody_is_waited_for_where_the_institution_does_not_want_it(live, settings):
    settings.RETURN_MINUTES = 0
    lose(live)
    assert expire(live, END_S) == (SessionStatus.EXPIRED, END_S)


def test_while_pictures_come_in_there_may_be_more_of_them(live):
    lose(live)
    later = END_S + MINUTES * 60 + 30
    SessionMonitor.objects.update(pictures_at=live.time(later - 20))
    assert expire(live, later) == (SessionStatus.ACTIVE, None)
    assert expire(live, later + 60) == (SessionStatus.EXPIRED, END_S)


def test_who_comes_back_gets_the_lost_time_and_goes_on(live):
    lose(live)
    back = END_S + 45
    live.live(back)
    assert live.spans() == [("NETWORK_GAP", 0, back)]
    extended = lost_time.give_back_time(session=live.session, by=make_user(), now=live.time(back))
    assert (extended.deadline_at - live.zero).total_seconds() == END_S + 120
    assert expire(live, back + 1) == (SessionStatus.ACTIVE, None)
    live.live(back + 8, END_S + 119, END_S + 121)
    assert expire(live, END_S + 122) == (SessionStatus.EXPIRED, END_S + 120)


def test_a_gap_that_ended_after_the_end_is_kept_up_to_it(live):
    lose(live)
    live.live(END_S + 45)
    expire(live, END_S + MINUTES * 60)
    services.finish_monitoring(session_id=live.session.pk)
    assert live.spans() == [("NETWORK_GAP", 0, END_S)]


def test_the_camera_of_who_came_back_after_the_end_may_be_silent(live):
    lose(live)
    live.live(*range(int(END_S) + 20, int(END_S) + 120, 5))
    live.beat(END_S + 120)
    assert [kind for kind, _start, _end in live.spans()] == ["NETWORK_GAP"]


def test_pictures_of_before_the_end_are_taken_and_none_of_after_it(live):
    overdue_since = live.time(-40)
    ExamSession.objects.update(deadline_at=overdue_since)
    taken = overdue_since.timestamp() - 1
    intake.take_frame(session=live.session, seq=1, captured_at=taken, data=encoded("JPEG"))
    with pytest.raises(intake.IntakeRefused) as refused:
        intake.take_frame(session=live.session, seq=2, captured_at=taken + 30, data=encoded("JPEG"))
    assert refused.value.code == "time_up"


def test_what_a_browser_tells_of_after_the_end_is_written_down_and_counts_for_nothing(live):
    ExamSession.objects.update(deadline_at=live.time(-30))
    for at in (-50, -10):
        report = services.Report("TAB_SWITCH", live.time(at))
        services.record_events(session_id=live.session.pk, reports=[report], source=MonitoringLog.Source.BROWSER)
    assert MonitoringLog.objects.filter(event_type="TAB_SWITCH").count() == 2
    begun = SuspiciousActivity.objects.filter(kind="TAB_SWITCH").values_list("started_at", flat=True)
    assert list(begun) == [live.time(-50)]


def test_who_finishes_after_the_end_finished_at_the_end_and_hands_in_no_more(live):
    ExamSession.objects.update(deadline_at=live.time(-5))
    user = live.session.candidate.user
    problem = add_problem(exam=live.session.exam, title="Sum", statement="Add them up.", points=5)
    with pytest.raises(SubmissionRefused) as refused:
        submit_code(session=live.session, problem=problem, language="python", code="late", by=user)
    assert refused.value.code == "time_up"
    answer = client_of(user).post(f"/api/v1/sessions/{live.session.pk}/final-submit")
    ended = answer.json()["session"]
    assert (answer.status_code, ended["status"]) == (200, "expired")
    assert ExamSession.objects.get().ended_at == live.time(-5)


def test_who_finishes_in_time_has_submitted(live):
    session = submit_session(session=live.session, by=live.session.candidate.user, now=live.time(END_S - 1))
    assert (session.status, session.ended_at) == (SessionStatus.SUBMITTED, live.time(END_S) - timedelta(seconds=1))
