"""The parts of a deployment that run, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from monitoring.load.deployment import Cores, Deployment, Shape


@dataclass(frozen=True, slots=True)
class Running:
    """The processes of a deployment; without services the server holds worker and beat, and there is no worker."""

    server: psutil.Process
    worker: psutil.Process | None

    def named(self) -> dict[str, psutil.Process]:
        """Return server and worker by name."""
        return {"server": self.server} | ({"worker": self.worker} if self.worker else {})


def start(
    deployment: Deployment,
    shape: Shape,
    *,
    processes: int = 1,
    worker_cores: Cores = None,
    other_cores: Cores = None,
) -> Running:
    """Start server, worker and beat, and wait until pictures are taken and examined."""
    server = deployment.serve(cores=other_cores)
    worker = None
    if shape == "full":
        worker = deployment.work(processes=processes, cores=worker_cores)
        deployment.beat(cores=other_cores)
    deployment.wait_until_well(worker or server)
    return Running(server, worker)
