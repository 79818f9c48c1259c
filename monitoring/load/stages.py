"""What one picture costs a worker, by stage: ``python -m monitoring.load.stages FOLDER [PICTURES]``, as JSON.

The pictures of the folder are examined as they come from candidates who send one a second each, of as many candidates
together as share a message, in this very process: the same calls as a worker makes, timed from outside. All times are
CPU ms of this process for each picture; what the stores compute themselves is not in it.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

WARM_UP = 10


class Stages:
    """CPU time by stage; what one stage does within another counts for the inner one."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._inner = 0.0

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Count what happens within to a stage."""
        outer, self._inner = self._inner, 0.0
        began = time.process_time()
        try:
            yield
        finally:
            whole = time.process_time() - began
            self.spent[name] += 1000 * (whole - self._inner)
            self._inner = outer + whole

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call that counts to a stage."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            with self.time(name):
                return call(*args, **kwargs)

        return counted


def measure(pictures: list[bytes]) -> dict[str, float]:
    """Examine these pictures one after the other and return what each stage took."""
    from monitoring.load.rows import make_hall
    from monitoring.queue import ANALYZE, TOGETHER

    sessions = [uuid.UUID(session_id) for session_id in make_hall(TOGETHER[ANALYZE], title="Stages").sessions]
    stages = Stages()
    with ExitStack() as stack:
        for target, name, label in _places():
            stack.enter_context(patch.object(target, name, stages.timed(label, getattr(target, name))))
        for number, data in enumerate(pictures):
            if number == WARM_UP:
                stages.spent.clear()
            _examine(sessions, number, data, stages)
    counted = max(1, len(pictures) - WARM_UP) * len(sessions)
    each = {name: round(spent / counted, 2) for name, spent in sorted(stages.spent.items())}
    return each | {"whole": round(sum(stages.spent.values()) / counted, 2)}


def _places() -> list[tuple[Any, str, str]]:
    from monitoring import claims, news, observing, rules, services
    from vision import decoding, pipeline

    return [
        (decoding, "decode_picture", "decoding"),
        (pipeline, "analyze", "senses"),
        (observing, "record_observations", "recording"),
        (rules, "step", "rules"),
        (services, "write_changes", "activities"),
        (news, "tell_found", "telling"),
        (claims.Claim, "take", "claim"),
        (claims.Claim, "release", "claim"),
    ]


def _examine(sessions: list[uuid.UUID], number: int, data: bytes, stages: Stages) -> None:
    from monitoring import intake, tasks
    from monitoring.frame_store import StoredFrame

    for session in sessions:
        intake.store(session, StoredFrame(seq=number, captured_at=time.time(), data=data))
    with stages.time("queue and task"):
        tasks.analyze_sessions(*map(str, sessions))


def main() -> None:
    """Measure and write."""
    import django

    django.setup()
    from vision.loading import warm_up

    warm_up()
    pictures = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
    sys.stdout.write(json.dumps(measure(pictures * int(sys.argv[2] if len(sys.argv) > 2 else 2))))


if __name__ == "__main__":
    main()
