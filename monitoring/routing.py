"""The addresses of the sockets, among them those that the clients of former systems know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from channels.exceptions import DenyConnection
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import path, re_path

from monitoring.consumers.access import OriginGuard
from monitoring.consumers.candidate import CandidateConsumer
from monitoring.consumers.review import ReviewConsumer

CANDIDATE = ("ws/proctoring/<uuid:session_id>", "ws/<uuid:session_id>", "api/v1/proctoring/ws/<uuid:session_id>")
REVIEW = ("ws/review/<uuid:exam_id>",)


class NoSuchSocket(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """Turns away who asks for a socket that is none."""

    async def connect(self) -> None:
        """Refuse."""
        raise DenyConnection


def _routes(addresses: tuple[str, ...], consumer: Any) -> Iterator[Any]:
    for address in addresses:
        yield path(address, consumer.as_asgi())
        yield path(f"{address}/", consumer.as_asgi())


urlpatterns = [
    *_routes(CANDIDATE, CandidateConsumer),
    *_routes(REVIEW, ReviewConsumer),
    re_path("", NoSuchSocket.as_asgi()),
]


def application() -> Any:
    """Return what answers sockets."""
    return OriginGuard(URLRouter(urlpatterns))
