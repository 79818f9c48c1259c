"""Turns of a worker's processes at its cores, so that on each core one examines while others wait for a store.

Two processes that examine on one core cost each other a twentieth: each time the core goes from one to the other, the
other's models are no longer near. The turns are locks on a file that the processes inherit and that has no name; the
system takes them back from a process that dies.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

ASK_AGAIN_S = 0.02
"""What the next process loses by it, the one before needs to write down what it found."""

_shared: list[IO[bytes]] = []


def share_turns() -> None:
    """Have the processes that this one starts from now on take turns, where more of them are started than cores are."""
    _shared[:] = [tempfile.TemporaryFile()]  # noqa: SIM115  it stays open for as long as the process lives


@contextmanager
def turn(wait_s: float) -> Iterator[None]:
    """Have a core for what is done within.

    Waits for one that is free, for at most so long: nobody stands still because of a model that does.
    """
    held = _take(wait_s)
    try:
        yield
    finally:
        if held is not None:
            fcntl.lockf(_shared[0], fcntl.LOCK_UN, 1, held)


def _take(wait_s: float) -> int | None:
    """Return the number of the turn that this process has now; None where there is none to wait for, or any longer."""
    deadline = time.monotonic() + wait_s
    while _shared:
        for number in range(_cores()):
            try:
                fcntl.lockf(_shared[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            except OSError:
                continue
            return number
        if time.monotonic() >= deadline:
            break
        time.sleep(ASK_AGAIN_S)
    return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
