"""What is counted for Prometheus, in this process only; never whose it is.

Whoever has something to count says so in one line. ``proctoring.metrics`` shows it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram

from exams.kinds import Kind

OTHER = "other"
"""Clients report kinds of their own making; each as a label would let them fill the memory of all who read this."""

frames = Counter(
    "proctoring_frames",
    "Pictures: received, analysed, skipped under load, lost by their store, or of no use to the senses.",
    ["outcome"],
)
sense_seconds = Histogram(
    "proctoring_sense_seconds",
    "Time that one sense took for one picture.",
    ["sense"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
behind_seconds = Histogram(
    "proctoring_behind_seconds",
    "From the capture of a picture, by its sender's clock, to what was seen in it being written down.",
    buckets=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0),
)
activities = Counter("proctoring_activities", "Suspicious activities that began.", ["kind"])
sockets = Gauge("proctoring_sockets", "Sockets open now.", ["side"], multiprocess_mode="livesum")
http_seconds = Histogram(
    "proctoring_http_seconds",
    "Time from a request to its answer.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


class Examined(Protocol):
    """The facts of one picture, as far as they are counted."""

    @property
    def captured_at(self) -> float:
        """Return when it was taken, in seconds since 1970."""

    @property
    def usable(self) -> bool | None:
        """Return whether it could be examined."""

    @property
    def timings_ms(self) -> Mapping[str, float]:
        """Return how long each sense took."""


class Begun(Protocol):
    """An activity, as far as it is counted."""

    kind: str
    newly_written: bool


def count_frames(*, received: int = 0, skipped: int = 0, lost: int = 0) -> None:
    """Count pictures that came in, those that were thinned out, and those that their store lost."""
    frames.labels("received").inc(received)
    frames.labels("skipped").inc(skipped)
    frames.labels("lost").inc(lost)


def count_examined(seen: Iterable[Examined], *, unreadable: int) -> None:
    """Count pictures that were looked at and written down, and what that took."""
    now = time.time()
    for one in seen:
        frames.labels("analysed").inc()
        frames.labels("unusable").inc(int(one.usable is False))
        behind_seconds.observe(max(0.0, now - one.captured_at))
        for sense, spent_ms in one.timings_ms.items():
            sense_seconds.labels(sense).observe(spent_ms / 1000)
    frames.labels("unusable").inc(unreadable)


def count_begun(changed: Iterable[Begun]) -> None:
    """Count activities that have just begun."""
    for activity in changed:
        if activity.newly_written:
            activities.labels(activity.kind if activity.kind in Kind.values else OTHER).inc()
