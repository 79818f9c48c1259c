"""The lane from sockets to the store: what many sockets bring at one moment is stored together, off the event loop.

One hop to a thread for a batch costs little; one for each picture would cost more than storing it. While a batch is
being stored the next one gathers. Workers are asked, and pictures counted, now and then and together as well.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from channels.db import DatabaseSyncToAsync
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.errors import Refused
from monitoring import intake, services
from monitoring.frame_store import STREAMS, StoredFrame, Stream
from monitoring.thinned import count_thinned

logger = logging.getLogger(__name__)

T = TypeVar("T")

ASK_EVERY_S = 0.2
"""A worker that is asked takes all that waits, so one is asked so often for a session at most."""

COUNT_EVERY_S = 5.0
MOST_ITEMS, MOST_BYTES = 4_000, 256 * 1024**2
"""So much may wait for the thread; more is not taken."""

# One thread stores: the order of a session is kept, and a second one would only fight for Python's lock.
_writer = ThreadPoolExecutor(1, "intake")
_clerk = ThreadPoolExecutor(1, "intake-clerk")
_readers = ThreadPoolExecutor(4, "intake-database")


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an item: the pictures thinned out for it, or a fault of its bytes, or why it was refused."""

    thinned: int = 0
    fault: str = ""
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """Something to be stored, and who wants to know when it is; ``language`` is that of a refusal."""

    session_id: uuid.UUID
    frame: StoredFrame
    done: Callable[[Stored], Awaitable[None]]
    media_type: str = ""
    language: str = "en"


class Lane:
    """The lane of one event loop."""

    def __init__(self) -> None:
        self._waiting: list[Item] = []
        self._bytes = 0
        self._to_ask: set[tuple[uuid.UUID, Stream]] = set()
        self._counts: Counter[uuid.UUID] = Counter()
        self._thinned: set[uuid.UUID] = set()
        self._counted_at = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._storing = self._asking = False

    def put(self, item: Item) -> bool:
        """Take an item; False if too much waits already."""
        size = len(item.frame.data)
        if len(self._waiting) >= MOST_ITEMS or (self._waiting and self._bytes + size > MOST_BYTES):
            return False
        self._waiting.append(item)
        self._bytes += size
        if not self._storing:
            self._storing = True
            self._start(self._store())
        return True

    async def _store(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting, self._bytes = self._waiting, [], 0
                results = await asyncio.get_running_loop().run_in_executor(_writer, store_all, batch)
                for item, stored in zip(batch, results, strict=True):
                    self._note(item, stored)
                    await self._tell(item, stored)
        finally:
            self._storing = False

    def _note(self, item: Item, stored: Stored | None) -> None:
        if stored is not None and (stored.fault or stored.refused):
            return
        if stored is not None and item.frame.stream == "frame":
            self._counts[item.session_id] += 1
            if stored.thinned:
                self._thinned.add(item.session_id)
        self._to_ask.add((item.session_id, item.frame.stream))
        if not self._asking:
            self._asking = True
            self._start(self._ask())

    async def _tell(self, item: Item, stored: Stored | None) -> None:
        try:
            await item.done(stored or Stored())
        except Exception:
            # One socket that is gone must not keep the others from hearing.
            logger.exception("A socket could not be told of what was stored")

    async def _ask(self) -> None:
        try:
            while self._to_ask or self._counts:
                await asyncio.sleep(ASK_EVERY_S)
                asked, self._to_ask = self._to_ask, set()
                counts, thinned = self._due_counts()
                if asked or counts:
                    await in_thread(ask_all, asked, counts, thinned, executor=_clerk)
        finally:
            self._asking = False

    def _due_counts(self) -> tuple[Counter[uuid.UUID], set[uuid.UUID]]:
        if time.monotonic() - self._counted_at < COUNT_EVERY_S:
            return Counter(), set()
        due = self._counts, self._thinned
        self._counts, self._thinned, self._counted_at = Counter(), set(), time.monotonic()
        return due

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        # In a context of its own: what it logs and sends belongs to no one socket, least of all to whoever came first.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)


def store_all(items: Sequence[Item]) -> list[Stored | None]:
    """Look at the beginning of each item and store it; None where its number waits already. Asks no database."""
    results: list[Stored | None] = []
    away: Stored | None = None
    for item in items:
        # Each would wait for a store that does not answer, and with it everybody behind.
        stored = away or _store_one(item)
        results.append(stored)
        if stored is not None and stored.refused is not None and stored.refused.code == intake.STORE_AWAY:
            away = stored
    return results


def ask_all(
    asked: set[tuple[uuid.UUID, Stream]], counts: Counter[uuid.UUID], thinned: Iterable[uuid.UUID] = ()
) -> None:
    """Ask for the analysis of these queues, and count the pictures that came in and those that were thinned out.

    What was thinned out is counted durably by the store; here it is only told early.
    """
    for stream in STREAMS:
        sessions = [session_id for session_id, wanted in asked if wanted == stream]
        _safely(lambda stream=stream, sessions=sessions: intake.ask_for_analysis(*sessions, stream=stream))
    if counts:
        _safely(lambda: services.count_received(counts=counts))
    for session_id in thinned:
        _safely(lambda pk=session_id: count_thinned(session_id=pk))


async def in_thread(work: Callable[..., T], *args: Any, executor: ThreadPoolExecutor | None = None) -> T:
    """Do what asks the database in a thread, whose connection is given back afterwards."""
    call = DatabaseSyncToAsync(work, thread_sensitive=False, executor=executor or _readers)
    result: T = await call(*args)
    return result


def lane() -> Lane:
    """Return the lane of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _lanes.get(loop)
    if found is None:
        found = _lanes[loop] = Lane()
    return found


_lanes: WeakKeyDictionary[asyncio.AbstractEventLoop, Lane] = WeakKeyDictionary()


def _store_one(item: Item) -> Stored | None:
    translation.activate(item.language)
    try:
        fault = intake.fault_of(item.frame.stream, item.frame.data, item.media_type)
        if fault:
            return Stored(fault=fault)
        thinned = intake.store(item.session_id, item.frame)
    except Refused as refused:
        return Stored(refused=refused)
    except Exception:
        logger.exception("An item of session %s could not be stored", item.session_id)
        message = _("Something went wrong here; it has been written down.")
        return Stored(refused=Refused(message, code="server_error", status=500))
    return None if thinned is None else Stored(thinned=thinned)


def _safely(work: Callable[..., object], *args: Any) -> None:
    """Do one chore; the sweep and the next count make good what fails."""
    try:
        work(*args)
    except Exception:
        logger.exception("A chore of the intake failed")
