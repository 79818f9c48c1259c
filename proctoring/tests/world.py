"""Two exams of different people, each with a sitting in every state that a call may need."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from accounts.consents import current_text, give_consent
from accounts.models import Candidate, ConsentText, Role, User
from accounts.services import ensure_candidate, ensure_user
from exams.breaks import pause_session
from exams.lifecycle import move_session
from exams.models import CodeSubmission, Exam, ExamAssignment, ExamSession, Problem, SessionStatus
from exams.services import add_policy_version, create_exam, create_session
from exams.submissions import submit_code
from monitoring import services
from monitoring.models import MonitoringLog, Observation, SuspiciousActivity

ROLES = ("anonymous", "candidate", "other_candidate", "teacher", "other_teacher", "reviewer", "admin")
STATES = ("created", "active", "paused", "ended")
PASSWORD = "a-long-password"


@dataclass(frozen=True)
class Place:
    """A teacher's exams and a candidate's sittings of them.

    ``exam`` is the one that ``active`` sits; each other state has an exam of its own, since nobody has two sittings of
    one exam open. ``draft`` is an exam that the candidate may sit and has not.
    """

    exam: Exam
    problem: Problem
    draft: Exam
    draft_problem: Problem
    teacher: User
    candidate: Candidate
    candidate_user: User
    assistant: User
    newcomer: User
    created: ExamSession
    active: ExamSession
    paused: ExamSession
    ended: ExamSession
    activity: SuspiciousActivity
    ended_activity: SuspiciousActivity
    submission: CodeSubmission

    @property
    def exams(self) -> tuple[Exam, ...]:
        """All exams of the place."""
        return (*dict.fromkeys(session.exam for session in self.sessions), self.draft)

    @property
    def sessions(self) -> tuple[ExamSession, ...]:
        """All sittings of the place."""
        return self.created, self.active, self.paused, self.ended


@dataclass(frozen=True)
class World:
    """``own`` belongs to teacher, reviewer and candidate, ``others`` to other_teacher and other_candidate."""

    own: Place
    others: Place
    users: dict[str, User | None]


def build_world() -> World:
    """Make both places and their people; all have the same password, and every candidate agreed to be watched.

    The ``assistant`` of a place reviews its exams, ``newcomer`` reviews none: they are people that calls are about.
    """
    users: dict[str, User | None] = {"anonymous": None}
    for name, role in {
        "teacher": Role.TEACHER,
        "other_teacher": Role.TEACHER,
        "reviewer": Role.REVIEWER,
        "assistant": Role.REVIEWER,
        "other_assistant": Role.REVIEWER,
        "newcomer": Role.REVIEWER,
        "admin": Role.ADMIN,
    }.items():
        users[name] = ensure_user(email=f"{name}@example.com", role=role, password=PASSWORD, full_name=name)[0]
    own = _build_place("own", users, "")
    others = _build_place("others", users, "other_")
    for exam in own.exams:
        exam.reviewers.add(users["reviewer"])
    users["candidate"], users["other_candidate"] = own.candidate_user, others.candidate_user
    return World(own=own, others=others, users=users)


@contextmanager
def taken_back() -> Iterator[None]:
    """Undo whatever happens inside, and forget how often anybody called."""
    cache.clear()
    shutil.rmtree(settings.FRAME_SPOOL, ignore_errors=True)
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _build_place(code: str, users: dict[str, User | None], whose: str) -> Place:
    teacher, assistant, candidate = (
        users[f"{whose}teacher"],
        users[f"{whose}assistant"],
        _build_candidate(f"{whose}candidate"),
    )
    sessions = {state: _build_sitting(_build_exam(f"{code}-{state}", teacher, candidate), state) for state in STATES}
    draft = _build_exam(f"{code}-draft", teacher, candidate)
    for exam in (draft, *(session.exam for session in sessions.values())):
        exam.reviewers.add(assistant)
    exam = sessions["active"].exam
    return Place(
        exam=exam,
        problem=exam.problems.get(),
        draft=draft,
        draft_problem=draft.problems.get(),
        teacher=teacher,
        candidate=candidate,
        candidate_user=candidate.user,
        assistant=assistant,
        newcomer=users["newcomer"],
        **sessions,
        activity=SuspiciousActivity.objects.get(session=sessions["active"]),
        ended_activity=SuspiciousActivity.objects.get(session=sessions["ended"]),
        submission=sessions["active"].submissions.get(),
    )


def _build_candidate(name: str) -> Candidate:
    candidate = ensure_candidate(email=f"{name}@example.com", full_name=name)
    candidate.user.set_password(PASSWORD)
    candidate.user.save()
    purpose = ConsentText.Purpose.PROCTORING
    give_consent(user=candidate.user, purpose=purpose, version=current_text(purpose).version)
    return candidate


def _build_exam(code: str, teacher: Any, candidate: Candidate) -> Exam:
    exam = create_exam(code=code, title=code, owner=teacher, requires_check=False)
    add_policy_version(exam=exam, settings={"candidate_may_pause": True})
    ExamAssignment.objects.create(exam=exam, candidate=candidate)
    Problem.objects.create(exam=exam, number=1, title="Sorting")
    return exam


def _build_sitting(exam: Exam, state: str) -> ExamSession:
    candidate = exam.candidates.get()
    session = create_session(exam=exam, candidate=candidate)
    if state == "created":
        return session
    session = move_session(session=session, to=SessionStatus.ACTIVE, by=candidate.user)
    services.open_monitor(session=session)
    _watch(session)
    problem = exam.problems.get()
    submit_code(session=session, problem=problem, language="python", code="print(1)", by=candidate.user)
    if state == "paused":
        return pause_session(session=session, by=candidate.user, as_staff=False)
    if state == "ended":
        session = move_session(session=session, to=SessionStatus.SUBMITTED, at=timezone.now() + timedelta(seconds=1))
        services.finish_monitoring(session_id=session.pk)
    return session


def _watch(session: ExamSession) -> None:
    """Let the browser report a tab switch, and the camera see nothing in particular."""
    now = timezone.now()
    services.record_event(
        session_id=session.pk, event_type="TAB_SWITCH", source=MonitoringLog.Source.BROWSER, occurred_at=now
    )
    Observation.objects.create(session=session, seq=0, captured_at=now, usable=False)
