"""What a server of sockets costs without us: a consumer that writes each message to a file and acknowledges it.

``daphne monitoring.load.bare:application``; the files go to the folder that ``BARE_FOLDER`` names.
"""

from __future__ import annotations

import os

from channels.generic.websocket import AsyncWebsocketConsumer

from monitoring.wire import HEADER

FOLDER = os.environ.get("BARE_FOLDER", "")


def write(path: str, data: bytes) -> None:
    """Write a file as cheaply as Python can."""
    with open(path, "wb", buffering=0) as file:  # noqa: PTH123
        file.write(data)


class BareConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """One socket."""

    async def connect(self) -> None:
        """Let everybody in."""
        self.folder = f"{FOLDER}/{id(self)}"
        os.makedirs(self.folder, exist_ok=True)  # noqa: PTH103
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Write what came and acknowledge it."""
        if bytes_data is None:
            return
        seq = HEADER.unpack_from(bytes_data)[3]
        write(f"{self.folder}/{seq}", bytes_data)
        await self.send(text_data=f'{{"type": "ack", "stream": "frame", "seq": {seq}}}')


application = BareConsumer.as_asgi()
"""What the server calls; like ours it takes sockets of any path."""
