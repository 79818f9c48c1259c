"""The overview of whoever runs exams: what is there and going on."""

from __future__ import annotations

from typing import Any

from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.openapi import describe
from accounts.permissions import IsTeacher, signed_in
from exams.models import SessionStatus
from monitoring.api.stats import StatsLevelSerializer
from monitoring.statistics import dashboard_of

RECENT_EXAMPLE = {"total": 60, "today": 12, "last_7_days": 31}
DASHBOARD_EXAMPLE: dict[str, Any] = {
    "users": {"total": 64, "candidate": 60, "reviewer": 2, "teacher": 1, "admin": 1},
    "exams": 3,
    "sessions": {
        "total": 9,
        "live_now": 2,
        "by_status": [{"status": "active", "label": "active", "count": 2}],
        "by_level": [{"level": "Low", "label": "Low", "count": 6}],
    },
    "reports": {"ready": 6, "pending": 1, "failed": 0, "none": 2},
    "activities": RECENT_EXAMPLE,
    "logs": {"total": 940, "today": 120, "last_7_days": 600},
    "submissions": RECENT_EXAMPLE,
    "waiting": {"items": 4, "sessions": 2},
    "detectors": [
        {
            "sense": "head",
            "label": "Head direction",
            "available": True,
            "model": "MediaPipe face mesh with irises",
            "reason": "",
        }
    ],
}


class OverviewUsersSerializer(serializers.Serializer):
    """Users by role; who has two roles counts in both."""

    total = serializers.IntegerField()
    candidate = serializers.IntegerField()
    reviewer = serializers.IntegerField()
    teacher = serializers.IntegerField()
    admin = serializers.IntegerField()


class OverviewRecentSerializer(serializers.Serializer):
    """How many there are, and how many of them are recent."""

    total = serializers.IntegerField()
    today = serializers.IntegerField(help_text="Since midnight where the server is.")
    last_7_days = serializers.IntegerField()


class OverviewStatusSerializer(serializers.Serializer):
    """How many sessions stand so."""

    status = serializers.ChoiceField(choices=SessionStatus.choices)
    label = serializers.CharField()  # type: ignore[assignment]
    count = serializers.IntegerField()


class OverviewSessionsSerializer(serializers.Serializer):
    """Sessions by where they stand and by risk."""

    total = serializers.IntegerField()
    live_now = serializers.IntegerField(help_text="Sat at this moment, pauses included.")
    by_status = OverviewStatusSerializer(many=True)
    by_level = StatsLevelSerializer(many=True)


class OverviewReportsSerializer(serializers.Serializer):
    """Sessions by what became of their report."""

    ready = serializers.IntegerField()
    pending = serializers.IntegerField()
    failed = serializers.IntegerField()
    none = serializers.IntegerField(help_text="Never asked for.")


class OverviewWaitingSerializer(serializers.Serializer):
    """What waits to be examined."""

    items = serializers.IntegerField(help_text="Pictures and chunks of sound.")
    sessions = serializers.IntegerField()


class OverviewDetectorSerializer(serializers.Serializer):
    """Whether a sense can work where this is answered, with which model, or why not."""

    sense = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    available = serializers.BooleanField()
    model = serializers.CharField()
    reason = serializers.CharField()


class DashboardSerializer(serializers.Serializer):
    """What is there and going on."""

    users = OverviewUsersSerializer(allow_null=True, help_text="For admins; null for teachers.")
    exams = serializers.IntegerField()
    sessions = OverviewSessionsSerializer()
    reports = OverviewReportsSerializer()
    activities = OverviewRecentSerializer()
    logs = OverviewRecentSerializer()
    submissions = OverviewRecentSerializer()
    waiting = OverviewWaitingSerializer()
    detectors = OverviewDetectorSerializer(many=True)


class AdminStats(generics.GenericAPIView):
    """The overview."""

    permission_classes = [IsTeacher]
    serializer_class = DashboardSerializer

    @describe(
        "Overview of what is there and going on",
        tag="admin",
        answer=DashboardSerializer,
        gets=DASHBOARD_EXAMPLE,
        says="Admins see everything, teachers their own exams.",
    )
    def get(self, request: Request) -> Response:
        """Return the numbers."""
        return Response(DashboardSerializer(dashboard_of(signed_in(request))).data)
