"""An event loop with somebody in it who listens to the sockets' groups, as consumers do."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer

from monitoring import notify


class Ears:
    """A server's event loop in a thread of its own; hears what is told to the groups."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.heard: dict[str, list[dict[str, Any]]] = {}
        self.call(self._remember())

    async def _remember(self) -> None:
        notify.remember_loop()

    def call(self, work: Any) -> Any:
        """Do this in the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def listen(self, group: str) -> list[dict[str, Any]]:
        """Return the list into which every event of the group will go."""
        heard = self.heard[group] = []
        channel = self.call(self._join(group))
        asyncio.run_coroutine_threadsafe(self._hear(channel, heard), self.loop)
        return heard

    async def _join(self, group: str) -> str:
        layer = get_channel_layer()
        channel: str = await layer.new_channel()
        await layer.group_add(group, channel)
        return channel

    async def _hear(self, channel: str, heard: list[dict[str, Any]]) -> None:
        while True:
            heard.append(await get_channel_layer().receive(channel))

    def settle(self) -> None:
        """Wait until what has reached the groups has been heard."""
        self.call(self._turns())

    async def _turns(self) -> None:
        for _turn in range(50):
            await asyncio.sleep(0)

    async def _stop_listening(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """Let the loop go; a second time does nothing."""
        if self.loop.is_running():
            self.call(self._stop_listening())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(10)
            self.loop.close()


def messages(heard: list[dict[str, Any]], *types: str) -> list[dict[str, Any]]:
    """Return the messages among the events, all or of these types."""
    found = [json.loads(event["text"]) for event in heard if event["type"] == "wire.text"]
    return [message for message in found if not types or message["type"] in types]


def wait_for(true: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Return what comes out as soon as it is true; fail if that does not happen in time."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return found
