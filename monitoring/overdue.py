"""Sessions whose time is up while their candidate is out of reach: these are waited for before they are closed.

What was captured before the end can still come in meanwhile, and staff can give the lost time back. Nothing that
happens after the end counts.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from exams.kinds import Kind
from exams.models import SessionStatus
from monitoring.models import SessionMonitor, Silence
from monitoring.silence import is_connected

STILL_COMING = timedelta(seconds=60)
"""So long after pictures were last examined, more of those that were captured offline may be on their way."""


def waited_for(*, now: datetime | None = None) -> set[uuid.UUID]:
    """Return the sessions that stay open though their time is up, because the connection was lost when it was.

    That is for ``RETURN_MINUTES``, and for as long again while pictures still come in.
    """
    now, patience = now or timezone.now(), timedelta(minutes=settings.RETURN_MINUTES)
    gaps = Silence.objects.filter(session=OuterRef("pk"), kind=Kind.NETWORK_GAP)
    lost_at_the_end = gaps.filter(started_at__lt=OuterRef("session__deadline_at")).filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=OuterRef("session__deadline_at"))
    )
    overdue = SessionMonitor.objects.filter(
        Q(session__deadline_at__gt=now - patience)
        | Q(session__deadline_at__gt=now - 2 * patience, pictures_at__gt=now - STILL_COMING),
        session__status=SessionStatus.ACTIVE,
        session__deadline_at__lte=now,
    ).annotate(was_lost=Exists(lost_at_the_end), deadline_at=F("session__deadline_at"))
    rows = overdue.only("last_seen_at", "gone_at")
    return {row.pk for row in rows if row.was_lost or _left_before(row, row.deadline_at, now)}


def _left_before(monitor: SessionMonitor, deadline_at: datetime, now: datetime) -> bool:
    """Say whether the client was there once, fell silent before the end and has not been heard of since."""
    heard_at = monitor.last_seen_at if monitor.gone_at is None else monitor.gone_at
    return heard_at is not None and heard_at < deadline_at and not is_connected(monitor, now=now)
