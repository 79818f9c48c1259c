"""Giving back the time that a candidate lost because the connection was lost."""

from __future__ import annotations

import math
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from exams.kinds import Kind
from exams.lifecycle import StepRefused, extend_session
from exams.models import ExamSession
from monitoring.models import Silence
from monitoring.services import lock_monitor


def lost_seconds(session: ExamSession) -> float:
    """Return how long the connection was lost while the clock ran, less what was given back already."""
    spans = _lost(session).values_list("started_at", "ended_at")
    return sum((end - start).total_seconds() for start, end in spans if end is not None)


@transaction.atomic
def give_back_time(*, session: ExamSession, by: User, now: datetime | None = None) -> ExamSession:
    """Extend an open session by the time its connection was lost, rounded up to whole minutes; once for each gap.

    A gap counts when it is over. Raises ``StepRefused`` where there is nothing to give back or the session may not be
    extended so far.
    """
    lock_monitor(session.pk)  # of two clicks at once, the second finds the gaps given back
    seconds = lost_seconds(session)
    if not seconds:
        raise StepRefused(_("No time was lost that has not been given back already."), code="no_lost_time")
    reason = f"connection lost for {math.ceil(seconds)} s"
    extended = extend_session(session=session, minutes=math.ceil(seconds / 60), by=by, reason=reason, now=now)
    _lost(session).update(given_back_at=now or timezone.now())
    return extended


def _lost(session: ExamSession) -> QuerySet[Silence]:
    return Silence.objects.filter(
        session=session, kind=Kind.NETWORK_GAP, ended_at__isnull=False, given_back_at__isnull=True
    )
