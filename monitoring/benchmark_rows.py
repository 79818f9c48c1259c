"""Rows by the thousand, such as a term of exams leaves behind; for measuring, and for counting queries."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from accounts.models import Candidate, Role, User
from accounts.services import ensure_user
from exams.kinds import Kind, RiskLevel, Severity
from exams.models import (
    CodeSubmission,
    Exam,
    ExamAssignment,
    ExamSession,
    Problem,
    ProctoringPolicy,
    SessionStatus,
    SessionTransition,
)
from monitoring.models import (
    Assessment,
    Evidence,
    MonitoringLog,
    Observation,
    ReviewDecision,
    SessionMonitor,
    SuspiciousActivity,
)
from vision.types import Sense

PASSWORD = secrets.token_urlsafe(12)
TERM = timedelta(days=90)
SITTING = timedelta(hours=1)
KINDS = (Kind.NO_FACE, Kind.LOOKING_AWAY, Kind.TAB_SWITCH, Kind.MULTIPLE_FACES)
LEVELS = (RiskLevel.LOW, RiskLevel.LOW, RiskLevel.MEDIUM, RiskLevel.HIGH)
CODE = "def total(numbers):\n    return sum(numbers)\n" * 25
AT_ONCE = 1000
DIGEST = sha256(CODE.encode()).hexdigest()
FACTS = {
    "camera": {"condition": "ok", "brightness": 0.52, "contrast": 0.21, "sharpness": 310.5},
    "faces": [{"box": [0.41, 0.22, 0.2, 0.31], "score": 0.96}],
    "head": {"yaw": 4.2, "pitch": -3.1, "roll": 0.4},
    "objects": [],
}

AnyRow = TypeVar("AnyRow", bound=Model)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows: of everything, of the first exam, of the first session, and of each session after it."""

    sessions: int
    exams: int
    candidates: int
    problems: int
    reviewers: int
    first: dict[str, int]
    others: dict[str, int]


def sizes_for(sessions: int) -> Sizes:
    """Return the sizes that go with so many sessions: ten per exam and per candidate, where there are many."""
    few = min(sessions, max(100, sessions // 10))
    first = {"logs": 1000, "activities": 100, "observations": 1000, "submissions": 100}
    others = {"logs": 10, "activities": 3, "observations": 5, "submissions": 2}
    return Sizes(
        sessions=sessions,
        exams=few,
        candidates=few,
        problems=min(sessions, 50),
        reviewers=min(sessions, 50),
        first={name: min(sessions, number) for name, number in first.items()},
        others={name: min(sessions, number) for name, number in others.items()},
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """What was made: who looks at it, and the exam and the session that are looked at; the fullest of all.

    Four of five exams are the teacher's, one in five is reviewed by the reviewer, about twenty sessions are the
    candidate's. Candidates have a password, the others use tokens.
    """

    people: dict[Role, User]
    exam: Exam
    session: ExamSession
    sizes: Sizes


@transaction.atomic
def make_rows(sessions: int) -> Rows:
    """Make so many sessions with all that belongs to them, in a database that need not be empty."""
    sizes, mark = sizes_for(sessions), f"benchmark-{secrets.token_hex(4)}"
    people = {role: _make_person(mark, role) for role in (Role.ADMIN, Role.TEACHER, Role.REVIEWER)}
    candidates = _make_candidates(mark, sizes.candidates)
    exams = _make_exams(mark, sizes, people)
    _assign(exams, candidates)
    made = _make_sessions(mark, sizes, exams, candidates)
    counts = [sizes.first] + [sizes.others] * (len(made) - 1)
    for start in range(0, len(made), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        _make_history(made[part], counts[part], people[Role.TEACHER])
    return Rows({**people, Role.CANDIDATE: candidates[0].user}, exams[0], made[0], sizes)


def _make_person(mark: str, role: Role, number: int = 0) -> User:
    return ensure_user(email=f"{mark}-{role}-{number}@example.com", role=role)[0]


def _make_candidates(mark: str, count: int) -> list[Candidate]:
    group, password = Group.objects.get(name=Role.CANDIDATE), make_password(PASSWORD)
    users = [
        User(email=f"{mark}-{number:05}@example.com", full_name=f"Candidate {number}", password=password)
        for number in range(count)
    ]
    _store(users)
    _store(User.groups.through(user=user, group=group) for user in users)
    return _store(Candidate(user=user, external_id=f"{mark}-{number}") for number, user in enumerate(users))


def _make_exams(mark: str, sizes: Sizes, people: dict[Role, User]) -> list[Exam]:
    colleague = _make_person(mark, Role.TEACHER, 1)
    exams = _store(
        Exam(
            code=f"{mark}-{number:05}",
            title=f"Exam {number}",
            instructions="Stay alone in the room. " * 10,
            owner=colleague if number % 5 == 4 else people[Role.TEACHER],
        )
        for number in range(sizes.exams)
    )
    _store(ProctoringPolicy(exam=exam, version=1) for exam in exams)
    count = [sizes.problems] + [min(sizes.problems, 3)] * (len(exams) - 1)
    _store(
        Problem(exam=exam, number=number + 1, title=f"Problem {number + 1}", statement="Write a function. " * 20)
        for exam, problems in zip(exams, count, strict=True)
        for number in range(problems)
    )
    helpers = [_make_person(mark, Role.REVIEWER, number) for number in range(1, sizes.reviewers)]
    reviews = [(exams[0], helper) for helper in helpers] + [(exam, people[Role.REVIEWER]) for exam in exams[::5]]
    _store(Exam.reviewers.through(exam=exam, user=user) for exam, user in reviews)
    return exams


def _assign(exams: Sequence[Exam], candidates: Sequence[Candidate]) -> None:
    """Let everybody sit the first exam, and ten people each of the others."""
    _store(ExamAssignment(exam=exams[0], candidate=candidate) for candidate in candidates)
    _store(
        ExamAssignment(exam=exam, candidate=candidate)
        for number, exam in enumerate(exams[1:])
        for candidate in dict.fromkeys(candidates[(number * 10 + place) % len(candidates)] for place in range(10))
    )


def _make_sessions(
    mark: str, sizes: Sizes, exams: Sequence[Exam], candidates: Sequence[Candidate]
) -> list[ExamSession]:
    """Make the sessions, evenly over the term; one in four is of the first exam, and a few are going on."""
    policies = {policy.exam_id: policy for policy in ProctoringPolicy.objects.filter(exam__code__startswith=mark)}
    now = timezone.now()

    def one(number: int) -> ExamSession:
        exam = exams[0 if number % 4 == 0 else number * 7919 % len(exams)]
        begun = now - SITTING - TERM * (1 - number / sizes.sessions)
        # Every fourth of the first forty is the first candidate's; of the others, those that are going on differ.
        is_first = number % 4 == 0 and number < 40
        is_open = not is_first and number <= len(candidates) // 20
        return ExamSession(
            exam=exam,
            candidate=candidates[0 if is_first else number % len(candidates)],
            policy=policies[exam.pk],
            status=SessionStatus.ACTIVE if is_open else SessionStatus.SUBMITTED,
            created_at=begun,
            started_at=begun,
            ended_at=None if is_open else begun + SITTING,
            deadline_at=begun + SITTING,
        )

    return _store(one(number) for number in range(sizes.sessions))


def _make_history(sessions: Sequence[ExamSession], counts: Sequence[dict[str, int]], reviewer: User) -> None:
    """Make all that belongs to the sessions; ``counts`` says how many rows of each kind belong to each."""
    both = list(zip(sessions, counts, strict=True))
    _store(SessionMonitor(session=session, frames_total=3600, frames_analysed=3590) for session in sessions)
    _store(step for session in sessions for step in _steps(session))
    _store(_log(session, number) for session, count in both for number in range(count["logs"]))
    _store(_observation(session, number) for session, count in both for number in range(count["observations"]))
    assessments = _store(_assessment(number, session) for number, session in enumerate(sessions))
    activities = _store(
        _activity(assessment, number)
        for assessment, count in zip(assessments, counts, strict=True)
        for number in range(count["activities"])
    )
    _store(_evidence(activity, number) for number, activity in enumerate(activities[::3]))
    _store(_decision(activity.session, reviewer, activity) for activity in activities[::10])
    _store(_decision(session, reviewer) for session in sessions[::5])
    _make_submissions(both)


def _make_submissions(both: Sequence[tuple[ExamSession, dict[str, int]]]) -> None:
    problems: dict[Any, list[Problem]] = {}
    for problem in Problem.objects.filter(exam__in={session.exam_id for session, _count in both}).order_by("number"):
        problems.setdefault(problem.exam_id, []).append(problem)
    _store(
        _submission(session, problems[session.exam_id], number)
        for session, count in both
        for number in range(count["submissions"])
    )


def _at(session: ExamSession, number: int) -> datetime:
    """Return a moment within the session; those of 3,000 numbers differ."""
    return session.created_at + timedelta(seconds=number * 37 % 3000 + number / 1000)


def _steps(session: ExamSession) -> list[SessionTransition]:
    ways = [(SessionStatus.CREATED, SessionStatus.ACTIVE, session.created_at)]
    if session.ended_at is not None:
        ways.append((SessionStatus.ACTIVE, SessionStatus.SUBMITTED, session.ended_at))
    return [SessionTransition(session=session, from_status=a, to_status=b, at=at) for a, b, at in ways]


def _log(session: ExamSession, number: int) -> MonitoringLog:
    return MonitoringLog(
        session=session,
        event_type=KINDS[number % len(KINDS)],
        severity=Severity.LOW,
        source=MonitoringLog.Source.BROWSER,
        detail={"duration_s": number % 30},
        occurred_at=_at(session, number),
        received_at=_at(session, number),
        seq=number,
    )


def _observation(session: ExamSession, number: int) -> Observation:
    return Observation(session=session, seq=number, captured_at=_at(session, number), usable=True, facts=FACTS)


def _assessment(number: int, session: ExamSession) -> Assessment:
    risk = number % 23 / 2
    return Assessment(
        session=session,
        policy=session.policy,
        risk_score=risk,
        risk_level=LEVELS[number % len(LEVELS)],
        reviewed_risk_score=risk,
        trust_score=100 * max(0, 1 - risk / 20),
        compliance_score=90 + number % 10,
        breakdown=[
            {"kind": kind, "count": 1, "weight": 2.0, "raw": 2.0, "cap": 6.0, "points": 2.0} for kind in KINDS[:3]
        ],
        observed_until=SITTING.total_seconds(),
        coverage={str(sense): 0.97 for sense in Sense},
    )


def _activity(assessment: Assessment, number: int) -> SuspiciousActivity:
    return SuspiciousActivity(
        assessment=assessment,
        session=assessment.session,
        kind=KINDS[number % len(KINDS)],
        severity=Severity.values[number % len(Severity)],
        confidence=0.9,
        started_at=_at(assessment.session, number),
        ended_at=_at(assessment.session, number) + timedelta(seconds=12),
        explanation="Nobody was in view. This was so in 12 of 12 pictures examined, over 12 s.",
        detail={"positives": 12, "examined": 12, "faces": 0},
    )


def _evidence(activity: SuspiciousActivity, number: int) -> Evidence:
    return Evidence(
        activity=activity,
        file=f"screenshots/{activity.session_id}/{activity.pk}.jpg",
        sha256=DIGEST,
        captured_at=activity.started_at,
        seq=number,
        numbers=activity.detail,
    )


def _decision(session: ExamSession, reviewer: User, activity: SuspiciousActivity | None = None) -> ReviewDecision:
    verdict = ReviewDecision.Outcome.CLEAR if activity is None else ReviewDecision.Verdict.DISMISSED
    return ReviewDecision(
        session=session, activity=activity, verdict=verdict, reason="The candidate sneezed.", reviewer=reviewer
    )


def _submission(session: ExamSession, problems: Sequence[Problem], number: int) -> CodeSubmission:
    return CodeSubmission(
        session=session,
        problem=problems[number % len(problems)],
        version=number // len(problems) + 1,
        language="python",
        code=CODE,
        sha256=DIGEST,
        submitted_at=_at(session, number),
    )


def _store(rows: Iterable[AnyRow]) -> list[AnyRow]:
    """Store rows of one model and return them."""
    made = list(rows)
    return type(made[0])._default_manager.bulk_create(made, batch_size=1000) if made else []
