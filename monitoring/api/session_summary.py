"""A session in numbers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.openapi import describe
from monitoring.api.session_calls import SCORES_EXAMPLE, SESSION_EXAMPLE, SessionCall
from monitoring.api.session_serializers import ScoresSerializer, SessionSerializer
from monitoring.session_summary import EVERYTHING, summarise, told_to_candidate


class DurationsSerializer(serializers.Serializer):
    """How long the session took, in seconds."""

    total_s = serializers.FloatField(help_text="From beginning to end, or until now.")
    active_s = serializers.FloatField(help_text="On the clock.")
    paused_s = serializers.FloatField(help_text="Off the clock, breaks included.")
    breaks_s = serializers.FloatField(help_text="The candidate's own breaks that have ended.")
    allowed_s = serializers.FloatField(help_text="The time on the clock that the candidate has.")


class FramesSerializer(serializers.Serializer):
    """Pictures, counted."""

    total = serializers.IntegerField(help_text="Received.")
    analysed = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text="Left out under load.")
    unusable = serializers.IntegerField(help_text="Could not be examined.")
    lost = serializers.IntegerField(help_text="Lost before they were examined; known once the session is over.")


class SessionCoverageSerializer(serializers.Serializer):
    """How much one sense could examine."""

    sense = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field, and no label of one
    share = serializers.FloatField(allow_null=True, help_text="0 to 1; null where the sense is switched off or muted.")
    note = serializers.CharField(allow_blank=True, help_text="Why nothing was examined.")


class EventCountSerializer(serializers.Serializer):
    """How often one event was reported."""

    event_type = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field, and no label of one
    count = serializers.IntegerField()


class KindCountSerializer(serializers.Serializer):
    """How often and how long one kind of activity was found."""

    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field, and no label of one
    count = serializers.IntegerField()
    duration_s = serializers.FloatField()


class TimelineEntrySerializer(serializers.Serializer):
    """One suspicious activity on the time line."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field, and no label of one
    severity = serializers.IntegerField(help_text="1 low, 2 medium, 3 high.")
    confidence = serializers.FloatField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Null while it lasts.")
    offset_s = serializers.FloatField(help_text="Seconds from the beginning of the session.")
    duration_s = serializers.FloatField()
    explanation = serializers.CharField()
    verdict = serializers.CharField(allow_null=True, help_text="What a reviewer decided last.")


class StepSerializer(serializers.Serializer):
    """One step in the life of the session."""

    from_status = serializers.CharField()
    to_status = serializers.CharField()
    at = serializers.DateTimeField()


class SessionSummarySerializer(serializers.Serializer):
    """A session in numbers; what the candidate is not told is null or empty."""

    session = SessionSerializer()
    durations = DurationsSerializer()
    frames = FramesSerializer()
    coverage = SessionCoverageSerializer(many=True)
    muted = serializers.ListField(child=serializers.CharField())
    events = EventCountSerializer(many=True)
    scores = ScoresSerializer()
    activities_by_kind = KindCountSerializer(many=True)
    timeline = TimelineEntrySerializer(many=True)
    steps = StepSerializer(many=True)


EXAMPLE: dict[str, Any] = {
    "session": {**SESSION_EXAMPLE, "status": "submitted", "ended_at": "2026-03-02T10:00:00Z"},
    "durations": {"total_s": 3600.0, "active_s": 3300.0, "paused_s": 300.0, "breaks_s": 300.0, "allowed_s": 4500.0},
    "frames": {"total": 3300, "analysed": 3290, "skipped": 10, "unusable": 4, "lost": 0},
    "coverage": [
        {"sense": "faces", "label": "Faces", "share": 0.98, "note": ""},
        {"sense": "eyes", "label": "Eye direction", "share": None, "note": "Muted for this candidate."},
    ],
    "muted": ["gaze"],
    "events": [{"event_type": "TAB_SWITCH", "label": "Left the exam tab", "count": 1}],
    "scores": SCORES_EXAMPLE,
    "activities_by_kind": [{"kind": "NO_FACE", "label": "Nobody in view", "count": 1, "duration_s": 12.0}],
    "timeline": [
        {
            "id": "8d1f0c9e-3b7a-4a55-9d0a-6f4b1f7a2c33",
            "kind": "NO_FACE",
            "label": "Nobody in view",
            "severity": 1,
            "confidence": 0.97,
            "started_at": "2026-03-02T09:20:00Z",
            "ended_at": "2026-03-02T09:20:12Z",
            "offset_s": 1200.0,
            "duration_s": 12.0,
            "explanation": "No face and no person could be seen. This was so in 12 of 12 pictures examined, over 12 s.",
            "verdict": "dismissed",
        }
    ],
    "steps": [{"from_status": "checking_in", "to_status": "active", "at": "2026-03-02T09:00:00Z"}],
}


class SessionSummary(SessionCall):
    """One session in numbers."""

    serializer_class = SessionSummarySerializer

    @describe(
        "Sum a session up",
        tag="sessions",
        answer=SessionSummarySerializer,
        gets=EXAMPLE,
        says="Durations, events by type, coverage of each sense, pictures, and as far as the caller is told: scores, "
        "activities by kind and the time line. Candidates are told them after the end, as the exam's settings allow.",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the session in numbers."""
        session = self.find()
        staff = self.viewer.is_staff_of(session)
        told = EVERYTHING if staff else told_to_candidate(session)
        numbers = summarise(session, told, to=self.user, to_staff=staff)
        return Response(self.get_serializer({"session": session, **numbers}).data)
