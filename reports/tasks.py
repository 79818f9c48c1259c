"""Celery tasks: ids in, one service call; and asking for them."""

import logging
import uuid

from celery import shared_task
from django.db import transaction

from accounts.models import User
from exams.models import ExamSession
from monitoring import queue
from reports import services
from reports.models import SessionReport

logger = logging.getLogger(__name__)

MAKE_REPORT = "reports.tasks.make_session_report"


@shared_task
def make_session_report(session_id: str) -> None:
    """Make the PDF of one session."""
    session = ExamSession.objects.filter(pk=uuid.UUID(session_id)).first()
    if session is None:
        logger.warning("session %s is gone, so no report is made", session_id)
        return
    services.make_report(session=session)


@transaction.atomic
def request_report(
    *, session: ExamSession, requested_by: User | None = None, unless_pending: bool = False
) -> SessionReport:
    """Have the PDF made by a worker and return its row, which says when it is there.

    ``unless_pending`` leaves it at the one that is being made. What a session has to say when it closes is asked for
    even so: the one being made may have read the session before.
    """
    pending = services.pending_report(session) if unless_pending else None
    if pending is not None:
        return pending
    report = services.mark_requested(session=session, requested_by=requested_by)
    transaction.on_commit(lambda: queue.send(MAKE_REPORT, session.pk))
    return report


@shared_task
def sweep_reports() -> None:
    """Ask again for reports that a lost message or a dead worker left undone."""
    for session_id in services.sessions_without_report():
        queue.send(MAKE_REPORT, session_id)
