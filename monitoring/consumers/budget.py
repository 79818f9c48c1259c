"""How much may be sent through the sockets of a session, and of a user; a flood is refused, and closed if it goes on.

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

SESSIONS_AT_ONCE = 2
"""One user may send as much as so many sessions: a flood in one of them leaves room for another."""

REMEMBERED = 40_000


class Budget:
    """What may be sent in all sockets of this process that belong to one session, or to one user (``of`` None)."""

    def __init__(self, of: Budget | None) -> None:
        self._user, share = of, SESSIONS_AT_ONCE if of is None else 1
        rate = float(settings.SOCKET_FRAMES_PER_S)
        self._items = Bucket(share * rate, 2 * share * rate)
        self._bytes = Bucket(share * BYTES_PER_S, share * MOST_BYTES)
        self._texts = Bucket(share * TEXTS_PER_S, share * MOST_TEXTS)
        self._events = Bucket(share * EVENTS_PER_S, share * MOST_EVENTS)
        self._hellos = Bucket(share * HELLOS_PER_S, share * MOST_HELLOS)
        self._strikes = Bucket(share * STRIKES_PER_S, share * MOST_STRIKES)
        self._openings = Bucket(OPENINGS_PER_S, MOST_OPENINGS)

    def may_open(self) -> bool:
        """Say whether another socket may be opened; asked of a user."""
        return self._openings.take(time.monotonic())

    def may_send_item(self, size: int) -> bool:
        """Say whether a picture or a chunk of sound of so many bytes may come."""
        now = time.monotonic()
        own = self._items.take(now) and self._bytes.take(now, size)
        return own and (self._user is None or self._user.may_send_item(size))

    def may_send_bytes(self, size: int) -> bool:
        """Say whether a message of so many bytes may be read at all."""
        return self._bytes.take(time.monotonic(), size) and (self._user is None or self._user.may_send_bytes(size))

    def may_send_text(self) -> bool:
        """Say whether another short message may come."""
        return self._texts.take(time.monotonic()) and (self._user is None or self._user.may_send_text())

    def may_report(self) -> bool:
        """Say whether another event may come."""
        return self._events.take(time.monotonic()) and (self._user is None or self._user.may_report())

    def may_greet(self) -> bool:
        """Say whether another hello may be answered."""
        return self._hellos.take(time.monotonic()) and (self._user is None or self._user.may_greet())

    def is_patient(self) -> bool:
        """Count something that was refused; False once it is too much."""
        return self._strikes.take(time.monotonic()) and (self._user is None or self._user.is_patient())


def budget_of(user_id: str) -> Budget:
    """Return the user's budget, which outlives their sockets, or opening a new one would fill it."""
    return _remembered(user_id, None)


def budget_of_session(session_id: str, user_id: str) -> Budget:
    """Return the budget of a user's session; what is taken from it is taken from the user's as well."""
    return _remembered(session_id, budget_of(user_id))


def _remembered(key: str, of: Budget | None) -> Budget:
    budget = _budgets.pop(key, None) or Budget(of)
    _budgets[key] = budget
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
