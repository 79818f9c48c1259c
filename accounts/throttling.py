"""Limits per caller, which stand in the cache."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, NoReturn

from django.core.cache import cache
from redis import RedisError
from rest_framework.exceptions import Throttled
from rest_framework.throttling import ScopedRateThrottle

if TYPE_CHECKING:  # the framework reads its settings, and so this module, while it defines these
    from rest_framework.request import Request
    from rest_framework.views import APIView

ALLOWED = {"events": "1500/min", "register_refused": "20/hour"}
"""Rates that hold unless ``DEFAULT_THROTTLE_RATES`` names others."""

logger = logging.getLogger(__name__)


class SteadyThrottle(ScopedRateThrottle):
    """The framework's limits, but for a cache that is away: whoever sits an exam then is not turned away for it.

    Wrong passwords are counted in the database, so signing in stays guarded.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Say whether the call may go on."""
        try:
            return super().allow_request(request, view)
        except RedisError as error:
            logger.warning("Calls are not counted: %s", error)
            return True


class Allowance:
    """How much of something one caller may do in a minute, hour or day of the clock; counted in the cache.

    Unlike calls, which the framework counts, it may be many at once, and be counted only when it is known what came
    of a call. Without a cache nothing is counted.
    """

    def __init__(self, scope: str, caller: object) -> None:
        rate = SteadyThrottle.THROTTLE_RATES.get(scope) or ALLOWED[scope]
        most, period_s = SteadyThrottle().parse_rate(rate)
        self._most, self._period_s = most or 0, period_s or 1
        self._key = f"allowance.{scope}.{caller}.{int(time.time() // self._period_s)}"

    def check(self) -> None:
        """Raise ``Throttled`` if nothing is left."""
        if self._count(0) >= self._most:
            self._refuse()

    def note(self) -> None:
        """Count one more, whether or not it was left."""
        self._count(1)

    def take(self, amount: int) -> None:
        """Count so many, or none; raises ``Throttled`` where fewer are left."""
        if self._count(amount) > self._most:
            self._count(-amount)
            self._refuse()

    def _count(self, amount: int) -> int:
        try:
            cache.add(self._key, 0, self._period_s)
            return int(cache.incr(self._key, amount))
        except (RedisError, ValueError) as error:  # the cache is away, or forgot the key just now
            logger.warning("What a caller does is not counted: %s", error)
            return 0

    def _refuse(self) -> NoReturn:
        raise Throttled(wait=math.ceil(self._period_s - time.time() % self._period_s))
