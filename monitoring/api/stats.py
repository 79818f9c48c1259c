"""Statistics over the sessions that a member of staff sees."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.openapi import describe
from accounts.permissions import IsStaff, signed_in
from exams.api.parts import TimeField
from exams.kinds import RiskLevel, Severity
from exams.selectors import visible_exams
from monitoring.api.sessions import named_exam
from monitoring.selectors import HOLDING_VERDICTS
from monitoring.statistics import UNDECIDED, UNWATCHED, Chosen, statistics_of

STATS_EXAMPLE: dict[str, Any] = {
    "activities": {
        "total": 12,
        "by_kind": [{"kind": "LOOKING_AWAY", "label": "Looking away", "count": 12}],
        "by_severity": [
            {"severity": 1, "label": "low", "count": 12},
            {"severity": 2, "label": "medium", "count": 0},
            {"severity": 3, "label": "high", "count": 0},
        ],
        "by_exam": [
            {"id": "c2b1f0de-7b1d-4e0a-8a0f-3d7c5b9e1a22", "code": "algebra-1", "title": "Algebra I", "count": 12}
        ],
        "by_day": [{"day": "2026-03-02", "count": 12}],
        "by_verdict": [
            {"verdict": "confirmed", "label": "confirmed", "count": 3},
            {"verdict": "dismissed", "label": "dismissed", "count": 4},
            {"verdict": "escalated", "label": "escalated", "count": 0},
            {"verdict": "undecided", "label": "not decided yet", "count": 5},
        ],
    },
    "sessions": {
        "total": 9,
        "by_level": [
            {"level": "Low", "label": "Low", "count": 6},
            {"level": "Medium", "label": "Medium", "count": 2},
            {"level": "High", "label": "High", "count": 0},
            {"level": "unwatched", "label": "not watched", "count": 1},
        ],
    },
    "risk": {"mean": 2.75, "p50": 2.0, "p75": 4.0, "p90": 6.0, "p95": 6.0, "max": 6.0},
    "coverage": [{"sense": "faces", "label": "Faces", "mean": 0.9731}],
}


class StatsQuerySerializer(serializers.Serializer):
    """What the numbers are about."""

    exam = serializers.CharField(max_length=50, required=False)
    kind = serializers.CharField(max_length=64, required=False)
    after = TimeField(required=False)
    before = TimeField(required=False)


class StatsKindSerializer(serializers.Serializer):
    """How many activities there are of one kind."""

    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    count = serializers.IntegerField()


class StatsSeveritySerializer(serializers.Serializer):
    """How many activities are so grave."""

    severity = serializers.ChoiceField(choices=Severity.choices)
    label = serializers.CharField()  # type: ignore[assignment]
    count = serializers.IntegerField()


class StatsExamSerializer(serializers.Serializer):
    """How many activities there are in one exam."""

    id = serializers.UUIDField()
    code = serializers.CharField()
    title = serializers.CharField()
    count = serializers.IntegerField()


class StatsDaySerializer(serializers.Serializer):
    """How many activities began on one day."""

    day = serializers.DateField()
    count = serializers.IntegerField()


class StatsVerdictSerializer(serializers.Serializer):
    """How many activities were judged so."""

    verdict = serializers.ChoiceField(choices=[*map(str, HOLDING_VERDICTS), UNDECIDED])
    label = serializers.CharField()  # type: ignore[assignment]
    count = serializers.IntegerField()


class StatsLevelSerializer(serializers.Serializer):
    """How many sessions are at one level of risk."""

    level = serializers.ChoiceField(choices=[*RiskLevel.values, UNWATCHED])
    label = serializers.CharField()  # type: ignore[assignment]
    count = serializers.IntegerField()


class StatsActivitiesSerializer(serializers.Serializer):
    """Activities, counted in several ways."""

    total = serializers.IntegerField()
    by_kind = StatsKindSerializer(many=True, help_text="The hundred most frequent.")
    by_severity = StatsSeveritySerializer(many=True)
    by_exam = StatsExamSerializer(many=True, help_text="The hundred with the most.")
    by_day = StatsDaySerializer(many=True, help_text="Days of UTC on which any began.")
    by_verdict = StatsVerdictSerializer(many=True, help_text="By the verdict that holds.")


class StatsSessionsSerializer(serializers.Serializer):
    """Sessions by level."""

    total = serializers.IntegerField()
    by_level = StatsLevelSerializer(many=True)


class StatsRiskSerializer(serializers.Serializer):
    """How risk scores are spread; null where no session was watched. ``p90``: 90 % of the sessions have no more."""

    mean = serializers.FloatField(allow_null=True)
    p50 = serializers.FloatField(allow_null=True)
    p75 = serializers.FloatField(allow_null=True)
    p90 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    max = serializers.FloatField(allow_null=True)


class StatsCoverageSerializer(serializers.Serializer):
    """The mean share 0..1 of a session that one sense examined; null where it was switched on in none."""

    sense = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    mean = serializers.FloatField(allow_null=True)


class StatsSerializer(serializers.Serializer):
    """Statistics of activities and sessions."""

    activities = StatsActivitiesSerializer()
    sessions = StatsSessionsSerializer()
    risk = StatsRiskSerializer()
    coverage = StatsCoverageSerializer(many=True)


class MonitoringStats(generics.GenericAPIView):
    """Statistics."""

    permission_classes = [IsStaff]
    serializer_class = StatsSerializer

    @describe(
        "Statistics of activities and sessions",
        tag="monitoring",
        answer=StatsSerializer,
        gets=STATS_EXAMPLE,
        parameters=[
            OpenApiParameter("exam", str, description="Id or code of one exam."),
            OpenApiParameter("kind", str, description="Activities of this kind, and sessions with any of it."),
            OpenApiParameter("after", OpenApiTypes.DATETIME, description="Begun then or later."),
            OpenApiParameter("before", OpenApiTypes.DATETIME, description="Begun earlier than then."),
        ],
        says="Over the exams that the caller sees, and the assessments that count. A stretch of time holds for the "
        "beginning of activities and for the making of sessions.",
    )
    def get(self, request: Request) -> Response:
        """Return the numbers."""
        asked = StatsQuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        chosen = dict(asked.validated_data)
        user = signed_in(request)
        exams, name = visible_exams(user), chosen.pop("exam", None)
        if name is not None:
            exams = named_exam(exams, name)
        return Response(StatsSerializer(statistics_of(exams, Chosen(**chosen, to=user))).data)
