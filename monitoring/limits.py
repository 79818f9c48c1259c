"""How much one sender may send: buckets that fill with time and are emptied by messages; pure."""

from __future__ import annotations


class Bucket:
    """Lets through ``rate`` per second on the average, and up to ``burst`` at once."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._level, self._at = burst, float("-inf")

    def has(self, now: float, amount: float = 1.0) -> bool:
        """Say whether there is so much; ``now`` is seconds of a clock that never goes back."""
        filled = self._level + (now - self._at) * self._rate
        self._level, self._at = min(self._burst, filled), max(self._at, now)
        return self._level >= amount

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Take so much out and say whether it was there."""
        if not self.has(now, amount):
            return False
        self._level -= amount
        return True
