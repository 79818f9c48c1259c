"""A hall of candidates for a long while: does memory stay flat, and is everything that was acknowledged still there?"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from monitoring.api_benchmark import percentile
from monitoring.load.deployment import Shape, deployed
from monitoring.load.generator import Order, Report
from monitoring.load.memory import Memory
from monitoring.load.pictures import write_story
from monitoring.load.reckoning import Reckoning
from monitoring.load.running import start

WARM_SHARE = 1 / 6
"""Of the whole time so much is warming up: libraries and pools fill their caches then."""

FLAT = 0.05
PROCESSES = 2
WARM_S = 30.0
Figures = dict[str, Any]
Step = Callable[[str], None]


def soak(*, candidates: int, fps: float, minutes: float, say: Step, shape: Shape) -> Figures:
    """Let so many candidates send pictures for so long, then compare what was acknowledged with what is written down.

    Returns the figures; ``is_flat`` and ``missing`` are what matters.
    """
    with deployed(shape) as deployment:
        say("making candidates")
        hall = deployment.hall(candidates)
        pictures = write_story(deployment.folder / "pictures")
        say("starting")
        running = start(deployment, shape, processes=PROCESSES)
        order = Order(
            port=deployment.port,
            paths=hall.candidates,
            pictures=str(pictures),
            seconds=60 * minutes,
            warm_s=min(WARM_S, 60 * minutes / 4),
            every_s=1 / fps,
            review=hall.review,
            patience_s=60.0,
        )
        say(f"sending for {minutes:g} minutes")
        with Memory(running.named()) as memory:
            report = deployment.send(order)
        say("counting")
        reckoning = deployment.reckon(dict(zip(hall.sessions, report.taken, strict=True)))
    return _figures(report, reckoning, memory, candidates, fps, shape)


def _figures(
    report: Report, reckoning: Reckoning, memory: Memory, candidates: int, fps: float, shape: Shape
) -> Figures:
    drifts = {name: drift_of(samples) for name, samples in memory.samples.items()}
    return {
        "shape": shape,
        "candidates": candidates,
        "fps": fps,
        "minutes": round(report.seconds / 60, 1),
        "sent": report.sent,
        "acked": reckoning.acked,
        "unanswered": report.unanswered,
        "refused": report.refused,
        "lost_lines": report.lost_lines,
        "analysed": reckoning.analysed,
        "thinned": reckoning.thinned,
        "missing": reckoning.missing,
        "doubled": reckoning.doubled,
        "activities": reckoning.activities,
        "ack_p99_ms": round(percentile(report.ack_ms, 99), 1),
        "push_p95_ms": round(percentile(report.push_ms, 95), 1) if report.push_ms else None,
        "memory_mb": drifts,
        "is_flat": all(abs(one["change"]) <= FLAT for one in drifts.values()),
    }


def drift_of(samples: Sequence[float]) -> Figures:
    """Return the memory after the warm-up and at the end, each as the median of a tenth of the time, and the change.

    ``change`` is a share, ``most`` the highest sample after the warm-up, ``tenths`` the medians of each tenth of the
    whole time, which tell whether what grew still grows.
    """
    warm = samples[int(len(samples) * WARM_SHARE) :] or [0.0]
    tenth = max(1, len(samples) // 10)
    begin, end = statistics.median(warm[:tenth]), statistics.median(warm[-tenth:])
    change = round((end - begin) / begin, 4) if begin else 0.0
    tenths = [statistics.median(samples[at : at + tenth]) for at in range(0, len(samples), tenth)][:10]
    return {
        "after_warm_up": round(begin, 1),
        "at_the_end": round(end, 1),
        "most": round(max(warm), 1),
        "change": change,
        "tenths": ", ".join(f"{one:.0f}" for one in tenths),
    }
