"""The candidate's socket: guards, the lane to the store, acknowledgements, and what the server has to say.

Nothing slow happens here: what touches the database or the disk runs in threads, and what many sockets need alike is
done for all of them together (``lane``, ``hall``).
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.errors import Refused
from exams.models import ExamSession, SessionStatus
from monitoring import intake, notify, presence, resume, services, wire
from monitoring.consumers import access, admission, away, reading
from monitoring.consumers.access import Grounds
from monitoring.consumers.admission import Admission, TurnedAway
from monitoring.consumers.away import AWAY
from monitoring.consumers.budget import Budget, budget_of_session, failures_of
from monitoring.consumers.hall import View, hall, look
from monitoring.frame_store import StoredFrame, Stream
from monitoring.lane import Item, Stored, in_thread, lane
from monitoring.models import MonitoringLog
from monitoring.wire import Close

logger = logging.getLogger(__name__)

JOIN_EVERY_S = 60.0
"""A group may be forgotten: after a day, or by a Redis that lost what it had."""

NUMBERS_AT_ONCE = 64
QUIET_S = 120.0
"""A client that says nothing for so long, not even ping, is taken for gone."""


class CandidateConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """One socket of one candidate's session."""

    session_id: uuid.UUID
    grounds: Grounds
    status = ""
    started_at: datetime | None = None
    deadline_at: datetime | None = None
    language = "en"
    generation = 0
    load = 0
    sent_at = heard_at = joined_at = 0.0
    left = entered = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket; however that ends, it is looked after no more."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            hall().leave(self)

    async def connect(self) -> None:
        """Let the candidate in, or tell why not; a newer socket of the session takes over."""
        self.session_id = self.scope["url_route"]["kwargs"]["session_id"]
        self.group = notify.session_group(self.session_id)
        self.language = access.language_of(self.scope, None)
        self._work: set[asyncio.Task[None]] = set()
        claim = access.claim_of(self.scope)
        if claim is None and not failures_of(access.address_of(self.scope)).take(time.monotonic()):
            self.left = True
            await self.close()  # without a word, which a crowd at the door does not read
            return
        notify.remember_loop()
        await self.accept(access.subprotocol_of(self.scope))
        try:
            await self._enter(await admission.let_in(self.scope, self.session_id, claim))
        except TurnedAway as turned_away:
            await self._turn_away(turned_away)
        except AWAY as error:
            logger.warning("The socket of session %s could not be opened: %s", self.session_id, error)
            await self._leave(Close.UNAVAILABLE, away.CODE, away.words(self.language))

    async def _enter(self, admitted: Admission) -> None:
        session, self.language, self.grounds = admitted.session, admitted.language, admitted.grounds
        self.generation, self.highest = admitted.generation, dict(admitted.highest)
        translation.activate(self.language)  # for this socket's own task, in which all its messages are handled
        self._stand(session)
        self.budget: Budget = budget_of_session(str(session.pk), str(admitted.user.pk))
        self.numbers = iter(range(0))
        self.heard_at = time.monotonic()
        self.entered = True
        await self._join()
        await self._claim()
        hall().enter(self)
        # Between the look at the database and the group something may have happened that nobody told us.
        await self._refresh()
        await self._say(await in_thread(self._in_words, admission.hello, session, admitted.highest))

    async def disconnect(self, code: int) -> None:
        """Forget the socket; the candidate is gone unless a newer socket has taken over."""
        if not self.entered:
            return
        hall().leave(self)
        if code != Close.TAKEN_OVER and not self.left:
            await self._note_gone()
        with suppress(*AWAY):  # a group forgets by itself who left it
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Hand on a message; unlike channels' own, without a hop to a thread for each, since no query is made here."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take a message; whatever is wrong with it, it is answered and the socket goes on."""
        if self.left:
            return
        self.heard_at = time.monotonic()
        try:
            if bytes_data is not None:
                await self._take_binary(bytes_data)
            else:
                await self._take_text(text_data or "")
        except wire.BadMessage as bad:
            await self._refuse(bad.code, reading.words_of(bad))
        except Refused as refused:
            await self._refuse(refused.code, str(refused))
        except AWAY as error:
            await self._refuse_for_now(error)
        except Exception:
            logger.exception("A message of session %s could not be handled", self.session_id)
            await self._refuse("server_error", _("Something went wrong here; it has been written down."))

    # --- what comes in ------------------------------------------------------------------------------------------------

    async def _take_binary(self, message: bytes) -> None:
        if self.budget.may_send_item(len(message)):
            await self._store(reading.sent_binary(message))
            return
        try:
            item = wire.read_binary(message)
        except wire.BadMessage:
            await self._refuse_fast()
        else:
            await self._refuse_fast(item.stream, item.seq)

    async def _take_text(self, text: str) -> None:
        large = len(text) > reading.LONGEST_TEXT
        if large and not self.budget.may_send_bytes(len(text)):
            await self._refuse_fast()
            return
        message = await asyncio.to_thread(reading.large_text, text) if large else reading.small_text(text)
        if isinstance(message, wire.SendFrame | wire.SendAudio):
            if not self.budget.may_send_item(0 if large else len(text)):
                await self._refuse_fast(message.type, message.seq)
                return
            await self._store(
                await asyncio.to_thread(reading.sent_text, message) if large else reading.sent_text(message)
            )
        elif not self.budget.may_send_text():
            await self._refuse_fast()
        elif isinstance(message, wire.SendEvent):
            await self._take_event(message)
        elif isinstance(message, wire.ClientHello):
            await self._take_hello(message)
        else:
            await self._say(wire.Pong(time=time.time_ns() // 1_000_000))

    async def _store(self, sent: reading.Sent) -> None:
        """Check what came and put it on the lane; it is acknowledged from there."""
        seq, captured_at = sent.seq, time.time() if sent.captured_at is None else sent.captured_at
        self.sent_at = self.heard_at
        try:
            intake.check_state(self.status, self.started_at)
            if seq is None:
                seq = await self._next_number()
            intake.check_numbers(self.started_at, seq, captured_at, until=self.deadline_at)
            known = not self._is_new(sent.stream, seq) and await self._is_known(sent.stream, seq)
        except Refused as refused:
            await self._refuse(refused.code, str(refused), sent.stream, sent.seq)
            return
        except AWAY as error:
            await self._refuse_for_now(error, sent.stream, sent.seq)
            return
        if known:
            await self._say(wire.Ack(sent.stream, seq))
            return
        frame = StoredFrame(seq=seq, captured_at=captured_at, data=sent.data, stream=sent.stream)
        done = partial(self._stored, sent, seq)
        if not lane().put(Item(self.session_id, frame, done, sent.media_type, self.language)):
            await self._refuse("busy", _("The server is busy; send this again in a while."), sent.stream, seq)

    def _is_new(self, stream: str, seq: int) -> bool:
        """Say whether no number as high was taken before, so that nobody needs to look it up."""
        key = stream if seq < resume.SERVER_NUMBERS_FROM else f"{stream} by server"
        if seq <= self.highest.get(key, -1):
            return False
        self.highest[key] = seq
        return True

    async def _is_known(self, stream: Stream, seq: int) -> bool:
        try:
            return await in_thread(intake.is_known, self.session_id, stream, seq)
        except AWAY:  # then it is stored once more, and examined once all the same
            return False

    async def _next_number(self) -> int:
        number = next(self.numbers, None)
        if number is None:
            next_seq = partial(services.next_seq, session_id=self.session_id, count=NUMBERS_AT_ONCE)
            number = await in_thread(next_seq)
            self.numbers = iter(range(number + 1, number + NUMBERS_AT_ONCE))
        return number

    async def _stored(self, sent: reading.Sent, seq: int, stored: Stored) -> None:
        """Acknowledge, or say why not; what asks the database does not hold up the lane."""
        if stored.refused is not None:
            await self._refuse(stored.refused.code, str(stored.refused), sent.stream, seq)
        elif stored.fault:
            self._spawn(self._refuse_fault(sent, seq, stored.fault))
        else:
            await self._say(wire.Ack(sent.stream, seq))

    async def _refuse_fault(self, sent: reading.Sent, seq: int, fault: str) -> None:
        try:
            refuse = partial(intake.refuse_fault, self.session_id, sent.stream, fault, sent.media_type)
            await in_thread(self._in_words, refuse)
        except Refused as refused:
            await self._refuse(refused.code, str(refused), sent.stream, seq)

    async def _take_event(self, message: wire.SendEvent) -> None:
        if not self.budget.may_report():
            await self._refuse_fast("event", message.seq)
            return
        try:
            reports = reading.reported(message)
            await in_thread(self._in_words, _take_events, self.session_id, reports)
        except wire.BadMessage as bad:
            await self._refuse(bad.code, reading.words_of(bad), "event", message.seq)
        except Refused as refused:
            await self._refuse(refused.code, str(refused), "event", message.seq)
        except AWAY as error:
            await self._refuse_for_now(error, "event", message.seq)
        else:
            await self._say(wire.Ack("event", message.seq))

    async def _take_hello(self, message: wire.ClientHello) -> None:
        if not self.budget.may_greet():
            await self._refuse_fast()
            return
        last_acked = message.last_acked
        stored = await in_thread(lambda: list(resume.stored_after(self.session_id, last_acked)))
        for stream, seq in stored:
            await self._say(wire.Ack(stream, seq))
        hello = await in_thread(self._in_words, admission.fresh_hello, self.session_id)
        if hello is not None:
            await self._say(hello)

    # --- what the server says -----------------------------------------------------------------------------------------

    async def wire_text(self, event: dict[str, Any]) -> None:
        """Hand on what another process has to say."""
        if self.left:
            return
        if event.get("about") == wire.Status.type:
            await self._refresh()  # before the client hears of it and begins to send
        await self.send(text_data=event["text"])

    async def wire_close(self, event: dict[str, Any]) -> None:
        """Close because the session is over, or for whatever reason is told."""
        reason = event.get("reason") or ""
        await self._leave(event["code"], "session_over" if event["code"] == Close.ENDED else "closed", reason)

    async def wire_takeover(self, event: dict[str, Any]) -> None:
        """Give way to a newer socket; an older one that has not heard of this one is told again."""
        if event["owner"] == self.channel_name or self.left:
            return
        if event.get("generation", self.generation + 1) < self.generation:
            await self._claim()
            return
        detail = _("This session has been opened somewhere else, and goes on there.")
        await self._leave(Close.TAKEN_OVER, "taken_over", detail)

    async def look_up(self, view: View | None, *, signed_out: bool) -> None:
        """Take note of the session as the database has it, and of whether the right to this socket still holds."""
        with translation.override(self.language):
            try:
                known = admission.check_standing(view, self.grounds, signed_out=signed_out)
            except TurnedAway as turned_away:
                await self._turn_away(turned_away)
                return
            if time.monotonic() - self.heard_at > QUIET_S:
                await self._leave(Close.GONE_QUIET, "gone_quiet", _("Nothing was heard for too long; connect again."))
            else:
                await self._take_note(known)

    async def _take_note(self, view: View) -> None:
        changed = (view.status, view.deadline_at) != (self.status, self.deadline_at)
        self._stand(view)
        if changed:  # nobody told us
            await self._say(wire.Status(view.status, left_s=_left_s(view), deadline_at=view.deadline_at))
        if view.load is not None and view.load != self.load:
            self.load = view.load
            await self._say(wire.Health(load=view.load))
        if time.monotonic() - self.joined_at > JOIN_EVERY_S:
            self.joined_at = time.monotonic()
            self._spawn(self._join_again())  # nobody else waits for it

    async def _refresh(self) -> None:
        """Look the session up now; where that fails, the hall's next look will do."""
        try:
            view = (await in_thread(look, [self.session_id])).get(self.session_id)
        except Exception:
            logger.warning("Session %s could not be looked up", self.session_id, exc_info=True)
            return
        if view is not None:
            self._stand(view)

    def _stand(self, session: ExamSession | View) -> None:
        self.status, self.started_at, self.deadline_at = session.status, session.started_at, session.deadline_at

    async def _claim(self) -> None:
        message = {"type": "wire.takeover", "owner": self.channel_name, "generation": self.generation}
        await self.channel_layer.group_send(self.group, message)

    async def _join_again(self) -> None:
        with suppress(*AWAY):  # the next time will do
            await self._join()

    async def _join(self) -> None:
        await self.channel_layer.group_add(self.group, self.channel_name)
        self.joined_at = time.monotonic()

    async def _note_gone(self) -> None:
        hall().leave(self, gone=True)
        try:
            await in_thread(presence.gone, self.session_id)
        except AWAY as error:  # the beat will notice
            logger.warning("That session %s is gone could not be noted: %s", self.session_id, error)

    async def _refuse_for_now(self, why: Exception, stream: str | None = None, seq: int | None = None) -> None:
        logger.warning("A message of session %s could not be stored: %s", self.session_id, why)
        await self._refuse(away.CODE, away.words(self.language), stream, seq)

    async def _refuse_fast(self, stream: str | None = None, seq: int | None = None) -> None:
        await self._refuse("too_fast", _("This is faster than anybody needs to send; slow down."), stream, seq)

    async def _refuse(self, code: str, detail: str, stream: str | None = None, seq: int | None = None) -> None:
        if self.left:
            return
        if not self.budget.is_patient():
            await self._turn_away(admission.flood(self.language))
            return
        await self._say(wire.Error(code, detail, stream, seq))

    async def _turn_away(self, why: TurnedAway) -> None:
        await self._leave(why.close, why.code, why.detail)

    async def _leave(self, close: int, code: str, detail: str) -> None:
        """Say why, and close; what is on its way is not answered any more, and is sent again by the client."""
        if self.left:
            return
        await self._say(wire.Error(code, detail))
        self.left = True
        await self.close(close, detail or code)
        if self.entered and close != Close.TAKEN_OVER:
            await self._note_gone()

    async def _say(self, message: wire.FromServer) -> None:
        if not self.left:
            await self.send(text_data=message.to_text())

    def _in_words(self, work: Any, *args: Any) -> Any:
        """Do something in the candidate's language, in whatever thread."""
        with translation.override(self.language):
            return work(*args)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._work.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._work.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            logger.exception("A message of session %s could not be answered", self.session_id)


def _left_s(view: View) -> float | None:
    if view.status != SessionStatus.ACTIVE or view.deadline_at is None:
        return None
    return max(0.0, view.deadline_at.timestamp() - time.time())


def _take_events(session_id: uuid.UUID, reports: list[services.Report]) -> None:
    session = ExamSession.objects.get(pk=session_id)
    intake.take_events(session=session, reports=reports, source=MonitoringLog.Source.BROWSER)
