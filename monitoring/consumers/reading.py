"""From a message of a candidate's client to what the intake takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from monitoring import wire
from monitoring.api.events import read_reports
from monitoring.api.fields import EncodedField, MomentField
from monitoring.frame_store import Stream
from monitoring.services import Report
from vision.sound import RATES, wrap_pcm

LONGEST_TEXT = 64 * 1024
"""Characters of a message that brings neither picture nor sound."""

MOST_PARTS = 8 * 1024
"""A message has no more brackets, braces and commas: the largest detail of an event has no room for them."""

CONTAINERS = (b"RIFF", b"fLaC", b"OggS", b"\x1aE\xdf\xa3", b"ID3")


@dataclass(frozen=True, slots=True)
class Sent:
    """A picture or a chunk of sound; without number or time (seconds since 1970) the server gives them."""

    stream: Stream
    data: bytes
    seq: int | None
    captured_at: float | None
    media_type: str = ""


def small_text(text: str) -> wire.FromClient:
    """Read a message of ``LONGEST_TEXT`` at most; raises ``BadMessage``."""
    _check_parts(text)
    return wire.read_text(text)


def large_text(text: str) -> wire.FromClient:
    """Read a longer message, in a thread, if it is a picture or sound; raises ``BadMessage``.

    Nothing but one long string is large in those. Python reads JSON without letting anybody else run, so what is full
    of other values is refused before it is read.
    """
    _check_parts(text)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wire.BadMessage("bad_json") from error
    if not isinstance(told, dict) or told.get("type") not in (wire.SendFrame.type, wire.SendAudio.type):
        raise wire.BadMessage("too_large")
    return wire.read_text(text)


def _check_parts(text: str) -> None:
    if len(text) <= MOST_PARTS:
        return
    parts = 0
    for start in range(0, len(text), LONGEST_TEXT):
        parts += sum(text.count(mark, start, start + LONGEST_TEXT) for mark in "[{,")
        if parts > MOST_PARTS:
            raise wire.BadMessage("too_large")


def sent_binary(message: bytes) -> Sent:
    """Read a binary message; raises ``BadMessage``."""
    item = wire.read_binary(message)
    data = item.data if item.stream == "frame" else _with_header(item.data, item.rate)
    return Sent(item.stream, data, item.seq, item.captured_at)


def sent_text(message: wire.SendFrame | wire.SendAudio) -> Sent:
    """Decode what came as base64; raises ``BadMessage``."""
    try:
        encoded = EncodedField().to_internal_value(message.data)
    except serializers.ValidationError as error:
        raise wire.BadMessage("bad_field", "data") from error
    at = None if message.captured_at is None else _seconds(message.captured_at)
    if isinstance(message, wire.SendFrame):
        return Sent("frame", encoded.data, message.seq, at, encoded.media_type)
    data = _with_header(encoded.data, message.rate or 0)
    media_type = encoded.media_type if data is encoded.data else ""
    return Sent("audio", data, message.seq, at, media_type)


def reported(message: wire.SendEvent) -> list[Report]:
    """Return the event as the services take it; raises ``BadMessage``."""
    told: dict[str, Any] = {"event_type": message.event, "detail": message.detail, "seq": message.seq}
    told |= {"severity": message.severity, "occurred_at": message.captured_at}
    try:
        return read_reports(told)
    except serializers.ValidationError as error:
        raise wire.BadMessage("bad_field", _first_field(error.detail)) from error


def _with_header(data: bytes, rate: int) -> bytes:
    """Give raw samples the header they lack; what says itself what it is stays as it is."""
    if not data or (not rate and data.startswith(CONTAINERS)):
        return data
    rate = rate or wire.USUAL_RATE
    if rate not in RATES:
        raise wire.BadMessage("bad_field", "rate")
    return wrap_pcm(data, rate=rate, channels=1)


def _seconds(told: float | str) -> float:
    try:
        return MomentField().to_internal_value(told).timestamp()
    except serializers.ValidationError as error:
        raise wire.BadMessage("bad_field", "captured_at") from error


def _first_field(detail: Any) -> str:
    names = {"event_type": "event", "occurred_at": "captured_at"}
    name = next(iter(detail), "") if isinstance(detail, Mapping) else ""
    return names.get(str(name), str(name))


def words_of(bad: wire.BadMessage) -> str:
    """Return what is wrong with a message, in the active language."""
    words = {
        "bad_json": _("This is not JSON that can be read."),
        "bad_message": _('A message is an object with a "type".'),
        "too_large": _("Only pictures and sound may be as large as this."),
        "unknown_type": _("There is no message of this type."),
        "bad_header": _("A binary message begins with the header that /schema/ws describes, or is a bare picture."),
    }
    return words.get(bad.code) or _("The field %(name)s is missing or cannot be used.") % {"name": bad.about}
