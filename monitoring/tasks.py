"""Celery tasks: ids in, one service call."""

import time
import uuid
from collections.abc import Sequence

from celery import shared_task

from exams.breaks import resume_overdue
from exams.lifecycle import expire_overdue as expire_overdue_sessions
from monitoring import analysis, mail, overdue, presence, queue, replay, retention
from monitoring.frame_store import Stream

ANALYSIS_LIMIT_S = 180
"""A worker process that takes so long over a task of some 20 s is stuck, and is ended."""


@shared_task(time_limit=ANALYSIS_LIMIT_S)
def analyze_sessions(*session_ids: str) -> None:
    """Analyse the pictures that wait in the queues of some sessions."""
    _analyze(session_ids, "frame")


@shared_task(time_limit=ANALYSIS_LIMIT_S)
def analyze_sounds(*session_ids: str) -> None:
    """Analyse the sound that waits in the queues of some sessions."""
    _analyze(session_ids, "audio")


def _analyze(session_ids: Sequence[str], stream: Stream) -> None:
    sessions = list(map(uuid.UUID, session_ids))
    queue.begin(queue.TASK_OF[stream], *sessions)
    began = time.monotonic()
    done = analysis.analyze_waiting(session_ids=sessions, streams=[stream])
    if done and time.monotonic() - began >= analysis.BUDGET_S:
        # Where there is more than one task's share, other sessions come first.
        analysis.ask_for_waiting(session_ids=sessions, streams=[stream])


@shared_task(time_limit=ANALYSIS_LIMIT_S)
def finish_session(session_id: str) -> None:
    """Analyse the rest and close the books of a session that has ended."""
    session = uuid.UUID(session_id)
    queue.begin(queue.FINISH, session)
    analysis.finish_session(session_id=session)


@shared_task
def sweep() -> None:
    """Pick up what a lost message or a dead worker left behind."""
    waiting, unfinished = analysis.sessions_to_sweep()
    analysis.ask_for_waiting(session_ids=waiting)
    for session_id in unfinished:
        queue.send(queue.FINISH, session_id)
    for session_id in mail.sessions_with_mail_due():
        queue.send(queue.MAIL_HIGH, session_id)
    analysis.drop_expired()
    replay.terminate_dead_replays()


@shared_task
def watch_silence() -> None:
    """Notice clients that live and send no pictures, and those that give no sign of life."""
    presence.watch_silence()


@shared_task
def remove_old_evidence() -> None:
    """Remove pictures, raw observations and rows of the picture access log that have been kept long enough."""
    retention.remove_old_looks()
    retention.remove_old()


@shared_task
def expire_overdue() -> None:
    """Let the clock run again where a break is used up, then close sessions whose time is up and not waited for."""
    resume_overdue()
    expire_overdue_sessions(but=overdue.waited_for())


@shared_task
def mail_high(session_id: str) -> None:
    """Write to the reviewers of a session that turned High."""
    session = uuid.UUID(session_id)
    queue.begin(queue.MAIL_HIGH, session)
    mail.send_due(session_id=session)
