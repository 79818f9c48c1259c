"""What is kept for a time only: pictures and raw observations; what was noted, the scores and the decisions stay."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from exams.models import ExamSession
from exams.signals import evidence_removed
from monitoring.models import Evidence, Observation, SessionMonitor
from monitoring.store import delete_unused

AT_ONCE = 100
"""Sessions that one call looks after; the next one goes on."""


def sessions_to_thin_out(*, now: datetime | None = None) -> list[uuid.UUID]:
    """Return the sessions whose pictures have been kept for ``KEEP_DAYS`` since their end and the last decision."""
    if not settings.KEEP_DAYS:
        return []
    before = (now or timezone.now()) - timedelta(days=settings.KEEP_DAYS)
    due = SessionMonitor.objects.filter(finished_at__lt=before, evidence_removed_at__isnull=True)
    due = due.exclude(session__decisions__decided_at__gte=before)
    return list(due.order_by("finished_at").values_list("pk", flat=True)[:AT_ONCE])


@transaction.atomic
def remove_evidence(*, session_id: uuid.UUID) -> bool:
    """Remove a session's pictures, reports and observations; False if that was done. Files go once that is certain."""
    monitor = SessionMonitor.objects.select_for_update().get(pk=session_id)
    if monitor.evidence_removed_at is not None:
        return False
    monitor.evidence_removed_at = timezone.now()
    monitor.save(update_fields=["evidence_removed_at"])
    pictures = Evidence.objects.filter(activity__session=session_id)
    files = [(picture.file.storage, str(picture.file.name)) for picture in pictures]
    pictures.delete()
    Observation.objects.filter(session=session_id).delete()
    evidence_removed.send(ExamSession, session=ExamSession.objects.get(pk=session_id))

    def remove_files() -> None:
        for storage, name in files:
            delete_unused(storage, name)

    transaction.on_commit(remove_files)
    return True
