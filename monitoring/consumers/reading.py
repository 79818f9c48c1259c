"""From a message of a candidate's client to what the intake takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from monitoring import wire
from monitoring.api.events import read_reports
from monitoring.api.fields import EncodedField, MomentField
from monitoring.frame_store import Stream
from monitoring.services import Report
from vision.sound import RATES, wrap_pcm

CONTAINERS = (b"RIFF", b"fLaC", b"OggS", b"\x1aE\xdf\xa3", b"ID3")


@dataclass(frozen=True, slots=True)
class Sent:
    """A picture or a chunk of sound; without number or time (seconds since 1970) the server gives them."""

    stream: Stream
    data: bytes
    seq: int | None
    captured_at: float | None
    media_type: str = ""


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
