"""What the life-cycle's news sets in motion here."""

from typing import Any

from django.dispatch import receiver

from exams.models import ExamSession
from exams.signals import session_closed
from reports.tasks import request_report


@receiver(session_closed)
def report_closed_session(session: ExamSession, **_kwargs: Any) -> None:
    """Have the report made as soon as the scores are final."""
    request_report(session=session)
