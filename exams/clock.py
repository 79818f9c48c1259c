"""The clock of a sitting: how much time there is, how much is used, how much is left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from exams.models import ExamAssignment, ExamSession, SessionStatus

NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class SittingTime:
    """Where the clock stands, in seconds; ``left_s`` is None for a recording, which is as long as it is."""

    allowed_s: float
    used_s: float
    left_s: float | None
    deadline_at: datetime | None
    extended_minutes: int
    break_left_s: float
    paused: bool


def assignment_of(session: ExamSession) -> ExamAssignment | None:
    """Return what is arranged for the candidate of this session, if anything is."""
    return ExamAssignment.objects.filter(exam=session.exam_id, candidate=session.candidate_id).first()


def allowed_time(session: ExamSession, arranged: ExamAssignment | None) -> timedelta:
    """Return the time on the clock: the exam's duration by the factor, the extra minutes, and what staff added."""
    minutes = float(session.exam.duration_minutes + session.extended_minutes)
    if arranged is not None:
        minutes += session.exam.duration_minutes * (arranged.time_factor - 1) + arranged.extra_minutes
    return timedelta(minutes=minutes)


def pause_end(session: ExamSession, at: datetime) -> datetime:
    """Return when a pause that is ended at ``at`` really ended: a break lasts no longer than what was left of it."""
    return at if session.pause_ends_at is None else min(at, session.pause_ends_at)


def time_of(session: ExamSession, *, arranged: ExamAssignment | None, now: datetime | None = None) -> SittingTime:
    """Return where the session's clock stands; a break that is used up counts as time again, swept up or not."""
    now = now or timezone.now()
    paused = session.status == SessionStatus.PAUSED
    resting = _resting(session, now)
    left: timedelta | None = NO_TIME if not session.is_open else allowed_time(session, arranged)
    if session.source == ExamSession.Source.RECORDING:
        left = None
    elif session.is_open and session.deadline_at is not None:
        left = max(NO_TIME, session.deadline_at + resting - now)
    on_break = resting if session.pause_ends_at is not None else NO_TIME
    budget = timedelta(minutes=arranged.break_minutes if arranged else 0, seconds=-session.break_seconds)
    return SittingTime(
        allowed_s=_allowed(session, arranged).total_seconds(),
        used_s=_used(session, now, resting).total_seconds(),
        left_s=None if left is None else left.total_seconds(),
        deadline_at=session.deadline_at,
        extended_minutes=session.extended_minutes,
        break_left_s=max(NO_TIME, budget - on_break).total_seconds() if session.is_open else 0.0,
        paused=paused,
    )


def time_left(session: ExamSession, now: datetime | None = None) -> timedelta | None:
    """Return the time left on the clock; None for a recording."""
    left = time_of(session, arranged=assignment_of(session), now=now).left_s
    return None if left is None else timedelta(seconds=left)


def break_left(session: ExamSession) -> timedelta:
    """Return what the candidate has left of their breaks; nothing where none are arranged."""
    arranged = assignment_of(session)
    minutes = arranged.break_minutes if arranged else 0
    return max(NO_TIME, timedelta(minutes=minutes, seconds=-session.break_seconds))


def _resting(session: ExamSession, now: datetime) -> timedelta:
    """How long the pause that is on has stopped the clock by now."""
    return NO_TIME if session.paused_at is None else max(NO_TIME, pause_end(session, now) - session.paused_at)


def _allowed(session: ExamSession, arranged: ExamAssignment | None) -> timedelta:
    # What was arranged when the clock started holds, whatever is arranged for the next sitting since.
    if session.started_at is not None and session.deadline_at is not None:
        return session.deadline_at - session.started_at - timedelta(seconds=session.paused_seconds)
    return allowed_time(session, arranged)


def _used(session: ExamSession, now: datetime, resting: timedelta) -> timedelta:
    if session.started_at is None:
        return NO_TIME
    passed = (session.ended_at or now) - session.started_at
    return max(NO_TIME, passed - timedelta(seconds=session.paused_seconds) - resting)
