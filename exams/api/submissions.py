"""Code submissions: of one session, and across sessions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Length
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.api.fields import YesNoFilter
from accounts.lists import OwnKeysFirst
from accounts.openapi import describe
from accounts.pagination import Pages
from accounts.permissions import IsCandidate, IsStaff, signed_in
from accounts.throttling import SteadyThrottle
from exams.api.exams import PersonSerializer
from exams.api.parts import Reading, TimeFilter
from exams.authoring import MAX_PROBLEM_NUMBER
from exams.models import CodeSubmission, ExamSession, Problem
from exams.selectors import own_sessions, readable_sessions, visible_submissions
from exams.submissions import MAX_CODE_LENGTH, submit_code

LANGUAGE_WORD = r"^[A-Za-z0-9][A-Za-z0-9+#._-]*$"

SENT_EXAMPLE = {"problem": 1, "language": "python", "code": "def total(numbers):\n    return sum(numbers)\n"}
ABOUT_EXAMPLE = {
    "id": "c5b8a0f4-3f0b-4b3c-9a5d-2e1f0d9c8b7a",
    "session": "1d2c3b4a-5f6e-4d7c-8b9a-0f1e2d3c4b5a",
    "problem": "b1a4a3f7-7f0e-4a3e-8f59-0e6a0d3f5c01",
    "problem_number": 1,
    "version": 2,
    "language": "python",
    "length": 48,
    "sha256": "66a045b452102c59d840ec097d59d9467e13a3f34f6494e539ffd32c1bb35f18",
    "is_final": False,
    "submitted_at": "2026-03-02T09:41:07Z",
}
SUBMISSION_EXAMPLE = {**ABOUT_EXAMPLE, "code": SENT_EXAMPLE["code"]}
LISTED_EXAMPLE = {
    **ABOUT_EXAMPLE,
    "exam": {"id": "0b9c7c1e-5d1a-4c0e-9a53-3f1f6a1f2b11", "code": "algebra-1"},
    "candidate": {
        "id": "3f6c1d8e-9a0b-4c5d-8e7f-1a2b3c4d5e6f",
        "email": "candidate@example.com",
        "full_name": "Candidate One",
    },
}


@extend_schema_field({"oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "format": "uuid"}]})
class ProblemKeyField(serializers.Field):
    """A task by its number in the exam, or by its id."""

    default_error_messages = {"wrong": gettext_lazy("Name the problem by its number or its id.")}

    def to_internal_value(self, data: Any) -> int | UUID:
        """Return number or id."""
        if isinstance(data, int) and not isinstance(data, bool):
            return data
        key = read_problem_key(data) if isinstance(data, str) else None
        if key is None:
            self.fail("wrong")
        return key

    def to_representation(self, value: Any) -> Any:
        """Return number or id."""
        return value


class AnswerSerializer(serializers.Serializer):
    """One more version of an answer."""

    problem = ProblemKeyField(help_text="Its number in the exam, or its id.")
    language = serializers.RegexField(LANGUAGE_WORD, max_length=40, help_text="Such as python, c++ or c#.")
    code = serializers.CharField(max_length=MAX_CODE_LENGTH, trim_whitespace=False)


class AboutSubmissionSerializer(serializers.ModelSerializer):
    """A version of an answer, without the answer."""

    problem_number = serializers.IntegerField(source="problem.number", read_only=True)
    length = serializers.IntegerField(read_only=True, help_text="Characters of the code.")

    class Meta:
        model = CodeSubmission
        fields = tuple(ABOUT_EXAMPLE)
        read_only_fields = fields


class SubmissionSerializer(AboutSubmissionSerializer):
    """A version of an answer."""

    class Meta(AboutSubmissionSerializer.Meta):
        fields = tuple(SUBMISSION_EXAMPLE)
        read_only_fields = fields


class ExamNameSerializer(serializers.Serializer):
    """An exam, by name."""

    id = serializers.UUIDField(read_only=True)
    code = serializers.CharField(read_only=True)


class CandidateNameSerializer(PersonSerializer):
    """A candidate, by name."""

    id = serializers.UUIDField(read_only=True)
    email = serializers.EmailField(source="user.email", read_only=True)
    full_name = serializers.CharField(source="user.full_name", read_only=True)


class ListedSubmissionSerializer(AboutSubmissionSerializer):
    """A version of an answer and whose it is; the code is in the list of its session."""

    exam = ExamNameSerializer(source="session.exam", read_only=True)
    candidate = CandidateNameSerializer(source="session.candidate", read_only=True)

    class Meta(AboutSubmissionSerializer.Meta):
        fields = tuple(LISTED_EXAMPLE)
        read_only_fields = fields


class SubmissionPages(Pages):
    """Shorter pages than elsewhere, since each row may be long: 20, at most 50."""

    page_size = 20
    max_page_size = 50


class SessionSubmissionFilter(filters.FilterSet):
    """Versions of one session."""

    problem = filters.CharFilter(method="find_problem", help_text="Number in the exam, or id.")
    language = filters.CharFilter(lookup_expr="iexact")
    final = YesNoFilter(field_name="is_final")
    submitted_after = TimeFilter(field_name="submitted_at", lookup_expr="gte")
    submitted_before = TimeFilter(field_name="submitted_at", lookup_expr="lt")

    def find_problem(self, rows: QuerySet[CodeSubmission], name: str, value: str) -> QuerySet[CodeSubmission]:
        """Keep answers to this problem; refuse what can be no problem's number or id."""
        key = read_problem_key(value)
        if key is None:
            raise serializers.ValidationError({"problem": _("Name the problem by its number or its id.")})
        return rows.filter(**problem_lookup(key, "problem__"))


class SubmissionFilter(SessionSubmissionFilter):
    """Versions across sessions."""

    exam = filters.UUIDFilter(field_name="session__exam")
    session = filters.UUIDFilter(field_name="session")
    candidate = filters.UUIDFilter(field_name="session__candidate")


def read_problem_key(text: str) -> int | UUID | None:
    """Return a problem's number or id as it was written, None for anything else."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PROBLEM_NUMBER)):
        return int(text)
    try:
        return UUID(text)
    except ValueError:
        return None


def problem_lookup(key: int | UUID, prefix: str = "") -> dict[str, Any]:
    """Return what finds the problem of this number or id."""
    return {f"{prefix}number" if isinstance(key, int) else f"{prefix}pk": key}


def find_problem(session: ExamSession, key: int | UUID) -> Problem:
    """Return the problem of the session's exam; raises a 400 on ``problem`` if there is none."""
    known = not isinstance(key, int) or 1 <= key <= MAX_PROBLEM_NUMBER
    found = Problem.objects.filter(exam=session.exam_id, **problem_lookup(key)).first() if known else None
    if found is None:
        raise serializers.ValidationError({"problem": _("The exam has no such problem.")})
    return found


class SessionSubmissions(generics.ListAPIView):
    """Answers given in one session, and one more version."""

    queryset = CodeSubmission.objects.none()
    permission_classes = [IsCandidate | (IsAuthenticated & Reading)]
    serializer_class = SubmissionSerializer
    pagination_class = SubmissionPages
    filterset_class = SessionSubmissionFilter
    ordering_fields = ("submitted_at", "version", "length")
    ordering = ("problem__number", "version")
    throttle_scope = "submit"

    def get_throttles(self) -> list[BaseThrottle]:
        """Count what is sent, not what is looked at."""
        return [SteadyThrottle()] if self.request.method == "POST" else []

    def get_queryset(self) -> QuerySet[Any]:
        """Return all versions of the session named in the address."""
        session = get_object_or_404(readable_sessions(signed_in(self.request)), pk=self.kwargs["pk"])
        return with_length(CodeSubmission.objects.filter(session=session)).select_related("problem")

    @describe(
        "List the answers of a session",
        tag="submissions",
        answer=SubmissionSerializer,
        gets=SUBMISSION_EXAMPLE,
        says="Every version, by problem and version; for the candidate and for staff of the exam. `?final=true` leaves "
        "the versions that count.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return self.list(request, *args, **kwargs)

    @describe(
        "Submit an answer",
        tag="submissions",
        request=AnswerSerializer,
        sends=SENT_EXAMPLE,
        answer=SubmissionSerializer,
        gets=SUBMISSION_EXAMPLE,
        status=201,
        also=(200,),
        says="Kept as the next version; what equals the newest version is that version (200), so that sending again "
        "after a lost answer does no harm. Only the candidate, while the session is active and there is time left.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Submit."""
        caller = signed_in(request)
        session = get_object_or_404(own_sessions(caller), pk=pk)
        sent = AnswerSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        answer = dict(sent.validated_data)
        problem = find_problem(session, answer.pop("problem"))
        submission, created = submit_code(session=session, problem=problem, by=caller, **answer)
        kept = self.get_queryset().get(pk=submission.pk)
        return Response(SubmissionSerializer(kept).data, status=201 if created else 200)


class SubmissionList(OwnKeysFirst):
    """Answers across sessions."""

    queryset = CodeSubmission.objects.none()
    permission_classes = [IsStaff]
    serializer_class = ListedSubmissionSerializer
    filterset_class = SubmissionFilter
    ordering_fields = ("submitted_at", "version", "length")
    ordering = ("-submitted_at",)
    indexed = frozenset({"submitted_at"})

    def visible(self, *, walk: bool) -> QuerySet[Any]:
        """Return the answers given in exams that the caller sees."""
        return with_length(visible_submissions(signed_in(self.request), walk=walk))

    def rows(self, keys: list[UUID]) -> QuerySet[Any]:
        """Return these answers."""
        rows = with_length(CodeSubmission.objects.filter(pk__in=keys))
        return rows.select_related("problem", "session__exam", "session__candidate__user").defer("code")

    @describe(
        "List answers across sessions",
        tag="submissions",
        answer=ListedSubmissionSerializer,
        gets=LISTED_EXAMPLE,
        says="Newest first, without the code, which `sessions/{id}/submissions?problem=` has.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return self.list(request, *args, **kwargs)


def with_length(rows: QuerySet[CodeSubmission]) -> QuerySet[Any]:
    """Add the number of characters of each code, which the database counts without sending it."""
    return rows.annotate(length=Length("code"))
