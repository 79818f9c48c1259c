"""All candidates connected to this process, looked after together: a query for many instead of one for each."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Iterable, Mapping
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from weakref import WeakKeyDictionary

from accounts.tokens import ended_sign_ins
from exams.models import ExamSession
from monitoring import intake, presence
from monitoring.consumers.access import Grounds, digest_of
from monitoring.lane import in_thread

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
NEVER = float("-inf")
SEEN_EVERY_S = 8.0
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class View:
    """A session as the database has it, and how busy its analysis is (None if nobody asked)."""

    status: str
    started_at: datetime | None
    deadline_at: datetime | None
    user_is_active: bool
    password: str
    """By what one knows whether it has been changed: ``access.digest_of``."""

    load: int | None = None


class Member(Protocol):
    """A candidate's socket, as the hall knows it."""

    session_id: uuid.UUID
    grounds: Grounds
    sent_at: float
    """When a picture came last, by the clock that never goes back."""

    async def look_up(self, view: View | None, *, signed_out: bool) -> None:
        """Take note of the session as it is now, None if there is none any more, and of the end of the sign-in."""


class Hall:
    """The sockets of one event loop."""

    def __init__(self) -> None:
        self._members: dict[Member, float] = {}
        self._gone: set[uuid.UUID] = set()
        self._walk: asyncio.Task[None] | None = None

    def enter(self, member: Member) -> None:
        """Look after this socket from now on; that somebody came is noted at the next look."""
        self._members[member] = NEVER
        presence.forget(member.session_id)
        if self._walk is None or self._walk.done():
            # In a context of its own: what it logs belongs to no one socket.
            self._walk = asyncio.get_running_loop().create_task(self._walk_round(), context=Context())

    def leave(self, member: Member, *, gone: bool = False) -> None:
        """Look after it no more; ``gone`` tells that nobody took its place."""
        self._members.pop(member, None)
        if gone:
            self._gone.add(member.session_id)

    async def _walk_round(self) -> None:
        while self._members:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._look()
            except Exception:
                # The database may be starting again; what is known goes on to hold until the next look.
                logger.warning("Connected sessions could not be looked at", exc_info=True)

    async def _look(self) -> None:
        now = time.monotonic()
        members = list(self._members)
        busy = {member.session_id for member in members if now - member.sent_at < 2 * LOOK_EVERY_S}
        views = await in_thread(look, {member.session_id for member in members}, busy)
        ended = await in_thread(ended_sign_ins, {member.grounds.sign_in for member in members})
        await self._note_seen(now)
        for member in members:
            if member not in self._members:
                continue
            await _tell(member, views.get(member.session_id), signed_out=member.grounds.sign_in in ended)

    async def _note_seen(self, now: float) -> None:
        """Note a sign of life of everybody whose last one is old, but not of whoever leaves meanwhile."""
        due = [member for member, noted in self._members.items() if now - noted >= SEEN_EVERY_S]
        self._members.update(dict.fromkeys(due, now))
        self._gone.clear()
        await in_thread(presence.seen, *{member.session_id for member in due})
        here = {member.session_id for member in self._members}
        for session_id in {member.session_id for member in due} & self._gone - here:
            await in_thread(presence.gone, session_id)


async def _tell(member: Member, view: View | None, *, signed_out: bool) -> None:
    try:
        await member.look_up(view, signed_out=signed_out)
    except Exception:
        logger.exception("A socket could not be told how its session stands")


def look(session_ids: Iterable[uuid.UUID], busy: Iterable[uuid.UUID] = ()) -> Mapping[uuid.UUID, View]:
    """Return these sessions as they are now, with the load of those that are ``busy``."""
    ids, loads = list(session_ids), intake.loads_at(list(busy))
    views = {}
    for start in range(0, len(ids), AT_ONCE):
        rows = ExamSession.objects.filter(pk__in=ids[start : start + AT_ONCE]).order_by()
        for pk, status, started_at, deadline_at, is_active, password in rows.values_list(
            "pk", "status", "started_at", "deadline_at", "candidate__user__is_active", "candidate__user__password"
        ):
            load = loads[pk].load if pk in loads else None
            views[pk] = View(status, started_at, deadline_at, is_active, digest_of(password), load)
    return views


def hall() -> Hall:
    """Return the hall of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _halls.get(loop)
    if found is None:
        found = _halls[loop] = Hall()
    return found


_halls: WeakKeyDictionary[asyncio.AbstractEventLoop, Hall] = WeakKeyDictionary()
