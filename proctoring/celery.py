"""The Celery application: ``celery -A proctoring worker`` and ``celery -A proctoring beat``."""

import gc
import logging
import os
from typing import Any

from celery import Celery, Task
from celery.signals import celeryd_init, task_postrun, task_prerun, worker_init, worker_process_init
from django.db import close_old_connections, connections

from proctoring import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring.settings")

logger = logging.getLogger(__name__)

QUEUES = ("default", "vision", "audio", "reports")
"""All there are; a worker that is not told which ones to serve serves them all."""

broker.install()
app = Celery("proctoring")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def cap_threads(**_kwargs: Any) -> None:
    """Keep numeric libraries to one thread per process: a worker's processes share the cores among sessions."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@task_prerun.connect
@task_postrun.connect
def give_back_connections(task: Task, **_kwargs: Any) -> None:
    """Give the connections of a task's thread back to the pool, and drop those that are broken."""
    if not task.request.is_eager:
        close_old_connections()


@worker_init.connect
def leave_no_connections(**_kwargs: Any) -> None:
    """Close what the main process has opened before it forks: a child must not find it."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        if getattr(connection, "pool", None):
            connection.close_pool()  # type: ignore[attr-defined]  # of PostgreSQL's backend only


@worker_init.connect
def share_turns(**_kwargs: Any) -> None:
    """Have the worker's processes take turns at its cores."""
    from monitoring.turns import share_turns

    try:
        share_turns()
    except OSError:
        logger.warning("No file can be made here, so that processes examine at the same time", exc_info=True)


@worker_process_init.connect
def warm_up_models(**_kwargs: Any) -> None:
    """Build the models in each new process that will examine pictures, so that no candidate waits for them."""
    if "vision" not in app.amqp.queues.consume_from:
        return
    from vision.loading import warm_up

    try:
        warm_up()
    except Exception:
        # Each sense says for itself why it cannot work; a process that ended here would be started without end.
        logger.exception("The models could not be built")
    # The libraries behind the models stay: the collector need not walk through them between two pictures.
    gc.collect()
    gc.freeze()
