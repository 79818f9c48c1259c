"""What daphne lacks: room for pictures, limits of size and time, reasons of closing, and a log without secrets."""

from __future__ import annotations

import io
import re
from typing import Any

import daphne.access
import daphne.http_protocol
import daphne.server
from daphne.http_protocol import WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from django.http import HttpRequest
from django.utils import translation

from monitoring.wire import MAX_MESSAGE_BYTES
from proctoring.errors import too_large

LONGEST_REASON = 123
"""Bytes that a close frame has for it (RFC 6455, 5.5)."""

PING_EVERY_S, PONG_WITHIN_S = 10, 10
"""Half-open sockets are found after so long, whatever the command line of the server says."""

STRANGERS_BYTES = 1024**2
"""The largest body of a call by somebody who shows neither token nor cookie: far more than a form without pictures."""

CALLS, WITH_PICTURES = b"/api/", (b"/api/v1/auth/login/face", b"/api/v1/auth/register")
"""Where strangers may send pictures of themselves."""

COMPLETE_WITHIN_S = 60.0
"""From the first line of a request to the last byte of its body."""

SWALLOWED_BYTES = 40 * 1024**2
"""Too large a body, but none larger, is thrown away to its end before it is refused: proxies and many clients lose an
answer that comes while they still send."""

LINGER_S = 5.0
"""For so long what a refused caller goes on sending is thrown away, so that the refusal is read before the end."""

_QUERY = re.compile(r"\?[^\s\"]*")


class Protocol(WebSocketProtocol):  # type: ignore[misc]  # daphne has no types
    """One socket, which tells why it is closed."""

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Do what the application asks for."""
        if message.get("type") == "websocket.close" and self.state == self.STATE_OPEN and message.get("reason"):
            self.sendClose(code=message.get("code") or 1000, reason=short_reason(message["reason"]))
        else:
            super().handle_reply(message)


class Request(WebRequest):  # type: ignore[misc]  # daphne has no types
    """One request, whose body is neither too large nor on its way for too long.

    The body is on disk before Django hears of the request, so nobody else could refuse it.
    """

    content: Any = None

    def __init__(self, channel: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(channel, *args, **kwargs)
        # Twisted would read forms too, on the one thread that serves everybody, and for nobody: Django reads them.
        self._parsePOSTFormSubmission = False
        self._room = settings.MAX_REQUEST_BYTES
        self._is_refused = self._is_answered = False
        self._deadline = channel.callLater(COMPLETE_WITHIN_S, self._end)

    def gotLength(self, length: int | None) -> None:  # noqa: N802  named by twisted
        """Make room for the body, whose length is None where it comes in chunks."""
        headers = self.requestHeaders
        is_known = headers.hasHeader(b"authorization") or headers.hasHeader(b"cookie")
        self._room = largest_body(self.channel._path, is_known=is_known)  # noqa: SLF001  self.path is not set yet
        if length is not None and length > self._room:
            self._refuse(at_once=length > SWALLOWED_BYTES or headers.hasHeader(b"expect"))
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802  named by twisted
        """Keep what came of the body."""
        self._room -= len(data)
        if self._is_refused:
            return
        if self._room < 0:
            self._refuse(at_once=True)
        else:
            super().handleContentChunk(data)

    def requestReceived(self, *request_line: bytes) -> None:  # noqa: N802  named by twisted
        """Answer the request, all of which is here."""
        self._stop_waiting()
        if self._is_refused:
            self._answer()
            self._end()
        else:
            super().requestReceived(*request_line)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802  named by twisted
        """Forget the request."""
        self._stop_waiting()
        super().connectionLost(reason)

    def _refuse(self, *, at_once: bool) -> None:
        self._is_refused = True
        if self.content is not None:
            self.content.close()  # what was on disk is gone
        self.content = io.BytesIO()
        if at_once:
            self.requestHeaders.removeHeader(b"expect")  # or twisted would ask for the body after all
            self._answer()
            self._stop_waiting()
            self._deadline = self.channel.callLater(LINGER_S, self._end)

    def _answer(self) -> None:
        if self._is_answered:
            return
        self._is_answered = True
        self.channel.transport.write(refusal(self._header(b"accept-language"), self._header(b"origin")))

    def _end(self) -> None:
        # Not by an answer: browsers try again what the line lost, and are told nothing by a code that says so.
        if self.channel is not None:
            self.channel.timeoutConnection()

    def _header(self, name: bytes) -> str:
        return str(self.requestHeaders.getRawHeaders(name, [b""])[0].decode("latin-1"))

    def _stop_waiting(self) -> None:
        if self._deadline.active():
            self._deadline.cancel()


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


def largest_body(path: bytes, *, is_known: bool) -> int:
    """Return how many bytes a request may bring to this path; ``is_known``: whether it shows a token or a cookie."""
    if is_known or not path.startswith(CALLS) or path.startswith(WITH_PICTURES):
        return int(settings.MAX_REQUEST_BYTES)
    return STRANGERS_BYTES


def refusal(languages: str, origin: str) -> bytes:
    """Return the whole answer to what is too large, in the language asked for, readable by pages of our origins."""
    request = HttpRequest()
    request.META["HTTP_ACCEPT_LANGUAGE"] = languages
    with translation.override(translation.get_language_from_request(request)):
        body = bytes(too_large().content)
    head = [
        "HTTP/1.1 413 Content Too Large",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: private, no-store",
        "Connection: close",
    ]
    if origin in settings.CORS_ALLOWED_ORIGINS:
        head += [f"Access-Control-Allow-Origin: {origin}", "Vary: Origin"]
    return "\r\n".join([*head, "", ""]).encode() + body


def short_reason(reason: str) -> str:
    """Return as much of the reason as a close frame holds, in whole characters."""
    return reason.encode()[:LONGEST_REASON].decode(errors="ignore")


def without_query(text: str) -> str:
    """Return a line of the access log without what followed the path: tokens and tickets travel there."""
    return _QUERY.sub("?…", text)


def install() -> None:
    """Have daphne use these; called before it begins to listen."""
    daphne.server.WebSocketFactory = Factory
    daphne.http_protocol.WebRequest = Request
    plain = daphne.access.AccessLogGenerator.write_entry
    if getattr(plain, "hides_queries", False):
        return

    def write_entry(self: Any, *args: Any, request: str, **kwargs: Any) -> None:
        plain(self, *args, request=without_query(request), **kwargs)

    write_entry.hides_queries = True  # type: ignore[attr-defined]
    daphne.access.AccessLogGenerator.write_entry = write_entry
