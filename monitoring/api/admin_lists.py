"""Candidates and sessions of the exams that somebody manages, with their risk."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import YesNoFilter
from accounts.lists import KeysFirst
from accounts.models import Candidate, Role
from accounts.openapi import describe
from accounts.permissions import IsTeacher, signed_in
from exams.api.parts import TimeFilter
from exams.kinds import RiskLevel
from exams.models import ExamAssignment, ExamSession
from exams.selectors import managed_exams
from monitoring.api.session_calls import SESSION_EXAMPLE, SessionCall, rows_of
from monitoring.api.session_serializers import SessionSerializer
from monitoring.api.sessions import SessionFilter, named_exam
from monitoring.models import Assessment, ReviewDecision
from monitoring.selectors import latest_outcome, with_scores
from monitoring.statistics import UNDECIDED, managed_sessions

CANDIDATE_EXAMPLE: dict[str, Any] = {
    "id": "3f6c1d8e-9a0b-4c5d-8e7f-1a2b3c4d5e6f",
    "user": "6a2f0c9b-7e5d-4c3b-8a19-0f1e2d3c4b5a",
    "email": "candidate@example.com",
    "full_name": "Candidate One",
    "external_id": "4711",
    "is_active": True,
    "created_at": "2026-02-20T08:00:00Z",
    "session_count": 2,
    "last_session_at": "2026-03-02T08:55:00Z",
    "highest_risk": 6.0,
    "highest_risk_level": "Medium",
}
ADMIN_SESSION_EXAMPLE: dict[str, Any] = {
    **SESSION_EXAMPLE,
    "status": "submitted",
    "ended_at": "2026-03-02T10:02:11Z",
    "risk_score": 5.0,
    "risk_level": "Medium",
    "reviewed_risk_score": 5.0,
    "trust_score": 75.0,
    "compliance_score": 97.5,
    "activity_count": 2,
    "outcome": None,
}


class NullsLastOrdering(OrderingFilter):
    """Puts what has no value last in either direction; equals keep their places from page to page."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        """Order as asked."""
        return queryset.order_by(*map(nulls_last, self.get_ordering(request, queryset, view) or ()), "pk")


def nulls_last(name: str) -> Any:
    """Return the order by a column (``-`` before it: falling) that puts nulls last."""
    column = F(name.lstrip("-"))
    return column.desc(nulls_last=True) if name.startswith("-") else column.asc(nulls_last=True)


class AdminCandidateSerializer(serializers.ModelSerializer):
    """A candidate and, in short, their sittings in the exams that the caller manages."""

    email = serializers.EmailField(read_only=True)
    full_name = serializers.CharField(read_only=True)
    is_active = serializers.BooleanField(source="user.is_active", read_only=True)
    session_count = serializers.IntegerField(read_only=True)
    last_session_at = serializers.DateTimeField(read_only=True, allow_null=True)
    highest_risk = serializers.FloatField(read_only=True, allow_null=True)
    highest_risk_level = serializers.ChoiceField(choices=RiskLevel.choices, read_only=True, allow_null=True)

    class Meta:
        model = Candidate
        fields = tuple(CANDIDATE_EXAMPLE)
        read_only_fields = fields


class AdminCandidateFilter(filters.FilterSet):
    """Candidates by words, exam, sittings and risk."""

    search = filters.CharFilter(method="find_words", max_length=200, help_text="Part of name, address or number.")
    exam = filters.CharFilter(method="of_exam", max_length=50, help_text="Id or code: assigned to it or sat it.")
    has_sessions = YesNoFilter(method="with_sessions", help_text="Whether they sat anything.")
    risk_level = filters.ChoiceFilter(field_name="highest_risk_level", choices=RiskLevel.choices)
    last_session_after = TimeFilter(field_name="last_session_at", lookup_expr="gte")
    last_session_before = TimeFilter(field_name="last_session_at", lookup_expr="lt")

    def find_words(self, rows: QuerySet[Candidate], name: str, value: str) -> QuerySet[Candidate]:
        """Keep candidates with this text in name, address or number."""
        found = Q(user__full_name__icontains=value) | Q(user__email__icontains=value)
        return rows.filter(found | Q(external_id__icontains=value))

    def of_exam(self, rows: QuerySet[Candidate], name: str, value: str) -> QuerySet[Candidate]:
        """Keep candidates of the exam, if the caller manages it."""
        return rows.filter(_candidates_of(named_exam(managed_exams(self.request.user), value)))

    def with_sessions(self, rows: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        """Keep those who sat something, or nothing."""
        return rows.filter(session_count__gt=0) if value else rows.filter(session_count=0)


def _candidates_of(exams: QuerySet[Any]) -> Q:
    wanted = exams.order_by().values("pk")
    assigned = ExamAssignment.objects.filter(exam__in=wanted).order_by().values("candidate")
    return Q(pk__in=assigned.union(ExamSession.objects.filter(exam__in=wanted).order_by().values("candidate")))


class AdminCandidateList(KeysFirst):
    """Candidates of the exams that the caller manages; all of them for admins."""

    queryset = Candidate.objects.none()
    permission_classes = [IsTeacher]
    serializer_class = AdminCandidateSerializer
    filter_backends = [filters.DjangoFilterBackend, NullsLastOrdering]
    filterset_class = AdminCandidateFilter
    ordering_fields = (
        "email",
        "full_name",
        "external_id",
        "created_at",
        "session_count",
        "last_session_at",
        "highest_risk",
    )
    ordering = ("email",)

    def get_queryset(self) -> QuerySet[Any]:
        """Return the candidates of the caller's exams with what their row tells."""
        user, candidates = signed_in(self.request), Candidate.objects.all()
        if not user.has_role(Role.ADMIN):
            candidates = candidates.filter(_candidates_of(managed_exams(user)))
        return self._told(candidates)

    def _told(self, candidates: QuerySet[Candidate]) -> QuerySet[Any]:
        """Add what a row tells; what is not asked for of all of them is counted for a page only."""
        user = signed_in(self.request)
        sat = managed_sessions(user).filter(candidate=OuterRef("pk")).order_by()
        worst = Assessment.objects.filter(is_current=True, session__candidate=OuterRef("pk"))
        if not user.has_role(Role.ADMIN):
            worst = worst.filter(session__exam__in=managed_exams(user).order_by().values("pk"))
        worst = worst.order_by("-risk_score", "pk")
        return candidates.annotate(
            email=F("user__email"),
            full_name=F("user__full_name"),
            session_count=Coalesce(Subquery(sat.values("candidate").annotate(n=Count("pk")).values("n")), 0),
            last_session_at=Subquery(sat.values("candidate").annotate(n=Max("created_at")).values("n")),
            highest_risk=Subquery(worst.values("risk_score")[:1]),
            highest_risk_level=Subquery(worst.values("risk_level")[:1]),
        )

    def rows(self, keys: list[UUID]) -> QuerySet[Any]:
        """Return these candidates."""
        return self._told(Candidate.objects.filter(pk__in=keys)).select_related("user")

    @describe(
        "List candidates",
        tag="admin",
        answer=AdminCandidateSerializer(many=True),
        gets=CANDIDATE_EXAMPLE,
        says="Admins see all candidates, teachers those assigned to their own exams or who sat one; sittings in other "
        "exams are not counted for them.",
    )
    def get(self, request: Request) -> Response:
        """Return a page of candidates."""
        return self.list(request)


class AdminSessionSerializer(SessionSerializer):
    """One sitting with its scores, the number of its activities, and its outcome."""

    activity_count = serializers.SerializerMethodField()
    outcome = serializers.SerializerMethodField(help_text="The outcome that holds; null while nobody has decided.")

    class Meta(SessionSerializer.Meta):
        fields = (*SessionSerializer.Meta.fields, "activity_count", "outcome")
        read_only_fields = fields

    def get_activity_count(self, session: Any) -> int:
        """Return how many activities the assessment that counts has."""
        return sum(line["count"] for line in session.breakdown or ())

    @extend_schema_field(serializers.ChoiceField(choices=ReviewDecision.Outcome.choices, allow_null=True))
    def get_outcome(self, session: Any) -> str | None:
        """Return the latest decision on the session."""
        outcome: str | None = session.outcome
        return outcome


class AdminSessionFilter(SessionFilter):
    """Sessions by what they are, when they were, words, and outcome."""

    outcome = filters.ChoiceFilter(
        choices=[*ReviewDecision.Outcome.choices, (UNDECIDED, UNDECIDED)], method="of_outcome"
    )

    def of_outcome(self, rows: QuerySet[ExamSession], name: str, value: str) -> QuerySet[ExamSession]:
        """Keep sessions with this outcome, or with none."""
        rows = rows.annotate(outcome=latest_outcome(to=signed_in(self.request)))
        return rows.filter(outcome__isnull=True) if value == UNDECIDED else rows.filter(outcome=value)


class ManagedSessionCall(SessionCall):
    """A call about the sessions of exams that the caller manages."""

    permission_classes = [IsTeacher]

    def get_queryset(self) -> QuerySet[Any]:
        """Return the sessions of the caller's own exams; all of them for admins."""
        return rows_of(managed_sessions(self.user))


class AdminSessionList(ManagedSessionCall, KeysFirst):
    """Sessions of the exams that the caller manages."""

    serializer_class = AdminSessionSerializer
    filter_backends = [filters.DjangoFilterBackend, NullsLastOrdering]
    filterset_class = AdminSessionFilter
    ordering_fields = (
        "created_at",
        "started_at",
        "ended_at",
        "status",
        "risk_score",
        "trust_score",
        "compliance_score",
    )
    ordering = ("-created_at",)

    def get_queryset(self) -> QuerySet[Any]:
        """Return the sessions, with scores only where they give the order: joining them all takes time."""
        sessions = managed_sessions(self.user)
        return with_scores(sessions) if "_score" in self.request.query_params.get("ordering", "") else sessions

    def rows(self, keys: list[UUID]) -> QuerySet[Any]:
        """Return these sessions with their scores and outcomes."""
        sessions = rows_of(ExamSession.objects.filter(pk__in=keys)).annotate(breakdown=F("current__breakdown"))
        found: QuerySet[Any] = sessions.annotate(outcome=latest_outcome(to=self.user))
        return found

    @describe(
        "List sessions with their risk and outcome",
        tag="admin",
        answer=AdminSessionSerializer(many=True),
        gets=ADMIN_SESSION_EXAMPLE,
        says="Admins see all sessions, teachers those of their own exams. `?ordering=-risk_score` puts the riskiest "
        "first, those without a score last.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of sessions."""
        return super().get(request, *args, **kwargs)
