"""What daphne lacks: room for messages with pictures, reasons of closing, and a log that tells no secrets."""

from __future__ import annotations

import re
from typing import Any

import daphne.access
import daphne.server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from monitoring.wire import MAX_MESSAGE_BYTES

LONGEST_REASON = 123
"""Bytes that a close frame has for it (RFC 6455, 5.5)."""

PING_EVERY_S, PONG_WITHIN_S = 10, 10
"""Half-open sockets are found after so long, whatever the command line of the server says."""

_QUERY = re.compile(r"\?[^\s\"]*")


class Protocol(WebSocketProtocol):  # type: ignore[misc]  # daphne has no types
    """One socket, which tells why it is closed."""

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Do what the application asks for."""
        if message.get("type") == "websocket.close" and self.state == self.STATE_OPEN and message.get("reason"):
            self.sendClose(code=message.get("code") or 1000, reason=short_reason(message["reason"]))
        else:
            super().handle_reply(message)


class Factory(WebSocketFactory):  # type: ignore[misc]  # daphne has no types
    """Makes such sockets."""

    protocol = Protocol

    def __init__(self, owner: Any, *args: Any, **kwargs: Any) -> None:
        owner.ping_interval = min(owner.ping_interval, PING_EVERY_S)
        super().__init__(owner, *args, **kwargs)

    def setProtocolOptions(self, **options: Any) -> None:  # noqa: N802  named by autobahn
        """Set the options; a picture in base64 must fit, and nobody is waited for too long."""
        options["maxMessagePayloadSize"] = options["maxFramePayloadSize"] = MAX_MESSAGE_BYTES
        options["autoPingTimeout"] = PONG_WITHIN_S
        super().setProtocolOptions(**options)


def short_reason(reason: str) -> str:
    """Return as much of the reason as a close frame holds, in whole characters."""
    return reason.encode()[:LONGEST_REASON].decode(errors="ignore")


def without_query(text: str) -> str:
    """Return a line of the access log without what followed the path: tokens and tickets travel there."""
    return _QUERY.sub("?…", text)


def install() -> None:
    """Have daphne use these; called before it begins to listen."""
    daphne.server.WebSocketFactory = Factory
    plain = daphne.access.AccessLogGenerator.write_entry
    if getattr(plain, "hides_queries", False):
        return

    def write_entry(self: Any, *args: Any, request: str, **kwargs: Any) -> None:
        plain(self, *args, request=without_query(request), **kwargs)

    write_entry.hides_queries = True  # type: ignore[attr-defined]
    daphne.access.AccessLogGenerator.write_entry = write_entry
