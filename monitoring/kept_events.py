"""How much of what the candidate's side reports is kept of one session, since all of it is kept for ever.

The weight of what is kept is counted in the cache and, where that forgot it, added up from the rows.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Sum, TextField
from django.db.models.functions import Cast, Length
from django.utils import timezone
from django.utils.translation import gettext as _
from redis import RedisError

from accounts.errors import Refused
from exams.kinds import Kind
from exams.models import ExamSession
from monitoring import services
from monitoring.models import MonitoringLog

logger = logging.getLogger(__name__)

MOST_BYTES = 20 * 1024**2
ROW_BYTES = 1024
"""What a row and its places in the indexes take, besides its detail: 20,000 reports without one are kept."""

REMEMBERED_S = 3600.0
SOURCES = (MonitoringLog.Source.BROWSER, MonitoringLog.Source.CLIENT)
REASON = "too_many_events"


class TooManyEvents(Refused):
    """More than is kept of one session; sending it again does not help, so it is not called 429."""

    code, status = REASON, 413

    def __init__(self) -> None:
        super().__init__(_("More was reported in this session than is kept of one; no more events are taken."))


def record_bounded(*, session: ExamSession, reports: Sequence[services.Report], source: str) -> services.Recorded:
    """Record reports as ``services.record_events`` does; raises ``TooManyEvents``, and the session's log says so once.

    What is stored already may be sent again.
    """
    weight = _weight(report.detail for report in reports)
    if not _reserve(session.pk, weight):
        if not _are_stored(session, reports):
            _say_once(session)
            raise TooManyEvents
        weight = 0
    kept = 0
    try:
        recorded = services.record_events(session_id=session.pk, reports=reports, source=source)
        kept = _weight(log.detail for log in recorded.logs)
    finally:
        _release(session.pk, weight - kept)
    return recorded


def _weight(details: Iterable[Mapping[str, Any]]) -> int:
    return sum(ROW_BYTES + len(json.dumps(detail)) for detail in details)


def _key(session_id: uuid.UUID) -> str:
    return f"events.{session_id.hex}"


def _reserve(session_id: uuid.UUID, weight: int) -> bool:
    """Count the weight before anything is stored, so that calls at one moment do not overlook each other."""
    key = _key(session_id)
    try:
        if cache.get(key) is None:
            cache.add(key, _stored(session_id), REMEMBERED_S)
        if cache.incr(key, weight) <= MOST_BYTES:
            return True
    except (RedisError, ValueError) as error:  # the cache is away, or forgot the key just now
        logger.warning("The events of session %s are not counted: %s", session_id, error)
        return True
    _release(session_id, weight)
    return False


def _release(session_id: uuid.UUID, weight: int) -> None:
    try:
        if weight:
            cache.decr(_key(session_id), weight)
    except (RedisError, ValueError) as error:
        logger.warning("The events of session %s are not counted: %s", session_id, error)


def _stored(session_id: uuid.UUID) -> int:
    rows = MonitoringLog.objects.filter(session=session_id, source__in=SOURCES).order_by()
    found = rows.aggregate(count=Count("pk"), length=Sum(Length(Cast("detail", TextField()))))
    return int(found["count"] * ROW_BYTES + (found["length"] or 0))


def _are_stored(session: ExamSession, reports: Sequence[services.Report]) -> bool:
    numbers = {report.seq for report in reports}
    if None in numbers:
        return False
    return MonitoringLog.objects.filter(session=session, seq__in=numbers).count() == len(numbers)


def _say_once(session: ExamSession) -> None:
    if not cache.add(f"{_key(session.pk)}.said", 1, REMEMBERED_S):
        return
    ours = MonitoringLog.objects.filter(session=session, event_type=Kind.NOTE, source=MonitoringLog.Source.SERVER)
    if any(detail.get("reason") == REASON for detail in ours.values_list("detail", flat=True)):
        return
    logger.warning("Session %s reported more than is kept of one", session.pk)
    services.record_event(
        session_id=session.pk,
        event_type=Kind.NOTE,
        source=MonitoringLog.Source.SERVER,
        occurred_at=timezone.now(),
        detail={"reason": REASON},
    )
