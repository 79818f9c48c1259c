"""Fields of what a candidate's side sends: times, grades, details, and bytes within JSON."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from exams.api.parts import EARLIEST, LATEST
from exams.kinds import Severity
from monitoring.events import EVENT_NAME, DetailError, canonical_name, check_detail

NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,9})?")
SEVERITIES = {severity.name.lower(): severity.value for severity in Severity}
DATA_URL = re.compile(r"data:(?P<type>[\w.+/-]{0,100})(;[\w.+=\"-]{1,100})*;base64,", re.ASCII)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


MOMENT = {
    "oneOf": [
        {"type": "string", "format": "date-time"},
        {"type": "number", "minimum": _ms(EARLIEST), "maximum": _ms(LATEST)},
    ],
    "description": "ISO 8601 (UTC unless it says otherwise), or milliseconds since 1970.",
}


@extend_schema_field(MOMENT)
class MomentField(serializers.DateTimeField):
    """A time, written as ISO 8601 or as milliseconds since 1970."""

    default_error_messages = {"range": _("This time cannot be meant.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def to_internal_value(self, value: Any) -> datetime:
        """Return the aware time."""
        if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
            value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = self._of_milliseconds(value)
        else:
            moment = super().to_internal_value(value)
        if not EARLIEST <= moment <= LATEST:
            self.fail("range")
        return moment

    def _of_milliseconds(self, value: float) -> datetime:
        # Not divided before it is compared: a whole number of any size survives that, and NaN lies nowhere.
        if not _ms(EARLIEST) <= value <= _ms(LATEST):
            self.fail("range")
        return datetime.fromtimestamp(value / 1000, tz=UTC)


@extend_schema_field(
    {"oneOf": [{"type": "integer", "minimum": 1, "maximum": 3}, {"type": "string", "enum": list(SEVERITIES)}]}
)
class SeverityField(serializers.Field):
    """How grave something is: 1 to 3, or low, medium, high."""

    default_error_messages = {"invalid": _("A severity is 1 (low), 2 (medium) or 3 (high).")}

    def to_internal_value(self, data: Any) -> int:
        """Return 1, 2 or 3."""
        if isinstance(data, str):
            data = SEVERITIES.get(data.strip().lower(), data)
        if isinstance(data, bool) or data not in Severity.values:
            self.fail("invalid")
        return int(data)

    def to_representation(self, value: Any) -> int:
        """Return the number."""
        return int(value)


@extend_schema_field(
    {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^ *[A-Za-z0-9_.:-][A-Za-z0-9_ .:-]*$"}
)
class EventTypeField(serializers.CharField):
    """The name of an event or kind: a known one in any usual spelling, others as they are told."""

    default_error_messages = {
        "name": _("A name has 1 to 64 letters, digits, spaces or one of _ . : -"),
    }

    def to_internal_value(self, data: Any) -> str:
        """Return the name as it is kept."""
        told = super().to_internal_value(data)
        if not EVENT_NAME.fullmatch(told):
            self.fail("name")
        return canonical_name(told)


@extend_schema_field({"type": "object", "additionalProperties": True})
class DetailField(serializers.JSONField):
    """More about an event: a JSON object of bounded size and depth."""

    default_error_messages = {
        "object": _("A detail is a JSON object."),
        "size": _("This detail is larger than 8 kB."),
        "depth": _("This detail is nested more than 8 levels deep."),
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object."""
        if not isinstance(data, Mapping):
            self.fail("object")
        detail = dict(data)
        try:
            check_detail(detail)
        except DetailError as error:
            self.fail(str(error))
        return detail


@dataclass(frozen=True, slots=True)
class Encoded:
    """Bytes that came as text, and what a ``data:`` URL says they are."""

    data: bytes
    media_type: str = ""


@extend_schema_field({"type": "string", "description": "Base64, or a data: URL."})
class EncodedField(serializers.Field):
    """Bytes in base64, with or without ``data:…;base64,`` before them."""

    default_error_messages = {
        "invalid": _("This is not base64."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, **kwargs)

    def to_internal_value(self, data: Any) -> Encoded:
        """Return the bytes and their type."""
        if not isinstance(data, str):
            self.fail("invalid")
        head = DATA_URL.match(data)
        try:
            text = data[head.end() if head else 0 :].encode("ascii")
            found = base64.b64decode(b"".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            self.fail("invalid")
        return Encoded(found, head["type"].lower() if head else "")

    def to_representation(self, value: Any) -> Any:
        """Nothing: what was sent is not given back."""
        return None
