"""How much one user may send through sockets; a flood is refused, and one that goes on is closed.

Counted in the memory of this process: so many processes of the server, so many budgets.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from django.conf import settings

from monitoring.limits import Bucket

TEXTS_PER_S, MOST_TEXTS = 50.0, 150.0
EVENTS_PER_S, MOST_EVENTS = 20.0, 300.0
HELLOS_PER_S, MOST_HELLOS = 0.5, 10.0
OPENINGS_PER_S, MOST_OPENINGS = 1.0, 30.0
BYTES_PER_S, MOST_BYTES = 8.0 * 1024**2, 48.0 * 1024**2
STRIKES_PER_S, MOST_STRIKES = 10.0, 150.0
"""What is refused counts as a strike; who has used them all up is closed."""

FAILURES_PER_S, MOST_FAILURES = 2.0, 100.0
"""So many openings without any right are answered in words to one address, behind which may be a whole hall."""

REMEMBERED = 20_000


class Budget:
    """What one user may send, in all of their sockets of this process."""

    def __init__(self) -> None:
        rate = float(settings.SOCKET_FRAMES_PER_S)
        self._items = Bucket(rate, 2 * rate)
        self._bytes = Bucket(BYTES_PER_S, MOST_BYTES)
        self._texts = Bucket(TEXTS_PER_S, MOST_TEXTS)
        self._events = Bucket(EVENTS_PER_S, MOST_EVENTS)
        self._hellos = Bucket(HELLOS_PER_S, MOST_HELLOS)
        self._openings = Bucket(OPENINGS_PER_S, MOST_OPENINGS)
        self._strikes = Bucket(STRIKES_PER_S, MOST_STRIKES)

    def may_open(self) -> bool:
        """Say whether another socket may be opened."""
        return self._openings.take(time.monotonic())

    def may_send_item(self, size: int) -> bool:
        """Say whether a picture or a chunk of sound of so many bytes may come."""
        now = time.monotonic()
        return self._items.take(now) and self._bytes.take(now, size)

    def may_send_bytes(self, size: int) -> bool:
        """Say whether a message of so many bytes may be read at all."""
        return self._bytes.take(time.monotonic(), size)

    def may_send_text(self) -> bool:
        """Say whether another short message may come."""
        return self._texts.take(time.monotonic())

    def may_report(self) -> bool:
        """Say whether another event may come."""
        return self._events.take(time.monotonic())

    def may_greet(self) -> bool:
        """Say whether another hello may be answered."""
        return self._hellos.take(time.monotonic())

    def is_patient(self) -> bool:
        """Count something that was refused; False once it is too much."""
        return self._strikes.take(time.monotonic())


def budget_of(user_id: str) -> Budget:
    """Return the user's budget, which outlives their sockets, or opening a new one would fill it."""
    budget = _budgets.pop(user_id, None) or Budget()
    _budgets[user_id] = budget
    while len(_budgets) > REMEMBERED:
        _budgets.popitem(last=False)
    return budget


def failures_of(address: str) -> Bucket:
    """Return the bucket from which openings that fail are taken; who shows something good is not asked for it."""
    bucket = _failures.pop(address, None) or Bucket(FAILURES_PER_S, MOST_FAILURES)
    _failures[address] = bucket
    while len(_failures) > REMEMBERED:
        _failures.popitem(last=False)
    return bucket


_budgets: OrderedDict[str, Budget] = OrderedDict()
_failures: OrderedDict[str, Bucket] = OrderedDict()
