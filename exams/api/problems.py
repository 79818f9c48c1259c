"""The tasks of an exam."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Refused
from accounts.openapi import describe
from accounts.permissions import signed_in
from exams.api.exams import MAX_TEXT_LENGTH
from exams.api.parts import READ_BY_ALL_WRITTEN_BY_TEACHERS, find_managed_exam
from exams.authoring import MAX_PROBLEM_NUMBER, add_problem, delete_problem, update_problem
from exams.models import Problem
from exams.selectors import has_begun, listed_exams

PROBLEM_EXAMPLE = {
    "id": "b1a4a3f7-7f0e-4a3e-8f59-0e6a0d3f5c01",
    "number": 1,
    "title": "Sum of a list",
    "statement": "Write a function that returns the sum of a list of whole numbers.",
    "points": 5,
}


class ProblemSerializer(serializers.ModelSerializer):
    """One task of an exam."""

    number = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_PROBLEM_NUMBER, help_text="The next free one if left out."
    )

    class Meta:
        model = Problem
        fields = ("id", "number", "title", "statement", "points")
        extra_kwargs = {
            "statement": {"max_length": MAX_TEXT_LENGTH},
            "points": {"min_value": 0, "max_value": 1000},
        }


class ProblemViews(generics.GenericAPIView):
    """Tasks that the caller may read: staff at any time, candidates once they have begun the exam."""

    queryset = Problem.objects.none()
    permission_classes = READ_BY_ALL_WRITTEN_BY_TEACHERS
    serializer_class = ProblemSerializer

    def get_queryset(self) -> QuerySet[Problem]:
        """Return the tasks of the exam named in the address; raises 404, or ``not_begun``."""
        caller = signed_in(self.request)
        exam = get_object_or_404(listed_exams(caller), pk=self.kwargs["pk"])
        if not exam.as_staff and not has_begun(caller, exam):
            raise Refused(_("The problems are shown when you have begun the exam."), code="not_begun")
        return Problem.objects.filter(exam=exam)

    def read_problem(self, problem: Problem | None = None) -> dict[str, Any]:
        """Return what was sent about a task, checked."""
        details = ProblemSerializer(problem, data=self.request.data, partial=problem is not None)
        details.is_valid(raise_exception=True)
        return dict(details.validated_data)

    def managed_problem(self) -> Problem:
        """Return the task named in the address, which the caller may change."""
        exam = find_managed_exam(signed_in(self.request), self.kwargs["pk"])
        return get_object_or_404(Problem.objects.select_related("exam"), exam=exam, pk=self.kwargs["problem_pk"])


class ProblemList(generics.ListAPIView, ProblemViews):
    """All tasks of an exam, and a new one."""

    ordering_fields = ("number", "title", "points")
    ordering = ("number",)

    @describe(
        "List the problems of an exam",
        tag="exams",
        answer=ProblemSerializer,
        gets=PROBLEM_EXAMPLE,
        says="Staff of the exam at any time; a candidate from when they have begun (before that 409 `not_begun`).",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return self.list(request, *args, **kwargs)

    @describe(
        "Add a problem to an exam",
        tag="exams",
        request=ProblemSerializer,
        sends={key: value for key, value in PROBLEM_EXAMPLE.items() if key != "id"},
        answer=ProblemSerializer,
        gets=PROBLEM_EXAMPLE,
        status=201,
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Add."""
        exam = find_managed_exam(signed_in(request), pk)
        problem = add_problem(exam=exam, **self.read_problem())
        return Response(ProblemSerializer(problem).data, status=201)


class ProblemDetail(generics.RetrieveAPIView, ProblemViews):
    """One task of an exam."""

    lookup_url_kwarg = "problem_pk"

    @describe(
        "Show a problem",
        tag="exams",
        answer=ProblemSerializer,
        gets=PROBLEM_EXAMPLE,
        says="To those who may list the problems of the exam.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show."""
        return self.retrieve(request, *args, **kwargs)

    @describe(
        "Change a problem",
        tag="exams",
        request=ProblemSerializer(partial=True),
        sends={"points": 10},
        answer=ProblemSerializer,
        gets={**PROBLEM_EXAMPLE, "points": 10},
    )
    def patch(self, request: Request, pk: UUID, problem_pk: UUID) -> Response:
        """Change."""
        problem = self.managed_problem()
        changed = update_problem(problem=problem, **self.read_problem(problem))
        return Response(ProblemSerializer(changed).data)

    @describe("Delete a problem", tag="exams", status=204, says="Refused (`in_use`) once somebody has answered it.")
    def delete(self, request: Request, pk: UUID, problem_pk: UUID) -> Response:
        """Delete."""
        delete_problem(problem=self.managed_problem())
        return Response(status=204)
