"""Waiting for workers by looking at rows."""

import time
import uuid

from django.conf import settings
from django.db import connection

from monitoring.models import SessionMonitor

FIRST_S, LONGEST_S = 0.05, 0.25


def wait_until_closed(session_id: uuid.UUID) -> bool:
    """Wait up to ``END_WAIT_S`` seconds until the books of an ended session are closed; says whether they are."""
    deadline, pause = time.monotonic() + settings.END_WAIT_S, FIRST_S
    while not _is_closed(session_id):
        if time.monotonic() >= deadline:
            return False
        # Many may end at the same moment: a connection held while sleeping is one that a worker cannot have.
        if not connection.in_atomic_block:
            connection.close()
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_S)
    return True


def _is_closed(session_id: uuid.UUID) -> bool:
    return SessionMonitor.objects.filter(pk=session_id, finished_at__isnull=False).exists()
