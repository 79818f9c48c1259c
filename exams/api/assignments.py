"""Who may sit an exam, and who reviews it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import generics, serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.lists import KeysFirst
from accounts.models import User
from accounts.openapi import describe
from accounts.permissions import signed_in
from exams.api.exams import PersonSerializer
from exams.api.parts import (
    READ_BY_STAFF_WRITTEN_BY_TEACHERS,
    AccommodationsSerializer,
    find_exam,
    find_managed_exam,
)
from exams.authoring import (
    MAX_CANDIDATES_AT_ONCE,
    add_reviewer,
    assign_candidates,
    remove_reviewer,
    update_assignment,
    withdraw_candidate,
)
from exams.clock import allowed_time
from exams.models import Exam, ExamAssignment, ExamSession

ACCOMMODATIONS_EXAMPLE = {"extra_minutes": 10, "time_factor": 1.25, "break_minutes": 5, "muted": ["gaze"]}
ASSIGNED_EXAMPLE = {
    "id": "3f6c1d8e-9a0b-4c5d-8e7f-1a2b3c4d5e6f",
    "email": "candidate@example.com",
    "full_name": "Candidate One",
    "external_id": "4711",
    **ACCOMMODATIONS_EXAMPLE,
    "minutes_allowed": 85.0,
    "session_count": 0,
}
REVIEWER_EXAMPLE = {
    "id": "9e2f7d54-6b1c-4f0d-a3c2-8d7e6f5a4b3c",
    "email": "reviewer@example.com",
    "full_name": "Farid Hossain",
}
TO_ASSIGN_EXAMPLE = {
    "email": "candidate@example.com",
    "full_name": "Candidate One",
    "external_id": "4711",
    **ACCOMMODATIONS_EXAMPLE,
}


class AssignedCandidateSerializer(AccommodationsSerializer):
    """A candidate who may sit the exam, and what is arranged for them."""

    id = serializers.UUIDField(source="candidate_id", read_only=True, help_text="Of the candidate.")
    email = serializers.EmailField(read_only=True)
    full_name = serializers.CharField(read_only=True)
    external_id = serializers.CharField(source="candidate.external_id", read_only=True)
    minutes_allowed = serializers.SerializerMethodField(help_text="Their time on the clock, breaks not counted.")
    session_count = serializers.IntegerField(source="session_total", read_only=True, help_text="Their sittings of it.")

    class Meta(AccommodationsSerializer.Meta):
        fields = tuple(ASSIGNED_EXAMPLE)  # type: ignore[assignment]
        read_only_fields = fields

    def get_minutes_allowed(self, assignment: ExamAssignment) -> float:
        """Return the candidate's time on the clock in minutes."""
        return allowed_time(ExamSession(exam=assignment.exam), assignment).total_seconds() / 60


class CandidateToAssignSerializer(AccommodationsSerializer):
    """Who shall sit the exam, and what is arranged for them."""

    email = serializers.EmailField(max_length=254)
    full_name = serializers.CharField(
        max_length=200, required=False, allow_blank=True, help_text="For somebody new; others keep their name."
    )
    external_id = serializers.CharField(
        max_length=64, required=False, allow_blank=True, help_text="Number at the institution."
    )

    class Meta(AccommodationsSerializer.Meta):
        fields = tuple(TO_ASSIGN_EXAMPLE)  # type: ignore[assignment]


LIST_LIMITS: dict[str, Any] = {"max_length": MAX_CANDIDATES_AT_ONCE, "allow_empty": False}
CandidatesToAssign = PolymorphicProxySerializer(
    component_name="CandidatesToAssign",
    serializers=[
        CandidateToAssignSerializer,
        CandidateToAssignSerializer(many=True, **LIST_LIMITS),
    ],
    resource_type_field_name=None,
    many=False,
)
AssignedCandidates = PolymorphicProxySerializer(
    component_name="AssignedCandidates",
    serializers=[AssignedCandidateSerializer, AssignedCandidateSerializer(many=True)],
    resource_type_field_name=None,
    many=False,
)


class ReviewerToAddSerializer(serializers.Serializer):
    """Who shall review the exam: by address or by id."""

    email = serializers.EmailField(max_length=254, required=False)
    user = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for exactly one of the two."""
        if len(attrs) != 1:
            raise serializers.ValidationError(_("Name the reviewer by email or by user, one of the two."))
        return attrs


class CandidateFilter(filters.FilterSet):
    """Candidates by words."""

    search = filters.CharFilter(method="find_words", help_text="Part of the address, the name or the number.")

    def find_words(self, rows: QuerySet[ExamAssignment], name: str, value: str) -> QuerySet[ExamAssignment]:
        """Keep candidates with this text in address, name or number."""
        named = Q(candidate__user__email__icontains=value) | Q(candidate__user__full_name__icontains=value)
        return rows.filter(named | Q(candidate__external_id__icontains=value))


class AssignmentViews(generics.GenericAPIView):
    """Assigned candidates of an exam."""

    queryset = ExamAssignment.objects.none()
    permission_classes = READ_BY_STAFF_WRITTEN_BY_TEACHERS
    serializer_class = AssignedCandidateSerializer
    lookup_field = "candidate_id"
    lookup_url_kwarg = "candidate_pk"

    def get_queryset(self) -> QuerySet[Any]:
        """Return the list of the exam named in the address; writing needs the exam to be the caller's."""
        find = find_exam if self.request.method in SAFE_METHODS else find_managed_exam
        exam = find(signed_in(self.request), self.kwargs["pk"])
        return self.told(ExamAssignment.objects.filter(exam=exam))

    def told(self, rows: QuerySet[ExamAssignment]) -> QuerySet[Any]:
        """Add what a row tells."""
        sessions = ExamSession.objects.filter(exam=OuterRef("exam"), candidate=OuterRef("candidate")).order_by()
        total = sessions.values("candidate").annotate(n=Count("pk")).values("n")
        return rows.select_related("candidate__user", "exam").annotate(
            session_total=Coalesce(Subquery(total, output_field=IntegerField()), 0),
            email=F("candidate__user__email"),
            full_name=F("candidate__user__full_name"),
        )


class AssignmentList(KeysFirst, AssignmentViews):
    """Everyone who may sit an exam by name, and more of them."""

    filterset_class = CandidateFilter
    ordering_fields = ("email", "full_name")
    ordering = ("email",)

    def rows(self, keys: list[int]) -> QuerySet[Any]:
        """Return these assignments."""
        return self.told(ExamAssignment.objects.filter(pk__in=keys))

    @describe("List the candidates of an exam", tag="exams", answer=AssignedCandidateSerializer, gets=ASSIGNED_EXAMPLE)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return self.list(request, *args, **kwargs)

    @describe(
        "Assign candidates to an exam",
        tag="exams",
        request=CandidatesToAssign,
        sends=[TO_ASSIGN_EXAMPLE, {"email": "another@example.com"}],
        answer=AssignedCandidates,
        gets=[ASSIGNED_EXAMPLE],
        status=201,
        also=(200,),
        says="One, or a list of up to 500, of which all are taken or none; the answer has the shape of what was sent. "
        "People who are not known yet are made, without a password. Of a candidate assigned already, what is named "
        "changes. 201 if anybody is new to the exam, 200 otherwise.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Assign."""
        exam = find_managed_exam(signed_in(request), pk)
        data: Any = request.data
        many = isinstance(data, list)
        wanted = _read_list(data) if many else [_checked(CandidateToAssignSerializer, data)]
        try:
            assigned, new = assign_candidates(exam=exam, wanted=wanted)
        except ValidationError as error:
            raise serializers.ValidationError(_by_field(error, many)) from error
        rows = self.get_queryset().in_bulk([assignment.pk for assignment in assigned])
        answer = self.get_serializer([rows[assignment.pk] for assignment in assigned], many=True).data
        return Response(answer if many else answer[0], status=201 if new else 200)


class AssignmentDetail(generics.RetrieveAPIView, AssignmentViews):
    """One candidate of an exam."""

    @describe("Show a candidate of an exam", tag="exams", answer=AssignedCandidateSerializer, gets=ASSIGNED_EXAMPLE)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show."""
        return self.retrieve(request, *args, **kwargs)

    @describe(
        "Change what is arranged for a candidate",
        tag="exams",
        request=AccommodationsSerializer(partial=True),
        sends=ACCOMMODATIONS_EXAMPLE,
        answer=AssignedCandidateSerializer,
        gets=ASSIGNED_EXAMPLE,
        says="It holds from the next sitting on: muted detectors from when a session is made, time from when it "
        "begins. To give an open session more time, extend it.",
    )
    def patch(self, request: Request, pk: UUID, candidate_pk: UUID) -> Response:
        """Change."""
        changes = _checked(AccommodationsSerializer, request.data, partial=True)
        update_assignment(assignment=self.get_object(), **changes)
        return Response(self.get_serializer(self.get_object()).data)

    @describe(
        "Take a candidate off an exam",
        tag="exams",
        status=204,
        says="The person stays known. Refused (`in_use`) once they have a session in the exam.",
    )
    def delete(self, request: Request, pk: UUID, candidate_pk: UUID) -> Response:
        """Take off."""
        withdraw_candidate(assignment=self.get_object())
        return Response(status=204)


def _read_list(data: list[Any]) -> list[dict[str, Any]]:
    wanted = CandidateToAssignSerializer(data=data, many=True, **LIST_LIMITS)
    if not wanted.is_valid():
        raise serializers.ValidationError({"candidates": wanted.errors})
    return list(wanted.validated_data)


def _by_field(error: ValidationError, many: bool) -> dict[str, list[str]]:
    """Name fields as the sender knows them: ``candidates.3.email`` in a list, ``email`` alone."""
    said = error.message_dict.items()
    return {f"candidates.{name}" if many else name.removeprefix("0."): messages for name, messages in said}


def _checked(shape: type[serializers.BaseSerializer], data: Any, **options: Any) -> dict[str, Any]:
    sent = shape(data=data, **options)
    sent.is_valid(raise_exception=True)
    return dict(sent.validated_data)


class ReviewerViews(generics.GenericAPIView):
    """Reviewers of an exam."""

    queryset = User.objects.none()
    permission_classes = READ_BY_STAFF_WRITTEN_BY_TEACHERS
    serializer_class = PersonSerializer
    lookup_url_kwarg = "user_pk"

    def exam(self) -> Exam:
        """Return the exam named in the address; writing needs it to be the caller's."""
        find = find_exam if self.request.method in SAFE_METHODS else find_managed_exam
        return find(signed_in(self.request), self.kwargs["pk"])

    def get_queryset(self) -> QuerySet[User]:
        """Return who reviews it."""
        return self.exam().reviewers.all()


class ReviewerList(generics.ListAPIView, ReviewerViews):
    """Everyone who reviews an exam, and one more."""

    ordering_fields = ("email", "full_name")
    ordering = ("email",)

    @describe("List the reviewers of an exam", tag="exams", answer=PersonSerializer, gets=REVIEWER_EXAMPLE)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return self.list(request, *args, **kwargs)

    @describe(
        "Add a reviewer to an exam",
        tag="exams",
        request=ReviewerToAddSerializer,
        sends={"email": "reviewer@example.com"},
        answer=PersonSerializer,
        gets=REVIEWER_EXAMPLE,
        status=201,
        also=(200,),
        says="By `email` or by id (`user`): a reviewer or a teacher. 200 if they review it already.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Add."""
        exam = self.exam()
        named = _checked(ReviewerToAddSerializer, request.data)
        reviewer, new = add_reviewer(exam=exam, email=named.get("email", ""), user_id=named.get("user"))
        return Response(PersonSerializer(reviewer).data, status=201 if new else 200)


class ReviewerDetail(ReviewerViews):
    """One reviewer of an exam."""

    @describe("Take an exam from a reviewer", tag="exams", status=204, says="What they decided stays.")
    def delete(self, request: Request, pk: UUID, user_pk: UUID) -> Response:
        """Take away."""
        remove_reviewer(exam=self.exam(), reviewer=self.get_object())
        return Response(status=204)
