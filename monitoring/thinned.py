"""The count of pictures that a full queue lost: kept by the queue itself, and brought from there into the rows."""

from __future__ import annotations

import uuid

from django.db import transaction

from monitoring import meters
from monitoring.frame_store import frame_store
from monitoring.services import lock_monitor


@transaction.atomic
def count_thinned(*, session_id: uuid.UUID, examined: int = 0) -> None:
    """Bring a session's count up to the store's, which outlives whoever thinned and died before counting.

    ``examined``: so many were thinned out while a worker had them in its hands, so they are not lost.
    """
    monitor = lock_monitor(session_id)
    so_far = frame_store().thinned(session_id)
    # The store has less where it lost its data; it then counts from 0.
    new = (so_far - monitor.thinned_counted if so_far >= monitor.thinned_counted else so_far) - examined
    monitor.frames_skipped, monitor.thinned_counted = max(0, monitor.frames_skipped + new), so_far
    monitor.save(update_fields=["frames_skipped", "thinned_counted"])
    transaction.on_commit(lambda: meters.count_frames(skipped=max(0, new)))
