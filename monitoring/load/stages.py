"""What one picture costs a worker, by stage: ``python -m monitoring.load.stages FOLDER [PICTURES]``, as JSON.

The pictures of the folder are examined as they come from candidates who send one a second each, of as many candidates
together as share a message, in this very process: the same calls as a worker makes, timed from outside. All times are
CPU ms of this process for each picture; what the stores compute themselves is not in it. ``bare look`` is what one look
of the object model alone takes here and now: the same machine may be twice as fast an hour later.
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
from statistics import median
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from monitoring.frame_store import StoredFrame

WARM_UP, EVERY_S = 10, 1.0


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
    from monitoring.frame_store import StoredFrame
    from monitoring.load.rows import make_hall
    from monitoring.queue import ANALYZE, TOGETHER

    sessions = [uuid.UUID(session_id) for session_id in make_hall(TOGETHER[ANALYZE], title="Stages").sessions]
    stages = Stages()
    with ExitStack() as stack:
        for target, name, label in _places():
            stack.enter_context(patch.object(target, name, stages.timed(label, getattr(target, name))))
        began = time.time() - len(pictures) * EVERY_S
        for number, data in enumerate(pictures):
            if number == WARM_UP:
                stages.spent.clear()
            _examine(sessions, StoredFrame(number, began + number * EVERY_S, data), stages)
    counted = max(1, len(pictures) - WARM_UP) * len(sessions)
    each = {name: round(spent / counted, 2) for name, spent in sorted(stages.spent.items())}
    return each | {"whole": round(sum(stages.spent.values()) / counted, 2)}


def bare_look_ms(picture: bytes, times: int = 20) -> float | None:
    """Return the median CPU ms of one look of the object model at a whole picture; None without weights."""
    from vision import yolo
    from vision.decoding import decode_picture
    from vision.loading import models
    from vision.types import WHOLE

    model = models().object_model
    if model is None:
        return None
    rgb, spent = decode_picture(picture), []
    for _time in range(times):
        began = time.process_time()
        yolo.look(rgb, model, WHOLE)
        spent.append(time.process_time() - began)
    return round(1000 * median(spent), 2)


def _places() -> list[tuple[Any, str, str]]:
    from monitoring import claims, found, news, observing, rules
    from vision import decoding, pipeline

    return [
        (decoding, "decode_picture", "decoding"),
        (pipeline, "analyze", "senses"),
        (observing, "record_observations", "recording"),
        (rules, "step", "rules"),
        (found, "write_told", "activities"),
        (news, "tell_all_found", "telling"),
        (claims.Claim, "take", "claim"),
        (claims.Claim, "release", "claim"),
    ]


def _examine(sessions: list[uuid.UUID], frame: StoredFrame, stages: Stages) -> None:
    from monitoring import intake, tasks

    for session in sessions:
        intake.store(session, frame)
    with stages.time("queue and task"):
        tasks.analyze_sessions(*map(str, sessions))


def main() -> None:
    """Measure and write."""
    import django

    django.setup()
    from vision.loading import warm_up

    warm_up()
    pictures = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
    stages = measure(pictures * int(sys.argv[2] if len(sys.argv) > 2 else 1))
    sys.stdout.write(json.dumps({**stages, "bare look": bare_look_ms(pictures[0])}))


if __name__ == "__main__":
    main()
