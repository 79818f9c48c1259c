"""Tickets for sockets: short-lived, used once, and kept only as a digest.

They are signed as well, so that what we never gave away is told without asking the database.
"""

import secrets
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from django.core.signing import BadSignature, TimestampSigner
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.models import User
from exams.models import ExamSession, SocketTicket

TICKET_S = 60
SECRET_LENGTH = 43
LONGEST_TICKET = 200
_signer = TimestampSigner(salt="exams.tickets", sep=".")


class TicketRefused(Refused):
    """A ticket that is not given; the message says why."""

    code = "wrong_state"


def issue_ticket(*, session: ExamSession, user: User, sign_in: str = "") -> tuple[str, int]:
    """Return a ticket for the socket of an open session, and for how many seconds it is good.

    The socket ends with the ``sign_in`` whose token asked for it, if one is named (``accounts.tokens.SIGN_IN``).
    Tickets that nobody used in time are removed on the way. Raises ``TicketRefused``.
    """
    if not session.is_open:
        raise TicketRefused(_("This session is over, so its socket is closed."))
    now = timezone.now()
    SocketTicket.objects.filter(expires_at__lte=now).delete()
    ticket = _signer.sign(secrets.token_urlsafe(32) + sign_in)
    SocketTicket.objects.create(
        digest=_digest(ticket), session=session, user=user, expires_at=now + timedelta(seconds=TICKET_S)
    )
    return ticket, TICKET_S


def is_ours(ticket: str) -> bool:
    """Say whether such a ticket was given lately, used or not; asks no database."""
    return _told(ticket) is not None


def sign_in_of(ticket: str) -> str:
    """Return the sign-in that the ticket rests on; empty if none was named."""
    return (_told(ticket) or "")[SECRET_LENGTH:]


def take_ticket(*, ticket: str, session_id: UUID) -> User | None:
    """Use a ticket up and return whose it is; None if it is unknown, used, expired or for another session."""
    if not is_ours(ticket):
        return None
    good = SocketTicket.objects.filter(digest=_digest(ticket), session=session_id, expires_at__gt=timezone.now())
    found = good.select_related("user").first()
    if found is None:
        return None
    # Of two who come at once, the one whose deletion counts has it.
    deleted, _rows = good.delete()
    return found.user if deleted and found.user.is_active else None


def _told(ticket: str) -> str | None:
    if len(ticket) > LONGEST_TICKET:
        return None
    try:
        # The database knows to the second how long it is good; another server's clock may be a little ahead.
        return _signer.unsign(ticket, max_age=2 * TICKET_S)
    except (BadSignature, ValueError):
        return None


def _digest(ticket: str) -> str:
    return sha256(ticket.encode()).hexdigest()
