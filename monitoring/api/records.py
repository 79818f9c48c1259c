"""Lists of what was reported, found and observed: of one session, and across sessions."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Refused
from accounts.lists import OwnKeysFirst
from accounts.models import Role
from accounts.openapi import describe
from accounts.permissions import IsCandidate, IsStaff, signed_in
from exams.kinds import kind_label
from exams.selectors import of_exams, sat_by, visible_exams
from monitoring import intake, services
from monitoring.api.access import Reached, find_session
from monitoring.api.answers import ACTIVITY, BriefActivitySerializer
from monitoring.api.events import EVENT, EventSerializer, report_of
from monitoring.api.fields import EventTypeField
from monitoring.api.record_rows import (
    ACTIVITY_ROW,
    LOG,
    OBSERVATION,
    ActivityFilter,
    ActivitySerializer,
    LogFilter,
    LogSerializer,
    ObservationFilter,
    ObservationSerializer,
    SessionActivityFilter,
    SessionLogFilter,
    SessionObservationFilter,
    rows_with_verdict,
)
from monitoring.models import MonitoringLog, Observation, SuspiciousActivity
from monitoring.session_summary import told_logs

PLACE = ("session__exam", "session__candidate__user")
LOGS = MonitoringLog.objects.filter(clearing__isnull=True)


class LogSummarySerializer(serializers.Serializer):
    """How often one event was reported; what a candidate sees of the log."""

    event_type = serializers.CharField()
    label = serializers.SerializerMethodField(help_text="The event in words.")  # type: ignore[assignment]
    count = serializers.IntegerField()
    last_at = serializers.DateTimeField()

    def get_label(self, row: dict[str, Any]) -> str:
        """Return the event in words."""
        return kind_label(row["event_type"])


class ActivitySummarySerializer(serializers.Serializer):
    """How often one kind was found; what a candidate sees of the activities."""

    kind = serializers.CharField()
    label = serializers.SerializerMethodField(help_text="The kind in words.")  # type: ignore[assignment]
    count = serializers.IntegerField()
    last_at = serializers.DateTimeField()

    def get_label(self, row: dict[str, Any]) -> str:
        """Return the kind in words."""
        return kind_label(row["kind"])


class ActivityToReportSerializer(EventSerializer):
    """Something suspicious that a client or a proctor saw."""

    event_type = None  # type: ignore[assignment]
    seq = None  # type: ignore[assignment]
    kind = EventTypeField(max_length=64, source="event_type", help_text="Such as TAB_SWITCH; or a name of your own.")


class ReportedActivitySerializer(serializers.Serializer):
    """What became of the report."""

    kind = serializers.CharField()
    activity = BriefActivitySerializer(
        allow_null=True, help_text="Null where pictures decide, the kind rests, or the policy does not count it."
    )


def _either(name: str, rows: type[Any], summary: type[Any]) -> PolymorphicProxySerializer:
    return PolymorphicProxySerializer(name, serializers=[rows, summary], resource_type_field_name=None, many=True)


class SessionRecordList(generics.ListAPIView):
    """Rows of one session; its candidate reads a summary, where there is one."""

    permission_classes = [IsStaff | IsCandidate]
    summary_of = ""
    """The field by which rows are summed up, and the time of each; empty where candidates see nothing."""

    time = ""
    summary_serializer: type[Any] = LogSummarySerializer

    @property
    def throttle_scope(self) -> str | None:
        """Reading is not limited."""
        return "intake" if self.request.method == "POST" else None

    @cached_property
    def reached(self) -> Reached:
        """The session of the address."""
        return find_session(self.request, self.kwargs["pk"])

    def rows(self) -> QuerySet[Any]:
        """Return the session's rows of the list."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        """Return the rows with all that is shown of them."""
        return self.rows().select_related(*PLACE)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer rows to staff, and to the candidate how many of which kind there are."""
        if self.reached.as_staff:
            return super().list(request, *args, **kwargs)
        rows = self.rows().order_by().values(self.summary_of)
        page = self.paginate_queryset(
            rows.annotate(count=Count("pk"), last_at=Max(self.time)).order_by(self.summary_of)
        )
        return self.get_paginated_response(self.summary_serializer(page, many=True).data)

    def record(self, report: services.Report) -> services.Recorded:
        """Write down what the caller reports: a proctor at any time, the candidate while the session is on."""
        session = self.reached.session
        if self.reached.as_staff:
            proctor = MonitoringLog.Source.PROCTOR
            return services.record_events(session_id=session.pk, reports=[report], source=proctor)
        return intake.take_events(session=session, reports=[report], source=MonitoringLog.Source.CLIENT)


class SessionLogs(SessionRecordList):
    """What was reported of one session."""

    queryset = MonitoringLog.objects.none()
    serializer_class = LogSerializer
    filterset_class = SessionLogFilter
    ordering_fields = ("occurred_at", "received_at", "event_type", "severity", "id")
    ordering = ("occurred_at", "id")
    summary_of, time, summary_serializer = "event_type", "occurred_at", LogSummarySerializer

    def rows(self) -> QuerySet[MonitoringLog]:
        """Return the session's log less what was set aside."""
        logs = LOGS.filter(session=self.reached.session)
        return logs if self.reached.as_staff else told_logs(logs)

    @describe(
        "List a session's log",
        tag="monitoring",
        answer=_either("LogRow", LogSerializer, LogSummarySerializer),
        gets=LOG,
        says="Staff see every entry that was not set aside; the candidate sees how often each event was reported, "
        "but not what the proctor wrote down.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return super().get(request, *args, **kwargs)

    @describe(
        "Write into a session's log",
        tag="monitoring",
        request=EventSerializer,
        sends=EVENT,
        answer=LogSerializer,
        gets=LOG | {"source": "client"},
        status=201,
        also=[200],
        says="From the candidate it counts as reported by the client, from staff as the proctor's word, at any time. "
        "NOTE is written down only; kinds of the policy count as they do there. A number that is there already "
        "answers 200 with the entry as it is, unless it is of the other side (409, number_taken).",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Write."""
        sent = EventSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        recorded = self.record(report_of(sent.validated_data))
        own = MonitoringLog.objects.select_related(*PLACE).filter(session=self.reached.session)
        log = own.get(pk=recorded.logs[0].pk) if recorded.logs else own.get(seq=sent.validated_data["seq"])
        if log.is_trusted != self.reached.as_staff:  # what the proctor wrote is not the candidate's to read
            raise Refused(_("Somebody else's entry has this number; send yours with another one."), code="number_taken")
        return Response(LogSerializer(log).data, status=201 if recorded.logs else 200)


class SessionActivities(SessionRecordList):
    """What was found in one session."""

    queryset = SuspiciousActivity.objects.none()
    serializer_class = ActivitySerializer
    filterset_class = SessionActivityFilter
    ordering_fields = ("started_at", "kind", "severity", "confidence")
    ordering = ("started_at", "kind")
    summary_of, time, summary_serializer = "kind", "started_at", ActivitySummarySerializer

    def rows(self) -> QuerySet[Any]:
        """Return the session's activities under the rules that count."""
        rows = SuspiciousActivity.objects.filter(session=self.reached.session)
        return rows_with_verdict(rows, to=signed_in(self.request))

    @describe(
        "List a session's activities",
        tag="monitoring",
        answer=_either("ActivityRow", ActivitySerializer, ActivitySummarySerializer),
        gets=ACTIVITY_ROW,
        says="Staff see every activity under the policy that counts; the candidate sees how many there are of which "
        "kind.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return super().get(request, *args, **kwargs)

    @describe(
        "Report an activity",
        tag="monitoring",
        request=ActivityToReportSerializer,
        sends={"kind": "SECOND_SCREEN", "severity": "medium", "detail": {"screens": 2}},
        answer=ReportedActivitySerializer,
        gets={"kind": "SECOND_SCREEN", "activity": ACTIVITY | {"kind": "SECOND_SCREEN", "label": "Second screen"}},
        status=201,
        says="Written into the log, and an activity only if the kind is a fact of an instant in the exam's policy; it "
        "is marked `reported_by` client or proctor. What pictures decide is written down and decided by pictures.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Report."""
        sent = ActivityToReportSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        report = report_of(sent.validated_data)
        found = next(iter(self.record(report).activities), None)
        return Response(ReportedActivitySerializer({"kind": report.event_type, "activity": found}).data, status=201)


class SessionObservations(SessionRecordList):
    """The facts of one session."""

    queryset = Observation.objects.none()
    permission_classes = [IsStaff]
    serializer_class = ObservationSerializer
    filterset_class = SessionObservationFilter
    ordering_fields = ("captured_at", "seq")
    ordering = ("captured_at", "seq")

    def rows(self) -> QuerySet[Observation]:
        """Return the session's observations."""
        if not self.reached.as_staff:
            raise PermissionDenied
        return Observation.objects.filter(session=self.reached.session)

    @describe(
        "List a session's observations", tag="monitoring", answer=ObservationSerializer(many=True), gets=OBSERVATION
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return super().get(request, *args, **kwargs)


class StaffList(OwnKeysFirst):
    """Rows of all sessions that the caller sees as staff."""

    permission_classes = [IsStaff]
    everybodys: QuerySet[Any]

    def visible(self, *, walk: bool) -> QuerySet[Any]:
        """Return the rows of the caller's exams, but for those of their own sittings."""
        user = signed_in(self.request)
        if user.has_role(Role.ADMIN):
            return self.everybodys.all()
        rows = self.everybodys.exclude(session__in=sat_by(user).order_by().values("pk"))
        return of_exams(rows, visible_exams(user), walk=walk)

    def rows(self, keys: list[Any]) -> QuerySet[Any]:
        """Return these rows with all that is shown of them."""
        return self.everybodys.filter(pk__in=keys).select_related(*PLACE)


class LogList(StaffList):
    """What was reported of all sessions."""

    queryset = MonitoringLog.objects.none()
    everybodys = LOGS
    serializer_class = LogSerializer
    filterset_class = LogFilter
    ordering_fields = ("occurred_at", "received_at", "event_type", "severity", "id")
    ordering = ("-id",)
    indexed = frozenset({"id", "occurred_at"})

    @describe("List log entries of all sessions", tag="monitoring", answer=LogSerializer(many=True), gets=LOG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return super().get(request, *args, **kwargs)


class ActivityList(StaffList):
    """What was found in all sessions."""

    queryset = SuspiciousActivity.objects.none()
    serializer_class = ActivitySerializer
    filterset_class = ActivityFilter
    ordering_fields = ("started_at", "kind", "severity", "confidence")
    ordering = ("-started_at",)
    indexed = frozenset({"started_at"})

    @property
    def everybodys(self) -> QuerySet[Any]:  # type: ignore[override]
        """All activities, with the verdicts that the caller is shown."""
        return rows_with_verdict(SuspiciousActivity.objects.all(), to=signed_in(self.request))

    @describe(
        "List activities of all sessions", tag="monitoring", answer=ActivitySerializer(many=True), gets=ACTIVITY_ROW
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return super().get(request, *args, **kwargs)


class ObservationList(StaffList):
    """The facts of all sessions."""

    queryset = Observation.objects.none()
    everybodys = Observation.objects.all()
    serializer_class = ObservationSerializer
    filterset_class = ObservationFilter
    ordering_fields = ("captured_at", "seq", "id")
    ordering = ("-id",)
    indexed = frozenset({"id"})

    @describe(
        "List observations of all sessions", tag="monitoring", answer=ObservationSerializer(many=True), gets=OBSERVATION
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        return super().get(request, *args, **kwargs)
