"""Workers as processes of their own, on a database, a queue and a broker of a test's own."""

from __future__ import annotations

import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RABBIT_API = "http://127.0.0.1:15672/api"
PREPARE = """
import sys, django; django.setup()
from django.core.management import call_command
from monitoring.tests.factories import *
from monitoring import intake
call_command("migrate", verbosity=0)
session = make_session()
picture = two_men_jpeg()
for seq in range(int(sys.argv[1])):
    intake.take_frame(session=session, seq=seq, captured_at=START.timestamp() + seq, data=picture)
print(session.pk)
"""


class Deployment:
    """A folder with a database, and processes that work on it; each in a group of its own, so that kills reach all."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        left_out = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "FRAME_STORE")
        self.environ = {key: value for key, value in os.environ.items() if key not in left_out} | {
            "DJANGO_SETTINGS_MODULE": "proctoring.settings",
            "READ_DOT_ENV": "0",
            "DEBUG": "1",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "VAR_DIR": str(folder),
            "PYTHONPATH": str(ROOT),
            **environ,
        }
        self._running: list[subprocess.Popen[bytes]] = []

    def python(self, code: str, *args: object) -> str:
        command = [sys.executable, "-c", code, *map(str, args)]
        done = subprocess.run(command, env=self.environ, cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=self.environ,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        return self.run("celery", "-A", "proctoring", "worker", "-c", "1", "-l", "INFO", *options)

    def beat(self) -> subprocess.Popen[bytes]:
        return self.run("celery", "-A", "proctoring", "beat", "-s", str(self.folder / "beat"), "--pidfile=")

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        self._running.remove(process)

    def remove(self) -> None:
        for process in list(self._running):
            self.kill(process)

    @property
    def log(self) -> Path:
        return self.folder / "processes.log"

    def ask(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.folder / "db.sqlite3", timeout=20) as database:
            return database.execute(query).fetchall()

    def count(self, what: str = "count(*)") -> int:
        return int(str(self.ask(f"SELECT {what} FROM monitoring_observation")[0][0]))


@contextmanager
def deployed(folder: Path, **environ: str) -> Iterator[Deployment]:
    """A deployment whose processes end with the test; what they wrote is shown when it fails."""
    deployment = Deployment(folder, **environ)
    try:
        yield deployment
    except BaseException:
        if deployment.log.exists():
            print(deployment.log.read_text()[-6000:])  # noqa: T201
        raise
    finally:
        deployment.remove()


def wait_until(true: Callable[[], object], seconds: float = 90.0) -> float:
    """Wait for something to become true; returns after how many seconds it did."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.1)
    return time.monotonic() - began


@contextmanager
def private_rabbit() -> Iterator[str]:
    """The address of a virtual host of the test's own; skips the test where RabbitMQ makes none."""
    name = f"proctoring-{uuid.uuid4().hex[:12]}"
    try:
        _ask_rabbit("PUT", f"/vhosts/{name}")
        _ask_rabbit("PUT", f"/permissions/{name}/guest", b'{"configure": ".*", "write": ".*", "read": ".*"}')
        made = True
    except (OSError, urllib.error.URLError):
        made = _ask_rabbitmqctl("add_vhost", name) and _ask_rabbitmqctl(
            "set_permissions", "-p", name, "guest", ".*", ".*", ".*"
        )
    if not made:
        pytest.skip("no RabbitMQ here that makes a virtual host")
    try:
        yield f"amqp://guest:guest@127.0.0.1:5672/{name}"
    finally:
        try:
            _ask_rabbit("DELETE", f"/vhosts/{name}")
        except (OSError, urllib.error.URLError):
            _ask_rabbitmqctl("delete_vhost", name)


def _ask_rabbit(method: str, path: str, body: bytes = b"") -> None:
    sign_in = b64encode(b"guest:guest").decode()
    headers = {"Authorization": f"Basic {sign_in}", "Content-Type": "application/json"}
    request = urllib.request.Request(RABBIT_API + path, data=body, method=method, headers=headers)
    urllib.request.urlopen(request, timeout=5).close()


def _ask_rabbitmqctl(*command: str) -> bool:
    try:
        return subprocess.run(["rabbitmqctl", "-q", *command], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
