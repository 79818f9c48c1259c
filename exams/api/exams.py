"""Exams: the list, one, and changing them."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import YesNoFilter
from accounts.models import Role, User
from accounts.openapi import describe
from accounts.permissions import signed_in
from exams.api.parts import (
    READ_BY_ALL_WRITTEN_BY_TEACHERS,
    AccommodationsSerializer,
    TimeField,
    TimeFilter,
    find_managed_exam,
)
from exams.authoring import delete_exam, update_exam
from exams.clock import allowed_time
from exams.models import Exam, ExamAssignment, ExamSession
from exams.selectors import listed_exams, may_manage, with_counts
from exams.services import create_exam

MAX_TEXT_LENGTH = 50_000

CANDIDATE_EXAMPLE = {
    "seen_as": "candidate",
    "id": "0b9c7c1e-5d1a-4c0e-9a53-3f1f6a1f2b11",
    "code": "algebra-1",
    "title": "Algebra 1",
    "instructions": "Stay alone in the room.",
    "opens_at": "2026-03-02T09:00:00Z",
    "closes_at": "2026-03-02T12:00:00Z",
    "duration_minutes": 60,
    "requires_check": True,
    "max_attempts": 1,
    "candidate_sees": "scores",
    "problem_count": 3,
    "accommodations": {"extra_minutes": 10, "time_factor": 1.25, "break_minutes": 5, "muted": ["gaze"]},
    "minutes_allowed": 85.0,
}
STAFF_EXAMPLE = {
    "seen_as": "staff",
    "id": "0b9c7c1e-5d1a-4c0e-9a53-3f1f6a1f2b11",
    "code": "algebra-1",
    "title": "Algebra 1",
    "instructions": "Stay alone in the room.",
    "opens_at": "2026-03-02T09:00:00Z",
    "closes_at": "2026-03-02T12:00:00Z",
    "duration_minutes": 60,
    "requires_check": True,
    "open_to_all": False,
    "max_attempts": 1,
    "mail_when_high": True,
    "candidate_sees": "scores",
    "appeal_days": 7,
    "owner": {
        "id": "5a0f6f0e-0d5f-4b39-8b5d-6a0a3f6f9e21",
        "email": "teacher@example.com",
        "full_name": "Teacher One",
    },
    "problem_count": 3,
    "candidate_count": 28,
    "session_count": 0,
    "policy_version": 1,
    "created_at": "2026-02-01T08:00:00Z",
    "may_change": True,
}
CHANGE_EXAMPLE = {
    "title": "Algebra 1",
    "code": "algebra-1",
    "instructions": "Stay alone in the room.",
    "opens_at": "2026-03-02T09:00:00Z",
    "closes_at": "2026-03-02T12:00:00Z",
    "duration_minutes": 60,
    "max_attempts": 1,
    "mail_when_high": True,
}


class PersonSerializer(serializers.ModelSerializer):
    """A user, by name."""

    class Meta:
        model = User
        fields = ("id", "email", "full_name")
        read_only_fields = fields


class StaffExamSerializer(serializers.ModelSerializer):
    """An exam as its staff sees it."""

    seen_as = serializers.SerializerMethodField()
    owner = PersonSerializer(read_only=True)
    problem_count = serializers.IntegerField(source="problem_total", read_only=True)
    candidate_count = serializers.IntegerField(source="candidate_total", read_only=True)
    session_count = serializers.IntegerField(source="session_total", read_only=True)
    policy_version = serializers.IntegerField(source="newest_version", read_only=True, allow_null=True)
    may_change = serializers.SerializerMethodField(help_text="Whether you may change it, or only look at it.")

    class Meta:
        model = Exam
        fields = tuple(STAFF_EXAMPLE)
        read_only_fields = fields

    @extend_schema_field({"type": "string", "enum": ["staff"]})
    def get_seen_as(self, exam: Exam) -> str:
        """Say in which role the caller sees the exam."""
        return "staff"

    def get_may_change(self, exam: Exam) -> bool:
        """Say whether the caller may change the exam."""
        return may_manage(signed_in(self.context["request"]), exam)


class OwnAccommodationsSerializer(AccommodationsSerializer):
    """What is arranged for whoever asks, which may be nothing special."""

    def get_attribute(self, instance: Any) -> ExamAssignment:
        """Return the caller's assignment, or what holds for somebody without one."""
        return _own_assignment(instance) or ExamAssignment()


class CandidateExamSerializer(serializers.ModelSerializer):
    """An exam as a candidate sees it; the problems come when the exam has begun."""

    seen_as = serializers.SerializerMethodField()
    problem_count = serializers.IntegerField(source="problem_total", read_only=True)
    accommodations = OwnAccommodationsSerializer(read_only=True, help_text="What is arranged for you.")
    minutes_allowed = serializers.SerializerMethodField(help_text="Your time on the clock, breaks not counted.")

    class Meta:
        model = Exam
        fields = tuple(CANDIDATE_EXAMPLE)
        read_only_fields = fields

    @extend_schema_field({"type": "string", "enum": ["candidate"]})
    def get_seen_as(self, exam: Exam) -> str:
        """Say in which role the caller sees the exam."""
        return "candidate"

    def get_minutes_allowed(self, exam: Any) -> float:
        """Return the caller's time on the clock in minutes."""
        return allowed_time(ExamSession(exam=exam), _own_assignment(exam)).total_seconds() / 60


class ListedExamSerializer(serializers.BaseSerializer):
    """An exam as whoever asks may see it."""

    @cached_property
    def shapes(self) -> dict[bool, serializers.BaseSerializer]:
        """What staff sees and what a candidate sees; made once, since making them takes longer than using them."""
        return {
            True: StaffExamSerializer(context=self.context),
            False: CandidateExamSerializer(context=self.context),
        }

    def to_representation(self, instance: Any) -> Any:
        """Return what staff or a candidate sees of it."""
        return self.shapes[bool(instance.as_staff)].to_representation(instance)


class ExamDetailsSerializer(serializers.ModelSerializer):
    """What can be said of an exam."""

    opens_at = TimeField(required=False, allow_null=True, help_text="From when it may be begun; null: at any time.")
    closes_at = TimeField(required=False, allow_null=True, help_text="Until when it may be begun; null: at any time.")
    owner = serializers.PrimaryKeyRelatedField(
        queryset=User.objects.filter(is_active=True),
        pk_field=serializers.UUIDField(),
        required=False,
        help_text="Whose exam it is; only an admin names somebody else.",
    )

    class Meta:
        model = Exam
        fields = (
            "code",
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
            "appeal_days",
            "owner",
        )
        extra_kwargs = {
            "code": {"required": False, "help_text": "Short public name; made from the title if left out."},
            "instructions": {"max_length": MAX_TEXT_LENGTH},
            "max_attempts": {"min_value": 1, "max_value": 1000},
            "mail_when_high": {"help_text": "E-mail to its teacher and reviewers when a session turns High."},
        }

    def validate_owner(self, owner: User) -> User:
        """Refuse people who cannot own an exam, and gifts to others by anyone but an admin."""
        caller = signed_in(self.context["request"])
        if owner != caller and not caller.has_role(Role.ADMIN):
            raise serializers.ValidationError(_("Only an admin gives an exam to somebody else."))
        if not owner.roles & {Role.TEACHER, Role.ADMIN}:
            raise serializers.ValidationError(_("An exam belongs to a teacher or an admin."))
        return owner


def _own_assignment(exam: Any) -> ExamAssignment | None:
    return exam.own_assignments[0] if exam.own_assignments else None


AnyExam = PolymorphicProxySerializer(
    component_name="AnyExam",
    serializers={"staff": StaffExamSerializer, "candidate": CandidateExamSerializer},
    resource_type_field_name="seen_as",
)


class ExamFilter(filters.FilterSet):
    """Exams by window, code and words."""

    code = filters.CharFilter()
    search = filters.CharFilter(method="find_words", help_text="Part of the code or the title.")
    open_now = YesNoFilter(method="find_open", help_text="Whether it may be begun at this moment.")
    opens_after = TimeFilter(field_name="opens_at", lookup_expr="gte")
    opens_before = TimeFilter(field_name="opens_at", lookup_expr="lt")
    closes_after = TimeFilter(field_name="closes_at", lookup_expr="gte")
    closes_before = TimeFilter(field_name="closes_at", lookup_expr="lt")

    def find_words(self, exams: QuerySet[Exam], name: str, value: str) -> QuerySet[Exam]:
        """Keep exams with this text in code or title."""
        return exams.filter(Q(code__icontains=value) | Q(title__icontains=value))

    def find_open(self, exams: QuerySet[Exam], name: str, value: bool) -> QuerySet[Exam]:
        """Keep exams whose window is open, or those whose window is not."""
        now = timezone.now()
        begun = Q(opens_at__isnull=True) | Q(opens_at__lte=now)
        is_open = begun & (Q(closes_at__isnull=True) | Q(closes_at__gt=now))
        return exams.filter(is_open) if value else exams.exclude(is_open)


class ExamViews(generics.GenericAPIView):
    """Exams that the caller sees."""

    queryset = Exam.objects.none()
    permission_classes = READ_BY_ALL_WRITTEN_BY_TEACHERS
    serializer_class = ListedExamSerializer

    def get_queryset(self) -> QuerySet[Any]:
        """Return what the caller sees in any role."""
        return with_counts(listed_exams(signed_in(self.request))).select_related("owner")

    def read_details(self, exam: Exam | None = None) -> dict[str, Any]:
        """Return what was sent about an exam, checked."""
        details = ExamDetailsSerializer(
            exam, data=self.request.data, partial=exam is not None, context=self.get_serializer_context()
        )
        details.is_valid(raise_exception=True)
        return dict(details.validated_data)

    def answer(self, pk: UUID, status: int) -> Response:
        """Answer the exam as its staff sees it."""
        exam = self.get_queryset().get(pk=pk)
        return Response(StaffExamSerializer(exam, context=self.get_serializer_context()).data, status=status)


class ExamList(generics.ListAPIView, ExamViews):
    """All exams, and a new one."""

    filterset_class = ExamFilter
    ordering_fields = ("code", "title", "opens_at", "closes_at", "created_at")
    ordering = ("code",)

    @describe(
        "List exams",
        tag="exams",
        answer=AnyExam,
        gets=STAFF_EXAMPLE,
        says="Candidates see exams assigned or open to them, teachers their own, reviewers those they review, admins "
        "all. Each is shown in the role in which you see it: `seen_as`.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return self.list(request, *args, **kwargs)

    @describe(
        "Make an exam",
        tag="exams",
        request=ExamDetailsSerializer,
        sends=CHANGE_EXAMPLE,
        answer=StaffExamSerializer,
        gets=STAFF_EXAMPLE,
        status=201,
        says="The exam is yours (an admin may name another owner) and begins with version 1 of its policy, the default "
        "one.",
    )
    def post(self, request: Request) -> Response:
        """Make."""
        exam = create_exam(**{"owner": signed_in(request), **self.read_details()})
        return self.answer(exam.pk, 201)


class ExamDetail(generics.RetrieveAPIView, ExamViews):
    """One exam."""

    @describe("Show an exam", tag="exams", answer=AnyExam, gets=CANDIDATE_EXAMPLE)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show."""
        return self.retrieve(request, *args, **kwargs)

    @describe(
        "Change an exam",
        tag="exams",
        request=ExamDetailsSerializer(partial=True),
        sends={"title": "Algebra 1, second part", "duration_minutes": 75},
        answer=StaffExamSerializer,
        gets=STAFF_EXAMPLE,
        says="Also while it is sat: running sessions keep the deadline they have.",
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        """Change."""
        exam = find_managed_exam(signed_in(request), pk)
        update_exam(exam=exam, **self.read_details(exam))
        return self.answer(exam.pk, 200)

    @describe(
        "Delete an exam",
        tag="exams",
        status=204,
        says="With its problems, policy and lists; refused (`in_use`) once it has sessions.",
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete."""
        delete_exam(exam=find_managed_exam(signed_in(request), pk))
        return Response(status=204)
