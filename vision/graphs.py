"""MediaPipe's graphs on the thread that asks: threads of their own cost a tenth more."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

EXECUTOR = "ApplicationThreadExecutor"


def on_this_thread(solution: type) -> type:
    """Return the same of MediaPipe's legacy solutions, whose graph works on the thread that calls ``process``."""
    return type(solution.__name__, (solution, graph_type()), {})


@cache
def graph_type() -> Any:
    """Return what MediaPipe's solutions are made of, for graphs that work on the thread that calls ``process``."""
    from mediapipe.framework import calculator_pb2
    from mediapipe.python import solution_base

    root = Path(solution_base.__file__).parents[2]

    class OnThisThread(solution_base.SolutionBase):  # type: ignore[misc]  # it has no types
        def __init__(self, *, binary_graph_path: str = "", graph_config: Any = None, **options: Any) -> None:
            if graph_config is None:
                data = (root / binary_graph_path).read_bytes()
                graph_config = calculator_pb2.CalculatorGraphConfig.FromString(data)
            graph_config.executor.add(name="", type=EXECUTOR)
            super().__init__(graph_config=graph_config, **options)

        def process(self, input_data: dict[str, Any]) -> SimpleNamespace:
            """Do what the original does, without making a class for each answer, which takes longer than all else."""
            self._graph_outputs.clear()
            self._simulated_timestamp += 1
            for name, data in input_data.items():
                packet = self._make_packet(self._input_stream_type_info[name], data)
                self._graph.add_packet_to_input_stream(stream=name, packet=packet.at(self._simulated_timestamp))
            self._graph.wait_until_idle()
            answer = SimpleNamespace(**dict.fromkeys(self._output_stream_type_info))
            for name, packet in self._graph_outputs.items():
                setattr(answer, name, self._get_packet_content(self._output_stream_type_info[name], packet))
            return answer

    return OnThisThread
