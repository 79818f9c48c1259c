"""Reviewers who ask at the same time, each over a connection of their own, as on a server of several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections

from accounts.models import Role, User
from exams.models import Exam, ExamSession
from monitoring.case_models import ReviewCase
from monitoring.cases import ReviewRefused, claim_session
from monitoring.erasure import erase_session
from monitoring.models import ReviewDecision
from monitoring.review import decide_session
from monitoring.review_many import judge_activity
from monitoring.review_queue import claim_next
from monitoring.tests.factories import make_exam, make_user
from monitoring.tests.reviewers import ended_session, hand_on

pytestmark = [pytest.mark.django_db, pytest.mark.database]
MANY = 6


@dataclass(frozen=True)
class Committed:
    """Rows that every connection sees."""

    exam: Exam
    reviewers: Sequence[User]
    first: User
    sessions: Sequence[ExamSession]


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do all of them at the same time, each over its own connection; returns what each returned or was refused with."""
    barrier = Barrier(len(works))

    def do(work: Callable[[], Any]) -> Any:
        try:
            barrier.wait(30)
            return work()
        except ReviewRefused as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as threads:
        return [done.result(60) for done in [threads.submit(do, work) for work in works]]


@pytest.fixture
def committed(settings, tmp_path) -> Iterator[Committed]:
    """Sessions of an exam with many reviewers, made and removed by a connection of their own.

    The test's own connection is inside a transaction that is taken back: what it makes nobody else sees.
    """
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets one connection write at a time, and its test database has only one")
    settings.MEDIA_ROOT, settings.FRAME_SPOOL = tmp_path / "media", tmp_path / "spool"
    (made,) = at_once(_make)
    try:
        yield made
    finally:
        (error,) = at_once(lambda: _remove(made))
        assert error is None


def _make() -> Committed:
    exam = make_exam(make_user(Role.TEACHER, "teacher@at-once.example.com"), code="at-once")
    names = [f"reviewer{number}@at-once.example.com" for number in range(MANY + 1)]
    first, *others = [make_user(Role.REVIEWER, name) for name in names]
    exam.reviewers.add(first, *others)
    return Committed(exam, others, first, [ended_session(exam) for _number in range(MANY)])


def _remove(made: Committed) -> None:
    candidates = [session.candidate for session in made.sessions]
    for session in made.sessions:
        erase_session(session=session)
    made.exam.delete()
    for candidate in candidates:
        candidate.delete()
    people = [made.exam.owner, made.first, *made.reviewers, *(candidate.user for candidate in candidates)]
    User.objects.filter(pk__in=[user.pk for user in people]).delete()


def test_of_many_who_take_one_session_one_gets_it(committed):
    session = committed.sessions[0]
    found = at_once(*(lambda who=who: claim_session(session=session, reviewer=who) for who in committed.reviewers))
    taken = [one for one in found if isinstance(one, ReviewCase)]
    refused = [one for one in found if isinstance(one, ReviewRefused)]
    assert (len(taken), len(refused)) == (1, MANY - 1)
    assert {(one.code, one.status) for one in refused} == {("taken", 409)}
    assert ReviewCase.objects.get(pk=session.pk).holder == taken[0].holder


def test_many_who_take_the_next_get_one_each(committed):
    found = at_once(*(lambda who=who: claim_next(stage="first", reviewer=who) for who in committed.reviewers))
    assert {session.pk for session in found} == {session.pk for session in committed.sessions}
    holders = ReviewCase.objects.filter(session__exam=committed.exam).values_list("holder", flat=True)
    assert set(holders) == {user.pk for user in committed.reviewers}


def test_of_many_who_decide_as_the_second_one_does(committed):
    session = committed.sessions[0]
    at_once(lambda: hand_on(session, committed.first))
    told = {"outcome": "violation", "reason": "Seen.", "seen_stage": "second"}
    found = at_once(
        *(lambda who=who: decide_session(session=session, reviewer=who, **told) for who in committed.reviewers)
    )
    refused = [one for one in found if isinstance(one, ReviewRefused)]
    assert (len(refused), {one.code for one in refused}) == (MANY - 1, {"wrong_state"})
    assert ReviewDecision.objects.filter(session=session, activity__isnull=True).count() == 2
    assert ReviewCase.objects.get(pk=session.pk).stage == "decided"


def test_of_many_who_take_one_verdict_back_one_does(committed):
    session = committed.sessions[0]
    given = {"activity": session.activities.get(), "reason": "Seen."}
    at_once(lambda: judge_activity(verdict="confirmed", reviewer=committed.first, **given))
    found = at_once(
        *(lambda who=who: judge_activity(verdict="withdrawn", reviewer=who, **given) for who in committed.reviewers)
    )
    refused = [one for one in found if isinstance(one, ReviewRefused)]
    assert (len(refused), {one.code for one in refused}) == (MANY - 1, {"wrong_state"})
    verdicts = ReviewDecision.objects.filter(session=session).order_by("decided_at").values_list("verdict", flat=True)
    assert list(verdicts) == ["confirmed", "withdrawn"]
