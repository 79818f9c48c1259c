"""All that was reported and found in one session, in one list by time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, DateTimeField, F, IntegerField, QuerySet, UUIDField, Value, When
from django.db.models.functions import Least
from django_filters import rest_framework as filters
from django_filters.utils import translate_validation
from drf_spectacular.utils import OpenApiParameter
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.openapi import describe
from exams.api.parts import TimeFilter
from exams.kinds import Severity, kind_label
from exams.models import ExamSession
from monitoring.api.admin_lists import ManagedSessionCall
from monitoring.api.record_rows import (
    ACTIVITY_ROW,
    ActivitySerializer,
    LogSerializer,
    SessionRowFilter,
    rows_with_verdict,
)
from monitoring.models import MonitoringLog, SuspiciousActivity

LOG_TYPE, ACTIVITY_TYPE = "log", "activity"
PLACE = ("session__exam", "session__candidate__user")
EVENT_EXAMPLE: dict[str, Any] = {
    "at": "2026-03-02T09:20:02Z",
    "type": ACTIVITY_TYPE,
    "kind": "MULTIPLE_FACES",
    "label": "Several faces",
    "severity": 1,
    "log": None,
    "activity": ACTIVITY_ROW,
}

Where = tuple[datetime, int, int | None, UUID | None]
"""When something happened, its place among what happened then, and the key of its log entry or of its activity."""

WHERE = ("at", "place", "log", "activity")


class SessionEventSerializer(serializers.Serializer):
    """Something that was reported or found; ``log`` or ``activity`` is the whole of it."""

    at = serializers.DateTimeField(help_text="What was reported from outside never lies after it arrived.")
    type = serializers.ChoiceField(choices=[LOG_TYPE, ACTIVITY_TYPE])
    kind = serializers.CharField()
    label = serializers.CharField(help_text="The kind in words.")  # type: ignore[assignment]
    severity = serializers.ChoiceField(choices=Severity.choices)
    log = LogSerializer(allow_null=True)
    activity = ActivitySerializer(allow_null=True)


class LogEventFilter(SessionRowFilter):
    """What of the log is listed."""

    rows_are = LOG_TYPE

    type = filters.ChoiceFilter(choices=[(LOG_TYPE, LOG_TYPE), (ACTIVITY_TYPE, ACTIVITY_TYPE)], method="of_type")
    kind = filters.CharFilter(field_name="event_type", method="of_kind")
    after = TimeFilter(field_name="at", lookup_expr="gte")
    before = TimeFilter(field_name="at", lookup_expr="lt")

    def of_type(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Keep all rows or none."""
        return rows if value == self.rows_are else rows.none()


class ActivityEventFilter(LogEventFilter):
    """Which activities are listed."""

    rows_are = ACTIVITY_TYPE

    kind = filters.CharFilter(method="of_kind")


class AdminSessionEvents(ManagedSessionCall, generics.ListAPIView):
    """Everything that was reported and found in one session."""

    serializer_class = SessionEventSerializer
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = LogEventFilter

    @describe(
        "List everything that was reported and found in a session",
        tag="admin",
        answer=SessionEventSerializer(many=True),
        gets=EVENT_EXAMPLE,
        parameters=[OpenApiParameter("ordering", str, enum=["at", "-at"], description="Oldest (at) or newest first.")],
        says="The log without what was set aside, and the activities that count, in one list by time.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of events."""
        session, newest_first = self.find(), request.query_params.get("ordering") == "-at"
        places = self._log(session).union(self._activities(session), all=True)
        page = self.paginate_queryset(places.order_by(*(f"-{name}" if newest_first else name for name in WHERE)))
        return self.get_paginated_response(SessionEventSerializer(_events(page or (), to=self.user), many=True).data)

    def _log(self, session: ExamSession) -> QuerySet[Any]:
        trusted = (MonitoringLog.Source.SERVER, MonitoringLog.Source.PROCTOR)
        believed = Case(
            When(source__in=trusted, then=F("occurred_at")),
            default=Least("occurred_at", "received_at"),
            output_field=DateTimeField(),
        )
        rows = MonitoringLog.objects.filter(session=session, clearing__isnull=True).annotate(at=believed)
        return self._places(LogEventFilter, rows, place=Value(0), log=F("pk"), activity=Value(None, UUIDField()))

    def _activities(self, session: ExamSession) -> QuerySet[Any]:
        rows = SuspiciousActivity.objects.filter(session=session, assessment__is_current=True)
        rows = rows.annotate(at=F("started_at"))
        return self._places(
            ActivityEventFilter, rows, place=Value(1), log=Value(None, IntegerField()), activity=F("pk")
        )

    def _places(self, wanted: type[LogEventFilter], rows: QuerySet[Any], **keys: Any) -> QuerySet[Any]:
        """Return when the rows happened and their keys, less what is filtered out."""
        asked = wanted(self.request.query_params, queryset=rows, request=self.request)
        if not asked.is_valid():
            raise translate_validation(asked.errors)
        places: QuerySet[Any] = asked.qs.order_by().annotate(**keys).values_list(*WHERE)
        return places


def _events(places: Iterable[Where], *, to: User) -> list[dict[str, Any]]:
    """Return the rows behind one page, in two queries."""
    places = list(places)
    logs = MonitoringLog.objects.select_related(*PLACE).in_bulk([log for *_at, log, _key in places if log])
    keys = [key for *_rest, key in places if key]
    found = rows_with_verdict(SuspiciousActivity.objects.filter(pk__in=keys), to=to)
    activities = {row.pk: row for row in found.select_related(*PLACE, "evidence")}
    events = []
    for at, _place, log_key, activity_key in places:
        log, activity = logs.get(log_key), activities.get(activity_key)
        if log is not None:
            events.append(_event(at, LOG_TYPE, log.event_type, log))
        elif activity is not None:  # it is gone where another assessment took its place a moment ago
            events.append(_event(at, ACTIVITY_TYPE, activity.kind, activity))
    return events


def _event(at: datetime, kind_of_row: str, kind: str, row: MonitoringLog | SuspiciousActivity) -> dict[str, Any]:
    about = {"at": at, "type": kind_of_row, "kind": kind, "label": kind_label(kind), "severity": row.severity}
    return {**about, LOG_TYPE: None, ACTIVITY_TYPE: None, kind_of_row: row}
