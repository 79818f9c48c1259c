"""Which exams somebody may see, change or sit; other rooms build on these."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Count, Exists, IntegerField, Max, Model, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from accounts.models import STAFF_ROLES, Role, User
from exams.models import CodeSubmission, Exam, ExamAssignment, ExamSession, Problem, ProctoringPolicy

Row = TypeVar("Row", bound=Model)


def visible_exams(user: User, exams: QuerySet[Exam] | None = None) -> QuerySet[Exam]:
    """Return those of the exams that this member of staff may see: all (admin), own and reviewed (others)."""
    exams = Exam.objects.all() if exams is None else exams
    if user.has_role(Role.ADMIN):
        return exams
    if not user.roles & STAFF_ROLES:
        return exams.none()
    # Not a union of two look-ups, which PostgreSQL goes through again for each row that asks for its exam; and a join
    # would double an exam that is both owned and reviewed.
    return exams.filter(Q(owner=user) | Q(pk__in=_reviewed(user)))


def managed_exams(user: User, exams: QuerySet[Exam] | None = None) -> QuerySet[Exam]:
    """Return those of the exams that this user may change: all (admin), own (teacher)."""
    exams = Exam.objects.all() if exams is None else exams
    if user.has_role(Role.ADMIN):
        return exams
    return exams.filter(owner=user) if user.has_role(Role.TEACHER) else exams.none()


def may_manage(user: User, exam: Exam) -> bool:
    """Say whether ``managed_exams`` of the user holds this exam."""
    return user.has_role(Role.ADMIN) or (user.has_role(Role.TEACHER) and exam.owner_id == user.pk)


def sittable_exams(user: User, exams: QuerySet[Exam] | None = None) -> QuerySet[Exam]:
    """Return those of the exams that this user may sit as a candidate: assigned to them, or open to everyone."""
    exams = Exam.objects.all() if exams is None else exams
    if not user.has_role(Role.CANDIDATE):
        return exams.none()
    return exams.filter(pk__in=_assigned(user).union(_open()))


def listed_exams(user: User) -> QuerySet[Any]:
    """Return every exam the user may see in any role, with ``as_staff`` and their own accommodations.

    ``own_assignments`` holds at most one row: what is arranged for the user as a candidate.
    """
    own = ExamAssignment.objects.filter(candidate__user=user)
    exams: QuerySet[Any] = Exam.objects.prefetch_related(Prefetch("assignments", own, to_attr="own_assignments"))
    if user.has_role(Role.ADMIN):
        whole: QuerySet[Any] = exams.annotate(as_staff=Value(value=True))
        return whole
    parts: list[QuerySet[Any, Any]] = [Exam.objects.none().values("pk")]
    if user.roles & STAFF_ROLES:
        parts += [_owned(user), _reviewed(user)]
    if user.has_role(Role.CANDIDATE):
        # An exam they have sat stays in view, even if it has been closed to others since.
        parts += [_assigned(user), _open(), own_sessions(user).order_by().values("exam")]
    as_staff = Exists(visible_exams(user).filter(pk=OuterRef("pk")))
    seen: QuerySet[Any] = exams.filter(pk__in=parts[0].union(*parts[1:])).annotate(as_staff=as_staff)
    return seen


def with_counts(exams: QuerySet[Any]) -> QuerySet[Any]:
    """Add ``problem_total``, ``candidate_total``, ``session_total`` and ``newest_version`` to each exam."""
    newest = ProctoringPolicy.objects.filter(exam=OuterRef("pk")).order_by().values("exam").annotate(n=Max("version"))
    counted: QuerySet[Any] = exams.annotate(
        problem_total=_count(Problem),
        candidate_total=_count(ExamAssignment),
        session_total=_count(ExamSession),
        newest_version=Subquery(newest.values("n")),
    )
    return counted


def own_sessions(user: User) -> QuerySet[ExamSession]:
    """Return the sessions that this user sits or sat as a candidate."""
    return ExamSession.objects.filter(candidate__user=user)


def readable_sessions(user: User) -> QuerySet[ExamSession]:
    """Return the sessions that are the user's own or of exams whose staff they are; for looking one up by its key."""
    return ExamSession.objects.filter(Q(candidate__user=user) | Q(exam__in=visible_exams(user)))


def visible_submissions(
    user: User, rows: QuerySet[CodeSubmission] | None = None, *, walk: bool = False
) -> QuerySet[CodeSubmission]:
    """Return those of the answers that were given in exams whose staff the user is; ``walk``: see ``of_exams``."""
    rows = CodeSubmission.objects.all() if rows is None else rows
    if user.has_role(Role.ADMIN):
        return rows  # without a look at the exams, which would keep the database from reading them in order of time
    return of_exams(rows, visible_exams(user), walk=walk)


def of_exams(rows: QuerySet[Row], exams: QuerySet[Exam], *, walk: bool) -> QuerySet[Row]:
    """Return the rows whose ``session`` is of one of these exams.

    The database gathers them session by session. With ``walk`` it cannot: it has to go through all rows, and to look
    up the exam of each, which is faster where most of them are wanted and only the first few in some order are read.
    """
    wanted = exams.order_by().values("pk")
    if not walk:
        return rows.filter(session__in=ExamSession.objects.filter(exam__in=wanted).order_by().values("pk"))
    exam = ExamSession.objects.filter(pk=OuterRef("session")).order_by().values("exam")
    walked: QuerySet[Any] = rows.alias(exam_of_session=Subquery(exam)).filter(exam_of_session__in=wanted)
    return walked


def sat_by(user: User) -> QuerySet[ExamSession]:
    """Return the sessions that the user sees as their candidate alone, even where they review the exam.

    Their own ones, but for those of exams that they manage.
    """
    return own_sessions(user).exclude(exam__in=managed_exams(user).order_by().values("pk"))


def has_begun(user: User, exam: Exam) -> bool:
    """Say whether the user has begun a sitting of the exam, whatever became of it since."""
    return own_sessions(user).filter(exam=exam, started_at__isnull=False).exists()


def _owned(user: User) -> QuerySet[Any, Any]:
    return Exam.objects.filter(owner=user).order_by().values("pk")


def _reviewed(user: User) -> QuerySet[Any, Any]:
    return Exam.reviewers.through.objects.filter(user=user).order_by().values("exam")


def _assigned(user: User) -> QuerySet[Any, Any]:
    return ExamAssignment.objects.filter(candidate__user=user).order_by().values("exam")


def _open() -> QuerySet[Any, Any]:
    return Exam.objects.filter(open_to_all=True).order_by().values("pk")


def _count(model: type[Model]) -> Coalesce:
    # A subquery each: counting over three joins at once would multiply the rows.
    rows = model._default_manager.filter(exam=OuterRef("pk")).order_by().values("exam").annotate(n=Count("pk"))
    return Coalesce(Subquery(rows.values("n"), output_field=IntegerField()), 0)
