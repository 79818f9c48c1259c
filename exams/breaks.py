"""Stopping the clock of a session for a while, and letting it run again."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.models import User
from exams.clock import break_left, pause_end
from exams.lifecycle import ALLOWED, IllegalTransition, lock_session, move_session
from exams.models import ExamSession, SessionStatus, SessionTransition

S = SessionStatus


class PauseRefused(Refused):
    """A pause that may not be taken or ended; the message says why."""

    code = "pause_refused"


@transaction.atomic
def pause_session(
    *, session: ExamSession, by: User, as_staff: bool, reason: str = "", now: datetime | None = None
) -> ExamSession:
    """Stop the clock. Staff may at any time; a candidate if the policy lets them, or for what is left of their breaks.

    A break ends by itself when it is used up. Raises ``IllegalTransition`` or ``PauseRefused``.
    """
    now = now or timezone.now()
    locked = lock_session(session.pk)
    if S.PAUSED not in ALLOWED[locked.status]:
        raise IllegalTransition(locked.status, S.PAUSED)
    ends_at = None
    if not as_staff and not locked.rules.candidate_may_pause:
        left = break_left(locked)
        if not left:
            raise PauseRefused(_("No time for breaks is left in this session; ask the proctor if you need one."))
        ends_at = now + left
    if not as_staff and locked.deadline_at is not None and now >= locked.deadline_at:
        raise PauseRefused(_("Time is up; what was submitted before the deadline counts."), code="time_up")
    return move_session(session=locked, to=S.PAUSED, at=now, by=by, reason=reason, pause_ends_at=ends_at)


@transaction.atomic
def resume_session(*, session: ExamSession, by: User, as_staff: bool, now: datetime | None = None) -> ExamSession:
    """Let the clock run again; a candidate ends only a pause that they took themselves.

    A break that was used up by now ended when it was. Raises ``IllegalTransition`` or ``PauseRefused``.
    """
    locked = lock_session(session.pk)
    if locked.status != S.PAUSED:
        raise PauseRefused(_("This session is not paused, so it cannot be resumed."), code="wrong_state")
    if not as_staff and _paused_by(locked) != by.pk:
        raise PauseRefused(_("The proctor paused this session, and will resume it."), code="paused_by_staff")
    return move_session(session=locked, to=S.ACTIVE, at=pause_end(locked, now or timezone.now()), by=by)


def resume_overdue(*, now: datetime | None = None) -> int:
    """Let the clock run again where a break is used up, as of when it was; returns for how many sessions."""
    now = now or timezone.now()
    overdue = ExamSession.objects.filter(status=S.PAUSED, pause_ends_at__lte=now)
    return sum(_resume(session_id, now) for session_id in list(overdue.values_list("pk", flat=True)))


@transaction.atomic
def _resume(session_id: UUID, now: datetime) -> bool:
    session = lock_session(session_id)
    if session.status != S.PAUSED or session.pause_ends_at is None or session.pause_ends_at > now:
        return False  # resumed in the meantime
    move_session(session=session, to=S.ACTIVE, at=session.pause_ends_at, reason="the break was used up")
    return True


def _paused_by(session: ExamSession) -> UUID | None:
    """Who took the pause that is on; minutes added meanwhile are a step from paused to paused."""
    steps = SessionTransition.objects.filter(session=session, to_status=S.PAUSED).exclude(from_status=S.PAUSED)
    return steps.order_by("id").values_list("by", flat=True).last()
