"""What is kept for a time only: pictures, observations and who looked; what was noted, scores and decisions stay."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from exams.models import Exam, ExamSession, StartPicture
from exams.signals import evidence_removed
from exams.start_pictures import remove_unused
from monitoring.case_models import ReviewCase
from monitoring.models import Evidence, Observation, ReviewDecision, SessionMonitor
from monitoring.outcomes import APPEALABLE
from monitoring.picture_models import PictureAccess
from monitoring.store import delete_unused

logger = logging.getLogger(__name__)

AT_ONCE = 100
LOOKS_AT_ONCE = 2000
WAITED_FOR = (ReviewCase.Stage.SECOND, ReviewCase.Stage.DISAGREEMENT, ReviewCase.Stage.APPEAL)
"""Somebody has yet to look at the pictures of these."""

LONGEST_S = 600.0
"""Of one round; the next one goes on."""


def remove_old(*, now: datetime | None = None) -> int:
    """Remove the pictures of all sessions that are due, as far as the time of one round goes; returns of how many.

    Those of system checks after which nobody began go as well.
    """
    remove_unused(now=now)
    deadline, removed, failed = time.monotonic() + LONGEST_S, 0, set[uuid.UUID]()
    while due := sessions_to_thin_out(now=now, but=failed):
        for session_id in due:
            if time.monotonic() > deadline:
                return removed
            try:
                removed += remove_evidence(session_id=session_id)
            except Exception:
                # The others must not wait for one that fails each time.
                logger.exception("The pictures of session %s could not be removed", session_id)
                failed.add(session_id)
    return removed


def remove_old_looks(*, now: datetime | None = None) -> int:
    """Remove the rows of the picture access log that were kept for ``KEEP_ACCESS_DAYS``; returns how many."""
    if not settings.KEEP_ACCESS_DAYS:
        return 0
    before = (now or timezone.now()) - timedelta(days=settings.KEEP_ACCESS_DAYS)
    deadline, removed = time.monotonic() + LONGEST_S, 0
    old = PictureAccess.objects.filter(at__lt=before).order_by("at").values_list("pk", flat=True)
    while time.monotonic() < deadline and (keys := list(old[:LOOKS_AT_ONCE])):
        removed += PictureAccess.objects.filter(pk__in=keys).delete()[0]
    return removed


def sessions_to_thin_out(*, now: datetime | None = None, but: Collection[uuid.UUID] = ()) -> list[uuid.UUID]:
    """Return sessions whose pictures have been kept for ``KEEP_DAYS`` since their end, the last decision and note.

    Those that wait for a second reviewer, an admin, or a decision on an appeal keep theirs, and so do those against
    whose outcome an appeal may still come.
    """
    if not settings.KEEP_DAYS:
        return []
    now = now or timezone.now()
    before = now - timedelta(days=settings.KEEP_DAYS)
    due = SessionMonitor.objects.filter(finished_at__lt=before, evidence_removed_at__isnull=True)
    due = due.exclude(session__decisions__decided_at__gte=before).exclude(session__notes__created_at__gte=before)
    due = due.exclude(session__review__stage__in=WAITED_FOR).exclude(pk__in=but)
    longer = Exam.objects.filter(appeal_days__gt=settings.KEEP_DAYS).values_list("appeal_days", flat=True)
    outcomes = ReviewDecision.objects.filter(session=OuterRef("pk"), activity=None, verdict__in=APPEALABLE)
    for days in set(longer):
        late = Exists(outcomes.filter(decided_at__gte=now - timedelta(days=days)))
        due = due.exclude(late, session__exam__appeal_days=days)
    return list(due.order_by("finished_at").values_list("pk", flat=True)[:AT_ONCE])


@transaction.atomic
def remove_evidence(*, session_id: uuid.UUID) -> bool:
    """Remove a session's pictures, reports and observations; files go once that is certain.

    False if that was done, or somebody has yet to look at them.
    """
    # The case first, as with every decision: who hands the session on at this moment comes before or after.
    case = ReviewCase.objects.select_for_update().filter(pk=session_id).first()
    if case is not None and case.stage in WAITED_FOR:
        return False
    monitor = SessionMonitor.objects.select_for_update().get(pk=session_id)
    if monitor.evidence_removed_at is not None:
        return False
    monitor.evidence_removed_at = timezone.now()
    monitor.save(update_fields=["evidence_removed_at"])
    pictures = Evidence.objects.filter(activity__session=session_id)
    files = [(picture.file.storage, str(picture.file.name)) for picture in pictures]
    pictures.delete()
    StartPicture.objects.filter(session=session_id).delete()
    Observation.objects.filter(session=session_id).delete()
    evidence_removed.send(ExamSession, session=ExamSession.objects.get(pk=session_id))

    def remove_files() -> None:
        for storage, name in files:
            delete_unused(storage, name)

    transaction.on_commit(remove_files)
    return True
