"""Pictures and sound from the candidate's side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.openapi import describe
from accounts.permissions import IsCandidate
from exams.models import ExamSession
from monitoring import intake, services
from monitoring.api.access import find_own_session
from monitoring.api.answers import SEEN, SeenSerializer, seen_answer
from monitoring.api.uploads import (
    NUMBER_PARAMETERS,
    Upload,
    raw_parsers,
    read_upload,
    upload_body,
    upload_serializer,
)
from monitoring.examined import open_activities, seen_in, wait_for
from monitoring.frame_store import Stream
from vision.sound import wrap_pcm

RAW_SOUND = ("audio/l16", "application/octet-stream")
PICTURES = ("image/jpeg", "image/png", "image/webp")
SOUNDS = ("audio/wav", "audio/flac", "audio/webm", "audio/ogg", "audio/mpeg", "audio/L16", "application/octet-stream")
OTHER_SOUND_NAMES = sorted({name for names in intake.SOUND_TYPES.values() for name in names} - set(SOUNDS))
FORM_EXAMPLE = {"file": "(the bytes of a file)", "seq": 41, "captured_at": "2026-03-02T09:12:31.250Z"}
TAKEN = {"seq": 41, "captured_at": "2026-03-02T09:12:31.250Z", "stored": True, "waiting": 3, "load": 0}
PICTURE_EXAMPLES = [
    OpenApiExample("request", value=FORM_EXAMPLE, request_only=True),
    OpenApiExample("answer", value=TAKEN, response_only=True, status_codes=["202"]),
    OpenApiExample("with wait=1", value=SEEN, response_only=True, status_codes=["200"]),
]
RATE: dict[str, Any] = {"type": "integer", "minimum": 8_000, "maximum": 192_000}
CHANNELS: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 8}
YES = ("1", "true", "yes", "on")

PictureUpload = upload_serializer("PictureUpload", "A JPEG, PNG or WebP picture.")
SoundUpload = upload_serializer("SoundUpload", "A chunk of sound: WAV, FLAC, WebM, Ogg or MP3.")


class TakenSerializer(serializers.Serializer):
    """What was stored; it is safe from now on, and need not be sent again."""

    seq = serializers.IntegerField()
    captured_at = serializers.DateTimeField()
    stored = serializers.BooleanField()
    waiting = serializers.IntegerField(help_text="Pictures of this session that wait to be examined.")
    load = serializers.IntegerField(help_text="From 0 (idle) to 10 (pictures are thinned out): slow down in between.")


class PcmSerializer(serializers.Serializer):
    """What raw samples do not say themselves."""

    rate = serializers.IntegerField(min_value=RATE["minimum"], max_value=RATE["maximum"])
    channels = serializers.IntegerField(min_value=CHANNELS["minimum"], max_value=CHANNELS["maximum"], default=1)


class IntakeView(APIView):
    """Takes one stream of the caller's own session."""

    permission_classes = [IsCandidate]
    throttle_scope = "intake"
    stream: ClassVar[Stream]

    def read(self, request: Request, session: ExamSession) -> tuple[Upload, bytes]:
        """Return what was sent and its bytes; raises, and logs, where there are none of a type that is taken."""
        upload = read_upload(request, refuse_type=lambda: intake.refuse_type(session=session, stream=self.stream))
        if upload.data is None:
            intake.refuse_nothing(session=session, stream=self.stream)
        return upload, upload.data

    def numbers(self, session: ExamSession, upload: Upload) -> tuple[int, float]:
        """Return number and time, given by the server where the sender did not."""
        seq = services.next_seq(session_id=session.pk) if upload.seq is None else upload.seq
        return seq, time.time() if upload.captured_at is None else upload.captured_at.timestamp()

    def taken(self, session: ExamSession, seq: int, captured_at: float) -> Response:
        """Acknowledge."""
        load = intake.load_of(session)
        at = datetime.fromtimestamp(captured_at, tz=UTC)
        answer = {"seq": seq, "captured_at": at, "stored": True, "waiting": load.waiting, "load": load.load}
        return Response(TakenSerializer(answer).data, status=202)


class FrameView(IntakeView):
    """Pictures of the camera."""

    parser_classes = [MultiPartParser, *raw_parsers(*PICTURES)]
    stream = "frame"

    @extend_schema(responses={202: TakenSerializer, 200: SeenSerializer}, examples=PICTURE_EXAMPLES)
    @describe(
        "Send one picture",
        tag="intake",
        request=upload_body(PictureUpload, *PICTURES),
        parameters=[
            *NUMBER_PARAMETERS,
            OpenApiParameter(
                "wait",
                OpenApiTypes.BOOL,
                description="1: wait some seconds for the picture to be examined, and answer 200 with what it showed.",
            ),
        ],
        says="As a form with `file`, or as the body itself. Stored when answered; examined by the workers. Nothing or "
        "something unusable is refused with the reason and logged as `NO_FRAME_RECEIVED` or `INVALID_IMAGE`; the "
        "session goes on. With `wait=1` the answer is 200 and tells the kinds that this one picture shows, which "
        "accuses nobody; if the workers take too long it is 202 as usual.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Take."""
        session = find_own_session(request, pk)
        upload, data = self.read(request, session)
        intake.check_active(session)
        seq, captured_at = self.numbers(session, upload)
        intake.take_frame(session=session, seq=seq, captured_at=captured_at, data=data, media_type=upload.media_type)
        if request.query_params.get("wait", "").lower() in YES:
            row = wait_for(session=session, stream="frame", seq=seq)
            if row is not None:
                return Response(seen_answer(seen_in(row, session.rules), open_activities(session)))
        return self.taken(session, seq, captured_at)


class AudioView(IntakeView):
    """Chunks of the microphone's sound."""

    parser_classes = [MultiPartParser, *raw_parsers(*SOUNDS, *OTHER_SOUND_NAMES)]
    stream = "audio"

    @describe(
        "Send one chunk of sound",
        tag="intake",
        request=upload_body(SoundUpload, *SOUNDS),
        sends=FORM_EXAMPLE,
        answer=TakenSerializer,
        gets=TAKEN,
        status=202,
        parameters=[
            *NUMBER_PARAMETERS,
            OpenApiParameter("rate", RATE, description="Samples per second of raw samples."),
            OpenApiParameter("channels", CHANNELS, description="Channels of raw samples; else 1."),
        ],
        says="As a form with `file`, or as the body itself: WAV, FLAC, WebM, Ogg or MP3, or raw 16-bit little-endian "
        "samples as `audio/L16;rate=16000;channels=1` or `application/octet-stream` with `rate` and `channels` in the "
        "address. At most 4 MB and 60 s, each chunk complete in itself; numbered apart from pictures. What cannot be "
        "read is refused with the reason and logged as `INVALID_AUDIO`.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Take."""
        session = find_own_session(request, pk)
        upload, data = self.read(request, session)
        intake.check_active(session)
        data, media_type = _with_header(request, upload.media_type, data)
        seq, captured_at = self.numbers(session, upload)
        intake.take_sound(session=session, seq=seq, captured_at=captured_at, data=data, media_type=media_type)
        return self.taken(session, seq, captured_at)


def _with_header(request: Request, media_type: str, data: bytes) -> tuple[bytes, str]:
    """Give raw samples the header they lack; what says itself what it is stays as it is."""
    if media_type not in RAW_SOUND:
        return data, media_type
    told = {**_parameters(request.content_type), **_query(request, ("rate", "channels"))}
    if media_type == "application/octet-stream" and "rate" not in told:
        return data, media_type
    numbers = PcmSerializer(data=told)
    numbers.is_valid(raise_exception=True)
    return (wrap_pcm(data, **numbers.validated_data) if data else data), ""


def _parameters(content_type: str) -> dict[str, str]:
    parts = (part.partition("=") for part in content_type.split(";")[1:])
    return {name.strip().lower(): value.strip().strip('"') for name, _equals, value in parts}


def _query(request: Request, names: Sequence[str]) -> dict[str, Any]:
    return {name: request.query_params[name] for name in names if name in request.query_params}
