"""The program's own processes, with less patience and with models that fail over pictures marked by their size.

Named to Celery as its application and to daphne as its module instead of the program's, and like them otherwise.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import vision.pipeline
from vision.analyzers import faces
from vision.types import Frame

QUIET_S = 30.0
SENSE_FAILS, ALL_FAILS = (96, 96), (96, 128)
"""Height and width of pictures over which one sense, or everything, fails."""


def _poisoned(work: Any, size: tuple[int, int]) -> Any:
    def fail_or_work(frame: Frame, *args: Any) -> Any:
        if frame.rgb.shape[:2] == size:
            raise RuntimeError("a model fell over")
        return work(frame, *args)

    return fail_or_work


@cache
def _poison() -> None:
    faces.analyze = _poisoned(faces.analyze, SENSE_FAILS)
    vision.pipeline.analyze = _poisoned(vision.pipeline.analyze, ALL_FAILS)


def __getattr__(name: str) -> Any:
    if name == "application":
        from proctoring.asgi import application  # isort: skip  it sets up what the other needs
        from monitoring.consumers import candidate

        candidate.QUIET_S = QUIET_S
        _poison()
        return application
    if name == "app":
        from proctoring.celery import app

        _poison()
        return app
    raise AttributeError(name)
