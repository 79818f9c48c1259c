"""A worker without a broker, for tests of what goes in and comes out."""

import pytest

from monitoring import queue, tasks


@pytest.fixture
def spool(settings, tmp_path):
    """A queue of the test's own."""
    settings.FRAME_SPOOL = tmp_path / "spool"
    return settings.FRAME_SPOOL


@pytest.fixture
def worker(monkeypatch, spool):
    """Real tasks, run where they are sent: only the broker between is left out."""
    known = {queue.ANALYZE: tasks.analyze_session, queue.FINISH: tasks.finish_session}
    monkeypatch.setattr(queue, "send", lambda task, session_id: known[task](str(session_id)))


@pytest.fixture
def no_worker(monkeypatch, spool):
    """Nobody takes what is sent to the broker."""
    monkeypatch.setattr(queue, "send", lambda task, session_id: None)
