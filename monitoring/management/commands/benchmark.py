"""Measure what looking and calling cost on this machine."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management.base import CommandError
from tqdm import tqdm

from accounts.commands import DatabaseCommand
from monitoring.benchmarks import ROUNDS, Step, benchmark_replay, benchmark_vision
from vision.recording import RecordingError

Figures = dict[str, Any]
HELP = """Measure CPU cost per frame and memory (vision, replay), or what calls of the interface take (api), always
beside the bare work in the same run. `api` makes its rows in one transaction, which is rolled back in the end: nothing
is left behind, but on SQLite nobody else can write meanwhile (a minute or more for each 10,000 sessions), so run it on
a copy of a database that is in use. PostgreSQL is asked to clean up (VACUUM) before and after."""
MOST_ROWS = 1_000_000
COLUMNS = ("call", "role", "rows", "queries", "wall p50", "p95", "CPU p50", "p95", "bare", "ratio")


def _whole(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_ROWS:
        raise ArgumentTypeError(f"must be a whole number from 1 to {MOST_ROWS:,}")
    return int(text)


def _vision(options: Figures, say: Step) -> Figures:
    with _recording(options["video"]) as path:
        return benchmark_vision(path, fps=options["fps"], say=say)


def _replay(options: Figures, say: Step) -> Figures:
    with _recording(options["video"]) as path:
        return benchmark_replay(path, fps=options["fps"], say=say)


def _api(options: Figures, say: Step) -> Figures:
    from monitoring.api_benchmark import benchmark_api

    return benchmark_api(sessions=options["rows"], calls=options["calls"], say=say)


@contextmanager
def _recording(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    from vision.demo import build_demo_recording

    with TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.mp4"
        build_demo_recording(path)
        yield path


def _lines(figures: Figures, indent: str = "") -> list[str]:
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *_lines(value, indent + "  ")]
        else:
            shown = ", ".join(value) or "none" if isinstance(value, list) else value
            lines.append(f"{indent}{name:<36}{shown}")
    return lines


def _table(figures: Figures) -> list[str]:
    """Return the calls as a table, and below it what holds for all of them, and the sign-in."""
    rows = [list(COLUMNS), *map(_row, figures["endpoints"])]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    table = [
        "  ".join(
            cell.ljust(width) if name in ("call", "role") else cell.rjust(width)
            for name, cell, width in zip(COLUMNS, row, widths, strict=True)
        )
        for row in rows
    ]
    rest = {name: value for name, value in figures.items() if name != "endpoints"}
    return [*table, "", "Times in ms; queries at 1, at 100 and at all sessions.", "", *_lines(rest)]


def _row(one: Figures) -> list[str]:
    times = [one[kind][at] for kind in ("wall_ms", "cpu_ms") for at in ("p50", "p95")]
    cells = [one["call"], one["role"], one["rows"], "/".join(map(str, one["queries"])), *times]
    return ["" if cell is None else str(cell) for cell in (*cells, one["bare_ms"], one["ratio"])]


Benchmark = tuple[Callable[[Figures, Step], Figures], int, Callable[[Figures], list[str]]]
"""What measures, in how many steps, and what makes lines of the figures."""

BENCHMARKS: dict[str, Benchmark] = {
    "api": (_api, 5, _table),
    "replay": (_replay, ROUNDS + 2, _lines),
    "vision": (_vision, ROUNDS + 2, _lines),
}


class Command(DatabaseCommand):
    """See ``help``."""

    help = HELP

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument(
            "what",
            choices=sorted(BENCHMARKS),
            help="vision: the senses alone; replay: the whole road; api: lists, statistics and sign-in",
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        recording = parser.add_argument_group("vision and replay")
        recording.add_argument("--video", type=Path, metavar="FILE", help="a recording (default: the demonstration)")
        recording.add_argument("--fps", type=float, default=1.0, help="pictures per second to look at (default: 1)")
        rows = parser.add_argument_group("api")
        rows.add_argument("--rows", type=_whole, default=10_000, help="sessions to make (default: 10000)")
        rows.add_argument("--calls", type=_whole, default=40, help="calls of each kind (default: 40)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and print."""
        measure, steps, lines = BENCHMARKS[options["what"]]
        with tqdm(total=steps, disable=not sys.stderr.isatty()) as bar:

            def say(step: str) -> None:
                bar.set_description(step)
                bar.update()

            try:
                figures = measure(options, say)
            except RecordingError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(figures) if options["json"] else "\n".join(lines(figures)))
