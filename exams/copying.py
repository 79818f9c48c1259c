"""Making a new exam out of one that is there."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from exams.models import Exam, ExamAssignment, Problem
from exams.services import add_policy_version, create_exam

COPIED = (
    "instructions",
    "opens_at",
    "closes_at",
    "duration_minutes",
    "requires_check",
    "max_attempts",
    "mail_when_high",
    "candidate_sees",
    "appeal_days",
)
ARRANGED = ("extra_minutes", "time_factor", "break_minutes", "muted")


@transaction.atomic
def copy_exam(*, exam: Exam, owner: User, title: str, code: str = "", with_candidates: bool = False) -> Exam:
    """Make an exam with the same details, problems, newest policy and reviewers; without a code it gets one.

    ``with_candidates``: everybody assigned, with what is arranged for them. Sessions are not copied, and the copy is
    open to nobody else, so that it is not sat before it is ready. Raises ``ValidationError`` by field.
    """
    copy = create_exam(title=title, owner=owner, code=code, **{name: getattr(exam, name) for name in COPIED})
    Problem.objects.bulk_create(
        Problem(exam=copy, number=one.number, title=one.title, statement=one.statement, points=one.points)
        for one in exam.problems.all()
    )
    newest = exam.current_policy
    if newest is not None:
        add_policy_version(exam=copy, settings=newest.settings, note=f"{exam.code} v{newest.version}"[:200])
    copy.reviewers.set(exam.reviewers.all())
    if with_candidates:
        ExamAssignment.objects.bulk_create(
            ExamAssignment(exam=copy, candidate_id=one.candidate_id, **{name: getattr(one, name) for name in ARRANGED})
            for one in exam.assignments.all()
        )
    return copy
