"""What is to be reached, beside the card: it is where the 95 % interval reaches it, and never of too few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.evaluation.figures import FEWEST

Data = Mapping[str, Any]
REACHED, NOT_REACHED, TOO_FEW, NOTHING = "reached", "not reached", "too few to say", "not measured"


@dataclass(frozen=True, slots=True)
class Target:
    """One figure: ``reach`` is its bound, 0..1, a least one or (``at_most``) a greatest; ``of`` finds it in a run.

    What is found has ``share``, ``low``, ``high`` and ``n``; ``baseline`` is what one library's call reached on the
    same kind of media.
    """

    what: str
    reach: float
    of: Callable[[Data], Data | None]
    baseline: str = ""
    at_most: bool = False


def judged(run: Data) -> Iterator[Data]:
    """Yield what was reached of each target in one run of a card."""
    for target in TARGETS:
        found = target.of(run)
        sign = "≤" if target.at_most else "≥"
        yield {
            "what": target.what,
            "baseline": target.baseline,
            "reach": f"{sign} {100 * target.reach:g} %",
            "found": found,
            "verdict": _verdict(target, found),
        }


def _verdict(target: Target, found: Data | None) -> str:
    if found is None or found["share"] is None:
        return NOTHING
    if found["n"] < FEWEST:
        return TOO_FEW
    holds = found["low"] <= target.reach if target.at_most else found["high"] >= target.reach
    return REACHED if holds else NOT_REACHED


def _row(part: str, kind: str, figure: str) -> Callable[[Data], Data | None]:
    def find(run: Data) -> Data | None:
        row = _of(run[part], kind)
        return None if row is None else row[figure]

    return find


def _of(rows: Iterable[Data], kind: str) -> Data | None:
    return next((row for row in rows if row["kind"] == kind), None)


def _counted(run: Data) -> Data | None:
    found: Data = run["counting"]["exact"]
    return found


def _balanced(kind: str) -> Callable[[Data], Data | None]:
    def find(run: Data) -> Data | None:
        row = _of(run["pictures"], kind)
        if row is None or row["balanced_interval"] is None:
            return None
        low, high = row["balanced_interval"]
        return {"share": row["balanced_accuracy"], "low": low, "high": high, "n": row["n"]}

    return find


def _examined(kind: str) -> Callable[[Data], Data | None]:
    def find(run: Data) -> Data | None:
        row = _of(run["pictures"], kind)
        if row is None or row["not_examined"]["share"] is None:
            return None
        told = row["not_examined"]
        ends = {"share": 1 - told["share"], "low": 1 - told["high"], "high": 1 - told["low"]}
        return {**ends, "n": told["n"], "hits": told["n"] - told["hits"]}

    return find


def _likeness(figure: str) -> Callable[[Data], Data | None]:
    """What enrolling with several pictures reaches, as candidates do."""

    def find(run: Data) -> Data | None:
        row = next((row for row in run["identity"]["rows"] if row["enrolled"] == USUALLY_ENROLLED), None)
        return None if row is None else {**row[figure], "n": row["same"]}

    return find


def _diarized(run: Data) -> Data | None:
    told = run["diarization"]
    if told["error_rate"] is None or not told["interval"]:
        return None
    low, high = told["interval"]
    return {"share": told["error_rate"], "low": low, "high": high, "n": told["recordings"]}


USUALLY_ENROLLED = 2
TARGETS: tuple[Target, ...] = (
    Target("faces counted exactly, up to 5", 0.98, _counted, "MediaPipe 86 to 95 %, YuNet 97 %"),
    Target("NO_FACE precision", 0.99, _row("pictures", "NO_FACE", "precision"), "MediaPipe 67 to 85 %"),
    Target("NO_FACE recall", 0.93, _row("pictures", "NO_FACE", "recall"), "MediaPipe 87 %"),
    Target("MULTIPLE_FACES precision", 0.97, _row("pictures", "MULTIPLE_FACES", "precision"), "YuNet 85 to 98 %"),
    Target("MULTIPLE_FACES recall", 0.97, _row("pictures", "MULTIPLE_FACES", "recall"), "MediaPipe 51 to 93 %"),
    Target("head turned or not, balanced accuracy", 0.97, _balanced("HEAD_TURNED")),
    Target("head turned or not, examined", 0.93, _examined("HEAD_TURNED")),
    Target("looking away, stretches of clips", 1.0, _row("clips", "LOOKING_AWAY", "staged")),
    Target("eyes closed, recall", 0.95, _row("pictures", "EYES_CLOSED", "recall"), "92 %"),
    Target("eyes closed, false alarms", 0.01, _row("pictures", "EYES_CLOSED", "false_alarms"), "0 %", at_most=True),
    Target("mouth open, recall", 0.95, _row("pictures", "MOUTH_OPEN", "recall"), "93 %"),
    Target("mouth open, false alarms", 0.03, _row("pictures", "MOUTH_OPEN", "false_alarms"), "3 to 7 %", at_most=True),
    Target("phone, recall", 0.75, _row("pictures", "PHONE", "recall"), "41 %, with crops 62 %"),
    Target("phone, precision", 0.9, _row("pictures", "PHONE", "precision"), "71 %, with crops 72 %"),
    Target("phone, stretches of clips", 0.8, _row("clips", "PHONE", "staged")),
    Target("laptop, recall", 0.85, _row("pictures", "LAPTOP", "recall"), "72 %"),
    Target("laptop, precision", 0.95, _row("pictures", "LAPTOP", "precision")),
    Target("book, recall", 0.6, _row("pictures", "BOOK", "recall"), "35 %"),
    Target("book, precision", 0.95, _row("pictures", "BOOK", "precision")),
    Target("same person, equal error (2 pictures enrolled)", 0.004, _likeness("equal_error"), "0.45 %", at_most=True),
    Target("same person, missed at 0.1 % taken (2)", 0.03, _likeness("missed"), "8.5 % (side light)", at_most=True),
    Target(
        "living faces called a print or a screen at a look",
        0.01,
        _row("pictures", "PRINT_OR_SCREEN", "false_alarms"),
        at_most=True,
    ),
    Target("speech or not, recall", 0.98, _row("sounds", "SPEECH", "recall")),
    Target("speech or not, false alarms", 0.02, _row("sounds", "SPEECH", "false_alarms"), at_most=True),
    Target("second voice found", 0.95, _row("sounds", "SECOND_VOICE", "recall")),
    Target("second voice made up", 0.03, _row("sounds", "SECOND_VOICE", "false_alarms"), at_most=True),
    Target("who spoke when, error rate", 0.25, _diarized, at_most=True),
)
