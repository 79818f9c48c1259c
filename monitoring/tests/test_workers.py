"""Workers as real processes behind real brokers, some of them killed."""

import os
import signal
import time
from contextlib import ExitStack

import psutil
import pytest

from monitoring.tests.storage import private_redis
from monitoring.tests.workers import PREPARE, deployed, private_rabbit, wait_until

pytestmark = pytest.mark.slow

ASK = """
import sys, uuid, django; django.setup()
from monitoring import queue
queue.send(queue.ANALYZE, uuid.UUID(sys.argv[1]))
"""
LISTEN = """
import io, sys, wave, django; django.setup()
from exams.models import ExamSession
from monitoring import intake
from monitoring.tests.factories import START
file = io.BytesIO()
with wave.open(file, "wb") as sound:
    sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(16000), sound.writeframes(bytes(32000))
session = ExamSession.objects.get(pk=sys.argv[1])
intake.take_sound(session=session, seq=0, captured_at=START.timestamp(), data=file.getvalue())
"""


@pytest.fixture(params=["redis", "rabbitmq", "rabbitmq and redis"])
def deployment(request, tmp_path):
    """A database in a file, with either broker; queues in Redis where there is one, else in a folder."""
    with ExitStack() as stack:
        environ = {}
        if "redis" in request.param:
            folder = tmp_path / "redis"
            folder.mkdir()
            environ["REDIS_URL"] = stack.enter_context(private_redis(folder, "--appendonly", "yes")).url
        if "rabbitmq" in request.param:
            environ["CELERY_BROKER_URL"] = stack.enter_context(private_rabbit())
        yield stack.enter_context(deployed(tmp_path, **environ))


def test_a_worker_takes_pictures_from_either_broker(deployment):
    session = deployment.python(PREPARE, 5)
    deployment.worker()
    wait_until(lambda: deployment.count() == 5)
    deployment.python(ASK, session)  # a message too many changes nothing
    kinds = deployment.ask("SELECT kind, count(*) FROM monitoring_suspiciousactivity GROUP BY kind")
    assert ("MULTIPLE_FACES", 1) in kinds
    waiting = deployment.python(
        "import sys, uuid, django; django.setup()\n"
        "from monitoring.frame_store import frame_store\n"
        "print(frame_store().waiting(uuid.UUID(sys.argv[1])), type(frame_store()).__name__)",
        session,
    )
    assert waiting == ("0 RedisFrameStore" if "REDIS_URL" in deployment.environ else "0 DirectorySpool")


@pytest.fixture
def redis(tmp_path):
    """A Redis server of the test's own that keeps all it accepts."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with private_redis(folder, "--appendonly", "yes", "--appendfsync", "always") as redis:
        yield redis


@pytest.fixture
def full(tmp_path, redis):
    """Broker and queues in that server."""
    with deployed(tmp_path, REDIS_URL=redis.url) as deployment:
        yield deployment


def test_sound_and_pictures_have_queues_of_their_own(full):
    session = full.python(PREPARE, 1)
    full.python(LISTEN, session)
    full.worker("-Q", "audio", "-n", "ears@%h")
    wait_until(lambda: full.count() == 1)
    assert full.ask("SELECT stream FROM monitoring_observation") == [("audio",)]
    assert "libmediapipe" not in mapped_files(full)  # who only listens builds no models that see
    full.worker("-Q", "vision", "-n", "eyes@%h")
    wait_until(lambda: full.count() == 2)


def mapped_files(deployment):
    return " ".join(
        mapped.path
        for process in deployment._running
        for child in psutil.Process(process.pid).children(recursive=True)
        for mapped in child.memory_maps()
    )


@pytest.mark.parametrize("whom", ["worker", "its child"])
def test_a_worker_killed_in_the_middle_costs_some_seconds_and_nothing_else(full, whom):
    frames = 150
    full.python(PREPARE, frames)
    full.beat()
    first = full.worker("-n", "first@%h")
    wait_until(lambda: 0 < full.count() < frames)
    full.worker("-n", "second@%h", "-c", "1")
    time.sleep(1)
    if whom == "worker":
        full.kill(first)
    else:
        [child] = psutil.Process(first.pid).children()
        os.kill(child.pid, signal.SIGKILL)
    done = full.count()
    assert 0 < done < frames
    wait_until(lambda: full.count() > done + 16, 15)  # one batch may have been finished before the blow
    wait_until(lambda: full.count() == frames)
    assert full.count("count(DISTINCT seq)") == frames
    assert full.ask("SELECT frames_analysed FROM monitoring_sessionmonitor") == [(frames,)]
    kinds = full.ask("SELECT kind, count(*) FROM monitoring_suspiciousactivity GROUP BY kind")
    assert ("MULTIPLE_FACES", 1) in kinds


def test_a_beat_killed_and_started_again_sweeps_up_what_waits(full):
    full.python(PREPARE, 3)
    beat = full.beat()
    full.python("import os, redis; redis.Redis.from_url(os.environ['REDIS_URL']).delete('vision')")  # a lost message
    full.kill(beat)
    full.beat()
    full.worker()
    wait_until(lambda: full.count() == 3, 60)


def test_a_redis_that_dies_and_comes_back_costs_some_seconds_and_no_picture(full, redis):
    frames = 120
    full.python(PREPARE, frames)
    full.beat()
    full.worker()
    wait_until(lambda: 0 < full.count() < frames)
    redis.kill()
    time.sleep(2)
    done = full.count()
    assert done < frames
    redis.start()
    wait_until(lambda: full.count() == frames)
    assert full.count("count(DISTINCT seq)") == frames
    assert full.ask("SELECT frames_skipped FROM monitoring_sessionmonitor") == [(0,)]
