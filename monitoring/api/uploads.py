"""How bytes arrive: as a form's file or as the body itself, with number and time beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from monitoring.api.fields import MOMENT, MomentField
from monitoring.intake import LARGEST_SEQ, MAX_PICTURE_BYTES

MAX_BYTES = MAX_PICTURE_BYTES + 1
"""One more than the most that is taken, so that what is larger is known to be."""

FORM = "multipart/form-data"
HEADERS = {"seq": "X-Seq", "captured_at": "X-Captured-At"}


class RawParser(BaseParser):
    """Gives the body as it is."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the bytes, at most one more than are taken."""
        return bytes(stream.read(MAX_BYTES))


def raw_parsers(*media_types: str) -> list[type[RawParser]]:
    """Return a parser for each of these types."""
    return [type("RawParser", (RawParser,), {"media_type": media_type}) for media_type in media_types]


@dataclass(frozen=True, slots=True)
class Upload:
    """What came: ``data`` is None where nothing did; the type without its parameters; number and time where told."""

    data: bytes | None
    media_type: str
    seq: int | None
    captured_at: datetime | None


class UploadNumbersSerializer(serializers.Serializer):
    """The sender's own number, which makes repetition harmless, and the time of capture."""

    seq = serializers.IntegerField(min_value=0, max_value=LARGEST_SEQ, required=False)
    captured_at = MomentField(required=False)


def upload_serializer(name: str, what: str) -> type[serializers.Serializer]:
    """Return the description of a form with one file."""
    fields = {"file": serializers.FileField(help_text=what), "__doc__": f"{what} Number and time as in the query."}
    return type(name, (UploadNumbersSerializer,), fields)


def upload_body(form: type[serializers.Serializer], *media_types: str) -> dict[str, Any]:
    """Return for the schema what may be sent: the form, or the bytes themselves."""
    return {FORM: form, **dict.fromkeys(media_types, OpenApiTypes.BINARY)}


NUMBER_PARAMETERS = [
    OpenApiParameter(
        "seq",
        {"type": "integer", "format": "int64", "minimum": 0, "maximum": LARGEST_SEQ},
        description="Your number of it, below 2^53; the same number is taken once. Also as header X-Seq or in the "
        "form. Without one the server numbers.",
    ),
    OpenApiParameter(
        "captured_at",
        {"oneOf": MOMENT["oneOf"]},
        description="When it was taken: ISO 8601, or milliseconds since 1970; else now. Also as header X-Captured-At "
        "or in the form.",
    ),
]


def read_upload(request: Request, *, refuse_type: Callable[[], Any]) -> Upload:
    """Return what was sent; calls ``refuse_type``, which raises, for a type that nobody here reads."""
    try:
        body = request.data
    except UnsupportedMediaType:
        refuse_type()
        raise
    numbers = UploadNumbersSerializer(data=_told_numbers(request, body))
    numbers.is_valid(raise_exception=True)
    seq, captured_at = numbers.validated_data.get("seq"), numbers.validated_data.get("captured_at")
    media_type = plain_type(request.content_type)
    if media_type == FORM:
        file = body.get("file") if isinstance(body, QueryDict) else None
        if not isinstance(file, UploadedFile):
            return Upload(None, "", seq, captured_at)
        return Upload(file.read(MAX_BYTES), plain_type(file.content_type or ""), seq, captured_at)
    if isinstance(body, bytes):
        return Upload(body, media_type, seq, captured_at)
    # An empty body is not parsed at all; what its type says decides whether something was meant to come.
    return Upload(b"" if media_type.startswith(("image/", "audio/")) else None, media_type, seq, captured_at)


def plain_type(content_type: str | None) -> str:
    """Return a content type without its parameters, in small letters."""
    return (content_type or "").partition(";")[0].strip().lower()


def _told_numbers(request: Request, body: Any) -> dict[str, Any]:
    """Return number and time from the form, the address or the headers, whichever comes first."""
    form = body if isinstance(body, QueryDict) else {}
    told = {}
    for name, header in HEADERS.items():
        for value in (form.get(name), request.query_params.get(name), request.headers.get(header)):
            if isinstance(value, str) and value != "":
                told[name] = value
                break
    return told
