"""The card as tables, for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.evaluation.figures import FEWEST

Data = dict[str, Any]
Row = Sequence[str]
TOO_FEW = "too few to say"
RUN_NAMES = {"all": "with all weights", "bundled": "with bundled models only"}
PICTURES: Row = ("kind", "n", "of them so", "precision", "recall", "false alarms", "not examined", "calibration error")
LIKENESS: Row = (
    "enrolled with",
    "pairs of one person",
    "of strangers",
    "equal error",
    "missed at 0.1% taken",
    "strangers told",
    "own face accused",
    "own face unsure",
    "calibration error",
)
GAPS: Row = ("condition", "kind", "what", "there", "in the rest", "worse by", "why")
MEASURES = {"recall": "recall", "false_alarms": "false alarms", "not_examined": "not examined", "missed": "missed"}
TARGETS: Row = ("what", "one library's call", "to reach", "here", "")
TARGETS_NOTE = f"Reached where the 95 % interval reaches it; of fewer than {FEWEST} nothing is claimed."
RELIABILITY: Row = ("confidence, on average", "yeses", "of them right")
SPANS: Row = ("kind", "clips", "staged", "hit", "false alarms", "in hours", "an hour")


@dataclass(frozen=True, slots=True)
class Table:
    """A part of the card; ``note`` is a sentence to be read with it, or empty."""

    title: str
    head: Row
    rows: Sequence[Row]
    note: str = ""


def as_text(card: Data) -> str:
    """Return the card for a terminal."""
    return _document(card, _plain, "")


def as_markdown(card: Data) -> str:
    """Return the card's tables as Markdown, under headings of the second level."""
    return _document(card, _markdown, "## ")


def tables_of(run: Data) -> Iterator[Table]:
    """Yield the parts of the card that tell of one run."""
    wanted = [row for row in run.get("targets", ()) if row["found"] is not None]
    if wanted:
        yield Table("What is to be reached", TARGETS, [_target(row) for row in wanted], TARGETS_NOTE)
    yield from _picture_tables(run)
    yield from _sound_tables(run)
    if run.get("composed"):
        yield Table("Spoilt on purpose (composed)", PICTURES, [_picture(row) for row in run["composed"]])
    if run.get("reliability"):
        yield Table("How sure, and how often right", RELIABILITY, [_reliable(row) for row in run["reliability"]])
    told = run.get("identity")
    if told and told["rows"]:
        yield Table("Same person or not", LIKENESS, [_likeness(row) for row in told["rows"]], _likeness_note(told))
        missed = [(row["condition"], str(row["enrolled"]), _share(row["missed"])) for row in told["conditions"]]
        yield Table("Same person or not, by condition", ("condition", "enrolled with", "missed"), missed)
    for part, title in (("clips", "Recordings"), ("exams", "Whole exams")):
        if run[part]:
            yield Table(title, SPANS, [_span(row) for row in run[part]])


def _picture_tables(run: Data) -> Iterator[Table]:
    if run["pictures"] or run["counting"]["exact"]["n"]:
        yield Table("Pictures", PICTURES, [_picture(row) for row in run["pictures"]], " ".join(_notes(run)))
    if run["conditions"]:
        yield _by_condition("Pictures by condition", run["conditions"])
    if run.get("gaps"):
        # Of too few nothing is claimed, not even a gap.
        worse = [_gap(row) for row in run["gaps"] if TOO_FEW not in row["why"]]
        yield Table("Conditions that fare worse than the rest", GAPS, worse, _gaps_note(run["gaps"]))


def _sound_tables(run: Data) -> Iterator[Table]:
    if run["sounds"] or run["diarization"]["recordings"]:
        yield Table("Sounds", PICTURES, [_picture(row) for row in run["sounds"]], " ".join(_sound_notes(run)))
    if run.get("sound_conditions"):
        yield _by_condition("Sounds by condition", run["sound_conditions"])


def _by_condition(title: str, rows: Sequence[Data]) -> Table:
    return Table(title, ("condition", *PICTURES), [(row["condition"], *_picture(row)) for row in rows])


def _document(card: Data, drawn: Callable[[Row, Sequence[Row]], str], heading: str) -> str:
    media = ", ".join(f"{count} {name}" for name, count in card["media"].items() if count)
    parts = [f"Labelled media: {media}. In brackets: 95 % intervals."]
    for name, run in card["runs"].items():
        for table in tables_of(run):
            parts += [f"{heading}{table.title}, {RUN_NAMES[name]}", drawn(table.head, table.rows)]
            parts += [table.note] if table.note else []
        if run["unread"]:
            parts.append(f"{run['unread']} files could not be read.")
    return "\n\n".join(parts) + "\n"


def _notes(run: Data) -> Iterator[str]:
    exact, unknown = run["counting"]["exact"], run["counting"]["not_examined"]
    if exact["n"]:
        yield f"Faces counted exactly, up to five: {_share(exact)} of {exact['n']}; not examined {_bare(unknown)}."
    for row in run["pictures"]:
        if row["kind"] == "HEAD_TURNED" and row["balanced_accuracy"] is not None:
            low, high = row["balanced_interval"]
            yield f"HEAD_TURNED, balanced accuracy: {row['balanced_accuracy']:.1%} ({low:.1%} to {high:.1%})."
    if run["cpu_ms_per_picture"] is not None:
        yield f"A first look at a picture took {run['cpu_ms_per_picture']} ms CPU on the machine that made this."


def _sound_notes(run: Data) -> Iterator[str]:
    told = run["diarization"]
    if told["error_rate"] is not None:
        yield (
            f"Who spoke when, in {told['recordings']} recordings with {told['speech_s']:g} s of speech: error rate "
            f"{told['error_rate']:.1%}{_within(told['interval'])} (missed {told['missed_s']:g} s, made up "
            f"{told['made_up_s']:g} s, confused {told['confused_s']:g} s; collar 0.25 s).{_few(told['recordings'])}"
        )
    if run["cpu_ms_per_second_of_sound"] is not None:
        yield f"A second of sound took {run['cpu_ms_per_second_of_sound']} ms CPU."


def _within(interval: Sequence[float]) -> str:
    return f", 95 % interval {interval[0]:.1%} to {interval[1]:.1%}" if interval else ""


def _few(recordings: int) -> str:
    return " Of so few recordings it is too little to say." if recordings < FEWEST else ""


def _likeness(row: Data) -> Row:
    error, said = row["calibration_error"], row["said"]
    named = (
        f"{one['share']:.2%} ({one['low']:.2%} to {one['high']:.2%})" for one in (row["equal_error"], row["missed"])
    )
    return (
        f"{row['enrolled']} picture{'s' if row['enrolled'] > 1 else ''}",
        str(row["same"]),
        str(row["strangers"]),
        *named,
        *(_share(said[name]) for name in ("strangers_told", "same_accused", "same_unsure")),
        TOO_FEW if error is None else f"{error:.3f}",
    )


def _gap(row: Data) -> Row:
    points = f"{100 * row['worse_by']:.1f} points ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
    there, rest = (_share(row[side]) for side in ("there", "rest"))
    return (row["condition"], row["kind"], MEASURES[row["measure"]], there, rest, points, row["why"])


def _gaps_note(gaps: Sequence[Data]) -> str:
    few = sum(TOO_FEW in row["why"] for row in gaps)
    return f"Worse by more than three points. Further cases, with {TOO_FEW}, of which nothing is claimed: {few}."


def _likeness_note(told: Data) -> str:
    return (
        f"{told['not_examined']['n']} pictures of {told['people']} people; not examined {_bare(told['not_examined'])}. "
        "The intervals of both error rates come from drawing people anew: pairs of the same people hang together."
    )


def _target(row: Data) -> Row:
    found, here = row["found"], "–"
    if found["share"] is not None:
        digits = 1 if found["share"] >= 0.01 else 2
        here = f"{found['share']:.{digits}%} ({found['low']:.{digits}%} to {found['high']:.{digits}%}) of {found['n']}"
    return (row["what"], row["baseline"] or "–", row["reach"], here, row["verdict"])


def _reliable(row: Data) -> Row:
    return (f"{row['confidence']:.2f}", str(row["right"]["n"]), _share(row["right"]))


def _picture(row: Data) -> Row:
    error = row["calibration_error"]
    shares = (_share(row[name]) for name in ("precision", "recall", "false_alarms"))
    return (
        row["kind"],
        str(row["n"]),
        str(row["positives"]),
        *shares,
        _bare(row["not_examined"]),
        TOO_FEW if error is None else f"{error:.3f}",
    )


def _span(row: Data) -> Row:
    an_hour = row["false_alarms_per_hour"]
    return (
        row["kind"],
        str(row["clips"]),
        str(row["staged"]["n"]),
        str(row["staged"]["hits"]),
        str(row["false_alarms"]),
        f"{row['hours']:.2f}",
        "" if an_hour is None else f"{an_hour:g}",
    )


def _share(rate: Data) -> str:
    if not rate["n"]:
        return "–"
    if rate["n"] < FEWEST:
        return f"{rate['hits']} of {rate['n']}, {TOO_FEW}"
    return f"{rate['share']:.1%} ({rate['low']:.1%} to {rate['high']:.1%})"


def _bare(rate: Data) -> str:
    return "–" if not rate["n"] else f"{rate['share']:.1%}"


def _plain(head: Row, rows: Sequence[Row]) -> str:
    table = [head, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def _markdown(head: Row, rows: Sequence[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
