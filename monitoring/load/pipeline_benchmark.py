"""How many candidates one worker core carries, all the way from their sockets to the reviewer's."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from monitoring.api_benchmark import percentile
from monitoring.load.deployment import Cores, Deployment, Shape, cpu_seconds, deployed, family, two_cores
from monitoring.load.generator import Order, Report
from monitoring.load.pictures import write_story
from monitoring.load.reckoning import Reckoning
from monitoring.load.running import Running, start

FPS = 1.0
PROCESSES = 2
"""Of the worker, on its one core: one examines while another waits for a store."""

QUEUE_LENGTH = 16
"""So few pictures may wait for each candidate here, so that falling behind shows as skipped pictures within seconds."""

PUSH_LIMIT_MS = 1500.0
WARM_S = 60.0
"""In the first minute of a level only what is skipped counts: those who come anew are looked at from every view, and
for the first of them the worker builds its models."""

FEW, OVERLOAD = 20, 2.0
LESS = 0.9
"""What was too much is tried again with so much less."""

TRIES = 4
STEPS = TRIES + 5
Figures = dict[str, Any]
Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Level:
    """So many candidates for a while: what the clients saw, what became of the pictures, CPU ms for each of them."""

    candidates: int
    report: Report
    analysed: int
    thinned: int
    missing: int
    cpu_ms: dict[str, float]

    @property
    def push_p95_ms(self) -> float:
        """Return how long a reviewer waits for an activity after the picture that shows it."""
        return percentile(self.report.push_ms, 95) if self.report.push_ms else float("inf")

    @property
    def holds(self) -> bool:
        """Say whether everything was taken and examined, and reviewers heard in time."""
        return self.thinned + self.report.unanswered + self.missing == 0 and self.push_p95_ms < PUSH_LIMIT_MS

    def figures(self) -> Figures:
        """Return the level as figures."""
        pushed, acked = self.report.push_ms, self.report.ack_ms
        return {
            "candidates": self.candidates,
            "acked": sum(map(len, self.report.taken)),
            "analysed": self.analysed,
            "skipped": self.thinned,
            "missing": self.missing,
            "unanswered": self.report.unanswered,
            "activities": len(pushed),
            "push_p50_ms": round(percentile(pushed, 50)) if pushed else None,
            "push_p95_ms": round(percentile(pushed, 95)) if pushed else None,
            "ack_p99_ms": round(percentile(acked, 99), 1) if acked else None,
            "cpu_ms": self.cpu_ms,
            "server_cpu_ms_once_connected": round(1000 * self.report.server_cpu_s / max(1, self.report.acked), 2),
        }


class PipelineBench:
    """A deployment that runs, and the candidates that send to it, the same ones at every level."""

    def __init__(self, deployment: Deployment, *, most: int, seconds: float, client_cores: Cores) -> None:
        self._deployment, self._seconds, self._client_cores = deployment, seconds, client_cores
        self._hall = deployment.hall(most)
        self.pictures = write_story(deployment.folder / "pictures")
        self.running: Running | None = None
        self._taken: dict[str, list[int]] = {session: [] for session in self._hall.sessions}
        self._before = Reckoning(0, 0, 0, 0, 0, 0, 0)
        self._next_seq = 0

    def level(self, candidates: int) -> Level:
        """Let so many candidates send, wait until all of it is examined, and see what became of it."""
        order = Order(
            port=self._deployment.port,
            paths=self._hall.candidates[:candidates],
            pictures=str(self.pictures),
            seconds=self._seconds,
            warm_s=WARM_S,
            every_s=1 / FPS,
            first_seq=self._next_seq,
            review=self._hall.review,
            server=self.running.server.pid if self.running else 0,
        )
        parts = self._parts()
        spent = {name: cpu_seconds(processes) for name, processes in parts.items()}
        report = self._deployment.send(order, cores=self._client_cores)
        self._next_seq = report.next_seq
        for session, numbers in zip(self._hall.sessions, report.taken, strict=False):
            self._taken[session] += numbers
        before, after = self._before, self._deployment.reckon(self._taken, cores=self._client_cores)
        self._before, analysed = after, after.analysed - before.analysed
        each = {name: 1000 * (cpu_seconds(parts[name]) - spent[name]) / max(1, analysed) for name in parts}
        return Level(
            candidates=len(order.paths),
            report=report,
            analysed=analysed,
            thinned=after.thinned - before.thinned,
            missing=after.missing - before.missing,
            cpu_ms={name: round(ms, 2) for name, ms in each.items()},
        )

    def _parts(self) -> dict[str, list[psutil.Process]]:
        running = self.running.named() if self.running else {}
        return {name: family(process) for name, process in (running | self._deployment.stores).items()}


def benchmark_pipeline(*, candidates: int, seconds: float, most: int, shape: Shape, say: Step) -> Figures:
    """Find how many candidates at one picture a second a worker on a core of its own carries.

    All else (server, stores, beat, clients) has the other core; without services the server holds the worker.
    ``candidates`` are tried first, or with 0 what the CPU time of a few would allow, then fewer or, with 0, more. At
    last twice as many come as fit. At most ``most`` ever come.
    """
    worker_cores, other_cores = two_cores()
    environ = {"FRAME_QUEUE_LENGTH": str(QUEUE_LENGTH)}
    with deployed(shape, cores=other_cores, environ=environ) as deployment:
        say("making candidates")
        bench = PipelineBench(deployment, most=most, seconds=seconds, client_cores=other_cores)
        say("starting")
        bench.running = start(
            deployment, shape, processes=PROCESSES, worker_cores=worker_cores, other_cores=other_cores
        )
        say("a few")
        few = bench.level(min(FEW, candidates or FEW, most))
        fits = 1000 / few.cpu_ms["worker" if shape == "full" else "server"] / FPS
        levels = find_level(bench, min(candidates or int(fits), most), candidates or most, say)
        say("too many")
        above = bench.level(min(int(OVERLOAD * fits), most))
        say("stages")
        stages = json.loads(deployment.python("monitoring.load.stages", str(bench.pictures), cores=worker_cores))
    best, bare = levels[-1], stages.pop("bare look")
    return {
        "shape": shape,
        "fps": FPS,
        "candidates_per_core": best.candidates if best.holds else 0,
        "push_p95_ms": best.figures()["push_p95_ms"],
        "skipped": best.thinned,
        "level": best.figures(),
        "few": few.figures(),
        "above": above.figures(),
        "tried": [level.figures() for level in levels[:-1]],
        "stages_ms": stages,
        "bare_look_ms": bare,
        "worker_ms_in_bare_looks": round(best.cpu_ms["worker"] / bare, 2) if bare and "worker" in best.cpu_ms else None,
        "cores": "one for the worker, one for all else" if worker_cores else "shared",
    }


def find_level(bench: PipelineBench, candidates: int, most: int, say: Step) -> list[Level]:
    """Try so many candidates, then ever fewer until all is well, or ever more (``most`` at most) while it is.

    Returns what was tried, the best last.
    """
    tried: list[Level] = []
    for _try in range(TRIES):
        say(f"{candidates} candidates")
        tried.append(bench.level(candidates))
        grows = all(level.holds for level in tried)
        if not grows and any(level.holds for level in tried):
            break
        wanted = min(most, math.ceil(candidates / LESS)) if grows else max(1, int(candidates * LESS))
        if wanted == candidates:
            break
        candidates = wanted
    return sorted(tried, key=lambda level: (level.holds, level.candidates if level.holds else -level.candidates))
