"""Mail to the people who review an exam; it names no candidate and carries no picture."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import STAFF_ROLES, User
from exams.models import ExamSession
from monitoring import summary
from monitoring.models import SessionMonitor
from monitoring.selectors import current_assessment

logger = logging.getLogger(__name__)

MOST_TRIES, AGAIN_S = 5, 120.0
"""A mail that fails is tried so often, for the second time after so many seconds, then after twice as many."""


def people_to_tell(session: ExamSession) -> list[User]:
    """Return the exam's teacher and reviewers who may see the session, but not whoever sits it."""
    people = User.objects.filter(Q(owned_exams=session.exam_id) | Q(reviewed_exams=session.exam_id), is_active=True)
    people = people.exclude(pk=session.candidate.user_id).distinct().order_by("email").prefetch_related("groups")
    return [user for user in people if user.roles & STAFF_ROLES]


def sessions_with_mail_due(*, now: datetime | None = None) -> list[uuid.UUID]:
    """Return the sessions about which mail is to be sent by now."""
    due = SessionMonitor.objects.filter(mail_due_at__lte=now or timezone.now())
    return list(due.order_by("mail_due_at").values_list("pk", flat=True))


def send_due(*, session_id: uuid.UUID, now: datetime | None = None) -> None:
    """Send the mail about a session that is due, if any; those whose mail fails are due again, ever later.

    Of several processes that come at once, one sends. One that dies in the middle may leave some people with the same
    mail twice, but nobody without.
    """
    now = now or timezone.now()
    monitor = SessionMonitor.objects.filter(pk=session_id, mail_due_at__lte=now).first()
    if monitor is None:
        return
    again_at, tries = now + timedelta(seconds=AGAIN_S * 2**monitor.mail_tries), monitor.mail_tries + 1
    mine = SessionMonitor.objects.filter(pk=session_id, mail_due_at=monitor.mail_due_at)
    if not mine.update(mail_due_at=again_at, mail_tries=tries):
        return
    failed = mail_high(session_id=session_id, to=monitor.mail_to or None)
    if failed and tries < MOST_TRIES:
        SessionMonitor.objects.filter(pk=session_id).update(mail_to=failed)
    else:
        SessionMonitor.objects.filter(pk=session_id).update(mail_to=[], mail_due_at=None)


def mail_high(*, session_id: uuid.UUID, to: Collection[str] | None = None) -> list[str]:
    """Tell the teacher and the reviewers that a session turned High, each in their language.

    ``to``: only these of them, by id. Returns the ids of those whose mail could not be handed over; why is logged.
    """
    session = ExamSession.objects.select_related("exam", "candidate").filter(pk=session_id).first()
    if session is None:
        return []
    people = [user for user in people_to_tell(session) if to is None or str(user.pk) in to]
    return _send((user, _message(session, user)) for user in people)


def _send(messages: Iterable[tuple[User, EmailMessage]]) -> list[str]:
    failed: list[str] = []
    for user, message in messages:
        try:
            message.send()
        except Exception as error:  # noqa: BLE001  of the line, the server, or an address that cannot be written
            logger.warning("mail to user %s was not sent (%s)", user.pk, error)
            failed.append(str(user.pk))
    return failed


def _message(session: ExamSession, user: User) -> EmailMessage:
    assessment = current_assessment(session)
    with translation.override(user.language or settings.LANGUAGE_CODE):
        lines = summary.score_lines(assessment) if assessment is not None else ()
        values = {
            "exam": session.exam.title,
            "risk_score": f"{assessment.risk_score:g}" if assessment is not None else "",
            "started_at": session.started_at,
            "kinds": [f"{line.label}: {line.points:g}" for line in lines if line.points],
            "address": settings.SITE_URL + reverse("admin:exams_examsession_change", args=[session.pk]),
            "machine_points": summary.MACHINE_POINTS,
        }
        subject = " ".join(render_to_string("monitoring/mail_high_subject.txt", values).split())
        body = render_to_string("monitoring/mail_high.txt", values)
    return EmailMessage(subject, body, to=[user.email])
