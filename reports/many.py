"""Making many reports at once, in processes of their own: WeasyPrint keeps one core busy for each."""

from __future__ import annotations

import multiprocessing
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

FEW = 4
"""So few reports are made sooner here than another process is started."""


def make_reports(sessions: Sequence[uuid.UUID], *, jobs: int, language: str = "") -> Iterator[uuid.UUID]:
    """Make the reports of these sessions and yield each when it is there, or has failed with its reason in its row.

    ``jobs`` processes work at once; with one, or few reports, this one does it all. Raises ``BrokenProcessPool`` where
    one of them dies.
    """
    if jobs <= 1 or len(sessions) <= FEW:
        for session_id in sessions:
            yield _make(session_id, language)
        return
    # Not forked: connections and threads of this process are none of theirs.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(sessions)), mp_context=context, initializer=_begin) as pool:
        for done in as_completed([pool.submit(_make, session_id, language) for session_id in sessions]):
            yield done.result()


def _begin() -> None:
    import django

    django.setup()


def _make(session_id: uuid.UUID, language: str) -> uuid.UUID:
    from exams.models import ExamSession
    from reports.services import make_report

    # One that was erased meanwhile has no report.
    session = ExamSession.objects.filter(pk=session_id).first()
    if session is not None:
        make_report(session=session, language=language)
    return session_id
