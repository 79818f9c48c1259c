"""Measure what looking costs on this machine."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management.base import CommandError
from tqdm import tqdm

from accounts.commands import DatabaseCommand
from monitoring.benchmarks import ROUNDS, benchmark_replay, benchmark_vision
from vision.recording import RecordingError

BENCHMARKS = {"vision": (benchmark_vision, ROUNDS + 2), "replay": (benchmark_replay, ROUNDS + 2)}


class Command(DatabaseCommand):
    """See ``help``."""

    help = "Measure CPU cost per frame and memory, with the bare libraries on the same pictures in the same run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("what", choices=sorted(BENCHMARKS), help="vision: the senses alone; replay: the whole road")
        parser.add_argument("--video", type=Path, metavar="FILE", help="a recording (default: the demonstration)")
        parser.add_argument("--fps", type=float, default=1.0, help="pictures per second to look at (default: 1)")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and print."""
        measure, steps = BENCHMARKS[options["what"]]
        with _recording(options["video"]) as path, tqdm(total=steps, disable=not sys.stderr.isatty()) as bar:

            def say(step: str) -> None:
                bar.set_description(step)
                bar.update()

            try:
                figures = measure(path, fps=options["fps"], say=say)
            except RecordingError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(figures) if options["json"] else "\n".join(_lines(figures)))


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


def _lines(figures: dict[str, Any], indent: str = "") -> list[str]:
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:<36}{value}")
    return lines
