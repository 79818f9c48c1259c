"""The reviewers' socket: the live wall of one exam, then whatever changes on it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from contextlib import suppress
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from monitoring import notify, wall, wire
from monitoring.consumers import access, away
from monitoring.consumers.access import Caller
from monitoring.consumers.away import AWAY
from monitoring.consumers.budget import failures_of
from monitoring.lane import in_thread
from monitoring.limits import Bucket
from monitoring.wall import may_look, wall_text
from monitoring.wire import Close

logger = logging.getLogger(__name__)

RECHECK_S = 60.0
"""So often it is asked again whether the reviewer still may look; the wall is then sent anew."""

TEXTS_PER_S, MOST_TEXTS = 5.0, 30.0
WALLS_PER_S, MOST_WALLS = 0.5, 5.0
LONGEST_TEXT = 4096


class ReviewConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """One socket of one reviewer of one exam."""

    exam_id: uuid.UUID
    caller: Caller
    language = "en"
    entered = False
    _watch: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket; however that ends, nothing goes on to look after it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.entered = False
            if self._watch is not None:
                self._watch.cancel()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Hand on a message; unlike channels' own, without a hop to a thread for each, since no query is made here."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def connect(self) -> None:
        """Show the wall to staff of the exam, and tell everybody else why not."""
        self.exam_id = self.scope["url_route"]["kwargs"]["exam_id"]
        self.group = notify.exam_group(self.exam_id)
        self.language = access.language_of(self.scope, None)
        failures = failures_of(access.address_of(self.scope))
        # Of a session of the admin only the database knows whether it is one.
        if access.claim_of(self.scope) is None and not failures.has(time.monotonic()):
            await self.close()
            return
        notify.remember_loop()
        await self.accept(access.subprotocol_of(self.scope))
        try:
            if not await self._admit():
                failures.take(time.monotonic())
        except AWAY as error:
            logger.warning("The wall of exam %s could not be opened: %s", self.exam_id, error)
            await self._leave(Close.UNAVAILABLE, away.CODE)

    async def _admit(self) -> bool:
        """Show the wall; False to somebody whom nobody knows."""
        caller = await access.caller_of(self.scope)
        self.language = access.language_of(self.scope, None if caller is None else caller.user)
        if caller is None:
            await self._leave(Close.BAD_TICKET, "not_signed_in")
            return False
        if await in_thread(may_look, caller.user.pk, self.exam_id, executor=access.door):
            self.caller = caller
            await self._enter()
        else:
            await self._leave(Close.NOT_YOURS, "permission_denied")
        return True

    async def _enter(self) -> None:
        self.texts, self.walls = Bucket(TEXTS_PER_S, MOST_TEXTS), Bucket(WALLS_PER_S, MOST_WALLS)
        self.entered = True
        # First the group, then the wall: what happens in between is told twice rather than never.
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self._send_wall()
        self._watch = asyncio.get_running_loop().create_task(self._look_again())

    async def disconnect(self, code: int) -> None:
        """Let go of the group."""
        if self.entered:
            await self._forget_group()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Answer ping and hello; a bad message gets an error, and a flood closes the socket."""
        if not self.entered:
            return
        if not self.texts.take(time.monotonic()):
            await self._leave(Close.FLOOD, "too_fast")
            return
        kind = _type_of(text_data)
        if kind == "ping":
            await self._tell(wire.Pong(time.time_ns() // 1_000_000))
        elif kind != "hello":
            await self._tell(wire.Error("bad_message", self._sentence("bad_message")))
        elif self.walls.take(time.monotonic()):
            try:
                await self._send_wall()
            except AWAY as error:
                logger.warning("The wall of exam %s could not be sent: %s", self.exam_id, error)
                await self._tell(wire.Error(away.CODE, self._sentence(away.CODE)))
        else:
            await self._tell(wire.Error("too_fast", self._sentence("too_fast")))

    async def wire_text(self, event: dict[str, Any]) -> None:
        """Pass on what happened, told to all reviewers alike, in words of this one's language."""
        text = event["text"]
        if self.language != settings.LANGUAGE_CODE:
            with translation.override(self.language):
                text = wall.in_active_language(text)
        await self.send(text_data=text)

    async def wire_close(self, event: dict[str, Any]) -> None:
        """Close as told."""
        self.entered = False
        await self.close(code=event["code"], reason=event["reason"])

    async def _look_again(self) -> None:
        """Ask now and then whether the reviewer still may look; what was lost on the way is made good."""
        while self.entered:
            await asyncio.sleep(RECHECK_S)
            try:
                if not await access.still_holds(self.caller):
                    await self._leave(Close.BAD_TICKET, "not_signed_in")
                    return
                if not await in_thread(may_look, self.caller.user.pk, self.exam_id):
                    await self._leave(Close.NOT_YOURS, "permission_denied")
                    return
                await self.channel_layer.group_add(self.group, self.channel_name)  # a group forgets after a day
                await self._send_wall()
            except Exception:  # database or Redis may be starting again; the next look makes it good
                logger.warning("The wall of exam %s could not be looked at again", self.exam_id, exc_info=True)

    async def _send_wall(self) -> None:
        await self.send(text_data=await in_thread(wall_text, self.exam_id, self.language))

    async def _tell(self, message: wire.FromServer) -> None:
        await self.send(text_data=message.to_text())

    async def _leave(self, close: int, code: str) -> None:
        sentence = self._sentence(code)
        if self.entered:
            self.entered = False
            await self._forget_group()
        await self._tell(wire.Error(code, sentence))
        await self.close(code=close, reason=notify.fit_reason(sentence))

    async def _forget_group(self) -> None:
        with suppress(*AWAY):  # it forgets by itself who left it
            await self.channel_layer.group_discard(self.group, self.channel_name)

    def _sentence(self, code: str) -> str:
        with translation.override(self.language):
            return {
                "not_signed_in": _("Sign in first."),
                "permission_denied": _("You do not review this exam."),
                "too_fast": _("Too many messages at once."),
                "bad_message": _("Only hello and ping are understood here."),
                away.CODE: _("This cannot be done right now; please try again in a moment."),
            }[code]


def _type_of(text: str | None) -> str:
    """Return the type of a message; empty if it is none."""
    if text is None or len(text) > LONGEST_TEXT:
        return ""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    kind = message.get("type") if isinstance(message, dict) else None
    return kind if isinstance(kind, str) else ""
