"""The life-cycle of a session: which steps exist, and taking them one at a time."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.consents import has_consent
from accounts.errors import Refused
from accounts.models import ConsentText, User
from exams.clock import allowed_time, assignment_of, pause_end
from exams.models import CLOSED_STATUSES, Exam, ExamSession, SessionStatus, SessionTransition
from exams.signals import session_changed, session_finished, session_started
from exams.submissions import finalise_submissions

S = SessionStatus
ALLOWED: Mapping[str, frozenset[str]] = {
    S.CREATED: frozenset({S.CHECKING_IN, S.ACTIVE, S.TERMINATED, S.EXPIRED}),
    S.CHECKING_IN: frozenset({S.ACTIVE, S.TERMINATED, S.EXPIRED}),
    S.ACTIVE: frozenset({S.PAUSED, S.SUBMITTED, S.TERMINATED, S.EXPIRED}),
    S.PAUSED: frozenset({S.ACTIVE, S.SUBMITTED, S.TERMINATED, S.EXPIRED}),
    S.SUBMITTED: frozenset(),
    S.TERMINATED: frozenset(),
    S.EXPIRED: frozenset(),
}
WAITING = (S.CREATED, S.CHECKING_IN)
MOST_EXTENDED = 24 * 60
"""Minutes that staff may add to one session in all."""

TIME_WAS_UP = "time was up"


class IllegalTransition(Refused):
    """A step that the life-cycle does not know; the session stays as it was."""

    code = "wrong_state"

    def __init__(self, before: str, to: str) -> None:
        names = {"before": SessionStatus(before).label, "to": SessionStatus(to).label}
        super().__init__(_("A session that is %(before)s cannot become %(to)s.") % names)


class StepRefused(Refused):
    """A step that is not taken as things are; the message says why, or what to do first."""

    code = "wrong_state"


def lock_session(session_id: UUID) -> ExamSession:
    """Return the session as it now is, locked until the transaction ends."""
    ExamSession.objects.select_for_update().get(pk=session_id)
    return ExamSession.objects.select_related("exam", "candidate__user", "policy").get(pk=session_id)


@transaction.atomic
def move_session(
    *,
    session: ExamSession,
    to: SessionStatus,
    at: datetime | None = None,
    by: User | None = None,
    reason: str = "",
    pause_ends_at: datetime | None = None,
) -> ExamSession:
    """Take one step and write it into the history; returns the session as it now is.

    The row is locked while the step is judged, so of two callers one gets ``IllegalTransition``. ``pause_ends_at`` is
    for a break, which ends by itself. A session that closes makes the last version of each answer final.
    """
    locked = lock_session(session.pk)
    if to not in ALLOWED[locked.status]:
        raise IllegalTransition(locked.status, to)
    at = at or timezone.now()
    before, first_start = locked.status, to == S.ACTIVE and locked.started_at is None
    for name, value in _effects(locked, to, at).items():
        setattr(locked, name, value)
    locked.status, locked.pause_ends_at = to, pause_ends_at
    locked.save()
    _note(locked, before, at=at, by=by, reason=reason)
    if first_start:
        transaction.on_commit(lambda: session_started.send(ExamSession, session=locked))
    transaction.on_commit(lambda: session_changed.send_robust(ExamSession, session=locked))
    if to in CLOSED_STATUSES:
        finalise_submissions(session=locked)
        transaction.on_commit(lambda: session_finished.send(ExamSession, session=locked))
    return locked


def _effects(session: ExamSession, to: SessionStatus, at: datetime) -> dict[str, Any]:
    effects: dict[str, Any] = {}
    if session.paused_at is not None:
        effects |= _after_pause(session, session.paused_at, at)
    if to == S.ACTIVE and session.started_at is None:
        effects |= {"started_at": at, "deadline_at": _deadline(session, at)}
    if to == S.PAUSED:
        effects["paused_at"] = at
    if to in CLOSED_STATUSES:
        effects["ended_at"] = max(at, session.started_at or at)
    return effects


def _after_pause(session: ExamSession, paused_at: datetime, at: datetime) -> dict[str, Any]:
    """What a pause leaves behind: its time is given back, that of a break only as far as there was any left."""
    rest = max(timedelta(), pause_end(session, at) - paused_at)
    effects: dict[str, Any] = {"paused_at": None, "paused_seconds": session.paused_seconds + rest.total_seconds()}
    if session.pause_ends_at is not None:
        effects["break_seconds"] = session.break_seconds + rest.total_seconds()
    if session.deadline_at is not None:
        effects["deadline_at"] = session.deadline_at + rest
    return effects


def _deadline(session: ExamSession, start: datetime) -> datetime | None:
    if session.source == ExamSession.Source.RECORDING:
        return None  # a recording is as long as it is
    return start + allowed_time(session, assignment_of(session))


def _note(session: ExamSession, before: str, *, at: datetime, by: User | None, reason: str) -> None:
    SessionTransition.objects.create(
        session=session, from_status=before, to_status=session.status, at=at, by=by, reason=reason[:500]
    )


def check_window(exam: Exam, now: datetime) -> None:
    """Refuse what lies outside the time in which the exam may be begun; it limits the beginning, not the end."""
    message = ""
    if exam.opens_at is not None and now < exam.opens_at:
        message = _("This exam opens on %(time)s.") % {"time": _written(exam.opens_at)}
    if exam.closes_at is not None and now >= exam.closes_at:
        message = _("This exam closed on %(time)s.") % {"time": _written(exam.closes_at)}
    if message:
        raise StepRefused(message, code="outside_window")


def _written(time: datetime) -> str:
    return date_format(timezone.localtime(time), "Y-m-d H:i e")


def check_consent(user: User) -> None:
    """Refuse to watch somebody who has not agreed to the newest text on proctoring."""
    if not has_consent(user=user, purpose=ConsentText.Purpose.PROCTORING):
        raise StepRefused(
            _("Nobody is watched without consent: the candidate must agree to proctoring first (auth/me/consents)."),
            code="consent_required",
        )


@transaction.atomic
def begin_session(*, session: ExamSession, by: User, now: datetime | None = None) -> ExamSession:
    """Start the clock; a session that runs already is returned as it is.

    Raises ``StepRefused`` outside the exam's window, without consent, or without a system check where one is asked for.
    """
    now = now or timezone.now()
    locked = lock_session(session.pk)
    if locked.status == S.ACTIVE:
        return locked
    if locked.status == S.PAUSED:
        raise StepRefused(_("This session is paused; resume it instead."))
    if not locked.is_open:
        raise StepRefused(_("This session is over, so it cannot begin."))
    check_window(locked.exam, now)
    check_consent(locked.candidate.user)
    if locked.exam.requires_check and not locked.system_check.get("passed"):
        raise StepRefused(
            _("This exam begins with a system check; take it and mend what it finds."), code="check_required"
        )
    return move_session(session=locked, to=S.ACTIVE, at=now, by=by)


@transaction.atomic
def extend_session(
    *, session: ExamSession, minutes: int, by: User, reason: str = "", now: datetime | None = None
) -> ExamSession:
    """Give an open session more minutes, before or after it has begun, and write it into the history."""
    locked = lock_session(session.pk)
    if not locked.is_open:
        raise StepRefused(_("This session is over, so its time cannot be extended."))
    if locked.extended_minutes + minutes > MOST_EXTENDED:
        raise StepRefused(
            _("A session is extended by at most %(count)d minutes in all.") % {"count": MOST_EXTENDED},
            code="too_long",
        )
    locked.extended_minutes += minutes
    if locked.deadline_at is not None:
        locked.deadline_at += timedelta(minutes=minutes)
    locked.save(update_fields=["extended_minutes", "deadline_at"])
    note = f"+{minutes} min: {reason}" if reason else f"+{minutes} min"
    _note(locked, locked.status, at=now or timezone.now(), by=by, reason=note)
    transaction.on_commit(lambda: session_changed.send_robust(ExamSession, session=locked))
    return locked


@transaction.atomic
def submit_session(*, session: ExamSession, by: User, now: datetime | None = None) -> ExamSession:
    """End a session because its candidate is done; one whose time is up expires instead, as of when it was."""
    now = now or timezone.now()
    locked = lock_session(session.pk)
    if is_overdue(locked, now):
        return move_session(session=locked, to=S.EXPIRED, at=locked.deadline_at, by=by, reason=TIME_WAS_UP)
    return move_session(session=locked, to=S.SUBMITTED, at=now, by=by)


def is_overdue(session: ExamSession, now: datetime) -> bool:
    """Say whether a session runs whose time is up."""
    return session.status == S.ACTIVE and session.deadline_at is not None and session.deadline_at <= now


def expire_overdue(*, now: datetime | None = None, but: Collection[UUID] = ()) -> int:
    """Close sessions whose time is up, as of when it was, except for some; returns how many.

    That is the deadline of those that run, and the closing of the exam for those that were never begun. Let
    ``exams.breaks.resume_overdue`` go first: a break that is used up lets the clock run again.
    """
    now = now or timezone.now()
    running = ExamSession.objects.filter(status=S.ACTIVE, deadline_at__lte=now).exclude(pk__in=but)
    waiting = ExamSession.objects.filter(status__in=WAITING, source=ExamSession.Source.LIVE, exam__closes_at__lte=now)
    overdue = [*running.values_list("pk", flat=True), *waiting.values_list("pk", flat=True)]
    return sum(_expire(session_id, now) for session_id in overdue)


@transaction.atomic
def _expire(session_id: UUID, now: datetime) -> bool:
    """Close one session, unless it was submitted or extended in the meantime."""
    session = lock_session(session_id)
    if is_overdue(session, now):
        at, reason = session.deadline_at, TIME_WAS_UP
    elif session.status in WAITING and session.exam.closes_at is not None and session.exam.closes_at <= now:
        at, reason = session.exam.closes_at, "the exam closed before it was begun"
    else:
        return False
    move_session(session=session, to=S.EXPIRED, at=at, reason=reason)
    return True
