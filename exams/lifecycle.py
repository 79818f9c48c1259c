"""The life-cycle of a session: which steps exist, and taking them one at a time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from exams.models import CLOSED_STATUSES, ExamSession, SessionStatus, SessionTransition
from exams.signals import session_finished, session_started

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


class IllegalTransition(ValueError):
    """A step that the life-cycle does not know; the session stays as it was."""


@transaction.atomic
def move_session(
    *,
    session: ExamSession,
    to: SessionStatus,
    at: datetime | None = None,
    by: User | None = None,
    reason: str = "",
) -> ExamSession:
    """Take one step and write it into the history; returns the session as it now is.

    The row is locked while the step is judged, so of two callers one gets ``IllegalTransition``.
    """
    locked = ExamSession.objects.select_for_update(of=("self",)).select_related("exam").get(pk=session.pk)
    if to not in ALLOWED[locked.status]:
        raise IllegalTransition(f"A session that is {locked.status} cannot become {to}.")
    at = at or timezone.now()
    before, first_start = locked.status, to == S.ACTIVE and locked.started_at is None
    for name, value in _effects(locked, to, at).items():
        setattr(locked, name, value)
    locked.status = to
    locked.save()
    SessionTransition.objects.create(
        session=locked, from_status=before, to_status=to, at=at, by=by, reason=reason[:500]
    )
    if first_start:
        transaction.on_commit(lambda: session_started.send(ExamSession, session=locked))
    if to in CLOSED_STATUSES:
        transaction.on_commit(lambda: session_finished.send(ExamSession, session=locked))
    return locked


def _effects(session: ExamSession, to: SessionStatus, at: datetime) -> dict[str, Any]:
    effects: dict[str, Any] = {}
    if session.paused_at is not None:
        rest = max(timedelta(), at - session.paused_at)
        effects |= {"paused_at": None, "paused_seconds": session.paused_seconds + rest.total_seconds()}
        if session.deadline_at is not None:
            effects["deadline_at"] = session.deadline_at + rest
    if to == S.ACTIVE and session.started_at is None:
        effects |= {"started_at": at, "deadline_at": _deadline(session, at)}
    if to == S.PAUSED:
        effects["paused_at"] = at
    if to in CLOSED_STATUSES:
        effects["ended_at"] = max(at, session.started_at or at)
    return effects


def _deadline(session: ExamSession, start: datetime) -> datetime | None:
    if session.source == ExamSession.Source.RECORDING:
        return None  # a recording is as long as it is
    extra = session.exam.assignments.filter(candidate=session.candidate).values_list("extra_minutes", flat=True).first()
    return start + timedelta(minutes=session.exam.duration_minutes + (extra or 0))


def expire_overdue(*, now: datetime | None = None) -> int:
    """Close sessions whose deadline has passed, as of that deadline; returns how many."""
    now = now or timezone.now()
    overdue = ExamSession.objects.filter(status=S.ACTIVE, deadline_at__lte=now)
    count = 0
    for session in overdue.iterator():
        try:
            move_session(session=session, to=S.EXPIRED, at=session.deadline_at, reason="time was up")
        except IllegalTransition:
            continue  # submitted in the meantime
        count += 1
    return count
