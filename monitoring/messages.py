"""What the proctor says to a candidate during the exam."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.models import User
from exams.kinds import Kind
from exams.lifecycle import lock_session
from exams.models import ExamSession
from monitoring import news
from monitoring.models import MonitoringLog


class MessageRefused(Refused):
    """A message that is not sent; the message of this error says why."""

    code = "wrong_state"


@dataclass(frozen=True, slots=True)
class Message:
    """One message, and when it was sent."""

    text: str
    sent_at: datetime


@transaction.atomic
def send_message(*, session: ExamSession, text: str, by: User) -> Message:
    """Keep a message for the candidate of an open session, where the candidate finds it; raises ``MessageRefused``.

    It is written into the session's log and counts for nothing.
    """
    locked = lock_session(session.pk)
    if not locked.is_open:
        raise MessageRefused(_("This session is over, so nobody reads messages there."))
    log = MonitoringLog.objects.create(
        session=locked,
        event_type=Kind.PROCTOR_MESSAGE,
        source=MonitoringLog.Source.PROCTOR,
        detail={"text": text, "by": str(by.pk)},
        occurred_at=timezone.now(),
    )
    news.tell_message(locked, log)
    return Message(text, log.occurred_at)


def messages_of(session: ExamSession) -> list[Message]:
    """Return what the proctor has said in this session, oldest first."""
    logs = MonitoringLog.objects.filter(
        session=session,
        event_type=Kind.PROCTOR_MESSAGE,
        source=MonitoringLog.Source.PROCTOR,
        clearing__isnull=True,
    )
    return [Message(str(log.detail.get("text", "")), log.occurred_at) for log in logs.order_by("occurred_at", "id")]
