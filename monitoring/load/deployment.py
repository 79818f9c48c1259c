"""The program as it is deployed, for a while and on its own: server, workers, beat and stores as processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import psutil

from monitoring.load.generator import Order, Report
from monitoring.load.reckoning import Reckoning
from monitoring.load.rows import Hall
from monitoring.load.servers import PrivatePostgres, PrivateRedis, free_port, has_redis, postgres_binaries

ROOT = Path(__file__).resolve().parents[2]
Cores = frozenset[int] | None
Shape = Literal["full", "zero"]
LEFT_OUT = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "FRAME_STORE", "EMBEDDED_WORKER", "FRAME_SPOOL")
START_WITHIN_S, END_WITHIN_S = 120.0, 20.0


class DeploymentError(RuntimeError):
    """A part that does not start, or ends before its time; the message says what it wrote last."""


class Deployment:
    """A folder, settings, and processes that work with them; ``environ`` adds to the settings."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder, self.port = folder, free_port()
        self.environ = {key: value for key, value in os.environ.items() if key not in LEFT_OUT} | {
            "DJANGO_SETTINGS_MODULE": "proctoring.settings",
            "READ_DOT_ENV": "0",
            "DEBUG": "0",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "ACCESS_TOKEN_MINUTES": "1440",
            "VAR_DIR": str(folder),
            "PYTHONPATH": str(ROOT),
            **environ,
        }
        self.log = folder / "processes.log"
        self.stores: dict[str, psutil.Process] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self, *command: str, cores: Cores = None) -> psutil.Process:
        """Start a module of Python with these arguments, on these cores only if any are given."""
        with self.log.open("ab") as log, on_cores(cores):
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=self.environ,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return psutil.Process(process.pid)

    def serve(self, application: str = "proctoring.asgi:application", *, cores: Cores = None) -> psutil.Process:
        """Start a server of this application and wait until it answers."""
        self.port = free_port()
        server = self.run("daphne", "-p", str(self.port), "--no-server-name", application, cores=cores)
        self.wait(lambda: _answers(self.port), server)
        return server

    def work(self, *, processes: int = 1, cores: Cores = None) -> psutil.Process:
        """Start a worker with so many processes; ``wait_until_well`` waits for it."""
        return self.run("celery", "-A", "proctoring", "worker", "-c", str(processes), "-l", "WARNING", cores=cores)

    def wait_until_well(self, process: psutil.Process) -> None:
        """Wait until the server says that all its parts work, workers among them."""
        self.wait(lambda: _answers(self.port, "/health/ready") == 200, process)

    def beat(self, *, cores: Cores = None) -> psutil.Process:
        """Start the beat."""
        place = str(self.folder / "beat")
        return self.run("celery", "-A", "proctoring", "beat", "-s", place, "--pidfile=", "-l", "WARNING", cores=cores)

    def hall(self, count: int) -> Hall:
        """Make so many candidates with sessions; once for each deployment."""
        return Hall(**json.loads(self.python("monitoring.load.rows", str(count))))

    def python(self, module: str, *args: str, given: str = "", cores: Cores = None, within_s: float = 600.0) -> str:
        """Run a module of ours to its end and return what it wrote; raises ``DeploymentError`` where it fails."""
        command = [sys.executable, "-m", module, *args]
        with on_cores(cores):
            process = subprocess.Popen(
                command,
                env=self.environ,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        try:
            written, complaint = process.communicate(given, timeout=within_s)
        finally:
            process.kill()
        if process.returncode:
            raise DeploymentError(f"{module}: {complaint.strip()[-2000:]}")
        return written

    def send(self, order: Order, *, cores: Cores = None) -> Report:
        """Have simulated candidates do as ordered, in a process of their own."""
        within_s = order.warm_s + order.seconds + order.patience_s + 120 + len(order.paths)
        given = json.dumps(asdict(order))
        return Report(
            **json.loads(self.python("monitoring.load.generator", given=given, cores=cores, within_s=within_s))
        )

    def reckon(self, acked: dict[str, list[int]], *, cores: Cores = None) -> Reckoning:
        """Wait until all that came in is examined, and say what became of these numbers by session."""
        given = json.dumps(acked)
        return Reckoning(
            **json.loads(self.python("monitoring.load.reckoning", given=given, cores=cores, within_s=1800))
        )

    def wait(self, true: Callable[[], object], process: psutil.Process, seconds: float = START_WITHIN_S) -> None:
        """Wait until something is so; raises ``DeploymentError`` when that takes too long or the process ends."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline or not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                raise DeploymentError(f"It did not get ready:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def end(self, *processes: psutil.Process) -> None:
        """End these processes with their children, or all there are; first politely."""
        wanted = {process.pid for process in processes}
        ending = [process for process in self._processes if not wanted or process.pid in wanted]
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for process in ending:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, sign)
            for process in ending:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(END_WITHIN_S)
        self._processes = [process for process in self._processes if process not in ending]


@contextmanager
def deployed(shape: Shape, *, cores: Cores = None, environ: Mapping[str, str] | None = None) -> Iterator[Deployment]:
    """Prepare the program in one of its shapes and take away everything afterwards.

    ``full`` has a PostgreSQL and a Redis of its own, on these cores; ``zero`` a database in a file and a folder.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="load-", ignore_cleanup_errors=True)))
        urls: dict[str, str] = {}
        stores: dict[str, subprocess.Popen[bytes]] = {}
        if shape == "full":
            with on_cores(cores):
                postgres, redis = _postgres(stack), _redis(stack, folder)
            urls = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
            stores = {"postgresql": postgres.process, "redis": redis.process}
        deployment = Deployment(folder, **urls, **(environ or {}))
        deployment.stores = {name: psutil.Process(process.pid) for name, process in stores.items()}
        stack.callback(deployment.end)
        yield deployment


def usual_shape() -> Shape:
    """Return ``full`` where its servers are installed."""
    return "full" if has_redis() and postgres_binaries() else "zero"


def _postgres(stack: ExitStack) -> PrivatePostgres:
    binaries = postgres_binaries()
    if binaries is None:
        raise DeploymentError("There is no PostgreSQL here that can be started.")
    server = PrivatePostgres(binaries)
    stack.callback(server.remove)
    return server


def _redis(stack: ExitStack, folder: Path) -> PrivateRedis:
    if not has_redis():
        raise DeploymentError("There is no Redis here that can be started.")
    (folder / "redis").mkdir()
    server = PrivateRedis(folder / "redis", "--appendonly", "yes", "--appendfsync", "everysec")
    stack.callback(server.kill)
    return server


@contextmanager
def on_cores(cores: Cores) -> Iterator[None]:
    """Have what is started within run on these cores only, where the system can do that."""
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def two_cores() -> tuple[Cores, Cores]:
    """Return a core for what is measured and one for all that is not; None twice where there is only one."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(allowed) < 2:
        return None, None
    return frozenset(allowed[:1]), frozenset(allowed[1:2])


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all its children."""
    return [process, *process.children(recursive=True)]


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """Return how long these processes have computed by now, together."""
    spent = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


def _answers(port: int, path: str = "/health") -> int:
    """Return the status of an answer, 0 if there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
