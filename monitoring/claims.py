"""Who analyses a session's pictures or sound right now: one process at a time, and not for long after its death."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from monitoring.frame_store import Stream
from monitoring.models import SessionMonitor

SLOWEST_STEPS = 4
"""A claim outlives so many steps of work like the last one, should they take longer than ``CLAIM_S``."""

_FIELDS = {
    "frame": ("claim", "claimed_until", "holders_lost"),
    "audio": ("sound_claim", "sound_claimed_until", "sound_holders_lost"),
}


class ClaimLost(Exception):
    """Another process holds one of the sessions by now, so what this one is doing is done there."""


class Claim:
    """A hold on one stream of some sessions by compare-and-set; an expired one may be taken over, which is counted."""

    def __init__(self, session_ids: Sequence[uuid.UUID], stream: Stream) -> None:
        self._wanted, self._token = list(dict.fromkeys(session_ids)), uuid.uuid4()
        self._claim, self._until, self._lost = _FIELDS[stream]
        self._extended_at = self._step_at = time.monotonic()
        self.deaths: dict[uuid.UUID, int] = {}
        """The sessions held, and how many processes died over what waits first in each, one after the other."""

    def take(self) -> None:
        """Begin to hold each session that nobody holds, or whose holder is taken for dead."""
        free, dead = Q(**{f"{self._claim}__isnull": True}), Q(**{f"{self._until}__lt": timezone.now()})
        if self._set(free & Q(**{self._lost: 0})) == len(self._wanted):
            self.deaths = dict.fromkeys(self._wanted, 0)
            return
        self._set(free)
        self._set(dead, also={self._lost: F(self._lost) + 1})
        self.deaths = dict(self._mine().values_list("pk", self._lost))

    def step(self) -> None:
        """Say that one more piece of work begins; raises ``ClaimLost`` when the hold was to be extended and is gone."""
        now = time.monotonic()
        spent, self._step_at = now - self._step_at, now
        if now - self._extended_at <= settings.CLAIM_S / 3:
            return
        if self._set(Q(**{self._claim: self._token}), seconds=SLOWEST_STEPS * spent) < len(self.deaths):
            raise ClaimLost

    def note_progress(self, session_id: uuid.UUID) -> None:
        """Forget those who died over a session: what they died over is done."""
        if self.deaths[session_id]:
            self.deaths[session_id] = 0
            SessionMonitor.objects.filter(pk=session_id).update(**{self._lost: 0})

    def release(self) -> None:
        """Let go; nothing happens to a hold that somebody took over."""
        self._mine().update(**{self._claim: None, self._until: None})

    def _mine(self) -> Any:
        return SessionMonitor.objects.filter(pk__in=self._wanted, **{self._claim: self._token})

    def _set(self, condition: Q, *, seconds: float = 0.0, also: dict[str, Any] | None = None) -> int:
        until = timezone.now() + timedelta(seconds=max(settings.CLAIM_S, seconds))
        values = {self._claim: self._token, self._until: until} | (also or {})
        self._extended_at = time.monotonic()
        return SessionMonitor.objects.filter(condition, pk__in=self._wanted).update(**values)


@contextmanager
def claimed(session_ids: Sequence[uuid.UUID], stream: Stream) -> Iterator[Claim]:
    """Hold a stream of those of the sessions which no other process holds."""
    claim = Claim(session_ids, stream)
    claim.take()
    try:
        yield claim
    finally:
        if claim.deaths:
            claim.release()


def held_sessions(session_ids: list[uuid.UUID], stream: Stream) -> set[uuid.UUID]:
    """Return those of the sessions whose stream somebody holds."""
    held = SessionMonitor.objects.filter(pk__in=session_ids, **{f"{_FIELDS[stream][1]}__gte": timezone.now()})
    return set(held.values_list("pk", flat=True))
