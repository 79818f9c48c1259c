"""The clock: what is arranged, what staff adds, pauses and breaks, and what happens when time is up."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Role
from exams.breaks import PauseRefused, pause_session, resume_overdue, resume_session
from exams.clock import assignment_of, break_left, time_left, time_of
from exams.lifecycle import (
    IllegalTransition,
    StepRefused,
    begin_session,
    expire_overdue,
    extend_session,
    move_session,
)
from exams.models import CodeSubmission, ExamAssignment, ExamSession, Problem, SessionStatus
from exams.services import create_session
from exams.submissions import submit_code
from monitoring.tasks import expire_overdue as expire_overdue_task
from monitoring.tests.factories import START, agree, make_candidate, make_exam, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]
S = SessionStatus


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def arranged(policy=None, exam_fields=None, **assignment):
    """Return a session of an hour that is created at START, with what is arranged for its candidate."""
    exam = make_exam(**{"duration_minutes": 60} | (exam_fields or {}))
    candidate = agree(make_candidate())
    ExamAssignment.objects.create(exam=exam, candidate=candidate, **assignment)
    if policy:
        exam.policies.create(version=2, settings=policy)
    return create_session(exam=exam, candidate=candidate, created_at=START)


def running(**fields):
    return move_session(session=arranged(**fields), to=S.ACTIVE, at=START)


def row(session):
    return ExamSession.objects.get(pk=session.pk)


def test_it_multiplies_the_duration_and_adds_the_minutes_of_the_assignment():
    session = running(time_factor=1.5, extra_minutes=10)
    assert session.deadline_at == START + minutes(100)
    time = time_of(session, arranged=assignment_of(session), now=START + minutes(30))
    assert (time.allowed_s, time.used_s, time.left_s) == (6000, 1800, 4200)


def test_it_tells_the_time_before_the_beginning_and_none_for_a_recording():
    session = arranged(time_factor=2.0)
    assert time_left(session, START) == minutes(120)
    session.source = ExamSession.Source.RECORDING
    assert time_left(session, START) is None


def test_it_has_no_time_left_once_it_is_over():
    session = move_session(session=running(), to=S.SUBMITTED, at=START + minutes(5))
    time = time_of(session, arranged=None, now=START + minutes(30))
    assert (time.left_s, time.used_s, time.break_left_s) == (0, 300, 0)


def test_it_extends_before_the_beginning_and_while_it_runs():
    staff = make_user()
    session = extend_session(session=arranged(), minutes=5, by=staff)
    assert (session.deadline_at, session.extended_minutes) == (None, 5)
    session = move_session(session=session, to=S.ACTIVE, at=START)
    assert session.deadline_at == START + minutes(65)
    extend_session(session=session, minutes=10, by=staff, reason="Fire alarm.")
    session = row(session)
    assert (session.deadline_at, session.extended_minutes) == (START + minutes(75), 15)
    step = session.transitions.order_by("id").last()
    assert (step.from_status, step.to_status, step.by, step.reason) == (
        S.ACTIVE,
        S.ACTIVE,
        staff,
        "+10 min: Fire alarm.",
    )


def test_it_extends_while_paused_and_the_candidate_may_still_end_the_pause():
    session = running(policy={"candidate_may_pause": True})
    owner = session.candidate.user
    pause_session(session=session, by=owner, as_staff=False, now=START + minutes(1))
    extend_session(session=session, minutes=10, by=make_user(), now=START + minutes(2))
    session = resume_session(session=session, by=owner, as_staff=False, now=START + minutes(3))
    assert session.deadline_at == START + minutes(72)


def test_it_extends_nothing_that_is_over_and_no_more_than_a_day():
    session, staff = running(), make_user()
    extend_session(session=session, minutes=1440, by=staff)
    with pytest.raises(StepRefused, match="at most 1440 minutes"):
        extend_session(session=session, minutes=1, by=staff)
    assert row(session).extended_minutes == 1440
    move_session(session=session, to=S.TERMINATED, at=START + minutes(1))
    with pytest.raises(StepRefused, match="is over") as caught:
        extend_session(session=session, minutes=1, by=staff)
    assert caught.value.code == "wrong_state"
    assert row(session).extended_minutes == 1440


def test_it_lets_a_candidate_pause_only_where_the_policy_or_breaks_allow_it():
    session = running()
    with pytest.raises(PauseRefused, match="No time for breaks"):
        pause_session(session=session, by=session.candidate.user, as_staff=False)
    assert row(session).status == S.ACTIVE
    free = running(policy={"candidate_may_pause": True})
    free = pause_session(session=free, by=free.candidate.user, as_staff=False, now=START + minutes(1))
    assert (free.status, free.pause_ends_at) == (S.PAUSED, None)
    free = resume_session(session=free, by=free.candidate.user, as_staff=False, now=START + minutes(31))
    assert (free.deadline_at, free.break_seconds) == (START + minutes(90), 0)


def test_it_gives_the_time_of_a_break_back_and_counts_it():
    session = running(break_minutes=10)
    owner = session.candidate.user
    session = pause_session(session=session, by=owner, as_staff=False, now=START + minutes(10))
    assert session.pause_ends_at == START + minutes(20)
    time = time_of(session, arranged=assignment_of(session), now=START + minutes(13))
    assert (time.left_s, time.used_s, time.break_left_s, time.paused) == (3000, 600, 420, True)
    session = resume_session(session=session, by=owner, as_staff=False, now=START + minutes(14))
    assert (session.break_seconds, session.paused_seconds, session.pause_ends_at) == (240, 240, None)
    assert session.deadline_at == START + minutes(64)
    session = pause_session(session=session, by=owner, as_staff=False, now=START + minutes(30))
    assert session.pause_ends_at == START + minutes(36)


def test_it_gives_no_more_of_a_break_back_than_there_was_however_late_it_ends():
    session = running(break_minutes=10)
    owner = session.candidate.user
    session = pause_session(session=session, by=owner, as_staff=False, now=START + minutes(10))
    late = time_of(session, arranged=assignment_of(session), now=START + minutes(25))
    assert (late.left_s, late.used_s, late.break_left_s) == (45 * 60, 15 * 60, 0)
    session = resume_session(session=session, by=owner, as_staff=False, now=START + minutes(25))
    assert (session.deadline_at, session.paused_seconds, session.break_seconds) == (START + minutes(70), 600, 600)
    assert session.transitions.order_by("id").last().at == START + minutes(20)
    assert break_left(session) == timedelta()
    with pytest.raises(PauseRefused):
        pause_session(session=session, by=owner, as_staff=False, now=START + minutes(30))


def test_it_ends_a_break_that_is_used_up_by_itself_and_then_expires_in_time():
    session = running(break_minutes=10)
    pause_session(session=session, by=session.candidate.user, as_staff=False, now=START + minutes(55))
    assert resume_overdue(now=START + minutes(64)) == 0
    assert expire_overdue(now=START + minutes(64)) == 0
    assert resume_overdue(now=START + minutes(80)) == 1
    session = row(session)
    assert (session.status, session.deadline_at, session.paused_at) == (S.ACTIVE, START + minutes(70), None)
    assert expire_overdue(now=START + minutes(80)) == 1
    session = row(session)
    assert (session.status, session.ended_at, session.duration) == (S.EXPIRED, START + minutes(70), minutes(60))
    assert resume_overdue(now=START + minutes(90)) == 0


def test_the_beat_ends_breaks_before_it_expires_what_is_overdue():
    session = running(break_minutes=10)
    pause_session(session=session, by=session.candidate.user, as_staff=False, now=START + minutes(55))
    expire_overdue_task()
    session = row(session)
    assert (session.status, session.ended_at) == (S.EXPIRED, START + minutes(70))


def test_it_closes_during_a_break_that_is_used_up_without_giving_more_time_back():
    session = running(break_minutes=10)
    pause_session(session=session, by=session.candidate.user, as_staff=False, now=START + minutes(10))
    session = move_session(session=session, to=S.SUBMITTED, at=START + minutes(40))
    assert (session.paused_seconds, session.break_seconds, session.duration) == (600, 600, minutes(30))


def test_it_lets_staff_pause_at_any_time_and_only_staff_end_that_pause():
    session, staff = running(break_minutes=10), make_user(Role.REVIEWER)
    owner = session.candidate.user
    session = pause_session(session=session, by=staff, as_staff=True, reason="Alarm.", now=START + minutes(1))
    assert session.pause_ends_at is None
    with pytest.raises(PauseRefused) as caught:
        resume_session(session=session, by=owner, as_staff=False, now=START + minutes(2))
    assert caught.value.code == "paused_by_staff"
    assert row(session).status == S.PAUSED
    session = resume_session(session=session, by=make_user(), as_staff=True, now=START + minutes(31))
    assert (session.deadline_at, session.break_seconds) == (START + minutes(90), 0)
    pause_session(session=session, by=owner, as_staff=False, now=START + minutes(40))
    assert resume_session(session=session, by=staff, as_staff=True, now=START + minutes(41)).status == S.ACTIVE


@pytest.mark.parametrize("way", [[], [S.ACTIVE, S.PAUSED], [S.ACTIVE, S.SUBMITTED]])
def test_it_pauses_only_what_runs(way):
    session = arranged(break_minutes=10)
    for step in way:
        session = move_session(session=session, to=step, at=START)
    with pytest.raises(IllegalTransition):
        pause_session(session=session, by=make_user(), as_staff=True)
    assert row(session).status == (way[-1] if way else S.CREATED)


def test_it_resumes_only_what_is_paused():
    session = running()
    with pytest.raises(PauseRefused) as caught:
        resume_session(session=session, by=make_user(), as_staff=True)
    assert caught.value.code == "wrong_state"


def test_it_expires_what_was_never_begun_when_the_exam_closes():
    closes = START + minutes(30)
    session = arranged(exam_fields={"opens_at": START, "closes_at": closes})
    begun = move_session(
        session=create_session(exam=session.exam, candidate=make_candidate(), created_at=START), to=S.ACTIVE, at=START
    )
    recorded = create_session(
        exam=session.exam, candidate=make_candidate(), source=ExamSession.Source.RECORDING, created_at=START
    )
    assert expire_overdue(now=closes - minutes(1)) == 0
    assert expire_overdue(now=closes) == 1
    assert (row(session).status, row(session).ended_at) == (S.EXPIRED, closes)
    assert (row(begun).status, row(begun).deadline_at) == (S.ACTIVE, START + minutes(60))
    assert row(recorded).status == S.CREATED


def test_it_does_not_expire_what_was_extended_a_moment_ago(monkeypatch):
    session = running()
    found = ExamSession.objects.filter(pk=session.pk)

    def extended_in_between(query, *args, **kwargs):
        ids = list(original(query, *args, **kwargs))
        extend_session(session=found.first(), minutes=30, by=make_user())
        return ids

    original = type(found).values_list
    with monkeypatch.context() as patch:
        patch.setattr(type(found), "values_list", extended_in_between)
        assert expire_overdue(now=START + minutes(61)) == 0
    assert row(session).status == S.ACTIVE


@pytest.mark.parametrize("end", [S.SUBMITTED, S.TERMINATED, S.EXPIRED])
def test_it_makes_the_last_version_of_each_answer_final_however_it_ends(end):
    session = arranged()
    problem = Problem.objects.create(exam=session.exam, number=1, title="Sum")
    session = begin_session(session=checked(session), by=session.candidate.user)
    for code in ("1", "1+1"):
        submit_code(session=session, problem=problem, language="python", code=code, by=session.candidate.user)
    move_session(session=session, to=end)
    finals = CodeSubmission.objects.order_by("version").values_list("code", "is_final")
    assert list(finals) == [("1", False), ("1+1", True)]


def checked(session, passed=True):
    ExamSession.objects.filter(pk=session.pk).update(system_check={"passed": passed})
    return row(session)


def test_it_begins_once_and_says_so_again():
    session = checked(arranged())
    first = begin_session(session=session, by=session.candidate.user, now=START)
    again = begin_session(session=session, by=session.candidate.user, now=START + minutes(5))
    assert (first.status, again.started_at, again.deadline_at) == (S.ACTIVE, START, START + minutes(60))
    assert session.transitions.count() == 1


@pytest.mark.parametrize("check", [{}, {"passed": False}])
def test_it_begins_only_with_a_passed_check_where_one_is_asked_for(check):
    session = arranged()
    ExamSession.objects.filter(pk=session.pk).update(system_check=check)
    with pytest.raises(StepRefused) as caught:
        begin_session(session=session, by=session.candidate.user, now=START)
    assert caught.value.code == "check_required"
    assert row(session).started_at is None


def test_it_begins_at_once_where_no_check_is_asked_for():
    session = arranged(exam_fields={"requires_check": False})
    assert begin_session(session=session, by=session.candidate.user, now=START).status == S.ACTIVE


def test_it_begins_only_within_the_window_but_may_end_later():
    session = checked(arranged(exam_fields={"opens_at": START, "closes_at": START + minutes(30)}))
    for now in (START - minutes(1), START + minutes(30)):
        with pytest.raises(StepRefused) as caught:
            begin_session(session=session, by=session.candidate.user, now=now)
        assert caught.value.code == "outside_window"
    begun = begin_session(session=session, by=session.candidate.user, now=START + minutes(29))
    assert begun.deadline_at == START + minutes(89)


def test_it_does_not_begin_without_consent():
    session = checked(arranged())
    session.candidate.user.consents.all().delete()
    with pytest.raises(StepRefused) as caught:
        begin_session(session=session, by=session.candidate.user, now=START)
    assert caught.value.code == "consent_required"


@pytest.mark.parametrize(("way", "words"), [([S.PAUSED], "resume"), ([S.SUBMITTED], "over")])
def test_it_begins_nothing_that_has_begun_before(way, words):
    session = running()
    for step in way:
        session = move_session(session=session, to=step, at=START)
    with pytest.raises(StepRefused, match=words):
        begin_session(session=session, by=session.candidate.user, now=START)
    assert row(session).status == way[-1]


@pytest.mark.parametrize("wrong", [{"pause_ends_at": START}, {"break_seconds": -1}])
def test_it_lets_the_database_refuse_breaks_that_cannot_be(wrong):
    session = running()
    with pytest.raises(IntegrityError), transaction.atomic():
        ExamSession.objects.filter(pk=session.pk).update(**wrong)
