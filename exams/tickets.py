"""Tickets for sockets: short-lived, used once, and kept only as a digest."""

import secrets
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.models import User
from exams.models import ExamSession, SocketTicket

TICKET_S = 60


class TicketRefused(Refused):
    """A ticket that is not given; the message says why."""

    code = "wrong_state"


def issue_ticket(*, session: ExamSession, user: User) -> tuple[str, int]:
    """Return a ticket for the socket of an open session, and for how many seconds it is good.

    Those that nobody used in time are removed on the way. Raises ``TicketRefused``.
    """
    if not session.is_open:
        raise TicketRefused(_("This session is over, so its socket is closed."))
    now = timezone.now()
    SocketTicket.objects.filter(expires_at__lte=now).delete()
    ticket = secrets.token_urlsafe(32)
    SocketTicket.objects.create(
        digest=_digest(ticket), session=session, user=user, expires_at=now + timedelta(seconds=TICKET_S)
    )
    return ticket, TICKET_S


def take_ticket(*, ticket: str, session_id: UUID) -> User | None:
    """Use a ticket up and return whose it is; None if it is unknown, used, expired or for another session."""
    good = SocketTicket.objects.filter(digest=_digest(ticket), session=session_id, expires_at__gt=timezone.now())
    found = good.select_related("user").first()
    # Of two who come at once, the one whose deletion counts has it.
    deleted, _rows = good.delete()
    return found.user if found is not None and deleted and found.user.is_active else None


def _digest(ticket: str) -> str:
    return sha256(ticket.encode()).hexdigest()
