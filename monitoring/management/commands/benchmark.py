"""Measure what looking and calling cost on this machine."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.commands import DatabaseCommand
from monitoring.audio_benchmark import LISTENING, NothingSpoken, benchmark_audio
from monitoring.benchmarks import ROUNDS, Step, benchmark_replay, benchmark_vision
from monitoring.load.deployment import DeploymentError
from monitoring.management.commands.replay import read_fps
from vision.recording import RecordingError

Figures = dict[str, Any]
HELP = """Measure CPU cost per frame and memory (vision, replay), or what calls of the interface take (api), always
beside the bare work in the same run; or the cost of a second of sound (audio), of the reviewer's page of a session
(page), or of every list of the console (lists), whose rows are taken back like those of `api`. `api` makes its rows in
one transaction, which is rolled back in the end: nothing is left behind, but on SQLite nobody else can write meanwhile
(a minute or more for each 10,000 sessions), so run it on a copy of a database that is in use. PostgreSQL is asked to
clean up (VACUUM) before and after.

intake, pipeline and soak start a server, and what it needs, of their own on free ports, in a folder that goes with
them; simulated candidates send to it from a process of their own. `reports` makes PDFs in such a folder. Your database
is not touched. `intake` writes up to 10 GB for a while."""
MOST_ROWS = 1_000_000
COLUMNS = ("call", "role", "rows", "queries", "wall p50", "p95", "CPU p50", "p95", "bare", "ratio")
PAGE_COLUMNS = ("page", "role", "queries", "wall p50", "p95", "CPU p50", "p95", "database")


def _whole(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_ROWS:
        raise ArgumentTypeError(f"must be a whole number from 1 to {MOST_ROWS:,}")
    return int(text)


def _vision(options: Figures, say: Step) -> Figures:
    with _recording(options["video"]) as path:
        return benchmark_vision(path, fps=options["fps"], say=say)


def _audio(options: Figures, say: Step) -> Figures:
    return benchmark_audio(options["video"], say=say)


def _replay(options: Figures, say: Step) -> Figures:
    with _recording(options["video"]) as path:
        return benchmark_replay(path, fps=options["fps"], say=say)


def _api(options: Figures, say: Step) -> Figures:
    from monitoring.api_benchmark import benchmark_api

    return benchmark_api(sessions=options["rows"], calls=options["calls"], say=say)


def _lists(options: Figures, say: Step) -> Figures:
    from monitoring.list_benchmark import benchmark_lists

    return benchmark_lists(sessions=options["rows"], calls=options["calls"], say=say)


def _page(options: Figures, say: Step) -> Figures:
    from monitoring.page_benchmark import benchmark_page

    names = ("observations", "activities", "calls")
    return benchmark_page(**{name: options[name] for name in names}, say=say)


def _intake(options: Figures, say: Step) -> Figures:
    from monitoring.load.intake_benchmark import benchmark_intake

    halls = options["halls"]
    return benchmark_intake(sockets=options["sockets"], seconds=options["seconds"] or 5.0, halls=halls, say=say)


def _pipeline(options: Figures, say: Step) -> Figures:
    from monitoring.load.deployment import usual_shape
    from monitoring.load.pipeline_benchmark import benchmark_pipeline

    return benchmark_pipeline(
        candidates=options["candidates"] or 0,
        seconds=options["seconds"] or 60.0,
        most=options["most"],
        shape=options["shape"] or usual_shape(),
        say=say,
    )


def _reports(options: Figures, say: Step) -> Figures:
    from monitoring.load.reports_benchmark import benchmark_reports

    return benchmark_reports(reports=options["reports"], jobs=options["jobs"], say=say)


def _soak(options: Figures, say: Step) -> Figures:
    from monitoring.load.deployment import usual_shape
    from monitoring.load.soak import soak

    return soak(
        candidates=options["candidates"] or 100,
        fps=options["fps"],
        minutes=options["minutes"],
        shape=options["shape"] or usual_shape(),
        say=say,
    )


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
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, one in enumerate(value, 1):
                lines += [f"{indent}{name} {number}", *_lines(one, indent + "  ")]
        else:
            shown = ", ".join(value) or "none" if isinstance(value, list) else value
            lines.append(f"{indent}{name:<36}{shown}")
    return lines


def _table(figures: Figures) -> list[str]:
    """Return the calls as a table, and below it what holds for all of them, and the sign-in."""
    table = _aligned([COLUMNS, *map(_row, figures["endpoints"])])
    rest = {name: value for name, value in figures.items() if name != "endpoints"}
    return [*table, "", "Times in ms; queries at 1, at 100 and at all sessions.", "", *_lines(rest)]


def _page_table(figures: Figures) -> list[str]:
    """Return the pages as a table, and below it what holds for all of them."""
    table = _aligned([PAGE_COLUMNS, *map(_page_row, figures["pages"])])
    rest = {name: value for name, value in figures.items() if name != "pages"}
    return [*table, "", "Times in ms; of the database: the mean, where it is a server here.", "", *_lines(rest)]


def _aligned(rows: list[Sequence[str]]) -> list[str]:
    """Return lines with the first two columns to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _row(one: Figures) -> list[str]:
    cells = [one["call"], one["role"], one["rows"], "/".join(map(str, one["queries"])), *_times(one)]
    return _shown(*cells, one["bare_ms"], one["ratio"])


def _page_row(one: Figures) -> list[str]:
    return _shown(one["page"], one["role"], one["queries"], *_times(one), one["database_cpu_ms"])


def _times(one: Figures) -> list[float]:
    return [one[kind][at] for kind in ("wall_ms", "cpu_ms") for at in ("p50", "p95")]


def _shown(*cells: Any) -> list[str]:
    return ["" if cell is None else str(cell) for cell in cells]


Benchmark = tuple[Callable[[Figures, Step], Figures], int, Callable[[Figures], list[str]]]
"""What measures, in how many steps, and what makes lines of the figures."""

BENCHMARKS: dict[str, Benchmark] = {
    "api": (_api, 5, _table),
    "audio": (_audio, len(LISTENING) + 2, _lines),
    "intake": (_intake, 11, _lines),
    "lists": (_lists, 2, _page_table),
    "page": (_page, 2, _lines),
    "pipeline": (_pipeline, 9, _lines),
    "replay": (_replay, ROUNDS + 2, _lines),
    "reports": (_reports, 3, _lines),
    "soak": (_soak, 4, _lines),
    "vision": (_vision, ROUNDS + 2, _lines),
}


OWN_DATABASE = ("audio", "intake", "pipeline", "reports", "soak")


class Command(DatabaseCommand):
    """See ``help``."""

    help = HELP

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command; only what measures in the database of the settings needs it."""
        own = options["what"] in OWN_DATABASE
        return BaseCommand.execute(self, *args, **options) if own else super().execute(*args, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument(
            "what",
            choices=sorted(BENCHMARKS),
            help="vision, audio: the senses alone; replay: the whole road of a recording; api: lists, statistics and "
            "sign-in; page: the reviewer's page of one session; lists: all lists of the console; reports: PDFs of long "
            "sessions; intake: what a server takes in; pipeline: from candidates to reviewers; soak: a hall for long",
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        recording = parser.add_argument_group("vision, audio and replay")
        recording.add_argument(
            "--video", type=Path, metavar="FILE", help="a recording (default: the demonstration; audio: a made voice)"
        )
        recording.add_argument("--fps", type=read_fps, default=1.0, help="pictures per second (default: 1); soak too")
        rows = parser.add_argument_group("api, lists and page")
        rows.add_argument("--rows", type=_whole, default=10_000, help="sessions to make (default: 10000)")
        rows.add_argument("--calls", type=_whole, default=40, help="calls of each kind (default: 40)")
        rows.add_argument("--observations", type=_whole, default=5000, help="page: of the session (default: 5000)")
        rows.add_argument("--activities", type=_whole, default=200, help="page: of the session (default: 200)")
        reports = parser.add_argument_group("reports")
        reports.add_argument("--reports", type=_whole, default=100, help="so many (default: 100)")
        reports.add_argument("--jobs", type=_whole, default=2, help="made in so many processes (default: 2)")
        self._add_load(parser.add_argument_group("intake, pipeline and soak"))

    def _add_load(self, load: Any) -> None:
        load.add_argument("--sockets", type=_whole, default=100, help="intake: candidates that send (default: 100)")
        load.add_argument("--seconds", type=float, help="of each measurement (default: 5 for intake, 60 for pipeline)")
        halls = "intake: how many candidates send a picture a second in turn (default: 10 100 1000)"
        load.add_argument("--halls", type=_whole, nargs="*", default=[10, 100, 1000], help=halls)
        candidates = "pipeline: how many to try first (default: by their cost); soak: how many (default: 100)"
        load.add_argument("--candidates", type=_whole, help=candidates)
        load.add_argument("--most", type=_whole, default=300, help="pipeline: never more than these (default: 300)")
        load.add_argument("--minutes", type=float, default=30.0, help="soak: for how long (default: 30)")
        shape = "full: PostgreSQL, Redis and a worker; zero: one process (default: full where both are installed)"
        load.add_argument("--shape", choices=("full", "zero"), help=shape)

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and print."""
        measure, steps, lines = BENCHMARKS[options["what"]]
        with tqdm(total=steps, disable=not sys.stderr.isatty()) as bar:

            def say(step: str) -> None:
                bar.set_description(step)
                bar.update()

            try:
                figures = measure(options, say)
            except (RecordingError, NothingSpoken, DeploymentError) as error:
                raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(figures) if options["json"] else "\n".join(lines(figures)))
