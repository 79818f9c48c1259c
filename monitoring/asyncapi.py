"""The AsyncAPI document of both sockets, made from the classes whose messages go over them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from monitoring import wire

SESSION = "8c1f6d0e-5f43-4b0e-9a57-0d5b0a6d2c11"
EXAM = "1b7a3a52-0a2f-4c7e-8b0e-6f0f5f0d9a77"
AT = datetime(2026, 3, 2, 9, 12, 31, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
PACE = {
    "fps": 1.0,
    "sound": True,
    "senses": ["camera", "faces", "head", "eyes", "objects"],
    "max_frames_per_s": 30,
    "max_picture_bytes": 8_388_608,
    "max_sound_bytes": 4_194_304,
    "may_pause": False,
}
LEFT = timedelta(seconds=2847.5)
ROW = wire.WallSession(
    SESSION, "Rahim Uddin", "active", 6.0, "Medium", connected=True, last_seen=AT, deadline=AT + LEFT
)
ACTIVITY = {"kind": "NO_FACE", "severity": 1, "started_at": AT.isoformat(), "ended_at": None}
WORDS: Mapping[int, str] = {
    wire.Close.BAD_TICKET: "the ticket or token is not good (any more): get a new one",
    wire.Close.NOT_YOURS: "this is not for you",
    wire.Close.NO_SESSION: "there is no such session or exam",
    wire.Close.GONE_QUIET: "nothing was heard for two minutes: connect again",
    wire.Close.TAKEN_OVER: "the session was opened somewhere else and goes on there",
    wire.Close.ENDED: "the session is over",
    wire.Close.FLOOD: "too much came that cannot be taken: wait a while",
    wire.Close.UNAVAILABLE: "database or storage are away: connect again in a while",
}
TO_CANDIDATE: Sequence[wire.FromServer] = (
    wire.Hello(SESSION, "active", {"frame": 42, "audio": 0, "event": 7}, PACE, AT_MS, 2847.5, AT),
    wire.Ack("frame", 41),
    wire.Logs([wire.LoggedEvent("Face not detected", "NO_FACE", AT)]),
    wire.Status("paused", 2847.5, AT, "A short break."),
    wire.ProctorMessage("Please look at the screen.", AT),
    wire.Health(3),
    wire.Pong(AT_MS),
    wire.Error("too_fast", "This is faster than anybody needs to send; slow down.", "frame", 41),
)
FROM_CANDIDATE: Sequence[wire.FromClient] = (
    wire.SendFrame("/9j/4AAQSkZJRgABAQAAAQABAAD…", 41, AT_MS),
    wire.SendAudio("UklGRiQAAABXQVZFZm10IBAAAAA…", 12, AT_MS),
    wire.SendEvent("TAB_SWITCH", 7, AT_MS, None, {"duration_s": 4}),
    wire.ClientHello({"frame": 41, "audio": 12, "event": 7}),
    wire.Ping(),
)
TO_REVIEWER: Sequence[wire.FromServer] = (
    wire.Wall(EXAM, [ROW]),
    wire.SessionChanged(ROW, "High"),
    wire.ActivityChanged(SESSION, ACTIVITY),
    wire.Pong(AT_MS),
    wire.Error("bad_json", "This is not JSON that can be read."),
)
FROM_REVIEWER: Sequence[wire.FromClient] = (wire.Ping(), wire.ClientHello())
BINARY_SAYS = (
    f"A header of {wire.HEADER.size} bytes, big-endian: version (u8, {wire.HEADER_VERSION}), stream (u8: 0 picture, "
    "1 sound), rate (u16: samples per second of raw 16-bit little-endian samples of one channel; 0 for sound that says "
    f"itself what it is, else taken for {wire.USUAL_RATE} samples per second), number (u64), time of capture (u64, ms "
    "since 1970); then the bytes of a JPEG, PNG or WebP picture or of a chunk of sound. A bare picture without header "
    "is taken too: number and time are then given by the server."
)
SIGN_IN = (
    "Signed in by `?ticket=` (candidates), `?token=<access token>`, the subprotocols `bearer, <access token>`, or the "
    "header `Authorization: Bearer …`; pages of foreign origins are refused. "
)


def document(version: str) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document as JSON-serialisable data."""
    candidate, reviewer = _channel("candidate"), _channel("review")
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for name, channel, outgoing, incoming in (
        ("candidate", candidate, TO_CANDIDATE, FROM_CANDIDATE),
        ("review", reviewer, TO_REVIEWER, FROM_REVIEWER),
    ):
        for direction, examples in (("send", outgoing), ("receive", incoming)):
            told = {type(example).__name__: _message(example) for example in examples}
            if (name, direction) == ("candidate", "receive"):
                told["Binary"] = _binary()
            messages |= told
            channel["messages"] |= {key: {"$ref": f"#/components/messages/{key}"} for key in told}
            operations[f"{direction}_{name}"] = _operation(name, direction, list(told))
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Proctoring sockets", "version": version, "description": _closes()},
        "defaultContentType": "application/json",
        "channels": {"candidate": candidate, "review": reviewer},
        "operations": operations,
        "components": {"messages": messages},
    }


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON schema of a message class, which is a dataclass."""
    hints = get_type_hints(kind)
    name = getattr(kind, "type", "")
    properties: dict[str, Any] = {"type": {"const": name}} if name else {}
    properties |= {item.name: _schema(hints[item.name]) for item in fields(kind)}
    needed = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]
    required = [*(["type"] if name else []), *needed]
    says = {"description": inspect.getdoc(kind) or ""}
    return {"type": "object", **says, "properties": properties, "required": required}


def _schema(hint: Any) -> dict[str, Any]:
    plain = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
    if hint in plain:
        return {"type": plain[hint]}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if is_dataclass(hint) and isinstance(hint, type):
        return schema_of(hint)
    parts = get_args(hint)
    if get_origin(hint) is UnionType or type(None) in parts:
        return {"oneOf": [_schema(part) for part in parts]}
    if get_origin(hint) is Mapping:
        values = {} if parts[1] is Any else _schema(parts[1])
        return {"type": "object", "additionalProperties": values or True}
    return {"type": "array", "items": _schema(parts[0])}


def _message(example: wire.FromServer | wire.FromClient) -> dict[str, Any]:
    kind, payload = type(example), json.loads(wire.text_of(example))
    says = (inspect.getdoc(kind) or "").partition("\n")[0]
    return {
        "name": kind.type,
        "summary": says,
        "payload": schema_of(kind),
        "examples": [{"name": kind.type, "payload": payload}],
    }


def _binary() -> dict[str, Any]:
    header = wire.HEADER.pack(wire.HEADER_VERSION, 0, 0, 41, AT_MS)
    return {
        "name": "binary",
        "summary": "A picture or a chunk of sound.",
        "description": BINARY_SAYS,
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
        "examples": [{"name": "header and picture, in hexadecimal", "payload": header.hex() + "ffd8ffe000104a464946…"}],
    }


def _channel(name: str) -> dict[str, Any]:
    if name == "candidate":
        address, parameter, what = "/ws/proctoring/{session_id}/", "session_id", "A candidate's own session. "
        also = "Also at `/ws/{session_id}` and `/api/v1/proctoring/ws/{session_id}`."
    else:
        address, parameter, what = "/ws/review/{exam_id}/", "exam_id", "The live wall of an exam, for its staff. "
        also = "A page of this server may use the session of the admin instead."
    return {
        "address": address,
        "description": what + SIGN_IN + also,
        "parameters": {parameter: {"description": "A UUID."}},
        "messages": {},
    }


def _operation(channel: str, action: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
    }


def _closes() -> str:
    lines = [f"- {code}: {words}" for code, words in sorted(WORDS.items())]
    return "\n".join(["An acknowledged item is stored. What was not acknowledged is sent again.", "", *lines])
