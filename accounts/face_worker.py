"""One thread that looks at faces: its models are built once, and many requests cannot take the machine from the exams.

Django gives every request a thread of its own, in which models would be built anew each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLong
from typing import TypeVar

from django.db import connection
from django.utils.translation import gettext as _

from accounts.errors import Refused

T = TypeVar("T")

LONGEST_WAIT_S = 20.0
MOST_WAITING = 32
"""A sign-in takes about a fifth of a second, so the last in the queue waits some seconds."""

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="faces")
_places = threading.BoundedSemaphore(MOST_WAITING)


class FacesBusy(Refused):
    """Too many look at faces at once."""

    code = "busy"
    status = 503

    def __init__(self) -> None:
        super().__init__(_("Too many people sign in by face just now: try again in a moment, or use your password."))


def run_on_face_thread(work: Callable[[], T]) -> T:
    """Do the work on the one thread and return what it returns; raises what it raises, or ``FacesBusy``."""
    if not _places.acquire(blocking=False):
        raise FacesBusy
    waiting: Future[T] = _thread.submit(work)
    waiting.add_done_callback(lambda _done: _places.release())
    # Many may wait at the same moment: a connection held meanwhile is one that nobody else can have.
    if not connection.in_atomic_block:
        connection.close()
    try:
        return waiting.result(timeout=LONGEST_WAIT_S)
    except WaitedTooLong as error:
        waiting.cancel()
        raise FacesBusy from error
