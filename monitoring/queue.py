"""Asking workers for something, by the task's name, so that nobody has to import the tasks."""

import logging
import uuid

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

ANALYZE = "monitoring.tasks.analyze_session"
FINISH = "monitoring.tasks.finish_session"


def send(task: str, session_id: uuid.UUID) -> None:
    """Put a task about one session into the queue; where the broker is away the sweep will do it later."""
    try:
        current_app.send_task(task, (str(session_id),), retry=False)
    except OperationalError as error:
        logger.warning("The broker is away (%s); session %s waits for the sweep.", error, session_id)
