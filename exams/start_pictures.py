"""One small picture of who began a session, from its system check: encrypted, and kept with consent only."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.consents import may_keep_picture
from accounts.face_crypto import UnreadableFace, open_picture, seal_again, seal_picture
from accounts.models import ConsentText
from exams.models import ExamSession, StartPicture

logger = logging.getLogger(__name__)

UNUSED_AFTER = timedelta(days=1)
"""A check after which nobody began is of no use to anybody."""


def keep_start_picture(*, session: ExamSession, head: bytes) -> bool:
    """Keep this JPEG in place of an earlier one; returns whether it may be kept and is.

    Never without a key, without consent to a text that says so, or where the session's policy looks at no pictures.
    """
    agreed = may_keep_picture(user=session.candidate.user, purpose=ConsentText.Purpose.PROCTORING)
    if not (settings.FACE_KEY and session.rules.looks and agreed):
        return False
    sealed = seal_picture(owner_id=session.pk, picture=head)
    StartPicture.objects.update_or_create(session=session, defaults={"picture": sealed, "taken_at": timezone.now()})
    return True


def start_picture(session: ExamSession) -> bytes | None:
    """Return the JPEG; None where none is kept, or it cannot be read."""
    sealed = StartPicture.objects.filter(session=session).values_list("picture", flat=True).first()
    if sealed is None or not settings.FACE_KEY:
        return None
    try:
        return open_picture(owner_id=session.pk, sealed=sealed)
    except UnreadableFace:
        logger.warning("The picture of the system check of session %s cannot be read", session.pk)
        return None


def remove_unused(*, now: datetime | None = None) -> int:
    """Delete the pictures of sessions that were not begun within a day; returns how many."""
    before = (now or timezone.now()) - UNUSED_AFTER
    removed, _rows = StartPicture.objects.filter(taken_at__lt=before, session__started_at__isnull=True).delete()
    return removed


def seal_start_pictures_again() -> tuple[int, int]:
    """Encrypt every picture under the current key; returns how many were, and how many could not be read."""
    sealed = unreadable = 0
    for session_id in list(StartPicture.objects.values_list("pk", flat=True)):
        with transaction.atomic():
            row = StartPicture.objects.select_for_update().filter(pk=session_id).first()
            if row is None:
                continue
            try:
                row.picture = seal_again(row.picture)
            except UnreadableFace:
                unreadable += 1
                continue
            row.save(update_fields=["picture"])
            sealed += 1
    return sealed, unreadable
