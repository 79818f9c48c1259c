"""MediaPipe's solutions on the thread that asks: threads of their own cost a tenth more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

EXECUTOR = "ApplicationThreadExecutor"


def on_this_thread(solution: type) -> type:
    """Return the same of MediaPipe's legacy solutions, whose graph works on the thread that calls ``process``."""
    from mediapipe.framework import calculator_pb2
    from mediapipe.python import solution_base

    root = Path(solution_base.__file__).parents[2]

    class OnThisThread(solution_base.SolutionBase):  # type: ignore[misc]  # it has no types
        def __init__(self, *, binary_graph_path: str, **options: Any) -> None:
            graph = calculator_pb2.CalculatorGraphConfig.FromString((root / binary_graph_path).read_bytes())
            graph.executor.add(name="", type=EXECUTOR)
            super().__init__(graph_config=graph, **options)

    return type(solution.__name__, (solution, OnThisThread), {})
