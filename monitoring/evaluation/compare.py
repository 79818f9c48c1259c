"""Whether a card is worse than an earlier one, by more than chance explains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Data = dict[str, Any]
HEADLINES = ("precision", "recall")
SLACK = 0.01
"""Other processors round otherwise, and a picture at the very edge may fall to the other side."""


def worse_than(before: Data, now: Data) -> list[str]:
    """Return in words each headline figure that fell below the 95 % interval that it had before."""
    return [
        f"{name}, {what}: {told}"
        for name, run in before["runs"].items()
        if name in now["runs"]
        for what, told in _fallen(run, now["runs"][name])
    ]


def _fallen(before: Data, now: Data) -> Iterator[tuple[str, str]]:
    yield from _below("faces counted exactly", before["counting"]["exact"], now["counting"]["exact"])
    for part in ("pictures", "sounds", "composed"):
        yield from _answered_worse(part, before.get(part, ()), now.get(part, ()))
    for part in ("clips", "exams"):
        yield from _found_less(part, before[part], now[part])
    yield from _less_alike(before.get("identity"), now.get("identity"))
    old, new = before["diarization"]["error_rate"], now["diarization"]["error_rate"]
    if old is not None and new is not None and new > old * 1.1 + SLACK:
        yield "who spoke when", f"error rate {new:.1%} after {old:.1%}"


def _answered_worse(part: str, before: Sequence[Data], now: Sequence[Data]) -> Iterator[tuple[str, str]]:
    rows = {row["kind"]: row for row in now}
    for row in before:
        kind, later = row["kind"], rows.get(row["kind"])
        if later is None:
            yield kind, f"no longer among the {part}"
            continue
        for figure in HEADLINES:
            yield from _below(f"{kind} {figure}", row[figure], later[figure])
        yield from _above(f"{kind} not examined", row["not_examined"], later["not_examined"])


def _found_less(part: str, before: Sequence[Data], now: Sequence[Data]) -> Iterator[tuple[str, str]]:
    rows = {row["kind"]: row for row in now}
    for row in before:
        kind, later = row["kind"], rows.get(row["kind"])
        if later is not None:
            yield from _below(f"{kind} staged in {part}", row["staged"], later["staged"])
            more = later["false_alarms"] - row["false_alarms"]
            if more > 1:
                yield f"{kind} in {part}", f"{more} more false alarms"
        elif row["staged"]["n"]:
            yield kind, f"no longer among the {part}"


def _less_alike(before: Data | None, now: Data | None) -> Iterator[tuple[str, str]]:
    rows = {row["enrolled"]: row for row in (now or {}).get("rows", ())}
    for row in (before or {}).get("rows", ()):
        for figure in ("equal_error", "missed"):
            old, new = row[figure], rows.get(row["enrolled"], row)[figure]
            if new["share"] > old["high"]:
                yield f"faces, {row['enrolled']} enrolled, {figure}", f"{new['share']:.2%} after {old['share']:.2%}"


def _above(what: str, before: Data, now: Data) -> Iterator[tuple[str, str]]:
    if before["high"] is not None and now["share"] is not None and now["share"] > before["high"] + SLACK:
        yield what, f"{now['share']:.1%} after {before['share']:.1%} ({before['low']:.1%} to {before['high']:.1%})"


def _below(what: str, before: Data, now: Data) -> Iterator[tuple[str, str]]:
    if before["low"] is not None and now["share"] is not None and now["share"] < before["low"] - SLACK:
        yield what, f"{now['share']:.1%} after {before['share']:.1%} ({before['low']:.1%} to {before['high']:.1%})"
