"""Channels' layer in Redis, but one whose listeners outlive a Redis that is away, and each other."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Any

from channels_redis.core import RedisChannelLayer
from channels_redis.utils import create_pool
from redis import ConnectionError, RedisError  # noqa: A004  the library's own
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

logger = logging.getLogger(__name__)

LISTEN_AGAIN_S = 1.0
WARN_EVERY_S = 10.0


class SteadyRedisLayer(RedisChannelLayer):  # type: ignore[misc]  # channels_redis has no types
    """Waits for Redis to come back instead of ending every socket of the process, which would all dial at once.

    One listener fetches for all others of the process. In the original, what it has fetched is lost if it is cancelled
    right then, as it is when its socket closes; here the fetching goes on, and the next listener takes it over.
    """

    _warned_at = -WARN_EVERY_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fetching: dict[str, asyncio.Task[tuple[Any, dict[str, Any]]]] = {}

    def create_pool(self, index: int) -> Any:
        """Return connections that are opened again, once, where Redis has ended them since they were last used."""
        return create_pool(self.hosts[index] | {"retry": Retry(NoBackoff(), 1, (ConnectionError,))})

    async def receive(self, channel: str) -> dict[str, Any]:
        """Return the next message for this channel, however long it takes."""
        while True:
            try:
                message: dict[str, Any] = await super().receive(channel)
            except (RedisError, OSError) as error:
                self._warn(error)
                await asyncio.sleep(LISTEN_AGAIN_S * (0.5 + random.random()))  # noqa: S311  spreads them, no secret
            else:
                return message

    async def receive_single(self, channel: str) -> tuple[Any, dict[str, Any]]:
        """Return a message with the channels it is for; one that nobody waited for any more goes to the next caller."""
        fetching = self._fetching.get(channel)
        if fetching is None or fetching.get_loop() is not asyncio.get_running_loop():
            fetching = self._fetching[channel] = asyncio.ensure_future(super().receive_single(channel))
        try:
            fetched = await asyncio.shield(fetching)
        except BaseException:
            if fetching.done() and (fetching.cancelled() or fetching.exception() is not None):
                self._fetching.pop(channel, None)
            raise
        self._fetching.pop(channel, None)
        return fetched

    def _warn(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._warned_at >= WARN_EVERY_S:
            self._warned_at = now
            logger.warning("Sockets hear nothing from other processes: %s", error)
