"""What goes over the sockets: typed messages, the same classes for who sends and who reads; pure.

``/schema/ws`` is made from these classes, so a field that is added here is described there.
"""

from __future__ import annotations

import functools
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_type_hints

Stream = Literal["frame", "audio"]
T = TypeVar("T", bound="FromClient")

HEADER = struct.Struct(">BBHQQ")
"""Before binary data: version, stream (0 picture, 1 sound), rate, number, time of capture in ms since 1970; big-endian.

``rate`` is 0, or for raw 16-bit little-endian samples of one channel how many of them make a second.
"""

HEADER_VERSION = 1
STREAMS: tuple[Stream, ...] = ("frame", "audio")
USUAL_RATE = 16_000
"""Samples per second of raw sound whose rate is told as 0."""

MAX_MESSAGE_BYTES = 12 * 1024**2
"""The longest message: the largest picture in base64, and some words around it."""

LARGEST_NUMBER = 2**63 - 1


class Close:
    """Why the server closes a socket, in the codes that applications may use."""

    BAD_TICKET = 4401
    NOT_YOURS = 4403
    NO_SESSION = 4404
    TAKEN_OVER = 4409
    ENDED = 4410
    FLOOD = 4429
    GONE_QUIET = 4408
    UNAVAILABLE = 4503


@dataclass(frozen=True, slots=True)
class FromServer:
    """A message of the server; ``type`` names it on the wire."""

    type: ClassVar[str] = ""

    def to_text(self) -> str:
        """Return the message as JSON text."""
        told = {key: value for key, value in asdict(self).items() if value is not None}
        return json.dumps({"type": self.type, **told}, ensure_ascii=False, default=_plain)


@dataclass(frozen=True, slots=True)
class Ack(FromServer):
    """The item is stored and outlives any of our processes; an event without a number is acknowledged without one."""

    type = "ack"
    stream: str
    seq: int | None = None

    def to_text(self) -> str:
        """Return the message as JSON text; by hand, since it is sent for every picture."""
        number = "" if self.seq is None else f', "seq": {self.seq}'
        return f'{{"type": "ack", "stream": "{self.stream}"{number}}}'


@dataclass(frozen=True, slots=True)
class Hello(FromServer):
    """The first message, and the answer to a client's hello: where things stand, and at which pace to send.

    ``resume_from`` tells for each stream the first number that is free, for a client that lost count; what was not
    acknowledged is to be sent again under its own number, whatever it is. ``time`` is the server's, in ms since 1970.
    """

    type = "hello"
    session: str
    status: str
    resume_from: Mapping[str, int]
    policy: Mapping[str, Any]
    time: int
    left_s: float | None = None
    deadline_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One thing that was written down about the candidate, in words of the reader's language."""

    event: str
    kind: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Logs(FromServer):
    """What was logged about the candidate since the last such message."""

    type = "logs"
    data: Sequence[LoggedEvent]
    stored: bool = True


@dataclass(frozen=True, slots=True)
class Status(FromServer):
    """The session changed its state or its clock."""

    type = "status"
    session: str
    left_s: float | None = None
    deadline_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ProctorMessage(FromServer):
    """What the proctor says to the candidate."""

    type = "message"
    text: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Health(FromServer):
    """How busy the server is with this session: 0 idle, 10 pictures are being thinned out."""

    type = "health"
    load: int


@dataclass(frozen=True, slots=True)
class Pong(FromServer):
    """The answer to a ping; ``time`` in ms since 1970 by the server's clock."""

    type = "pong"
    time: int


@dataclass(frozen=True, slots=True)
class Error(FromServer):
    """A message was not taken; the socket stays open."""

    type = "error"
    code: str
    detail: str
    stream: str | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class WallSession:
    """One session as the live wall shows it, with the activity that began last and all that go on.

    ``people`` in the newest picture and ``sound_db``, its loudness in dBFS, are known only while somebody has the wall
    of the admin open. At ``deadline`` the time is up, which since ``paused_at``, if it is told, does not run.
    """

    id: str
    candidate: str
    status: str
    risk_score: float
    risk_level: str
    connected: bool
    last_seen: datetime | None
    newest: Mapping[str, Any] | None = None
    ongoing: Sequence[Mapping[str, Any]] = ()
    people: int | None = None
    sound_db: float | None = None
    deadline: datetime | None = None
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wall(FromServer):
    """All open sessions of the exam, first message to a reviewer."""

    type = "wall"
    exam: str
    sessions: Sequence[WallSession]


@dataclass(frozen=True, slots=True)
class SessionChanged(FromServer):
    """One session as it now is; ``turned`` is the level that it reached just now."""

    type = "session"
    session: WallSession
    turned: str | None = None


@dataclass(frozen=True, slots=True)
class ActivityChanged(FromServer):
    """An activity opened, went on or closed."""

    type = "activity"
    session: str
    activity: Mapping[str, Any] = field(default_factory=dict)


class BadMessage(ValueError):
    """A message that cannot be read; ``code`` is the word for machines, ``about`` the field it is about, if one."""

    def __init__(self, code: str, about: str = "") -> None:
        super().__init__(code)
        self.code, self.about = code, about


@dataclass(frozen=True, slots=True)
class FromClient:
    """A message of the client as text; ``type`` names it on the wire."""

    type: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class SendFrame(FromClient):
    """One picture, as base64 or a ``data:`` URL; ``captured_at`` is ISO 8601 or ms since 1970."""

    type = "frame"
    data: str
    seq: int | None = None
    captured_at: float | str | None = None


@dataclass(frozen=True, slots=True)
class SendAudio(FromClient):
    """One chunk of sound, likewise; with ``rate`` it is raw 16-bit samples of one channel."""

    type = "audio"
    data: str
    seq: int | None = None
    captured_at: float | str | None = None
    rate: int | None = None


@dataclass(frozen=True, slots=True)
class SendEvent(FromClient):
    """Something that happened on the candidate's side, in the words of the call ``sessions/{id}/events``."""

    type = "event"
    event: str
    seq: int | None = None
    captured_at: float | str | None = None
    severity: int | str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClientHello(FromClient):
    """Back after a loss: the highest number of each stream up to which everything was acknowledged.

    Answered by what was stored after it (acks), then by the server's hello.
    """

    type = "hello"
    last_acked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ping(FromClient):
    """Are you there? The answer is a pong."""

    type = "ping"


@dataclass(frozen=True, slots=True)
class BinaryItem:
    """What a binary message brings; number and time (seconds since 1970) are None for a bare picture."""

    stream: Stream
    data: bytes
    seq: int | None = None
    captured_at: float | None = None
    rate: int = 0


FROM_CLIENT: Mapping[str, type[FromClient]] = {
    kind.type: kind for kind in (SendFrame, SendAudio, SendEvent, ClientHello, Ping)
}


def text_of(message: FromServer | FromClient) -> str:
    """Return a message of either side as JSON text."""
    if isinstance(message, FromServer):
        return message.to_text()
    told = {key: value for key, value in asdict(message).items() if value is not None}
    return json.dumps({"type": message.type, **told}, ensure_ascii=False)


def read_text(text: str) -> FromClient:
    """Return the message; what it has beyond its fields is left out. Raises ``BadMessage``."""
    try:
        told = json.loads(text, parse_constant=_refuse, parse_int=_whole, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BadMessage("bad_json") from error
    if not isinstance(told, dict) or not isinstance(told.get("type"), str):
        raise BadMessage("bad_message")
    kind = FROM_CLIENT.get(told["type"])
    if kind is None:
        raise BadMessage("unknown_type")
    return _filled(kind, told)


def read_binary(message: bytes) -> BinaryItem:
    """Return what follows the header, or the whole message if it is a bare picture. Raises ``BadMessage``."""
    if is_picture(message):
        return BinaryItem("frame", message)
    if len(message) < HEADER.size:
        raise BadMessage("bad_header")
    version, stream, rate, seq, captured_ms = HEADER.unpack_from(message)
    if version != HEADER_VERSION or stream >= len(STREAMS):
        raise BadMessage("bad_header")
    return BinaryItem(STREAMS[stream], message[HEADER.size :], seq, captured_ms / 1000, rate)


def is_picture(data: bytes) -> bool:
    """Say whether the bytes begin like JPEG, PNG or WebP; no header does."""
    return data[:2] == b"\xff\xd8" or data[:8] == b"\x89PNG\r\n\x1a\n" or (data[:4], data[8:12]) == (b"RIFF", b"WEBP")


def _filled(kind: type[T], told: Mapping[str, Any]) -> T:
    values: dict[str, Any] = {}
    of_kind: Any = kind
    for name, wanted in _hints(of_kind).items():
        value = told.get(name)
        if value is None:
            continue
        # JSON's true is no number, though Python says so.
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise BadMessage("bad_field", name)
        if name != "data":
            _refuse_odd_text(value, name)
        values[name] = value
    try:
        return kind(**values)
    except TypeError as error:
        missing = next(item.name for item in fields(kind) if item.name not in values)
        raise BadMessage("bad_field", missing) from error


@functools.cache
def _hints(kind: Any) -> dict[str, tuple[type, ...]]:
    """Return what each field may hold, as ``isinstance`` takes it; JSON writes whole numbers without a point."""
    hints = get_type_hints(kind)
    wanted = {item.name: get_args(hints[item.name]) or (hints[item.name],) for item in fields(kind)}
    tables = {name for name, parts in wanted.items() if parts == (str, Any)}
    return {
        name: (dict,) if name in tables else (*parts, int) if float in parts else parts
        for name, parts in wanted.items()
    }


def _refuse_odd_text(value: Any, name: str) -> None:
    """Refuse what no database keeps: null characters, halves of characters, and nesting without end."""
    try:
        if "\\u0000" in json.dumps(value):
            raise BadMessage("bad_field", name)
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise BadMessage("bad_field", name) from error


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _whole(digits: str) -> int:
    number = int(digits)
    if abs(number) > LARGEST_NUMBER:
        raise ValueError(digits)
    return number


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
