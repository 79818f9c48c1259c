"""A Celery worker and beat inside the server process, for machines without a broker.

They run in threads of their own, off the event loop. Their queue dies with the process; the sweep makes that good.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from proctoring.celery import QUEUES, app

logger = logging.getLogger(__name__)

_ready = threading.Event()
_start_once = threading.Lock()


def start() -> None:
    """Start worker and beat once per process."""
    if not _start_once.acquire(blocking=False):
        return
    app.amqp.queues.select(list(QUEUES))
    threading.Thread(target=_work, name="embedded-worker", daemon=True).start()
    _beat().start()


def running() -> bool:
    """Say whether the worker has begun to take tasks."""
    return _ready.is_set()


def _work() -> None:
    worker = app.WorkController(
        pool="threads",
        concurrency=2,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        ready_callback=lambda *_args: _on_ready(),
    )
    try:
        worker.start()
    finally:
        _ready.clear()
        logger.error("the embedded worker has stopped")


def _on_ready() -> None:
    _ready.set()
    # What a former process left behind should not wait for the first beat.
    for task in ("monitoring.tasks.sweep", "reports.tasks.sweep_reports"):
        app.send_task(task)


def _beat() -> Any:
    from celery.beat import EmbeddedService

    return EmbeddedService(app, max_interval=5, thread=True, scheduler_cls="celery.beat:Scheduler")
