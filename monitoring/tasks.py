"""Celery tasks: ids in, one service call."""

import uuid

from celery import shared_task

from exams.breaks import resume_overdue
from exams.lifecycle import expire_overdue as expire_overdue_sessions
from monitoring import analysis, queue, replay


@shared_task
def analyze_session(session_id: str) -> None:
    """Analyse what waits in one session's queue."""
    session = uuid.UUID(session_id)
    # What came in while the session was held found it busy, so its own message did nothing.
    if analysis.analyze_waiting(session_id=session) and analysis.is_waiting(session_id=session):
        queue.send(queue.ANALYZE, session)


@shared_task
def finish_session(session_id: str) -> None:
    """Analyse the rest and close the books of a session that has ended."""
    analysis.finish_session(session_id=uuid.UUID(session_id))


@shared_task
def sweep() -> None:
    """Pick up what a lost message or a dead worker left behind."""
    waiting, unfinished = analysis.sessions_to_sweep()
    for session_id in waiting:
        queue.send(queue.ANALYZE, session_id)
    for session_id in unfinished:
        queue.send(queue.FINISH, session_id)
    replay.terminate_dead_replays()


@shared_task
def expire_overdue() -> None:
    """Let the clock run again where a break is used up, then close sessions whose time is up."""
    resume_overdue()
    expire_overdue_sessions()
