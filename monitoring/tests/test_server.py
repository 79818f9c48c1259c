"""Real processes in both shapes, killed in the middle and started again, lose nothing and double nothing."""

import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import psycopg
import pytest

from monitoring.tests.storage import free_port

ROOT = Path(__file__).resolve().parents[2]
PREPARE = """
import json, sys, django; django.setup()
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from monitoring.tests import factories
from monitoring import intake
call_command("migrate", verbosity=0)
factories.START = began = timezone.now() - timedelta(minutes=5)  # before its time is up, however long this takes
session = factories.make_session()
picture = factories.two_men_jpeg()
for seq in range(int(sys.argv[1])):
    intake.take_frame(session=session, seq=seq, captured_at=began.timestamp() + seq, data=picture)
print(session.pk)
"""
END = """
import sys, django; django.setup()
from datetime import timedelta
from exams.models import ExamSession, SessionStatus
from exams.lifecycle import move_session
session = ExamSession.objects.get(pk=sys.argv[1])
move_session(session=session, to=SessionStatus.SUBMITTED, at=session.started_at + timedelta(seconds=200))
"""
FRAMES = 120
POSTGRESQL = "postgres://postgres@127.0.0.1:5432/postgres"


class Server:
    """The shape without services: one server process that holds worker and beat, on a private folder and port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.environ = {
            **{key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")},
            "DJANGO_SETTINGS_MODULE": "proctoring.settings",
            "READ_DOT_ENV": "0",
            "DEBUG": "1",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "VAR_DIR": str(folder),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",  # tests read the log while the server writes it
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def python(self, code: str, *args: object) -> str:
        command = [sys.executable, "-c", code, *map(str, args)]
        done = subprocess.run(command, env=self.environ, cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        log = (self.folder / "server.log").open("ab")
        # A group of its own, so that a kill reaches the children too.
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=self.environ,
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def start(self) -> None:
        self.run("daphne", "-p", str(self.port), "proctoring.asgi:application")

    def kill(self) -> None:
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        self.processes.clear()

    def remove(self) -> None:
        self.kill()

    def health(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as answer:
            return json.load(answer)

    def ask(self, query: str):
        with sqlite3.connect(self.folder / "db.sqlite3", timeout=10) as database:
            return database.execute(query).fetchall()


class FullServer(Server):
    """The full shape: PostgreSQL, a Redis of its own, and server, worker and beat as processes of their own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.database = f"proctoring_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(POSTGRESQL, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.database}")
        port = free_port()
        self.environ["DATABASE_URL"] = POSTGRESQL.rpartition("/")[0] + "/" + self.database
        self.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.redis = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)

    def start(self) -> None:
        super().start()
        self.run("celery", "-A", "proctoring", "worker", "-c", "2", "-l", "WARNING")
        self.run("celery", "-A", "proctoring", "beat", "-s", str(self.folder / "beat"), "--pidfile=", "-l", "WARNING")

    def remove(self) -> None:
        super().remove()
        self.redis.kill()
        self.redis.wait(10)
        with psycopg.connect(POSTGRESQL, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {self.database} WITH (FORCE)")

    def ask(self, query: str):
        with psycopg.connect(self.environ["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []


def services_are_there() -> bool:
    try:
        psycopg.connect(POSTGRESQL, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return shutil.which("redis-server") is not None


def wait_until(true, seconds=90.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except (OSError, sqlite3.OperationalError, psycopg.OperationalError):
            pass
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


@pytest.fixture(params=[Server, FullServer], ids=["without services", "PostgreSQL and Redis"])
def server(request, tmp_path):
    if request.param is FullServer and not services_are_there():
        pytest.skip("no PostgreSQL that lets `postgres` in, or no redis-server")
    server = request.param(tmp_path)
    yield server
    server.remove()


@pytest.mark.slow
def test_it_analyses_everything_once_though_everything_is_killed_in_the_middle(server):
    session = server.python(PREPARE, FRAMES)
    count = "SELECT count(*) FROM monitoring_observation"
    server.start()
    wait_until(lambda: 0 < server.ask(count)[0][0] < FRAMES)
    server.kill()
    done = server.ask(count)[0][0]
    assert 0 < done < FRAMES
    server.start()
    wait_until(lambda: server.ask(count)[0][0] == FRAMES)
    assert server.ask("SELECT count(DISTINCT seq) FROM monitoring_observation")[0][0] == FRAMES
    wait_until(lambda: server.health()["checks"]["workers"]["ok"])
    server.python(END, session)
    closed = "SELECT count(*) FROM monitoring_sessionmonitor WHERE finished_at IS NOT NULL"
    wait_until(lambda: server.ask(closed) == [(1,)])
    kinds = server.ask("SELECT kind, count(*) FROM monitoring_suspiciousactivity GROUP BY kind")
    assert ("MULTIPLE_FACES", 1) in kinds
    wait_until(lambda: server.ask("SELECT status FROM reports_sessionreport") == [("ready",)])
