"""Celery's broker in Redis, but one whose workers outlive a Redis that is full for a while."""

from __future__ import annotations

from typing import Any

from kombu.transport.redis import Channel, QoS, Transport
from redis.exceptions import OutOfMemoryError


class SteadyQoS(QoS):
    """Says that a task is done outside a transaction, of which a full Redis refuses even what removes things."""

    def _remove_from_indices(self, delivery_tag: str, pipe: Any = None) -> Any:
        if pipe is not None:
            return super()._remove_from_indices(delivery_tag, pipe)  # type: ignore[misc]  # the stubs lack it
        with self.channel.conn_or_acquire() as client:  # type: ignore[attr-defined]
            outside = client.pipeline(transaction=False)
            return super()._remove_from_indices(delivery_tag, outside)  # type: ignore[misc]


def install() -> None:
    """Have kombu use this; a worker that can take nothing waits for Redis as for one that is away, and does not end."""
    Channel.QoS = SteadyQoS
    if OutOfMemoryError not in Transport.connection_errors:
        Transport.connection_errors += (OutOfMemoryError,)
