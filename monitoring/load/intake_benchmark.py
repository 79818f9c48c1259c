"""What one server process takes in, beside a bare consumer on the same core in the same run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.api_benchmark import percentile
from monitoring.load.deployment import Deployment, deployed, two_cores
from monitoring.load.generator import Order, Report
from monitoring.load.pictures import write_sized

PICTURE_BYTES = 40_000
ROUNDS = 3
SHARE_OF_CEILING = 0.25
PACE_S = 1.0
"""So often each candidate of a hall sends a picture."""

WARM_S, SETTLE_S = 3.0, 0.02
"""Before anything is counted, and for each candidate: reviewers are told of everybody who comes."""

SERVER, BARE = "proctoring.asgi:application", "monitoring.load.bare:application"
# Nothing is thinned out and nobody is too fast: what is measured is the road, not its limits.
LIMITS = {"SOCKET_FRAMES_PER_S": "1000000", "FRAME_QUEUE_LENGTH": "1000000", "EMBEDDED_WORKER": "0"}
Figures = dict[str, Any]
Step = Callable[[str], None]


def benchmark_intake(*, sockets: int, seconds: float, halls: Sequence[int], say: Step) -> Figures:
    """Measure pictures stored and acknowledged per second, and how long an acknowledgement takes at a quarter of it.

    The server has one core for itself and no worker; the clients have the other. Ours and the bare consumer take turns.
    Then halls of so many candidates send a picture a second each: what one more costs.
    """
    with deployed("zero", environ=LIMITS) as deployment:
        say("making candidates")
        bench = IntakeBench(deployment, candidates=max(sockets, *halls, 0), seconds=seconds)
        rounds: dict[str, list[Flood]] = {SERVER: [], BARE: []}
        for number in range(ROUNDS):
            for application, made in rounds.items():
                say(f"round {number + 1} of {ROUNDS}")
                made.append(flood_of(bench.send(sockets, application=application)))
        ours, bare = (max(made, key=lambda one: one.per_s) for made in rounds.values())
        say("at a quarter")
        quiet = bench.send(sockets, every_s=sockets / (ours.per_s * SHARE_OF_CEILING))
        table = [hall_of(bench, count, say) for count in halls]
    return {
        "sockets": sockets,
        "picture_bytes": PICTURE_BYTES,
        "frames_per_second": round(ours.per_s),
        "bare_frames_per_second": round(bare.per_s),
        "ratio_to_bare": round(ours.per_s / bare.per_s, 3),
        "cpu_ms_per_frame": round(ours.cpu_ms, 3),
        "bare_cpu_ms_per_frame": round(bare.cpu_ms, 3),
        "paced_frames_per_second": round(quiet.acked / quiet.seconds),
        "ack_p50_ms": round(percentile(quiet.ack_ms, 50), 2),
        "ack_p99_ms": round(percentile(quiet.ack_ms, 99), 2),
        "halls": table,
        "cores": bench.cores,
    }


@dataclass(frozen=True, slots=True)
class Flood:
    """A server that was sent to as fast as it took: what it acknowledged a second, and its CPU ms a picture."""

    per_s: float
    cpu_ms: float


def flood_of(report: Report) -> Flood:
    """Return what came of sending as fast as it goes."""
    return Flood(report.acked / report.seconds, 1000 * report.server_cpu_s / max(1, report.acked))


def hall_of(bench: IntakeBench, candidates: int, say: Step) -> Figures:
    """Return what so many candidates cost, each with a picture a second."""
    say(f"{candidates} candidates")
    report = bench.send(candidates, every_s=PACE_S)
    return {
        "candidates": candidates,
        "cpu_ms_per_frame": round(1000 * report.server_cpu_s / max(1, report.acked), 3),
        "memory_mb": round(report.server_mb, 1),
        "ack_p99_ms": round(percentile(report.ack_ms, 99), 2) if report.ack_ms else None,
        "unanswered": report.unanswered,
    }


class IntakeBench:
    """A server that is started anew for each measurement, and what its clients send."""

    def __init__(self, deployment: Deployment, *, candidates: int, seconds: float) -> None:
        self._deployment, self._seconds = deployment, seconds
        self._server_cores, self._client_cores = two_cores()
        self._paths = deployment.hall(candidates).candidates
        self._pictures = write_sized(deployment.folder / "pictures", PICTURE_BYTES)
        self._first_seq = 0
        deployment.environ["BARE_FOLDER"] = str(deployment.folder / "bare")

    @property
    def cores(self) -> str:
        """Return in words who computes where."""
        return "one for the server, one for the clients" if self._server_cores else "shared"

    def send(self, candidates: int, *, application: str = SERVER, every_s: float | None = None) -> Report:
        """Let so many send, each at this pace, or as fast as the server acknowledges."""
        server = self._deployment.serve(application, cores=self._server_cores)
        order = Order(
            port=self._deployment.port,
            paths=self._paths[:candidates],
            pictures=str(self._pictures),
            seconds=self._seconds,
            warm_s=WARM_S + candidates * SETTLE_S,
            every_s=every_s,
            first_seq=self._first_seq,
            server=server.pid,
        )
        # Files are left where they are until the end: to remove some thousands would disturb who comes next.
        report = self._deployment.send(order, cores=self._client_cores)
        self._deployment.end(server)
        self._first_seq = report.next_seq
        return report
