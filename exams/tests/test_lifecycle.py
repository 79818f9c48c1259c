"""The life of a session: which steps exist and what they do to the clock."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from exams.lifecycle import ALLOWED, IllegalTransition, expire_overdue, move_session
from exams.models import ExamAssignment, ExamSession, SessionStatus
from exams.services import SessionRefused, create_session
from monitoring.tests.factories import START, make_candidate, make_exam

pytestmark = [pytest.mark.django_db, pytest.mark.database]
S = SessionStatus
LEGAL = {(before, after) for before, afters in ALLOWED.items() for after in afters}
WAYS = {
    S.CREATED: [],
    S.CHECKING_IN: [S.CHECKING_IN],
    S.ACTIVE: [S.ACTIVE],
    S.PAUSED: [S.ACTIVE, S.PAUSED],
    S.SUBMITTED: [S.ACTIVE, S.SUBMITTED],
    S.TERMINATED: [S.TERMINATED],
    S.EXPIRED: [S.EXPIRED],
}


def session_that_is(status):
    session = create_session(exam=make_exam(), candidate=make_candidate(), created_at=START)
    for minute, step in enumerate(WAYS[status]):
        session = move_session(session=session, to=step, at=START + timedelta(minutes=minute))
    return session


@pytest.mark.parametrize("after", list(S))
@pytest.mark.parametrize("before", list(S))
def test_it_takes_the_steps_it_knows_and_refuses_all_others(before, after):
    session = session_that_is(before)
    steps = session.transitions.count()
    if (before, after) in LEGAL:
        move_session(session=session, to=after, at=START + timedelta(minutes=5), reason="because")
        assert session.transitions.last().reason == "because"
        steps += 1
    else:
        with pytest.raises(IllegalTransition, match=f"is {before.label} cannot become {after.label}"):
            move_session(session=session, to=after)
    session.refresh_from_db()
    assert session.status == (after if (before, after) in LEGAL else before)
    assert session.transitions.count() == steps


def test_it_knows_exactly_these_ways_to_end():
    assert {before for before, after in LEGAL if after == S.SUBMITTED} == {S.ACTIVE, S.PAUSED}
    assert not any(ALLOWED[closed] for closed in (S.SUBMITTED, S.TERMINATED, S.EXPIRED))


def test_it_stops_the_clock_while_paused_and_moves_the_deadline():
    session = session_that_is(S.PAUSED)  # since minute 1
    deadline = session.deadline_at
    session = move_session(session=session, to=S.ACTIVE, at=START + timedelta(minutes=11))
    assert (session.paused_at, session.paused_seconds) == (None, 600)
    assert session.deadline_at == deadline + timedelta(minutes=10)
    session = move_session(session=session, to=S.SUBMITTED, at=START + timedelta(minutes=21))
    assert session.duration == timedelta(minutes=11)


def test_it_gives_a_candidate_the_extra_minutes_of_the_assignment():
    exam, candidate = make_exam(duration_minutes=30), make_candidate()
    ExamAssignment.objects.create(exam=exam, candidate=candidate, extra_minutes=15)
    session = create_session(exam=exam, candidate=candidate)
    assert move_session(session=session, to=S.ACTIVE, at=START).deadline_at == START + timedelta(minutes=45)


def test_it_expires_sessions_whose_time_is_up_as_of_their_deadline():
    session = session_that_is(S.ACTIVE)
    assert expire_overdue(now=session.deadline_at - timedelta(seconds=1)) == 0
    assert expire_overdue(now=session.deadline_at + timedelta(hours=1)) == 1
    session.refresh_from_db()
    assert (session.status, session.ended_at) == (S.EXPIRED, session.deadline_at)


def test_it_lets_a_candidate_have_one_open_live_session_in_an_exam():
    exam, candidate = make_exam(), make_candidate()
    first = create_session(exam=exam, candidate=candidate)
    with pytest.raises(SessionRefused):
        create_session(exam=exam, candidate=candidate)
    create_session(exam=exam, candidate=candidate, source=ExamSession.Source.RECORDING)
    move_session(session=first, to=S.TERMINATED)
    create_session(exam=exam, candidate=candidate)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "lost"},
        {"ended_at": START - timedelta(days=1)},
        {"status": S.SUBMITTED, "ended_at": None},
        {"status": S.PAUSED, "paused_at": None},
        {"paused_at": START},
        {"paused_seconds": -1},
    ],
)
def test_it_lets_the_database_refuse_what_cannot_be(wrong):
    session = session_that_is(S.ACTIVE)
    with pytest.raises(IntegrityError), transaction.atomic():
        ExamSession.objects.filter(pk=session.pk).update(**wrong)
