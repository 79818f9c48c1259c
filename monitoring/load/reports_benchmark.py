"""What the reports of many long sessions cost, made by the command that staff uses, in a database of their own."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from monitoring.load.deployment import Deployment, deployed
from monitoring.load.long_sessions import ACTIVITIES, LENGTH_S

Figures = dict[str, Any]
WITHIN_S = 3600.0


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall-clock seconds, and the CPU seconds of all processes that took part."""

    wall: float
    cpu: float


def benchmark_reports(*, reports: int, jobs: int, say: Callable[[str], None]) -> Figures:
    """Make the PDFs of so many two-hour sessions in so many processes, after that of one alone; all is taken away."""
    with deployed("zero") as deployment:
        say(f"making {reports} sessions")
        sessions = json.loads(deployment.python("monitoring.load.long_sessions", str(reports), within_s=WITHIN_S))
        busy = os.getloadavg()[0]
        say("one report")
        target = deployment.folder / "one.pdf"
        alone = _spend(deployment, "--session", sessions[0], "--output", str(target))
        say("all reports")
        spent = _spend(deployment, "--jobs", str(jobs))
        return {
            "reports": reports,
            "jobs": jobs,
            "minutes_of_session": LENGTH_S // 60,
            "activities": ACTIVITIES,
            "cores": os.cpu_count(),
            "load_before": round(busy, 1),
            "load_after": round(os.getloadavg()[0], 1),
            "one_pdf_bytes": target.stat().st_size,
            "one_alone_wall_s": round(alone.wall, 1),
            "one_alone_cpu_s": round(alone.cpu, 1),
            "all_wall_s": round(spent.wall, 1),
            "all_cpu_s": round(spent.cpu, 1),
            "cpu_s_each": round(spent.cpu / reports, 2),
        }


def _spend(deployment: Deployment, *options: str) -> Spent:
    """Run the command to its end; starting the processes counts."""
    wall, before = time.perf_counter(), _children_cpu_s()
    deployment.python("django", "regenerate_reports", "--json", *options, within_s=WITHIN_S)
    return Spent(time.perf_counter() - wall, _children_cpu_s() - before)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
