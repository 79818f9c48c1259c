"""Many simulated candidates in one process: ``python -m monitoring.load.generator``, an order in, a report out.

It reads an ``Order`` as JSON from standard input, and writes a ``Report`` to standard output at the end. A process of
its own, so that what clients cost is not counted to the server; it needs neither Django nor a database.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from monitoring.load.socket_client import SocketClient

AT_ONCE = 20
"""So many sockets are opened at the same time, as a hall fills in some seconds and not at once."""

CONNECT_AGAIN_S = 1.0
APART = 103


@dataclass(frozen=True, slots=True)
class Order:
    """What to do: ``paths`` are those of the sockets, one for each candidate; ``pictures`` a folder of JPEGs.

    With ``every_s`` each candidate sends a picture so often, whatever the server does, and they take turns. Without it
    each sends the next as soon as fewer than ``window`` wait for their acknowledgement. What happens in the first
    ``warm_s`` seconds is not counted, ``seconds`` after it end it, and for ``patience_s`` more acknowledgements may
    come. Numbers begin at ``first_seq``; ``review`` is the path of a reviewer's socket that is watched meanwhile, and
    ``server`` the number of the server's process.
    """

    port: int
    paths: Sequence[str]
    pictures: str
    seconds: float
    warm_s: float = 1.0
    every_s: float | None = None
    window: int = 1
    first_seq: int = 0
    patience_s: float = 20.0
    review: str = ""
    server: int = 0
    host: str = "127.0.0.1"


@dataclass(slots=True)
class Report:
    """What came of it; ``acked`` and ``ack_ms`` are of the counted time, ``taken`` holds all numbers by socket.

    ``ack_ms`` runs from the moment when a picture was to be sent; ``push_ms`` from the beginning of an activity, which
    is the capture of a picture, to the reviewer's first word of it; ``next_seq`` is what a next order may begin with.
    ``server_cpu_s`` is what the server computed in the counted time, ``server_mb`` its memory at the end of it.
    """

    seconds: float = 0.0
    acked: int = 0
    sent: int = 0
    unanswered: int = 0
    lost_lines: int = 0
    server_cpu_s: float = 0.0
    server_mb: float = 0.0
    next_seq: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    ack_ms: list[float] = field(default_factory=list)
    push_ms: list[float] = field(default_factory=list)
    taken: list[list[int]] = field(default_factory=list)


class Counted:
    """What all candidates of this process count together."""

    def __init__(self) -> None:
        self.is_on = False
        self.acked = 0
        self.lost_lines = 0
        self.refused: Counter[str] = Counter()
        self.ack_ms: list[float] = []
        self._waiting = 0
        self.nothing_waits = asyncio.Event()
        self.nothing_waits.set()

    def wait_for(self, count: int) -> None:
        """Note that so many pictures more, or fewer, wait for their acknowledgement."""
        self._waiting += count
        if self._waiting:
            self.nothing_waits.clear()
        else:
            self.nothing_waits.set()


class Candidate:
    """Sends pictures through a socket, each until it is acknowledged, and connects again when the line is lost."""

    def __init__(self, order: Order, path: str, pictures: Sequence[bytes], counted: Counted) -> None:
        self.order, self.path, self._pictures, self._counted = order, path, pictures, counted
        self.seq = order.first_seq
        self.taken: list[int] = []
        self.waiting: dict[int, tuple[float, int]] = {}
        self._line: _CandidateLine | None = None
        self._over = False

    async def connect(self) -> None:
        """Open the socket; what was not acknowledged is sent again."""
        host, port = self.order.host, self.order.port
        loop = asyncio.get_running_loop()
        _transport, line = await loop.create_connection(lambda: _CandidateLine(self), host, port)
        await line.opened
        self._line = line
        for seq, (_due, captured_ms) in list(self.waiting.items()):
            self._put(seq, captured_ms)

    async def send_regularly(self, every_s: float, first_at: float) -> None:
        """Send one picture at every turn, from the loop's time ``first_at`` on, also while others wait."""
        loop = asyncio.get_running_loop()
        due = first_at
        while not self._over:
            await asyncio.sleep(due - loop.time())
            self.send(due)
            due += every_s

    def send(self, due: float) -> None:
        """Send the next picture, which was to be sent at ``due`` by the loop's clock."""
        seq, self.seq = self.seq, self.seq + 1
        self.waiting[seq] = due, round(time.time() * 1000)
        self._counted.wait_for(1)
        self._put(seq, self.waiting[seq][1])

    def stop(self) -> None:
        """Take no more pictures."""
        self._over = True

    def leave(self) -> None:
        """Close the socket for good."""
        self._over = True
        if self._line is not None:
            self._line.close()

    def take(self, message: Mapping[str, Any]) -> None:
        """Note an acknowledgement or a refusal, and send the next picture where that is what is waited for."""
        if message["type"] == "error":
            self._counted.refused[message["code"]] += 1
        if message["type"] != "ack" or message.get("seq") not in self.waiting:
            return
        now = asyncio.get_running_loop().time()
        due, _captured_ms = self.waiting.pop(message["seq"])
        self.taken.append(message["seq"])
        self._counted.wait_for(-1)
        if self._counted.is_on:
            self._counted.acked += 1
            self._counted.ack_ms.append(1000 * (now - due))
        if self.order.every_s is None and not self._over:
            self.send(now)

    def lose(self) -> None:
        """Connect again in a while, unless this was the end."""
        self._line = None
        if not self._over or self.waiting:
            self._counted.lost_lines += 1
            self._again = asyncio.ensure_future(self._connect_again())

    async def _connect_again(self) -> None:
        while self._line is None:
            await asyncio.sleep(CONNECT_AGAIN_S)
            try:
                await self.connect()
            except OSError:
                continue

    def _put(self, seq: int, captured_ms: int) -> None:
        if self._line is not None:
            self._line.send_item(seq, captured_ms, self._pictures[seq % len(self._pictures)])


class _CandidateLine(SocketClient):
    def __init__(self, candidate: Candidate) -> None:
        super().__init__(candidate.order.host, candidate.path)
        self._candidate = candidate

    def on_message(self, message: Mapping[str, Any]) -> None:
        self._candidate.take(message)

    def on_lost(self) -> None:
        if self.opened.exception() is None:
            self._candidate.lose()


class Reviewer(SocketClient):
    """Notes how long after its beginning each activity is heard of first."""

    def __init__(self, host: str, path: str, counted: Counted) -> None:
        super().__init__(host, path)
        self._counted = counted
        self._known: set[str] = set()
        self._came_at = time.time()
        self.push_ms: list[float] = []

    def on_message(self, message: Mapping[str, Any]) -> None:
        """Take note of an activity that was not heard of before."""
        if message["type"] != "activity" or message["activity"]["id"] in self._known:
            return
        self._known.add(message["activity"]["id"])
        began = datetime.fromisoformat(message["activity"]["started_at"]).timestamp()
        # What began before is heard of because it goes on; the first word of it was somebody else's.
        if self._counted.is_on and began >= self._came_at:
            self.push_ms.append(1000 * (time.time() - began))


def _read(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(folder).iterdir())]


async def carry_out(order: Order) -> Report:
    """Do what the order says; raises ``ConnectionError`` where a socket is refused."""
    counted = Counted()
    pictures = _read(order.pictures)
    # Each begins at another place of the recording, far from the one before: a hall does not move as one.
    shifts = [number * APART % len(pictures) for number in range(len(order.paths))]
    candidates = [
        Candidate(order, path, [*pictures[shift:], *pictures[:shift]], counted)
        for path, shift in zip(order.paths, shifts, strict=True)
    ]
    reviewer = await _watch(order, counted)
    await _connect_all(candidates)
    tasks = _begin(order, candidates)
    await asyncio.sleep(order.warm_s)
    report = await _count(order, counted)
    await _end(order, candidates, tasks, counted)
    report.sent = sum(one.seq - order.first_seq for one in candidates)
    report.next_seq = max(one.seq for one in candidates)
    report.unanswered = sum(len(one.waiting) for one in candidates)
    report.taken = [one.taken for one in candidates]
    report.refused, report.lost_lines, report.ack_ms = dict(counted.refused), counted.lost_lines, counted.ack_ms
    if reviewer is not None:
        report.push_ms = reviewer.push_ms
        reviewer.close()
    for one in candidates:
        one.leave()
    return report


async def _count(order: Order, counted: Counted) -> Report:
    server = psutil.Process(order.server) if order.server else None
    cpu_s, began, counted.is_on = _cpu_s(server), time.perf_counter(), True
    await _rest(order.seconds)
    counted.is_on = False
    report = Report(seconds=time.perf_counter() - began, acked=counted.acked, server_cpu_s=_cpu_s(server) - cpu_s)
    if server is not None:
        report.server_mb = server.memory_info().rss / 1_000_000
    return report


def _cpu_s(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = process.cpu_times()
    return float(times.user + times.system)


async def _watch(order: Order, counted: Counted) -> Reviewer | None:
    if not order.review:
        return None
    loop = asyncio.get_running_loop()
    _transport, line = await loop.create_connection(
        lambda: Reviewer(order.host, order.review, counted), order.host, order.port
    )
    await line.opened
    return line


async def _connect_all(candidates: Sequence[Candidate]) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def connect(candidate: Candidate) -> None:
        async with room:
            await candidate.connect()

    await asyncio.gather(*map(connect, candidates))


def _begin(order: Order, candidates: Sequence[Candidate]) -> list[asyncio.Task[None]]:
    now = asyncio.get_running_loop().time()
    if order.every_s is None:
        for one in candidates:
            for _number in range(order.window):
                one.send(now)
        return []
    step = order.every_s / len(candidates)
    return [
        asyncio.create_task(one.send_regularly(order.every_s, now + place * step))
        for place, one in enumerate(candidates)
    ]


async def _rest(seconds: float) -> None:
    """Let the time go by, or end it when asked to."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    try:
        await asyncio.wait_for(asked.wait(), seconds)
    except TimeoutError:
        return


async def _end(
    order: Order, candidates: Sequence[Candidate], tasks: Sequence[asyncio.Task[None]], counted: Counted
) -> None:
    for one in candidates:
        one.stop()
    for task in tasks:
        task.cancel()
    with suppress(TimeoutError):
        await asyncio.wait_for(counted.nothing_waits.wait(), order.patience_s)


def main() -> None:
    """Read an order, carry it out, write the report."""
    order = Order(**json.loads(sys.stdin.read()))
    sys.stdout.write(json.dumps(asdict(asyncio.run(carry_out(order)))))


if __name__ == "__main__":
    main()
