"""What became of pictures that were acknowledged: ``python -m monitoring.load.reckoning``.

Reads the acknowledged numbers by session as JSON from standard input and writes a ``Reckoning`` to standard output,
once nothing waits any more or nothing has been examined for a while.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

NO_PROGRESS_S = 60.0
LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Reckoning:
    """Acknowledged pictures, those of them with a row, what was thinned out, and how many of neither kind are left.

    ``doubled`` is what is counted twice: rows beyond the first of a number, and what is said to be thinned out although
    it has a row; ``waiting`` what nobody has examined yet.
    """

    acked: int
    analysed: int
    thinned: int
    missing: int
    doubled: int
    waiting: int
    activities: int


def reckon(acked: Mapping[str, Sequence[int]]) -> Reckoning:
    """Compare the numbers with the rows and the counters, session by session."""
    from monitoring.frame_store import frame_store
    from monitoring.models import Observation, SessionMonitor, SuspiciousActivity

    analysed = thinned = missing = doubled = 0
    skipped = dict(SessionMonitor.objects.filter(pk__in=list(acked)).values_list("pk", "frames_skipped"))
    by_text = {str(pk): number for pk, number in skipped.items()}
    for session, numbers in acked.items():
        rows = list(
            Observation.objects.filter(session=uuid.UUID(session), stream="frame").values_list("seq", flat=True)
        )
        examined = set(rows)
        analysed += len(examined.intersection(numbers))
        thinned += by_text.get(session, 0)
        lost = len(set(numbers) - examined) - by_text.get(session, 0)
        missing += max(0, lost)
        doubled += len(rows) - len(examined) + max(0, -lost)
    activities = SuspiciousActivity.objects.filter(session__in=list(acked)).count()
    waiting = frame_store().tally().waiting["frame"]
    return Reckoning(sum(map(len, acked.values())), analysed, thinned, missing, doubled, waiting, activities)


def wait_for_rest() -> None:
    """Wait until nothing waits to be examined, or for as long as something still is."""
    from monitoring.frame_store import frame_store
    from monitoring.models import SessionMonitor

    last, since = -1, time.monotonic()
    while _is_busy(SessionMonitor.objects.filter(claim__isnull=False).exists(), frame_store().tally().waiting["frame"]):
        waiting = frame_store().tally().waiting["frame"]
        if waiting != last:
            last, since = waiting, time.monotonic()
        if time.monotonic() - since > NO_PROGRESS_S:
            return
        time.sleep(LOOK_EVERY_S)


def _is_busy(held: bool, waiting: int) -> bool:
    return held or waiting > 0


def main() -> None:
    """Wait, reckon, write."""
    import django

    django.setup()
    acked = json.loads(sys.stdin.read())
    wait_for_rest()
    sys.stdout.write(json.dumps(asdict(reckon(acked))))


if __name__ == "__main__":
    main()
