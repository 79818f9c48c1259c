"""The server without any services: its own worker and beat, killed and started again, lose nothing."""

import importlib.util
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASSETS = Path(importlib.util.find_spec("ultralytics").origin).parent / "assets"
PREPARE = """
import json, sys, django; django.setup()
from pathlib import Path
from django.core.management import call_command
from monitoring.tests.factories import *
from monitoring import intake
call_command("migrate", verbosity=0)
session = make_session()
picture = Path(sys.argv[1]).read_bytes()
for seq in range(int(sys.argv[2])):
    intake.take_frame(session=session, seq=seq, captured_at=START.timestamp() + seq, data=picture)
print(session.pk)
"""
END = """
import sys, django; django.setup()
from datetime import timedelta
from monitoring.tests.factories import START
from exams.models import ExamSession, SessionStatus
from exams.lifecycle import move_session
session = ExamSession.objects.get(pk=sys.argv[1])
move_session(session=session, to=SessionStatus.SUBMITTED, at=START + timedelta(seconds=200))
"""
FRAMES = 120


class Server:
    """A real server process on a private folder and port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environ = {
            **{key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")},
            "DJANGO_SETTINGS_MODULE": "proctoring.settings",
            "READ_DOT_ENV": "0",
            "DEBUG": "1",
            "SECRET_KEY": "k" * 50,
            "VAR_DIR": str(folder),
            "PYTHONPATH": str(ROOT),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def python(self, code: str, *args: object) -> str:
        command = [sys.executable, "-c", code, *map(str, args)]
        done = subprocess.run(command, env=self.environ, cwd=ROOT, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def start(self) -> None:
        command = [sys.executable, "-m", "daphne", "-p", str(self.port), "proctoring.asgi:application"]
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(command, env=self.environ, cwd=ROOT, stdout=log, stderr=log)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def health(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as answer:
            return json.load(answer)

    def ask(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.folder / "db.sqlite3", timeout=10) as database:
            return database.execute(query).fetchall()


def wait_until(true, seconds=60.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except (OSError, sqlite3.OperationalError):
            pass
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.kill()


@pytest.mark.slow
def test_it_analyses_everything_once_though_the_server_is_killed_in_the_middle(server):
    session = server.python(PREPARE, ASSETS / "zidane.jpg", FRAMES)
    count = "SELECT count(*) FROM monitoring_observation"
    server.start()
    wait_until(lambda: 0 < server.ask(count)[0][0] < FRAMES)
    server.kill()
    done = server.ask(count)[0][0]
    assert 0 < done < FRAMES
    # The dead server's claim runs out after a minute; that minute is not what this test is about.
    server.ask("UPDATE monitoring_sessionmonitor SET claimed_until = '2026-01-01 00:00:00' WHERE claim IS NOT NULL")
    server.start()
    wait_until(lambda: server.ask(count)[0][0] == FRAMES)
    assert server.ask("SELECT count(DISTINCT seq) FROM monitoring_observation")[0][0] == FRAMES
    assert server.health()["checks"]["workers"]["ok"]
    server.python(END, session)
    closed = "SELECT count(*) FROM monitoring_sessionmonitor WHERE finished_at IS NOT NULL"
    wait_until(lambda: server.ask(closed) == [(1,)])
    kinds = server.ask("SELECT kind, count(*) FROM monitoring_suspiciousactivity GROUP BY kind")
    assert ("MULTIPLE_FACES", 1) in kinds
    wait_until(lambda: server.ask("SELECT status FROM reports_sessionreport") == [("ready",)])
