"""The card as a page, with a small picture of everything that went wrong: for whoever labelled the media."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string

from monitoring.evaluation import looking
from monitoring.evaluation.figures import Answer
from monitoring.evaluation.labels import Sample
from monitoring.evaluation.printed import RUN_NAMES, tables_of
from monitoring.evaluation.questions import QUESTIONS
from monitoring.evaluation.run import COUNTING, Run

TEMPLATE = "monitoring/accuracy.html"
THUMBNAIL_WIDTH = 200
MOST_SHOWN = 60
"""Of one mistake with one set of weights."""


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Pictures of which the same thing was said wrongly."""

    question: str
    what: str
    answers: Sequence[Answer]


def write_page(path: Path, card: Mapping[str, Any], runs: Mapping[str, Run], samples: Sequence[Sample]) -> None:
    """Write one file that needs no other; raises ``OSError``. It shows people: it belongs where the media are."""
    by_name = {sample.name: sample for sample in samples}
    thumbnails: dict[str, str] = {}
    sections = [
        {
            "name": RUN_NAMES[name],
            "tables": list(tables_of(card["runs"][name])),
            "mistakes": list(_shown(run, by_name, thumbnails)),
            "unheard": list(_without_pictures(run)),
        }
        for name, run in runs.items()
    ]
    path.write_text(render_to_string(TEMPLATE, {"card": card, "sections": sections}), encoding="utf-8")


def _shown(run: Run, by_name: Mapping[str, Sample], thumbnails: dict[str, str]) -> Iterator[Mapping[str, Any]]:
    for mistakes in _mistakes(run):
        shown = mistakes.answers[:MOST_SHOWN]
        for one in shown:
            if one.sample not in thumbnails:
                thumbnails[one.sample] = _thumbnail(by_name[one.sample])
        yield {
            "question": mistakes.question,
            "what": mistakes.what,
            "count": len(mistakes.answers),
            "pictures": [(one.sample, one.confidence, thumbnails[one.sample]) for one in shown],
        }


def _without_pictures(run: Run) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield what went wrong with recordings and sounds, which no small picture shows: kind, what, and where."""
    for figures in (run.clips, run.exams):
        for kind, one in sorted(figures.items()):
            for what, where in (("missed", one.missed), ("false alarm", one.false)):
                if where:
                    yield kind, what, where
    for answers in (run.sounds, run.composed):
        for kind, said in sorted(answers.items()):
            for what, wrong in _wrong(said):
                yield kind, what, [one.sample for one in wrong]


def _wrong(answers: Sequence[Answer]) -> Iterator[tuple[str, list[Answer]]]:
    for what, wrong in (
        ("false alarm", [one for one in answers if one.said and not one.truth]),
        ("missed", [one for one in answers if one.said is False and one.truth]),
        ("not examined", [one for one in answers if one.said is None]),
    ):
        if wrong:
            yield what, wrong


def _mistakes(run: Run) -> Iterator[Mistakes]:
    for question in QUESTIONS:
        for what, wrong in _wrong(run.answers.get(question.name, [])):
            yield Mistakes(question.name, what, wrong)
    miscounted = [one for one in run.counts if one.said is False]
    if miscounted:
        yield Mistakes(COUNTING, "miscounted", miscounted)


def _thumbnail(sample: Sample) -> str:
    from vision.decoding import PictureError, encode_jpeg
    from vision.pictures import shrink

    try:
        rgb = looking.read_picture(sample)
    except PictureError:
        return ""
    height, width = rgb.shape[:2]
    small = shrink(rgb, (THUMBNAIL_WIDTH, max(1, round(height * THUMBNAIL_WIDTH / width))))
    return base64.b64encode(encode_jpeg(small)).decode()
