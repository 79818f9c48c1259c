"""What the browser and other clients report: events, one or many at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.openapi import describe
from accounts.permissions import IsCandidate, signed_in
from accounts.throttling import Allowance
from exams.kinds import Kind
from monitoring import intake
from monitoring.api.access import find_own_session
from monitoring.api.answers import ACTIVITY, BriefActivitySerializer
from monitoring.api.fields import DetailField, EventTypeField, MomentField, SeverityField
from monitoring.events import DetailError, counters_only
from monitoring.models import MonitoringLog
from monitoring.services import Recorded, Report

MOST_EVENTS = 500
EVENT = {
    "event_type": "TAB_SWITCH",
    "severity": "low",
    "detail": {"duration_s": 4},
    "occurred_at": "2026-03-02T09:12:31Z",
    "seq": 7,
}


class EventSerializer(serializers.Serializer):
    """Something that happened on the candidate's side."""

    event_type = EventTypeField(
        max_length=64, help_text="Such as TAB_SWITCH; usual spellings are understood, unknown names kept as they are."
    )
    severity = SeverityField(required=False, allow_null=True, help_text="Without it, what the exam's policy says.")
    detail = DetailField(
        required=False,
        help_text="At most 8 kB. Of ACTIVITY only the counts `keys` and `mouse` are kept. `duration_s` is believed.",
    )
    occurred_at = MomentField(required=False, allow_null=True, help_text="Else now; within the session in any case.")
    seq = serializers.IntegerField(
        min_value=0,
        max_value=intake.LARGEST_SEQ,
        required=False,
        allow_null=True,
        help_text="Your number of it; a number is taken once, so that an event may be sent again.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Keep of what was typed and moved only how often."""
        if attrs["event_type"] == Kind.ACTIVITY:
            try:
                attrs["detail"] = counters_only(attrs.get("detail", {}))
            except DetailError as error:
                message = _("keys and mouse are whole numbers from 0 to 1,000,000.")
                raise serializers.ValidationError({"detail": [message]}) from error
        return attrs


class EventBatchSerializer(serializers.Serializer):
    """Several events at once, all of which are taken or none."""

    events: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=EventSerializer(), allow_empty=False, max_length=MOST_EVENTS
    )


class EventsTakenSerializer(serializers.Serializer):
    """What became of the events."""

    accepted = serializers.IntegerField(help_text="Events written down.")
    repeated = serializers.IntegerField(help_text="Events whose number was there already; nothing was done with them.")
    activities = BriefActivitySerializer(many=True, help_text="Activities that came of them.")


Events = PolymorphicProxySerializer(
    component_name="Events",
    serializers=[EventBatchSerializer, EventSerializer, EventSerializer(many=True)],
    resource_type_field_name=None,
    many=False,
)


def read_reports(data: Any) -> list[Report]:
    """Return the reports in one event, a list, or a list under ``events``; raises ``ValidationError``."""
    if isinstance(data, Mapping) and "events" not in data:
        one = EventSerializer(data=data)
        one.is_valid(raise_exception=True)
        return [report_of(one.validated_data)]
    batch = EventBatchSerializer(data={"events": data} if isinstance(data, list) else data)
    batch.is_valid(raise_exception=True)
    return [report_of(event) for event in batch.validated_data["events"]]


def report_of(event: Mapping[str, Any]) -> Report:
    """Return a checked event as what the services take."""
    return Report(
        event_type=event["event_type"],
        occurred_at=event.get("occurred_at") or timezone.now(),
        severity=event.get("severity"),
        detail=event.get("detail", {}),
        seq=event.get("seq"),
    )


def taken_answer(recorded: Recorded) -> dict[str, Any]:
    """Return what ``EventsTakenSerializer`` answers."""
    values = {
        "accepted": len(recorded.logs),
        "repeated": recorded.repeated,
        "activities": recorded.activities,
    }
    return dict(EventsTakenSerializer(values).data)


class EventsView(APIView):
    """Events of the browser in the caller's own session."""

    permission_classes = [IsCandidate]
    throttle_scope = "intake"

    @describe(
        "Report events",
        tag="intake",
        request=Events,
        sends={"events": [EVENT, {"event_type": "ACTIVITY", "detail": {"keys": 40, "mouse": 12}, "seq": 8}]},
        answer=EventsTakenSerializer,
        gets={"accepted": 2, "repeated": 0, "activities": [ACTIVITY]},
        status=201,
        says='One event, a list, or `{"events": […]}` with up to 500, all or nothing; 1500 a minute, and some 20 MB or '
        "20,000 of one session (413, `too_many_events`). During a pause they are only "
        "written down. Known are TAB_SWITCH, WINDOW_BLUR, FULLSCREEN_EXIT, COPY, CUT, PASTE, RIGHT_CLICK, "
        "KEYBOARD_SHORTCUT, PRINT, DEVTOOLS_OPEN, SECOND_SCREEN, CAMERA_ON, CAMERA_OFF, MIC_ON, MIC_OFF, "
        "DEVICE_CHANGE, USER_IDLE, ACTIVITY (counts only) and NETWORK_GAP.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Take."""
        session = find_own_session(request, pk)
        reports = read_reports(request.data)
        Allowance("events", signed_in(request).pk).take(len(reports))
        recorded = intake.take_events(session=session, reports=reports, source=MonitoringLog.Source.BROWSER)
        return Response(taken_answer(recorded), status=201)
