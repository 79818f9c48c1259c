"""A client of sockets that costs so little that one process can be a hall of candidates (RFC 6455)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
from collections.abc import Mapping
from typing import Any, cast

from monitoring.wire import HEADER, HEADER_VERSION

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
FINAL, MASKED = 0x80, 0x80
BINARY_HEAD, LENGTH_16, LENGTH_64 = FINAL | 0x2, 126, 127
# The mask keeps pages in browsers from writing what a proxy may take for HTTP. Neither is here, and what is masked
# with zeros stays as it is, so nothing needs to be computed for each byte.
MASK = bytes(4)
HEADER_END = b"\r\n\r\n"


class SocketClient(asyncio.Protocol):
    """One socket; what arrives is handed to ``on_message`` as read from JSON, and ``on_lost`` is called at its end."""

    def __init__(self, host: str, path: str) -> None:
        self._host, self._path = host, path
        self._buffer = b""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_message(self, message: Mapping[str, Any]) -> None:
        """Take a message of the server."""

    def on_lost(self) -> None:
        """Take note that the line is gone."""

    def send_item(self, seq: int, captured_ms: int, data: bytes) -> None:
        """Send one picture under its number."""
        head = HEADER.pack(HEADER_VERSION, 0, 0, seq, captured_ms)
        self.transport.writelines((_frame_head(BINARY_HEAD, len(head) + len(data)), head, data))

    def close(self) -> None:
        """Leave at once."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self.transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        asked = (
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self.transport.write(asked.encode())

    def data_received(self, data: bytes) -> None:
        """Read the answer to the opening call, then messages."""
        self._buffer += data
        if not self.opened.done():
            head, end, rest = self._buffer.partition(HEADER_END)
            if not end:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                refusal = head.partition(b"\r\n")[0].decode("latin1")
                self.opened.set_exception(ConnectionError(f"The server refused the socket: {refusal}"))
                self.transport.abort()
                return
            self._buffer = rest
            self.opened.set_result(None)
        self._read_frames()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that the line is gone."""
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("The server closed the line before the socket was open."))
        self.on_lost()

    def _read_frames(self) -> None:
        while (read := _read_frame(self._buffer)) is not None:
            kind, payload, size = read
            self._buffer = self._buffer[size:]
            if kind == TEXT:
                self.on_message(json.loads(payload))
            elif kind == PING:
                self.transport.writelines((_frame_head(FINAL | PONG, len(payload)), payload))
            elif kind == CLOSE:
                self.transport.close()


def _frame_head(first: int, length: int) -> bytes:
    if length < LENGTH_16:
        return bytes((first, MASKED | length)) + MASK
    if length < 1 << 16:
        return struct.pack(">BBH", first, MASKED | LENGTH_16, length) + MASK
    return struct.pack(">BBQ", first, MASKED | LENGTH_64, length) + MASK


def _read_frame(data: bytes) -> tuple[int, bytes, int] | None:
    """Return kind and payload of the first frame, and how many bytes it took; None while it is not complete."""
    if len(data) < 2:
        return None
    length, start = data[1], 2
    if length == LENGTH_16:
        start = 4
        length = int.from_bytes(data[2:4], "big") if len(data) >= start else 1
    elif length == LENGTH_64:
        start = 10
        length = int.from_bytes(data[2:10], "big") if len(data) >= start else 1
    if len(data) < start + length:
        return None
    return data[0] & 0x0F, data[start : start + length], start + length
