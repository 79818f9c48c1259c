"""Who may call what about exams and submissions."""

from __future__ import annotations

from exams.models import CodeSubmission, Exam, ExamAssignment, Problem
from proctoring.tests.permission_rows.row import Cell, Row, keys

# Staff of the exam look; its teacher and admins change; candidates are told neither who else sits nor who reviews.
READ_OWN, READ_OTHERS = "401 403 403 200 404 200 200", "401 403 403 404 200 404 200"
CHANGE_OWN, CHANGE_OTHERS = "401 403 403 200 404 403 200", "401 403 403 404 200 403 200"
ADD_OWN, ADD_OTHERS = "401 403 403 201 404 403 201", "401 403 403 404 201 403 201"
DELETE_OWN, DELETE_OTHERS = "401 403 403 204 404 403 204", "401 403 403 404 204 403 204"


def second_problem(cell: Cell) -> bool:
    """The exam of the place, and no other, has a second problem."""
    return [problem.exam for problem in Problem.objects.filter(number=2)] == [cell.place.exam]


def second_policy(cell: Cell) -> bool:
    """The exam of the place has a third version of its policy, the two before stay."""
    versions = cell.place.exam.policies.order_by("version")
    return [policy.version for policy in versions] == [1, 2, 3] and versions[2].settings == {"high_from": 12}


def assigned_emails(exam: Exam) -> set[str]:
    """Who may sit the exam."""
    return set(ExamAssignment.objects.filter(exam=exam).values_list("candidate__user__email", flat=True))


def extra_minutes(cell: Cell) -> list[tuple[object, object]]:
    """For which exams and candidates time is arranged."""
    return list(ExamAssignment.objects.filter(extra_minutes=10).values_list("exam", "candidate"))


def answers(cell: Cell) -> list[tuple[int, str]]:
    """Versions and texts in the active session of the place."""
    return list(CodeSubmission.objects.filter(session=cell.place.active).values_list("version", "code"))


POLICY = {"settings": {"high_from": 12}, "note": "stricter"}
EXAMS = [
    Row(
        "GET /api/v1/exams",
        "401 200 200 200 200 200 200",
        "401 200 200 200 200 200 200",
        lists=lambda place: keys(*place.exams),
    ),
    # The exam belongs to whoever makes it.
    Row(
        "POST /api/v1/exams",
        "401 403 403 201 201 403 201",
        "401 403 403 201 201 403 201",
        sends={"title": "Geometry", "code": "geometry"},
        holds=lambda cell: [exam.owner for exam in Exam.objects.filter(code="geometry")] == [cell.user],
    ),
    Row(
        "GET /api/v1/exams/{id}",
        "401 200 404 200 404 200 200",
        "401 404 200 404 200 404 200",
        at={"id": "exam"},
    ),
    Row(
        "PATCH /api/v1/exams/{id}",
        CHANGE_OWN,
        CHANGE_OTHERS,
        at={"id": "exam"},
        sends={"title": "Renamed"},
        holds=lambda cell: list(Exam.objects.filter(title="Renamed")) == [cell.place.exam],
    ),
    Row(
        "DELETE /api/v1/exams/{id}",
        DELETE_OWN,
        DELETE_OTHERS,
        at={"id": "draft"},
        holds=lambda cell: not Exam.objects.filter(pk=cell.place.draft.pk).exists(),
    ),
    # Candidates read the problems of an exam that they have begun.
    Row(
        "GET /api/v1/exams/{id}/problems",
        "401 200 404 200 404 200 200",
        "401 404 200 404 200 404 200",
        at={"id": "exam"},
        lists=lambda place: keys(place.problem),
    ),
    Row(
        "POST /api/v1/exams/{id}/problems",
        ADD_OWN,
        ADD_OTHERS,
        at={"id": "exam"},
        sends={"title": "Searching"},
        holds=second_problem,
    ),
    Row(
        "GET /api/v1/exams/{id}/problems/{problem_pk}",
        "401 200 404 200 404 200 200",
        "401 404 200 404 200 404 200",
        at={"id": "exam", "problem_pk": "problem"},
    ),
    Row(
        "PATCH /api/v1/exams/{id}/problems/{problem_pk}",
        CHANGE_OWN,
        CHANGE_OTHERS,
        at={"id": "exam", "problem_pk": "problem"},
        sends={"points": 10},
        holds=lambda cell: list(Problem.objects.filter(points=10)) == [cell.place.problem],
    ),
    Row(
        "DELETE /api/v1/exams/{id}/problems/{problem_pk}",
        DELETE_OWN,
        DELETE_OTHERS,
        at={"id": "draft", "problem_pk": "draft_problem"},
        holds=lambda cell: not cell.place.draft.problems.exists(),
    ),
    Row("GET /api/v1/exams/{id}/policy", READ_OWN, READ_OTHERS, at={"id": "exam"}),
    Row("POST /api/v1/exams/{id}/policy", ADD_OWN, ADD_OTHERS, at={"id": "exam"}, sends=POLICY, holds=second_policy),
    Row("PUT /api/v1/exams/{id}/policy", ADD_OWN, ADD_OTHERS, at={"id": "exam"}, sends=POLICY, holds=second_policy),
    Row(
        "GET /api/v1/exams/{id}/candidates",
        READ_OWN,
        READ_OTHERS,
        at={"id": "exam"},
        lists=lambda place: keys(place.candidate),
    ),
    Row(
        "POST /api/v1/exams/{id}/candidates",
        ADD_OWN,
        ADD_OTHERS,
        at={"id": "exam"},
        sends={"email": "new@example.com"},
        holds=lambda cell: assigned_emails(cell.place.exam) == {cell.place.candidate_user.email, "new@example.com"},
    ),
    Row(
        "GET /api/v1/exams/{id}/candidates/{candidate_pk}",
        READ_OWN,
        READ_OTHERS,
        at={"id": "exam", "candidate_pk": "candidate"},
    ),
    Row(
        "PATCH /api/v1/exams/{id}/candidates/{candidate_pk}",
        CHANGE_OWN,
        CHANGE_OTHERS,
        at={"id": "exam", "candidate_pk": "candidate"},
        sends={"extra_minutes": 10},
        holds=lambda cell: extra_minutes(cell) == [(cell.place.exam.pk, cell.place.candidate.pk)],
    ),
    Row(
        "DELETE /api/v1/exams/{id}/candidates/{candidate_pk}",
        DELETE_OWN,
        DELETE_OTHERS,
        at={"id": "draft", "candidate_pk": "candidate"},
        holds=lambda cell: not cell.place.draft.assignments.exists(),
    ),
    Row(
        "GET /api/v1/exams/{id}/reviewers",
        READ_OWN,
        READ_OTHERS,
        at={"id": "exam"},
        lists=lambda place: keys(place.assistant),
    ),
    Row(
        "POST /api/v1/exams/{id}/reviewers",
        ADD_OWN,
        ADD_OTHERS,
        at={"id": "exam"},
        sends={"email": "newcomer@example.com"},
        holds=lambda cell: list(cell.place.newcomer.reviewed_exams.all()) == [cell.place.exam],
    ),
    Row(
        "DELETE /api/v1/exams/{id}/reviewers/{user_pk}",
        DELETE_OWN,
        DELETE_OTHERS,
        at={"id": "exam", "user_pk": "assistant"},
        holds=lambda cell: cell.place.assistant not in cell.place.exam.reviewers.all(),
    ),
]

SUBMISSIONS = [
    Row(
        "GET /api/v1/sessions/{id}/submissions",
        "401 200 404 200 404 200 200",
        "401 404 200 404 200 404 200",
        at={"id": "active"},
        lists=lambda place: keys(place.submission),
    ),
    Row(
        "POST /api/v1/sessions/{id}/submissions",
        "401 201 404 403 403 403 403",
        "401 404 201 403 403 403 403",
        at={"id": "active"},
        sends={"problem": 1, "language": "python", "code": "print(2)"},
        holds=lambda cell: answers(cell) == [(1, "print(1)"), (2, "print(2)")],
    ),
    Row(
        "GET /api/v1/submissions",
        "401 403 403 200 200 200 200",
        "401 403 403 200 200 200 200",
        lists=lambda place: keys(*CodeSubmission.objects.filter(session__in=place.sessions)),
    ),
]

ROWS = [*EXAMS, *SUBMISSIONS]
