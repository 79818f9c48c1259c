"""Where a candidate's client left off: which numbers are taken, and what arrived though its acknowledgement did not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Max

from monitoring.frame_store import Stream, frame_store
from monitoring.models import MonitoringLog, Observation

EVENT = "event"
SERVER_NUMBERS_FROM = 10**15
"""Numbers that the server gives are microseconds since 1970; clients count from 0, or in coarser steps of time."""

MOST_TOLD = 2_000


def highest_numbers(session_id: uuid.UUID) -> dict[str, int]:
    """Return the highest number of a client's own that is taken in each stream; -1 where there is none."""
    rows = Observation.objects.filter(session=session_id, seq__lt=SERVER_NUMBERS_FROM).order_by()
    highest = {"frame": -1, "audio": -1, EVENT: -1}
    highest.update(rows.values_list("stream").annotate(newest=Max("seq")))
    for stream in ("frame", "audio"):
        highest[stream] = max(highest[stream], *_waiting(session_id, stream), -1)
    logs = MonitoringLog.objects.filter(session=session_id, seq__lt=SERVER_NUMBERS_FROM).order_by()
    newest = logs.aggregate(newest=Max("seq"))["newest"]
    highest[EVENT] = -1 if newest is None else newest
    return highest


def stored_after(session_id: uuid.UUID, last_acked: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield stream and number of what is stored beyond the numbers that the client knows of; some thousands at most."""
    for stream in ("frame", "audio", EVENT):
        known = last_acked.get(stream)
        if isinstance(known, bool) or not isinstance(known, int) or not -1 <= known < SERVER_NUMBERS_FROM:
            continue
        rows = MonitoringLog.objects.filter(session=session_id)
        if stream != EVENT:
            rows = Observation.objects.filter(session=session_id, stream=stream)  # type: ignore[assignment]
        beyond = rows.filter(seq__gt=known, seq__lt=SERVER_NUMBERS_FROM).order_by("seq")
        for seq in beyond.values_list("seq", flat=True)[:MOST_TOLD]:
            yield stream, int(seq or 0)


def _waiting(session_id: uuid.UUID, stream: Stream) -> list[int]:
    return [seq for seq in frame_store().numbers(session_id, stream) if seq < SERVER_NUMBERS_FROM]
