"""Asking workers for something, by the task's name, so that nobody has to import the tasks."""

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress

from celery import current_app
from django.conf import settings
from django.core.cache import cache
from kombu.exceptions import OperationalError
from redis import RedisError

logger = logging.getLogger(__name__)

ANALYZE = "monitoring.tasks.analyze_sessions"
LISTEN = "monitoring.tasks.analyze_sounds"
FINISH = "monitoring.tasks.finish_session"
MAIL_HIGH = "monitoring.tasks.mail_high"
TASK_OF = {"frame": ANALYZE, "audio": LISTEN}

ONE_IS_ENOUGH = (ANALYZE, LISTEN, FINISH, MAIL_HIGH)
"""Each of these does all there is to do for a session, so of several that wait all but one would find nothing."""

TOGETHER = {ANALYZE: 12, LISTEN: 8}
"""So many sessions share a message, and with it much of what is asked of the database, which alone costs as much as
the models of one picture; more would have the first one's activity wait for too many others."""

ASK_AGAIN_S, LONGEST_S = 5, 300
"""A message may be lost, so another one is sent after a while; ever later while no worker takes any."""


def send(task: str, *session_ids: uuid.UUID) -> None:
    """Put a task about some sessions into the queue; where the broker is away the sweep will do it later."""
    wanted = [one for one in session_ids if not (task in ONE_IS_ENOUGH and _is_pending(task, one))]
    try:
        for together in _shares(wanted, TOGETHER.get(task, 1)):
            current_app.send_task(task, [str(one) for one in together], retry=False)
    except OperationalError as error:
        begin(task, *wanted)
        logger.warning("The broker is away (%s); %s sessions wait for the sweep.", error, len(wanted))


def _shares(sessions: Sequence[uuid.UUID], most: int) -> Iterator[Sequence[uuid.UUID]]:
    """Return the sessions in shares of about one size, each of ``most`` at most."""
    shares = -(-len(sessions) // most)
    return (sessions[number::shares] for number in range(shares))


def begin(task: str, *session_ids: uuid.UUID) -> None:
    """Say that a worker has begun with a task: what comes in from now on needs another message."""
    if _cache_is_shared():
        keys = [_key(task, session_id) + of for session_id in session_ids for of in ("", ":times")]
        with suppress(RedisError, OSError):
            cache.delete_many(keys)


def _is_pending(task: str, session_id: uuid.UUID) -> bool:
    """Say whether a message waits in the queue already; if not, one is taken to wait there now."""
    if not _cache_is_shared():
        return False
    key = _key(task, session_id)
    try:
        if not cache.add(key, 1, ASK_AGAIN_S):
            return True
        cache.add(key + ":times", 0, 2 * LONGEST_S)
        times = cache.incr(key + ":times")
        if times > 1:
            cache.touch(key, min(LONGEST_S, ASK_AGAIN_S * 2 ** (times - 1)))
    except (RedisError, OSError, ValueError) as error:  # ValueError: it expired in between
        logger.debug("The cache is away: %s", error)
    return False


def _cache_is_shared() -> bool:
    """Say whether workers see the same cache as whoever asks them: in Redis, or because they are in this process."""
    return bool(settings.REDIS_URL) or str(settings.CELERY_BROKER_URL).startswith("memory://")


def _key(task: str, session_id: uuid.UUID) -> str:
    return f"asked:{task.rpartition('.')[2]}:{session_id}"
