"""What teachers do with their exams: details, problems, who may sit them and who reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max, Model, QuerySet
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.models import Candidate, Role, User
from accounts.services import ensure_candidates
from exams.models import CodeSubmission, Exam, ExamAssignment, ExamSession, Problem

Row = TypeVar("Row", bound=Model)
ACCOMMODATIONS = frozenset({"extra_minutes", "time_factor", "break_minutes", "muted"})
MAX_PROBLEM_NUMBER = 1000
MAX_CANDIDATES_AT_ONCE = 500


class InUse(Refused):
    """Something that other records rest on, so that it stays."""

    code = "in_use"


class Gone(Refused):
    """Something that was there when it was looked up, and is no longer."""

    code = "not_found"
    status = 404


@transaction.atomic
def update_exam(*, exam: Exam, **changes: Any) -> Exam:
    """Change the exam; a running session keeps the deadline it has. Raises ``ValidationError`` by field."""
    locked = _lock(exam)
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.full_clean()
    try:
        with transaction.atomic():
            locked.save()
    except IntegrityError as error:
        raise ValidationError({"code": _("An exam with this code exists already.")}) from error
    return locked


@transaction.atomic
def delete_exam(*, exam: Exam) -> None:
    """Delete an exam that nobody has sat; raises ``InUse``."""
    locked = _lock(exam)
    if ExamSession.objects.filter(exam=locked).exists():
        raise InUse(_("This exam has sessions, which are records; close it by its window instead."))
    locked.delete()


@transaction.atomic
def add_problem(*, exam: Exam, number: int | None = None, **fields: Any) -> Problem:
    """Add a task to the exam, with the next number unless one is named. Raises ``ValidationError`` by field."""
    _lock(exam)
    if number is None:
        number = (exam.problems.aggregate(highest=Max("number"))["highest"] or 0) + 1
        if number > MAX_PROBLEM_NUMBER:
            raise ValidationError({"number": _("There is no free number after the highest; name one.")})
    problem = Problem(exam=exam, number=number, **fields)
    _save_problem(problem)
    return problem


@transaction.atomic
def update_problem(*, problem: Problem, **changes: Any) -> Problem:
    """Change a task. Raises ``ValidationError`` by field."""
    _lock(problem.exam)
    problem = _still_there(Problem.objects.filter(pk=problem.pk))
    for name, value in changes.items():
        setattr(problem, name, value)
    _save_problem(problem)
    return problem


@transaction.atomic
def delete_problem(*, problem: Problem) -> None:
    """Delete a task that nobody has answered; raises ``InUse``."""
    _lock(problem.exam)  # first, as everywhere: two locks in different orders would wait for each other
    locked = _still_there(Problem.objects.select_for_update().filter(pk=problem.pk))
    if CodeSubmission.objects.filter(problem=locked).exists():
        raise InUse(_("This problem has answers, which are records; change its text instead."))
    locked.delete()


def _save_problem(problem: Problem) -> None:
    same = Problem.objects.filter(exam=problem.exam_id, number=problem.number).exclude(pk=problem.pk)
    if same.exists():
        raise ValidationError({"number": _("The exam has a problem with this number already.")})
    problem.full_clean(exclude=["exam"])
    problem.save()


@transaction.atomic
def assign_candidates(*, exam: Exam, wanted: Sequence[Mapping[str, Any]]) -> tuple[list[ExamAssignment], int]:
    """Let candidates, made if missing, sit the exam, all of the list or none.

    ``wanted``: ``email``, and if named ``full_name``, ``external_id`` and accommodations. Of somebody assigned already
    only what is named changes; an existing user keeps name, number, password and roles. Returns the assignments in
    order and how many are new. Raises ``ValidationError`` by place and field, as in ``3.email``, and ``Refused`` if
    somebody else made one of them at this moment.
    """
    _lock(exam)
    emails = [str(entry["email"]).lower() for entry in wanted]
    twins = [place for place, email in enumerate(emails) if email in emails[:place]]
    if twins:
        raise ValidationError({f"{place}.email": _("This address stands in the list before.") for place in twins})
    try:
        with transaction.atomic():
            people = ensure_candidates(names={entry["email"]: entry.get("full_name", "") for entry in wanted})
            candidates = [people[email] for email in emails]
            _give_numbers(candidates, [entry.get("external_id", "") for entry in wanted])
            return _assign(exam, candidates, wanted)
    except IntegrityError as error:
        raise Refused(_("Somebody else changed the same people just now; send it again."), code="busy") from error


def _give_numbers(candidates: list[Candidate], numbers: list[str]) -> None:
    taken = dict(Candidate.objects.filter(external_id__in=filter(None, numbers)).values_list("external_id", "pk"))
    errors, changed = {}, []
    for place, (candidate, number) in enumerate(zip(candidates, numbers, strict=True)):
        if not number or candidate.external_id == number:
            continue
        if candidate.external_id:
            errors[f"{place}.external_id"] = _("This candidate has another number already.")
        elif taken.setdefault(number, candidate.pk) != candidate.pk:
            errors[f"{place}.external_id"] = _("Another candidate has this number.")
        candidate.external_id = number
        changed.append(candidate)
    if errors:
        raise ValidationError(errors)
    Candidate.objects.bulk_update(changed, ["external_id"])


def _assign(
    exam: Exam, candidates: list[Candidate], wanted: Sequence[Mapping[str, Any]]
) -> tuple[list[ExamAssignment], int]:
    there = {row.candidate_id: row for row in ExamAssignment.objects.filter(exam=exam, candidate__in=candidates)}
    rows = [there.get(candidate.pk) or ExamAssignment(exam=exam, candidate=candidate) for candidate in candidates]
    for row, entry in zip(rows, wanted, strict=True):
        for name in ACCOMMODATIONS & entry.keys():
            setattr(row, name, entry[name])
        row.full_clean(exclude=["exam", "candidate"], validate_unique=False, validate_constraints=False)
    ExamAssignment.objects.bulk_update(there.values(), ACCOMMODATIONS)
    new = [row for row in rows if row.candidate_id not in there]
    ExamAssignment.objects.bulk_create(new)
    return rows, len(new)


@transaction.atomic
def update_assignment(*, assignment: ExamAssignment, **changes: Any) -> ExamAssignment:
    """Change what is arranged for a candidate; an open session keeps the muted detectors and the time it began with."""
    locked = _still_there(ExamAssignment.objects.select_for_update().filter(pk=assignment.pk))
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.full_clean(exclude=["exam", "candidate"], validate_unique=False)
    locked.save()
    return locked


@transaction.atomic
def withdraw_candidate(*, assignment: ExamAssignment) -> None:
    """Take a candidate who has not sat it off the exam's list; raises ``InUse``."""
    _lock(assignment.exam)
    if ExamSession.objects.filter(exam=assignment.exam_id, candidate=assignment.candidate_id).exists():
        raise InUse(_("This candidate has sessions in the exam, which are records; terminate an open one instead."))
    assignment.delete()


@transaction.atomic
def add_reviewer(*, exam: Exam, email: str = "", user_id: UUID | None = None) -> tuple[User, bool]:
    """Let a reviewer or teacher, named by address or id, review the exam; returns them and whether they are new.

    Raises ``ValidationError`` by field for everybody else.
    """
    people = User.objects.filter(is_active=True)
    found = people.filter(pk=user_id).first() if user_id else people.filter(email__iexact=email).first()
    if found is None or not found.roles & {Role.REVIEWER, Role.TEACHER}:
        message = _("There is no reviewer or teacher of this name; an admin gives people their roles.")
        raise ValidationError({"user" if user_id else "email": message})
    _lock(exam)
    new = not exam.reviewers.filter(pk=found.pk).exists()
    exam.reviewers.add(found)
    return found, new


def remove_reviewer(*, exam: Exam, reviewer: User) -> None:
    """Take the exam from a reviewer; what they decided stays."""
    exam.reviewers.remove(reviewer)


def _lock(exam: Exam) -> Exam:
    return _still_there(Exam.objects.select_for_update().filter(pk=exam.pk))


def _still_there(rows: QuerySet[Row]) -> Row:
    row = rows.first()
    if row is None:
        raise Gone(_("This has been deleted in the meantime."))
    return row
