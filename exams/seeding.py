"""Exams from a readable file: what is missing is made, what differs is brought up to date, nothing is doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.models import Role, User
from accounts.services import ensure_candidate, ensure_user
from exams.models import Exam, ExamAssignment, Problem
from exams.policy import PolicyError, parse_policy
from exams.services import add_policy_version

EXAM_FIELDS = (
    "title",
    "instructions",
    "opens_at",
    "closes_at",
    "duration_minutes",
    "requires_check",
    "open_to_all",
    "max_attempts",
    "mail_when_high",
    "candidate_sees",
)
EXAM_KEYS = frozenset({*EXAM_FIELDS, "code", "owner", "reviewers", "policy", "problems", "candidates"})

ACCOMMODATIONS: Mapping[str, Any] = {"extra_minutes": 0, "time_factor": 1.0, "break_minutes": 0, "muted": []}
"""What may be arranged for a candidate, and what is where the file says nothing."""


class SeedError(ValueError):
    """A file that cannot be used; the message says where and why."""


@transaction.atomic
def seed_exams(document: Any) -> Counter[str]:
    """Bring the database up to the document, all or nothing; returns how many of each thing were made."""
    entries = document.get("exams") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise SeedError("The file must hold a list called exams.")
    made: Counter[str] = Counter()
    for number, entry in enumerate(entries, start=1):
        where = f"exam {number}"
        if not isinstance(entry, Mapping):
            raise SeedError(f"{where}: must be a table.")
        try:
            _seed_exam(entry, where, made)
        except ValidationError as error:
            raise SeedError(f"{where}: {_sentence(error)}") from error
        except PolicyError as error:
            raise SeedError(f"{where}: {error}") from error
        except SeedError:
            raise
        except (ValueError, TypeError, OverflowError) as error:
            raise SeedError(f"{where}: holds a value that cannot be used ({error}).") from error
    return made


def _seed_exam(entry: Mapping[str, Any], where: str, made: Counter[str]) -> None:
    unknown = sorted(set(map(str, entry)) - EXAM_KEYS)
    if unknown:
        raise SeedError(f"{where}: nobody knows what {unknown[0]!r} means.")
    code = _text(entry, "code", where)
    exam = Exam.objects.filter(code=code).first()
    made["exams"] += exam is None
    exam = exam or Exam(code=code)
    exam.owner = _person(_text(entry, "owner", where), Role.TEACHER, made)
    for name in EXAM_FIELDS:
        if name in entry:
            setattr(exam, name, _time(entry[name], where) if name.endswith("_at") else entry[name])
    exam.full_clean()
    exam.save()
    settings = entry.get("policy") or {}
    parse_policy(settings)
    made["policies"] += add_policy_version(exam=exam, settings=settings, note="seeded")[1]
    for email in _list(entry, "reviewers", where):
        exam.reviewers.add(_person(email, Role.REVIEWER, made))
    for number, problem in enumerate(_list(entry, "problems", where), start=1):
        _seed_problem(exam, problem, f"{where}, problem {number}", number, made)
    for number, candidate in enumerate(_list(entry, "candidates", where), start=1):
        _seed_candidate(exam, candidate, f"{where}, candidate {number}", made)


def _seed_problem(exam: Exam, entry: Any, where: str, number: int, made: Counter[str]) -> None:
    _known(entry, {"number", "title", "statement", "points"}, where)
    number = entry.get("number", number)
    problem = Problem.objects.filter(exam=exam, number=number).first() if type(number) is int else None
    made["problems"] += problem is None
    problem = problem or Problem(exam=exam, number=number)
    problem.title = _text(entry, "title", where)
    problem.statement, problem.points = str(entry.get("statement") or ""), entry.get("points", 1)
    problem.full_clean()
    problem.save()


def _seed_candidate(exam: Exam, entry: Any, where: str, made: Counter[str]) -> None:
    _known(entry, {"email", "name", "number", *ACCOMMODATIONS}, where)
    user = _person(_text(entry, "email", where), Role.CANDIDATE, made, name=str(entry.get("name") or ""))
    candidate = ensure_candidate(email=user.email)
    if entry.get("number"):
        candidate.external_id = str(entry["number"])
        candidate.full_clean()
        candidate.save(update_fields=["external_id"])
    assignment = ExamAssignment.objects.filter(exam=exam, candidate=candidate).first()
    made["assignments"] += assignment is None
    assignment = assignment or ExamAssignment(exam=exam, candidate=candidate)
    for name, usual in ACCOMMODATIONS.items():
        value = entry.get(name, usual)
        if value != value:  # noqa: PLR0124  what differs from itself is no number, and slips past every limit
            raise SeedError(f"{where}: {name} must be a number.")
        setattr(assignment, name, value)
    assignment.full_clean()
    assignment.save()


def _person(email: Any, role: Role, made: Counter[str], name: str = "") -> User:
    validate_email(email if isinstance(email, str) else "")
    user, created = ensure_user(email=email, role=role, full_name=name)
    made["users"] += created
    return user


def _known(entry: Any, keys: set[str], where: str) -> None:
    if not isinstance(entry, Mapping):
        raise SeedError(f"{where}: must be a table with {', '.join(sorted(keys))}.")
    unknown = sorted(set(map(str, entry)) - keys)
    if unknown:
        raise SeedError(f"{where}: nobody knows what {unknown[0]!r} means.")


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if value is None or value == "":
        raise SeedError(f"{where}: {key} is missing.")
    if not isinstance(value, str) or not value.strip():
        raise SeedError(f"{where}: {key} must be text; put it in quotes.")
    return value.strip()


def _list(entry: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = entry.get(key) or []
    if not isinstance(value, list):
        raise SeedError(f"{where}: {key} must be a list.")
    return value


def _time(value: Any, where: str) -> Any:
    if value is None:
        return None
    try:  # YAML has read most times by itself
        time = value if isinstance(value, datetime) else parse_datetime(value)
    except (TypeError, ValueError):
        time = None
    if time is None:
        raise SeedError(f"{where}: {str(value)!r} is not a time such as 2026-01-31T09:00:00Z.")
    return timezone.make_aware(time) if timezone.is_naive(time) else time


def _sentence(error: ValidationError) -> str:
    if hasattr(error, "error_dict"):
        name, messages = next(iter(error.message_dict.items()))
        return f"{name}: {messages[0]}"
    return str(error.messages[0])
