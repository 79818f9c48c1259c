"""Who analyses a session's pictures or sound right now: one process at a time, and not for long after its death."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
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
    """Another process holds the session by now, so what this one is doing is done there."""


class Claim:
    """A hold on one stream of one session by compare-and-set; an expired one may be taken over, which is counted."""

    def __init__(self, session_id: uuid.UUID, stream: Stream) -> None:
        self._session_id, self._token = session_id, uuid.uuid4()
        self._claim, self._until, self._lost = _FIELDS[stream]
        self._extended_at = self._step_at = time.monotonic()
        self._nobody_died = False

    def take(self) -> bool:
        """Begin to hold the session if nobody does, or if whoever did is taken for dead."""
        free, dead = Q(**{f"{self._claim}__isnull": True}), Q(**{f"{self._until}__lt": timezone.now()})
        counted = {self._lost: F(self._lost) + 1}
        self._nobody_died = self._set(free & Q(**{self._lost: 0}))
        return self._nobody_died or self._set(free) or self._set(dead, also=counted)

    def step(self) -> None:
        """Say that one more piece of work begins; raises ``ClaimLost`` when the hold was to be extended and is gone."""
        now = time.monotonic()
        spent, self._step_at = now - self._step_at, now
        if now - self._extended_at > settings.CLAIM_S / 3 and not self._set(
            Q(**{self._claim: self._token}), seconds=SLOWEST_STEPS * spent
        ):
            raise ClaimLost

    def holders_lost(self) -> int:
        """Return how many died over what waits first, one after the other."""
        if self._nobody_died:
            return 0
        return int(SessionMonitor.objects.filter(pk=self._session_id).values_list(self._lost, flat=True).get())

    def note_progress(self) -> None:
        """Forget those who died: what they died over is done."""
        SessionMonitor.objects.filter(pk=self._session_id, **{f"{self._lost}__gt": 0}).update(**{self._lost: 0})

    def release(self) -> None:
        """Let go; nothing happens to a hold that somebody took over."""
        mine = SessionMonitor.objects.filter(pk=self._session_id, **{self._claim: self._token})
        mine.update(**{self._claim: None, self._until: None})

    def _set(self, condition: Q, *, seconds: float = 0.0, also: dict[str, Any] | None = None) -> bool:
        until = timezone.now() + timedelta(seconds=max(settings.CLAIM_S, seconds))
        values = {self._claim: self._token, self._until: until} | (also or {})
        self._extended_at = time.monotonic()
        return bool(SessionMonitor.objects.filter(condition, pk=self._session_id).update(**values))


@contextmanager
def claimed(session_id: uuid.UUID, stream: Stream) -> Iterator[Claim | None]:
    """Hold a stream of a session; gives None where another process does."""
    claim = Claim(session_id, stream)
    if not claim.take():
        yield None
        return
    try:
        yield claim
    finally:
        claim.release()


def held_sessions(session_ids: list[uuid.UUID], stream: Stream) -> set[uuid.UUID]:
    """Return those of the sessions whose stream somebody holds."""
    held = SessionMonitor.objects.filter(pk__in=session_ids, **{f"{_FIELDS[stream][1]}__gte": timezone.now()})
    return set(held.values_list("pk", flat=True))
