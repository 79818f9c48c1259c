"""The system check before an exam, and the clock's start."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.openapi import describe
from exams.api.parts import FactorField
from exams.check_pictures import CheckPictures, examine
from exams.lifecycle import begin_session
from exams.models import ExamSession
from exams.system_check import record_check, require_waiting
from exams.virtual_cameras import LONGEST_NAME
from monitoring import own_voice
from monitoring.api.fields import Encoded, EncodedField
from monitoring.api.session_calls import CHECK_EXAMPLE, DETAIL_EXAMPLE, SOCKET_EXAMPLE, OwnSessionCall, socket_of
from monitoring.api.session_serializers import (
    CheckResultSerializer,
    SessionDetailSerializer,
    SocketSerializer,
    check_result,
)

# The check is advice and no proof: whoever wants to lie can. It keeps honest people from sitting an hour in front of a
# dead camera; what counts is what the server sees once the exam has begun.


class CameraCheckSerializer(serializers.Serializer):
    """What the browser measured of the camera; what it did not measure is left out."""

    available = serializers.BooleanField(help_text="Found, and allowed to be used.")
    width = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=16_384)
    height = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=16_384)
    name = serializers.CharField(
        required=False, allow_blank=True, max_length=LONGEST_NAME, help_text="The name that the browser gives it."
    )
    brightness = FactorField(required=False, allow_null=True, min_value=0, max_value=1, help_text="0 black, 1 white.")
    faces = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=100)
    picture = EncodedField(
        required=False,
        help_text="Of now; the server itself looks for light and faces in it. A small picture of the head is kept of "
        "it, encrypted, if the text agreed to says so.",
    )


class MicrophoneCheckSerializer(serializers.Serializer):
    """What the browser measured of the microphone."""

    available = serializers.BooleanField(help_text="Found, and allowed to be used.")
    level_dbfs = FactorField(
        required=False, allow_null=True, min_value=-200, max_value=20, help_text="Loudest moment while speaking."
    )
    voice = EncodedField(
        required=False,
        help_text="Some seconds in which the candidate alone reads aloud (WAV, FLAC, WebM, Ogg, MP3), from which their "
        "voice is learnt; the sound is not kept, and what was learnt only until the session is over.",
    )


class NetworkCheckSerializer(serializers.Serializer):
    """What the browser measured of the connection."""

    rtt_ms = FactorField(required=False, allow_null=True, min_value=0, max_value=600_000, help_text="There and back.")
    kbps = FactorField(required=False, allow_null=True, min_value=0, max_value=100_000_000, help_text="Upwards.")


class CalibrationPointSerializer(serializers.Serializer):
    """Where on the screen the candidate looked, and how head and eyes were turned then, or a picture of it."""

    x = FactorField(min_value=0, max_value=1, help_text="0 left, 1 right.")
    y = FactorField(min_value=0, max_value=1, help_text="0 top, 1 bottom.")
    yaw = FactorField(required=False, allow_null=True, min_value=-180, max_value=180, help_text="Degrees.")
    pitch = FactorField(required=False, allow_null=True, min_value=-180, max_value=180, help_text="Degrees.")
    horizontal = FactorField(required=False, allow_null=True, min_value=-1, max_value=1)
    vertical = FactorField(required=False, allow_null=True, min_value=-1, max_value=1)
    picture = EncodedField(
        required=False, help_text="Taken as they looked; the server measures head and eyes in it and does not keep it."
    )


class CalibrationSerializer(serializers.Serializer):
    """A short exercise in which the candidate looks at points of the screen; kept with the session."""

    points = serializers.ListField(child=CalibrationPointSerializer(), max_length=16)


class SystemCheckSerializer(serializers.Serializer):
    """What the candidate's own computer measured."""

    camera = CameraCheckSerializer()
    microphone = MicrophoneCheckSerializer()
    network = NetworkCheckSerializer(required=False, allow_null=True)
    screens = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=32)
    browser = serializers.CharField(required=False, allow_blank=True, max_length=300)
    calibration = CalibrationSerializer(required=False, allow_null=True)


class CheckedSessionSerializer(CheckResultSerializer):
    """What the check found, and where the session stands now."""

    session = serializers.SerializerMethodField()
    status = serializers.CharField(help_text="Of the session.")
    faces = serializers.IntegerField(allow_null=True, help_text="In the picture; null where no picture was looked at.")
    voice = serializers.CharField(
        allow_null=True,
        help_text="known, or why the candidate's voice was not learnt: unheard, short, quiet, several (voices), "
        "waiting (ask again), failed; null where none was sent, or voices are not told apart in this session.",
    )

    def get_session(self, result: dict[str, Any]) -> UUID:
        """Return the session's id."""
        session: UUID = result["session"]
        return session


class SessionCheck(OwnSessionCall):
    """The system check."""

    serializer_class = CheckedSessionSerializer
    throttle_scope = "check"

    @describe(
        "Take the system check",
        tag="sessions",
        request=SystemCheckSerializer,
        sends={
            "camera": {"available": True, "width": 640, "height": 480, "brightness": 0.1, "faces": 1},
            "microphone": {"available": True, "level_dbfs": -18.5},
            "network": {"rtt_ms": 40, "kbps": 4000},
            "screens": 1,
            "browser": "Firefox 140",
            "calibration": {"points": [{"x": 0.5, "y": 0.5, "yaw": 1.2, "pitch": -3.0}]},
        },
        answer=CheckedSessionSerializer,
        gets={**CHECK_EXAMPLE, "session": DETAIL_EXAMPLE["id"], "status": "checking_in", "faces": None, "voice": None},
        says="The client sends what it measured itself, and pictures, if it likes, in which the server measures faces, "
        "light and gaze, and a sentence read aloud, from which it learns their voice; the answer says what to mend "
        "and whether the exam can begin. May be repeated until it does. "
        "A server that is busy looks at no pictures; one that cannot be read is refused (400, invalid_picture).",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Keep what was measured and answer with what it means."""
        session, told = self.find_own(), self.checked(SystemCheckSerializer)
        require_waiting(session)
        pictures, sample = _take_pictures(told), told["microphone"].pop("voice", None)
        examined = examine(told, pictures)
        measured = examined.measured
        if own_voice.is_wanted(session):
            measured["microphone"] = {**measured["microphone"], "voice": _voice(session, sample)}
        session = record_check(session=session, measured=measured, head=examined.head)
        return Response(self.get_serializer(_result(session)).data)


def _take_pictures(told: dict[str, Any]) -> CheckPictures:
    """Return the pictures and take them out of what is kept."""
    points = (told.get("calibration") or {}).get("points") or []
    encoded = [part.pop("picture", None) for part in (told["camera"], *points)]
    camera, *looks = [None if picture is None else picture.data for picture in encoded]
    return CheckPictures(camera, tuple(looks))


def _voice(session: ExamSession, sample: Encoded | None) -> str | None:
    """Return what is known of the candidate's voice, after learning it from a sample if one was sent."""
    if sample is None:
        return own_voice.standing(session.pk)
    return own_voice.take_sample(session=session, data=sample.data, media_type=sample.media_type)


def _result(session: ExamSession) -> dict[str, Any]:
    camera = session.system_check["measured"]["camera"]
    faces = camera["faces"] if camera.get("seen_by_server") else None
    voice = session.system_check["measured"]["microphone"].get("voice")
    seen = {"faces": faces, "voice": voice}
    return {**(check_result(session) or {}), "session": session.pk, "status": session.status, **seen}


class SessionBegin(OwnSessionCall):
    """The beginning."""

    @describe(
        "Begin a session",
        tag="sessions",
        answer=SessionDetailSerializer,
        gets=DETAIL_EXAMPLE,
        says="Starts the clock. A session that runs already is answered as it is. Refused (409) outside the exam's "
        "window (outside_window), without consent (consent_required), or where a system check is asked for and was "
        "not passed (check_required).",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Begin and answer with the session."""
        session = begin_session(session=self.find_own(), by=self.user)
        return Response(self.shown(session.pk))


class SessionTicket(OwnSessionCall):
    """A new ticket for the socket."""

    serializer_class = SocketSerializer

    @describe(
        "Get a socket ticket",
        tag="sessions",
        answer=SocketSerializer,
        gets=SOCKET_EXAMPLE,
        status=201,
        says="Good for one connection within a minute.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Answer with where the socket is and a fresh ticket."""
        return Response(socket_of(self.find_own(), request), status=201)
