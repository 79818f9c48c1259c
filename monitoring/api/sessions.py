"""Sessions: making one, listing them, looking at one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Case, F, Q, QuerySet, When
from django.http import Http404
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Candidate, Role, User
from accounts.openapi import describe
from accounts.permissions import IsCandidate, IsStaff, IsTeacher
from exams.api.parts import TimeFilter
from exams.kinds import CandidateSees, RiskLevel
from exams.models import CLOSED_STATUSES, Exam, ExamSession, SessionStatus
from exams.selectors import managed_exams, sittable_exams, visible_exams
from exams.services import open_session
from monitoring.api.session_calls import (
    DETAIL_EXAMPLE,
    SESSION_EXAMPLE,
    SOCKET_EXAMPLE,
    SessionCall,
    rows_of,
    socket_of,
)
from monitoring.api.session_serializers import CreatedSessionSerializer, SessionDetailSerializer, SessionSerializer
from monitoring.selectors import reachable_sessions, with_scores


def named_exam(exams: QuerySet[Exam], name: str) -> QuerySet[Exam]:
    """Return the exam with this id or code, if it is among these."""
    try:
        return exams.filter(Q(code=name) | Q(pk=UUID(name)))
    except ValueError:
        return exams.filter(code=name)


def scores_told(user: User) -> Q:
    """Return the condition under which somebody other than an admin is told the scores of a session."""
    own = Q(candidate__user=user) & ~Q(exam__in=managed_exams(user).order_by().values("pk"))
    as_staff = Q(exam__in=visible_exams(user).order_by().values("pk")) & ~own
    return as_staff | Q(status__in=CLOSED_STATUSES) & ~Q(exam__candidate_sees=CandidateSees.NOTHING)


class SessionToCreateSerializer(serializers.Serializer):
    """Which exam shall be sat, and by whom if staff asks."""

    exam = serializers.CharField(max_length=50, help_text="The exam's id or code.")
    candidate = serializers.CharField(
        max_length=254,
        required=False,
        help_text="For staff: the candidate's id or e-mail address. Candidates leave it out.",
    )


class SessionFilter(filters.FilterSet):
    """Sessions by what they are, when they were, and words."""

    exam = filters.CharFilter(method="of_exam", help_text="Id or code.")
    candidate = filters.UUIDFilter(field_name="candidate")
    status = filters.MultipleChoiceFilter(choices=SessionStatus.choices)
    source = filters.ChoiceFilter(choices=ExamSession.Source.choices)
    risk_level = filters.ChoiceFilter(choices=RiskLevel.choices, method="of_risk")
    started_after = TimeFilter(field_name="started_at", lookup_expr="gte")
    started_before = TimeFilter(field_name="started_at", lookup_expr="lt")
    ended_after = TimeFilter(field_name="ended_at", lookup_expr="gte")
    ended_before = TimeFilter(field_name="ended_at", lookup_expr="lt")
    search = filters.CharFilter(method="find_words", help_text="Part of the candidate's name, address or the exam.")

    def of_exam(self, rows: QuerySet[ExamSession], name: str, value: str) -> QuerySet[ExamSession]:
        """Keep sessions of the exam with this id or code."""
        return rows.filter(exam__in=named_exam(Exam.objects.all(), value).order_by().values("pk"))

    def of_risk(self, rows: QuerySet[ExamSession], name: str, value: str) -> QuerySet[ExamSession]:
        """Keep sessions of this level, among those whose scores the caller is told."""
        if not self.request.user.has_role(Role.ADMIN):
            rows = rows.filter(scores_told(self.request.user))
        return rows.filter(assessments__is_current=True, assessments__risk_level=value)

    def find_words(self, rows: QuerySet[ExamSession], name: str, value: str) -> QuerySet[ExamSession]:
        """Keep sessions with this text in the candidate's name, address or number, or in the exam's code or title."""
        found = Q()
        for field in (
            "candidate__user__full_name",
            "candidate__user__email",
            "candidate__external_id",
            "exam__code",
            "exam__title",
        ):
            found |= Q(**{f"{field}__icontains": value})
        return rows.filter(found)


class SessionList(SessionCall, ListAPIView):
    """All sessions that the caller may see."""

    serializer_class = SessionSerializer
    filterset_class = SessionFilter
    ordering = ("-created_at",)

    def get_permissions(self) -> list[Any]:
        """Reviewers look at sessions and make none."""
        makers = IsCandidate | (IsTeacher if self.request.method == "POST" else IsStaff)
        return [makers()]

    @property
    def ordering_fields(self) -> tuple[str, ...]:
        """By what the list may be put in order; scores are for staff, as an order would give them away."""
        times = ("created_at", "started_at", "ended_at", "status")
        return (*times, "risk_score") if getattr(self.request.user, "is_staff", False) else times

    def get_queryset(self) -> QuerySet[Any]:
        """Return the caller's sessions, with scores only where they give the order: joining them all takes time."""
        sessions = reachable_sessions(self.user)
        if "risk_score" not in self.request.query_params.get("ordering", ""):
            return sessions
        scored = with_scores(sessions)
        if self.user.has_role(Role.ADMIN) or not self.user.has_role(Role.CANDIDATE):
            return scored
        # Of their own sessions, staff are told no more than other candidates, by an order neither.
        told: QuerySet[Any] = scored.annotate(
            risk_score=Case(When(scores_told(self.user), then=F("current__risk_score")))
        )
        return told

    def paginate_queryset(self, queryset: Any) -> Any:
        """Find the rows of the page first, then read what is shown of them: sorting whole rows takes far longer."""
        page = list(super().paginate_queryset(queryset.values_list("pk", flat=True)) or [])
        rows = {row.pk: row for row in rows_of(ExamSession.objects.filter(pk__in=page))}
        return [rows[pk] for pk in page if pk in rows]

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter and order; what was never watched comes last, and equals keep their places."""
        queryset = super().filter_queryset(queryset)
        order = [_last_if_null(name) if "risk_score" in str(name) else name for name in queryset.query.order_by]
        return queryset.order_by(*order, "pk")

    @describe(
        "List sessions",
        tag="sessions",
        answer=SessionSerializer(many=True),
        gets=SESSION_EXAMPLE,
        says="Candidates see their own, staff those of their exams. Scores are shown as the exam allows.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of sessions."""
        return super().get(request, *args, **kwargs)

    @describe(
        "Create a session",
        tag="sessions",
        request=SessionToCreateSerializer,
        sends={"exam": "algebra-1"},
        answer=CreatedSessionSerializer,
        gets={**DETAIL_EXAMPLE, "status": "created", "started_at": None, "deadline_at": None, "socket": SOCKET_EXAMPLE},
        status=201,
        says="For oneself, or as the exam's teacher for a candidate. Refused (409) while another session of the exam "
        "is open (already_open), outside the exam's window (outside_window), without consent to proctoring "
        "(consent_required) and when all sittings are used (no_attempts_left).",
    )
    def post(self, request: Request) -> Response:
        """Make a session and answer with it and the candidate's socket."""
        sent = self.checked(SessionToCreateSerializer)
        if "candidate" in sent:
            exam, candidate = self._managed(sent["exam"]), _named_candidate(sent["candidate"])
        else:
            exam, candidate = self._own(sent["exam"])
        session = open_session(exam=exam, candidate=candidate)
        own = candidate.user_id == self.user.pk
        socket = socket_of(session, request) if own else None
        return Response(self.shown(session.pk, CreatedSessionSerializer, socket=socket), status=201)

    def _managed(self, name: str) -> Exam:
        """Return an exam that the caller may make sessions of for others."""
        if not self.user.roles & IsTeacher.roles:
            raise PermissionDenied
        exam = named_exam(managed_exams(self.user), name).first()
        if exam is None and named_exam(visible_exams(self.user), name).exists():
            raise PermissionDenied
        if exam is None:
            raise Http404
        return exam

    def _own(self, name: str) -> tuple[Exam, Candidate]:
        """Return an exam that the caller may sit, and them as a candidate."""
        if not self.user.has_role(Role.CANDIDATE):
            raise serializers.ValidationError({"candidate": [_("Name the candidate who shall sit the exam.")]})
        exam = named_exam(sittable_exams(self.user), name).first()
        if exam is None:
            raise Http404
        return exam, self.user.candidate


def _last_if_null(name: Any) -> Any:
    column = F(name.lstrip("-"))
    return column.desc(nulls_last=True) if name.startswith("-") else column.asc(nulls_last=True)


def _named_candidate(name: str) -> Candidate:
    try:
        named = Q(pk=UUID(name))
    except ValueError:
        named = Q(user__email__iexact=name)
    candidate = Candidate.objects.select_related("user").filter(named).first()
    if candidate is None:
        raise serializers.ValidationError({"candidate": [_("There is no such candidate.")]})
    return candidate


class SessionDetail(SessionCall):
    """One session."""

    @describe(
        "Look at a session",
        tag="sessions",
        answer=SessionDetailSerializer,
        gets=DETAIL_EXAMPLE,
        says="Where it stands: its clock, what is arranged and examined, the system check, and the proctor's messages.",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the session."""
        return Response(self.get_serializer(self.find()).data)
