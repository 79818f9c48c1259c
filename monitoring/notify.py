"""From wherever something happens to the sockets that should know; the only way from workers to browsers.

Everything here goes out after the transaction has been committed, and a push that fails is logged and forgotten: the
rows are the truth, sockets are told early. Only texts travel, never a picture.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import transaction

from monitoring import wire

logger = logging.getLogger(__name__)

SESSION_GROUP, EXAM_GROUP = "session.{}", "exam.{}"
MOST_WAITING = 1000
"""Of pushes that wait for a slow channel layer at most so many are kept; updates make room first."""

LONGEST_PUSH_S = 5.0
WARN_EVERY_S = 10.0
CLOSE_REASON_BYTES = 120
"""What fits into a close frame, with a little room."""


@dataclass(frozen=True, slots=True)
class Push:
    """One event for one group; ``is_update`` marks what the next event of its kind says again."""

    group: str
    event: dict[str, Any]
    is_update: bool = False


def session_group(session_id: uuid.UUID) -> str:
    """Return the group of the sockets of one candidate's session."""
    return SESSION_GROUP.format(session_id.hex)


def exam_group(exam_id: uuid.UUID) -> str:
    """Return the group of the reviewers' sockets of one exam."""
    return EXAM_GROUP.format(exam_id.hex)


def tell_candidate(
    session_id: uuid.UUID, message: wire.FromServer, *, close: int | None = None, close_reason: str = ""
) -> None:
    """Send a message to the candidate's socket after commit, and close it with this code if one is given."""
    group = session_group(session_id)
    pushes = [Push(group, _text(message))]
    if close is not None:
        pushes.append(Push(group, {"type": "wire.close", "code": close, "reason": fit_reason(close_reason)}))
    after_commit(lambda: _push(pushes))


def tell_reviewers(exam_id: uuid.UUID, message: wire.FromServer, *, is_update: bool = False) -> None:
    """Send a message to the reviewers' sockets of an exam after commit; an update may be left out under load."""
    push = Push(exam_group(exam_id), _text(message), is_update)
    after_commit(lambda: _push([push]))


def after_commit(tell: Callable[[], None]) -> None:
    """Call this when the transaction has been committed; where it fails the caller goes on and the log says so."""

    def told() -> None:
        try:
            tell()
        except Exception:  # whatever it is, what happened is stored and stays so
            logger.warning("sockets were not told", exc_info=True)

    transaction.on_commit(told, robust=True)


def is_reachable() -> bool:
    """Say whether a socket could be told anything from this process; where not, nothing need be put together."""
    return not isinstance(get_channel_layer(), InMemoryChannelLayer) or _known_loop() is not None


def remember_loop() -> None:
    """Note the running event loop as the one whose sockets are told; every consumer calls this when it connects."""
    loop = asyncio.get_running_loop()
    if _server.outbox is None or _server.outbox.loop is not loop:
        _server.outbox = Outbox(loop)


def flush(timeout_s: float = 2.0) -> bool:
    """Wait until everything has gone out; returns False if that takes longer."""
    deadline = time.monotonic() + timeout_s
    outboxes = [box for box in (_server.outbox, _background.outbox) if box is not None and box.is_alive()]
    while any(box.is_busy() for box in outboxes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def fit_reason(reason: str) -> str:
    """Return as much of a sentence as fits into a close frame."""
    return reason.encode()[:CLOSE_REASON_BYTES].decode(errors="ignore")


class Outbox:
    """What waits to be sent by one event loop, in the order in which it was told; may be filled from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._lock = threading.Lock()
        self._waiting: deque[Push] = deque()
        self._draining = False
        self._warned_at = -WARN_EVERY_S

    def is_alive(self) -> bool:
        """Say whether the loop runs."""
        return self.loop.is_running() and not self.loop.is_closed()

    def is_busy(self) -> bool:
        """Say whether anything waits or is on its way."""
        with self._lock:
            return self._draining

    def put(self, push: Push) -> None:
        """Have a push sent soon; where too many wait, the oldest update goes, or else the oldest of all."""
        with self._lock:
            dropped = self._make_room()
            self._waiting.append(push)
            start, self._draining = not self._draining, True
        if dropped:
            self._warn("sockets are told too slowly, so the oldest news is dropped")
        if start:
            self.loop.call_soon_threadsafe(self._start)

    def _make_room(self) -> bool:
        if len(self._waiting) < MOST_WAITING:
            return False
        oldest = next((number for number, push in enumerate(self._waiting) if push.is_update), 0)
        del self._waiting[oldest]
        return True

    def _start(self) -> None:
        # Kept, since the loop holds its tasks only weakly; and in a context of its own, since it is of no one socket.
        self._task = self.loop.create_task(self._drain(), context=Context())

    async def _drain(self) -> None:
        while (push := self._next()) is not None:
            try:
                layer = get_channel_layer()
                await asyncio.wait_for(layer.group_send(push.group, push.event), LONGEST_PUSH_S)
            except Exception as error:  # noqa: BLE001  libraries behind the layer raise what they like
                self._warn(f"sockets were not told ({type(error).__name__}: {error})")

    def _next(self) -> Push | None:
        with self._lock:
            if not self._waiting:
                self._draining = False
                return None
            return self._waiting.popleft()

    def _warn(self, sentence: str) -> None:
        now = time.monotonic()
        if now - self._warned_at >= WARN_EVERY_S:
            self._warned_at = now
            logger.warning("%s; rows are as they should be", sentence)


class _Place:
    """Where this process keeps an outbox; a child that was forked begins without."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.outbox: Outbox | None = None


_server, _background = _Place(), _Place()


def _forget_after_fork() -> None:
    for place in (_server, _background):
        place.lock, place.outbox = threading.Lock(), None


os.register_at_fork(after_in_child=_forget_after_fork)
atexit.register(flush)


def _push(pushes: list[Push]) -> None:
    outbox = _known_loop()
    if outbox is None and not isinstance(get_channel_layer(), InMemoryChannelLayer):
        outbox = _background_loop()
    if outbox is not None:  # without a loop there are no sockets in this process, and no way to others
        for push in pushes:
            outbox.put(push)


def _known_loop() -> Outbox | None:
    outbox = _server.outbox
    return outbox if outbox is not None and outbox.is_alive() else None


def _background_loop() -> Outbox:
    """Return the outbox of this process's own loop: one that is built for each push would be late."""
    with _background.lock:
        if _background.outbox is None or not _background.outbox.is_alive():
            loop, running = asyncio.new_event_loop(), threading.Event()
            loop.call_soon(running.set)
            threading.Thread(target=loop.run_forever, name="notify", daemon=True).start()
            running.wait(LONGEST_PUSH_S)
            _background.outbox = Outbox(loop)
        return _background.outbox


def _text(message: wire.FromServer) -> dict[str, Any]:
    return {"type": "wire.text", "about": message.type, "text": message.to_text()}
