"""Both shapes of the program as real processes that can be hurt, and a candidate's client that goes on meanwhile."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from monitoring import wire
from monitoring.tests.sockets import Sitting, SocketServer
from monitoring.tests.storage import PrivatePostgres, PrivateRedis, free_port, private_postgres, private_redis
from monitoring.tests.test_server import wait_until

GOES_ON_S = 10.0
"""Within so long after the end of a fault the session goes on."""

QUEUE_LENGTH = 40
ACTIVITIES = "SELECT session_id, kind, started_at FROM monitoring_suspiciousactivity"
PICTURES = """
from vision.decoding import encode_jpeg
from vision.demo import package_picture
import cv2
from monitoring.tests.poison import ALL_FAILS, SENSE_FAILS
picture = package_picture("zidane.jpg")[30:630, 440:1240]
for size in SENSE_FAILS, ALL_FAILS:
    print(encode_jpeg(cv2.resize(picture, size[::-1])).hex())
"""
Row = tuple[Any, ...]


class Shape(SocketServer):
    """The program in one of its two shapes; each of its parts is a process of its own, named here by what it does."""

    PARTS: ClassVar[dict[str, tuple[str, ...]]]
    redis: PrivateRedis
    postgres: PrivatePostgres

    def __init__(self, folder: Path, **environ: str) -> None:
        limits = {"FRAME_QUEUE_LENGTH": str(QUEUE_LENGTH), "SOCKET_FRAMES_PER_S": "200"}
        super().__init__(folder, **limits, **environ)
        self.parts: dict[str, subprocess.Popen[bytes]] = {}
        self.poison = dict(zip(("sense", "all"), map(bytes.fromhex, self.python(PICTURES).split()), strict=True))
        self._sittings: list[Sitting] = []

    def begin(self) -> None:
        """Start every part that does not run, and wait until all is well."""
        for part in self.PARTS:
            if part not in self.parts:
                self.start_part(part)
        wait_until(lambda: self.health()["status"] == "ok")

    def start_part(self, part: str) -> None:
        """Start one part; a server is waited for until it answers."""
        command = [word.format(port=self.port, folder=self.folder) for word in self.PARTS[part]]
        self.parts[part] = self.run(*command)
        if part == "server":
            wait_until(self.is_up)

    def kill_part(self, part: str) -> None:
        """End one part at once, with its children."""
        process = self.parts.pop(part)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        self.processes.remove(process)

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        """Let everything wait that comes in meanwhile."""
        raise NotImplementedError

    @contextmanager
    def full_storage(self) -> Iterator[None]:
        """Let there be no room meanwhile for anything that is to be stored."""
        raise NotImplementedError

    def sit(self) -> Sitting:
        """Return another candidate's session."""
        if not self._sittings:
            self._sittings = Sitting.several(self, 20)
        return self._sittings.pop()

    def lose_what_waits(self) -> None:
        """Have the store of what waits lose all it has."""
        raise NotImplementedError

    def monitor(self, sitting: Sitting) -> dict[str, int]:
        """Return how many pictures of a session came, were analysed, thinned out and lost."""
        names = ("frames_total", "frames_analysed", "frames_skipped", "frames_unusable", "frames_lost")
        rows = self.ask(f"SELECT session_id, {', '.join(names)} FROM monitoring_sessionmonitor")
        [found] = [numbers for pk, *numbers in rows if sitting.is_mine(pk)]
        return dict(zip(names, found, strict=True))


class ZeroServices(Shape):
    """One process: the server, which holds worker and beat; a database in a file and queues in a folder."""

    PARTS: ClassVar = {"server": ("daphne", "-p", "{port}", "monitoring.tests.poison:application")}

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        self.environ["EMBEDDED_WORKER"] = "0"
        self.kill_part("server")
        self.start_part("server")
        try:
            yield
        finally:
            del self.environ["EMBEDDED_WORKER"]
            self.kill_part("server")
            self.begin()

    def lose_what_waits(self) -> None:
        shutil.rmtree(self.folder / "spool")

    @contextmanager
    def full_storage(self) -> Iterator[None]:
        # As on a full disk, nothing of a picture's size can be written, and the database cannot grow.
        server = self.parts["server"].pid
        before = resource.prlimit(server, resource.RLIMIT_FSIZE)
        resource.prlimit(server, resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            yield
        finally:
            resource.prlimit(server, resource.RLIMIT_FSIZE, before)


class FullShape(Shape):
    """PostgreSQL and Redis of its own; server, worker and beat apart."""

    PARTS: ClassVar = {
        "server": ("daphne", "-p", "{port}", "monitoring.tests.poison:application"),
        "worker": ("celery", "-A", "monitoring.tests.poison", "worker", "-c", "1", "-l", "WARNING"),
        "beat": ("celery", "-A", "proctoring", "beat", "-s", "{folder}/beat", "--pidfile=", "-l", "WARNING"),
    }

    def __init__(self, folder: Path, postgres: PrivatePostgres, redis: PrivateRedis) -> None:
        self.postgres, self.redis = postgres, redis
        super().__init__(folder, DATABASE_URL=postgres.url, REDIS_URL=redis.url)

    def ask(self, query: str) -> list[Row]:
        with psycopg.connect(self.environ["DATABASE_URL"], autocommit=True, connect_timeout=2) as connection:
            return connection.execute(query).fetchall()

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        self.kill_part("worker")
        try:
            yield
        finally:
            self.begin()

    def lose_what_waits(self) -> None:
        self.redis.client().flushall()

    @contextmanager
    def full_storage(self) -> Iterator[None]:
        client = self.redis.client()
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1_000_000)
        try:
            yield
        finally:
            client.config_set("maxmemory", 0)


@contextmanager
def running(kind: type[Shape], folder: Path) -> Iterator[Shape]:
    """Run a shape; skips the test where what it needs is not installed, and shows its log when it fails."""
    with ExitStack() as stack:
        if kind is FullShape:
            postgres = stack.enter_context(private_postgres())
            (folder / "redis").mkdir()
            options = ("--appendonly", "yes", "--appendfsync", "always")
            shape: Shape = FullShape(folder, postgres, stack.enter_context(private_redis(folder / "redis", *options)))
        else:
            shape = ZeroServices(folder)
        stack.callback(shape.remove)
        shape.begin()
        yield shape


PICTURE, SOUND = 0, 1
SOUND_S, RATE = 1, 16_000
NOISE = random.Random(7).randbytes(SOUND_S * RATE * 2)
Number = tuple[int, int]
"""Of what is sent: picture or sound, and which."""


class Streamer:
    """A candidate's client as it should be: pictures and sound without end, each sent until it is acknowledged.

    It connects again when the line breaks or falls silent. ``acked`` tells when each picture was acknowledged,
    ``heard`` when each second of sound.
    """

    AGAIN_S, REST_S, SILENT_S, IN_FLIGHT = 1.0, 0.5, 4.0, 16

    def __init__(self, sitting: Sitting, picture: bytes, *, per_s: float = 10.0) -> None:
        self.sitting, self.picture, self._every_s = sitting, picture, 1 / per_s
        self.acked: dict[int, float] = {}
        self.heard: dict[int, float] = {}
        self.breaks = 0
        self.refusals: list[str] = []
        self._waiting: dict[Number, tuple[float, float]] = {}
        self._next = {PICTURE: 0, SOUND: 0}
        self._rest_until, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Streamer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join(30)

    def wait_for(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many more pictures have been acknowledged."""
        wanted = len(self.acked) + count
        wait_until(lambda: len(self.acked) >= wanted, seconds)

    def finish(self, seconds: float = 60.0) -> set[int]:
        """Take no more of either; returns the numbers of all pictures, once everything has been acknowledged."""
        self._every_s = float("inf")
        wait_until(lambda: not self._waiting and len(self.acked) == self._next[PICTURE], seconds)
        self.__exit__()
        return set(self.acked)

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(OSError, WebSocketException, ValueError):
                address = self.sitting.address(f"?token={self.sitting.token}")
                with connect(address, compression=None, open_timeout=5, close_timeout=1) as line:
                    self._talk(line)
            self.breaks += not self._over.is_set()
            self._over.wait(0.2)

    def _talk(self, line: Any) -> None:
        heard_at = time.monotonic()
        due_at = {PICTURE: 0.0, SOUND: 0.0}
        for number, (at, _sent_at) in self._waiting.items():
            self._waiting[number] = at, 0.0
        while not self._over.is_set():
            now = time.monotonic()
            self._capture(now, due_at)
            self._send_due(line, now)
            with suppress(TimeoutError):
                self._read(line.recv(timeout=0.05))
                heard_at = time.monotonic()
            if self._waiting and time.monotonic() - heard_at > self.SILENT_S:
                raise TimeoutError

    def _capture(self, now: float, due_at: dict[int, float]) -> None:
        for stream, every_s in ((PICTURE, self._every_s), (SOUND, SOUND_S)):
            if now >= due_at[stream] and self._every_s < float("inf"):
                self._waiting[stream, self._next[stream]] = time.time(), 0.0
                self._next[stream], due_at[stream] = self._next[stream] + 1, now + every_s

    def _send_due(self, line: Any, now: float) -> None:
        if now < self._rest_until:
            return
        for (stream, seq), (at, sent_at) in sorted(self._waiting.items(), key=lambda one: one[1][0])[: self.IN_FLIGHT]:
            if now - sent_at > self.AGAIN_S:
                rate, data = (RATE, NOISE) if stream == SOUND else (0, self.picture)
                line.send(wire.HEADER.pack(1, stream, rate, seq, int(at * 1000)) + data)
                self._waiting[stream, seq] = at, now

    def _read(self, text: str) -> None:
        message = json.loads(text)
        if message["type"] == "ack":
            stream, taken = (SOUND, self.heard) if message["stream"] == "audio" else (PICTURE, self.acked)
            if self._waiting.pop((stream, message["seq"]), None):
                taken[message["seq"]] = time.monotonic()
        elif message["type"] == "error":
            self.refusals.append(message["code"])
            self._rest_until = time.monotonic() + self.REST_S


class Line:
    """A line between a client and a server that can go dead without either end being told."""

    def __init__(self, port: int) -> None:
        self.port, self._to = free_port(), port
        self._dead = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_error: object) -> None:
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def die(self) -> None:
        """Swallow from now on whatever comes from either side."""
        self._dead.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _address = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if not self._dead.is_set():
                    other.sendall(data)
            if not self._dead.is_set():
                other.shutdown(socket.SHUT_WR)


def reckon(
    shape: Shape, sitting: Sitting, acked: Collection[int], heard: Collection[int] = (), *, thinned: int | None = None
) -> None:
    """Wait until all that was acknowledged is examined or counted as thinned out, and see that none is doubled.

    ``acked`` are numbers of pictures, ``heard`` of seconds of sound; ``thinned``: at most so many, where that is known.
    """
    taken = {("frame", seq) for seq in acked} | {("audio", seq) for seq in heard}
    wait_until(lambda: len(taken.difference(sitting.examined())) <= shape.monitor(sitting)["frames_skipped"])
    examined = sitting.examined()
    counted = shape.monitor(sitting)
    assert len(examined) == len(set(examined))
    assert counted["frames_analysed"] <= len(examined)
    if thinned is not None:
        assert counted["frames_skipped"] <= thinned
    kinds = [row for row in shape.ask(ACTIVITIES) if sitting.is_mine(row[0])]
    assert len(kinds) == len(set(kinds))
