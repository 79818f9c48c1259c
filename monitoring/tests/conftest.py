"""What tests share: a worker without a broker, and an event loop in which somebody listens to the sockets' groups."""

from collections.abc import Callable

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers, get_channel_layer

from monitoring import notify, queue, tasks
from monitoring.tests.ears import Ears


@pytest.fixture
def spool(settings, tmp_path):
    """A queue of the test's own."""
    settings.FRAME_SPOOL = tmp_path / "spool"
    return settings.FRAME_SPOOL


@pytest.fixture
def worker(monkeypatch, spool):
    """Real tasks, run where they are sent: only the broker between is left out."""
    known: dict[str, Callable[..., object]] = {
        queue.ANALYZE: tasks.analyze_sessions,
        queue.LISTEN: tasks.analyze_sounds,
        queue.FINISH: tasks.finish_session,
    }
    monkeypatch.setattr(queue, "send", lambda task, *sessions: sessions and known[task](*map(str, sessions)))


@pytest.fixture
def no_worker(monkeypatch, spool):
    """Nobody takes what is sent to the broker."""
    monkeypatch.setattr(queue, "send", lambda task, *sessions: None)


@pytest.fixture
def layer():
    """An in-memory layer of the test's own, with room for whatever comes."""
    before = channel_layers.set("default", InMemoryChannelLayer(capacity=10_000))
    yield get_channel_layer()
    channel_layers.set("default", before)


@pytest.fixture
def ears(layer):
    ears = Ears()
    yield ears
    notify._server.outbox = None
    ears.close()


@pytest.fixture
def committed(request, django_capture_on_commit_callbacks):
    """Do what is to be done as if it were committed, and wait until everybody has been told."""
    ears = request.getfixturevalue("ears") if "ears" in request.fixturenames else None

    def do(work, *args, **kwargs):
        with django_capture_on_commit_callbacks(execute=True):
            result = work(*args, **kwargs)
        assert notify.flush()
        if ears is not None:
            ears.settle()
        return result

    return do
