"""Measure how good the senses are on labelled media."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from exams.policy import Policy
from monitoring.activity_cards import SENSES_BEHIND
from monitoring.evaluation.card import card_of
from monitoring.evaluation.composed import SHOWN_RECORDING
from monitoring.evaluation.hearing import SECOND_VOICE
from monitoring.evaluation.labels import LabelError, Sample, read_samples
from monitoring.evaluation.likeness import LIKENESS
from monitoring.evaluation.page import write_page
from monitoring.evaluation.printed import as_markdown, as_text
from monitoring.evaluation.questions import QUESTIONS
from monitoring.evaluation.run import COUNTING, DIARIZATION, Run, evaluate, evaluate_exams, read_exams
from vision import loading, weights


class Command(BaseCommand):
    """See ``help``."""

    help = """Show the senses labelled media, and print how often they were right, with 95 %% intervals. DIR holds
    labels.jsonl and the files that it names; docs/accuracy.md says what can be labelled. Needs no database."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("folder", type=Path, metavar="DIR", help="a folder with labels.jsonl")
        parser.add_argument("--json", action="store_true", help="print the card as JSON")
        parser.add_argument("--markdown", action="store_true", help="print the card as Markdown")
        parser.add_argument("--html", type=Path, metavar="FILE", help="write a page there that shows what went wrong")
        parser.add_argument(
            "--only", action="append", default=[], metavar="KIND", help="ask only this; may be repeated"
        )
        parser.add_argument(
            "--weights",
            choices=("both", "all", "bundled"),
            default="both",
            help="with which models: all that are there, those only that packages carry, or one after the other",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Evaluate, print, and write the page."""
        only = self._only(options["only"])
        try:
            samples, exams = read_samples(options["folder"]), read_exams(options["folder"])
        except LabelError as error:
            raise CommandError(str(error)) from error
        names = ("all", "bundled") if options["weights"] == "both" else (options["weights"],)
        runs = {name: self._run(name, samples, exams, only) for name in names}
        card = card_of(samples, runs)
        if options["html"]:
            try:
                write_page(options["html"], card, runs, samples)
            except OSError as error:
                raise CommandError(f"{options['html']} cannot be written: {error.strerror}.") from error
        if options["json"]:
            self.stdout.write(json.dumps(card, indent=1))
        else:
            self.stdout.write(as_markdown(card) if options["markdown"] else as_text(card))
        for line in sorted({line for run in runs.values() for line in run.unread}):
            self.stderr.write(line)

    def _only(self, names: list[str]) -> frozenset[str]:
        known = {COUNTING, DIARIZATION, LIKENESS, SECOND_VOICE, SHOWN_RECORDING}
        known |= {str(kind) for kind in SENSES_BEHIND} | {question.name for question in QUESTIONS}
        unknown = sorted(set(names) - known)
        if unknown:
            raise CommandError(f"{unknown[0]} is not asked; {', '.join(sorted(known))} are.")
        return frozenset(names)

    def _run(self, name: str, samples: list[Sample], exams: list[Sample], only: frozenset[str]) -> Run:
        policy, total = Policy(), len(samples) + len(exams)
        with (
            weights.bundled_only() if name == "bundled" else nullcontext(),
            tqdm(desc=name, total=total, unit="file", file=sys.stderr, disable=not sys.stderr.isatty()) as bar,
        ):
            loading.use_models(loading.Models())
            loading.warm_up(policy.due().senses)

            def done(_name: str) -> None:
                bar.update()

            run = evaluate(samples, policy=policy, only=only, done=done)
            evaluate_exams(exams, run, policy=policy, only=only, done=done)
        return run
