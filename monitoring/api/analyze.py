"""One call, one answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.openapi import describe
from exams.kinds import RiskLevel
from monitoring.analyze_once import Analyzed, Sent, analyze_once
from monitoring.api.access import Reached, find_session
from monitoring.api.answers import OPEN_ACTIVITY, BriefActivitySerializer
from monitoring.api.events import MOST_EVENTS, EventSerializer, report_of
from monitoring.api.fields import Encoded, EncodedField
from monitoring.models import MonitoringLog
from monitoring.session_summary import allowed_to_candidate

NOTHING = Encoded(b"")
SENDS = {
    "image": "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRof",
    "events": [{"event_type": "PASTE"}],
}
GETS = {
    "risk_score": 5.0,
    "risk_level": "Medium",
    "labels": ["MULTIPLE_FACES", "PASTE"],
    "observation": {"camera": {"condition": "ok", "brightness": 0.5, "contrast": 0.2, "sharpness": 300.0}},
    "activities": [OPEN_ACTIVITY],
    "examined": True,
    "not_examined": ["eyes"],
}


class AnalyzeSerializer(serializers.Serializer):
    """A picture, sound, events, or several of them; one at least."""

    image = EncodedField(required=False, allow_null=True, help_text="JPEG, PNG or WebP in base64 or as a data: URL.")
    audio = EncodedField(required=False, allow_null=True, help_text="WAV, FLAC, WebM, Ogg or MP3, in the same way.")
    events: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=EventSerializer(), required=False, max_length=MOST_EVENTS
    )


class AnalyzedSerializer(serializers.Serializer):
    """What was found, and where the session stands by now."""

    risk_score = serializers.FloatField(allow_null=True, help_text="Null for candidates whom the exam tells nothing.")
    risk_level = serializers.ChoiceField(RiskLevel.choices, allow_null=True)
    labels = serializers.ListField(
        child=serializers.CharField(), help_text="Kinds that the picture shows and kinds that were reported."
    )
    observation = serializers.DictField(allow_null=True, help_text="The facts of the picture.")
    activities = BriefActivitySerializer(many=True, help_text="What is going on by now.")
    examined = serializers.BooleanField()
    not_examined = serializers.ListField(child=serializers.CharField(), help_text="What had no answer.")


class AnalyzeView(APIView):
    """Stores what was sent and answers what it shows."""

    throttle_scope = "intake"

    @describe(
        "Analyse a picture, sound and events",
        tag="intake",
        request=AnalyzeSerializer,
        sends=SENDS,
        answer=AnalyzedSerializer,
        gets=GETS,
        says="Stored as an observation and as log entries, like what comes by the other calls; the answer waits some "
        "seconds for picture and sound to be examined. Labels are of these alone and accuse nobody. Also for staff of "
        "the exam, whose events count as the proctor's.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Analyse."""
        reached = find_session(request, pk)
        read = AnalyzeSerializer(data=request.data)
        read.is_valid(raise_exception=True)
        source = MonitoringLog.Source.PROCTOR if reached.as_staff else MonitoringLog.Source.BROWSER
        found = analyze_once(session=reached.session, sent=_sent(read.validated_data), source=source)
        return Response(_answer(reached, found))


def _sent(values: dict[str, Any]) -> Sent:
    picture, sound = values.get("image"), values.get("audio")
    return Sent(
        picture=picture and picture.data,
        picture_type=(picture or NOTHING).media_type,
        sound=sound and sound.data,
        sound_type=(sound or NOTHING).media_type,
        reports=[report_of(event) for event in values.get("events", ())],
    )


def _answer(reached: Reached, found: Analyzed) -> dict[str, Any]:
    told = reached.as_staff or allowed_to_candidate(reached.session).scores
    seen = found.seen
    values = {
        "risk_score": found.assessment.risk_score if told else None,
        "risk_level": found.assessment.risk_level if told else None,
        "labels": found.labels,
        "observation": dict(seen.facts) if seen else None,
        "activities": found.activities,
        "examined": bool(seen and seen.examined),
        "not_examined": found.not_examined,
    }
    return dict(AnalyzedSerializer(values).data)
