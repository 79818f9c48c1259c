"""Redis and PostgreSQL servers of one's own for a while, on free ports and in folders that go with them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis, RedisError


class PrivateRedis:
    """A redis-server process that can be stopped and started again with what it wrote to its append-only file."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder, self._options, self.port = folder, options, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        command = ["redis-server", *options, *self._options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                if self.client().ping():
                    return
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def client(self) -> Redis:
        """Return a client of it."""
        return Redis.from_url(self.url, socket_timeout=5)

    def stop(self) -> None:
        """End it in peace."""
        self.process.terminate()
        self.process.wait(10)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(10)


class PrivatePostgres:
    """A PostgreSQL server that can be brought down like a machine that loses its power, and started again."""

    def __init__(self, binaries: Path) -> None:
        self._binaries, self.port = binaries, free_port()
        # PostgreSQL refuses to run as root, and whom it runs as may enter no folder of ours.
        self._person: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        self._folder = tempfile.mkdtemp(prefix="postgres-")
        if self._person:
            shutil.chown(self._folder, "postgres", "postgres")
        make = [binaries / "initdb", "-D", self._folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*map(str, make), "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd="/", **self._person)
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it has recovered what was committed."""
        place = ["-D", self._folder, "-p", str(self.port), "-h", "127.0.0.1", "-k", ""]
        command = [self._binaries / "postgres", *place, "-c", "log_min_messages=fatal"]
        silent = subprocess.DEVNULL
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [*map(str, command)], cwd="/", stdout=silent, stderr=silent, **self._person
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        """End all its processes at once, without a word to anybody and without writing anything down."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)

    def remove(self) -> None:
        """End it and take its folder away."""
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def has_redis() -> bool:
    """Say whether a Redis server can be started here."""
    return shutil.which("redis-server") is not None


def postgres_binaries() -> Path | None:
    """Return the folder of PostgreSQL's server programs; None where there is none."""
    found = shutil.which("initdb")
    # Debian keeps them out of the way.
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
    return next((place for place in places if (place / "postgres").exists()), None)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
