"""What was heard over the time of a session: who spoke when, and how loud it was; for the picture of its time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from exams.policy import Policy
from monitoring.timeline import Sound, Spoken, Who
from vision.types import Heard, Turn

MOST_LEVELS = 600
"""So many points of the curve can be told apart; of more the loudest of each few is drawn."""

ONE_BREATH_S = 1.0
"""Turns of one voice that are no farther apart are drawn as one."""


def sound_from(told: Iterable[tuple[float, dict[str, Any] | None]], policy: Policy) -> Sound | None:
    """Return who spoke when and how loud it was, from facts in order of time, each with seconds from the start.

    None where nothing was listened to.
    """
    if not policy.listens:
        return None
    chunks = [Heard.from_facts(facts, seq=0, captured_at=at) for at, facts in told if facts]
    if not chunks:
        return None
    return Sound(tuple(_joined(_turns(chunks, policy))), tuple(_thinned(list(_levels(chunks)))))


def _turns(chunks: Iterable[Heard], policy: Policy) -> Iterator[Spoken]:
    for chunk in chunks:
        for turn in chunk.turns or ():
            who, number = _who(turn, chunk, policy.thresholds.own_voice)
            yield Spoken(chunk.captured_at + turn.start_s, chunk.captured_at + turn.end_s, who, number)


def _who(turn: Turn, chunk: Heard, own_voice: float) -> tuple[Who, int]:
    """Return whose turn it is, and of a voice without a name its number."""
    if chunk.knows_candidate and turn.own is not None:
        return (Who.CANDIDATE if turn.own >= own_voice else Who.ANOTHER), 0
    return (Who.UNKNOWN, 0) if turn.speaker is None or chunk.knows_candidate else (Who.NUMBERED, turn.speaker)


def _joined(turns: Iterable[Spoken]) -> Iterator[Spoken]:
    last: Spoken | None = None
    for turn in turns:
        if last and last.voice == turn.voice and turn.start_s - last.end_s <= ONE_BREATH_S:
            last = Spoken(last.start_s, max(last.end_s, turn.end_s), turn.who, turn.number)
            continue
        if last:
            yield last
        last = turn
    if last:
        yield last


def _levels(chunks: Iterable[Heard]) -> Iterator[tuple[float, float]]:
    for chunk in chunks:
        for second, level in enumerate(chunk.level.curve if chunk.level else ()):
            yield chunk.captured_at + second, level


def _thinned(levels: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    few = -(-len(levels) // MOST_LEVELS) or 1
    for start in range(0, len(levels), few):
        part = levels[start : start + few]
        yield part[0][0], max(level for _at, level in part)
