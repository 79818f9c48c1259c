"""How much memory processes hold while something goes on."""

from __future__ import annotations

import threading

import psutil

from monitoring.load.deployment import family

SAMPLE_EVERY_S = 5.0


class Memory:
    """Watches the memory of processes with their children, in MB, until it is told to stop."""

    def __init__(self, watched: dict[str, psutil.Process]) -> None:
        self._watched = watched
        self.samples: dict[str, list[float]] = {name: [] for name in watched}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(SAMPLE_EVERY_S):
            for name, process in self._watched.items():
                self.samples[name].append(memory_mb(process))


def memory_mb(process: psutil.Process) -> float:
    """Return what a process and its children hold, what they share counted once (PSS where the system tells)."""
    total = 0
    for one in family(process):
        try:
            total += one.memory_full_info().pss
        except AttributeError:  # only Linux knows it
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1_000_000
