"""From the facts of a chunk of sound to moments of a second each, with yes, no or unknown for each kind; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from math import ceil
from typing import Any

from exams.kinds import Kind
from exams.policy import Policy, Thresholds
from monitoring.answers import NO, UNKNOWN, Cue
from monitoring.rules import Moment
from vision.types import SOUND_SENSES, Heard, Sense

SECOND_S = 1.0
LEAST_S = 0.3
"""Of a second so much must be speech for it to count as spoken in; what is shorter at a chunk's end is left out."""


def wanted_sound(heard: Heard, policy: Policy) -> Heard:
    """Return the facts less what the policy does not want examined, whatever was examined when they were stored."""
    off: dict[str, Any] = {}
    if Sense.LEVEL not in policy.senses:
        off["level"] = None
    if Sense.SPEECH not in policy.senses:
        off["speech"] = None
    if Sense.SPEAKERS not in policy.senses:
        off |= {"turns": None, "voices": None}
    return replace(heard, **off) if off else heard


def heard_moments(heard: Heard, policy: Policy) -> Iterator[Moment]:
    """Yield what a chunk feeds the rules with, second by second."""
    heard = wanted_sound(heard, policy)
    senses = examined_sound(heard)
    readers = {kind: read for kind, read in _READERS.items() if policy.rule(kind).enabled}
    for number in range(ceil(heard.duration_s / SECOND_S)):
        start = number * SECOND_S
        if heard.duration_s - start >= LEAST_S:
            cues = {kind: read(heard, number, policy.thresholds) for kind, read in readers.items()}
            yield Moment(heard.captured_at + start, heard.seq, cues, senses, heard=True)


def examined_sound(heard: Heard) -> frozenset[Sense]:
    """Return the senses that could say something about this chunk."""
    seen = {Sense.LEVEL: heard.level, Sense.SPEECH: heard.speech, Sense.SPEAKERS: heard.turns}
    return frozenset(sense for sense in SOUND_SENSES if seen[sense] is not None)


def _spoken_s(stretches: Iterable[tuple[float, float]], second: int) -> float:
    start, end = second * SECOND_S, (second + 1) * SECOND_S
    return sum(max(0.0, min(end, last) - max(start, first)) for first, last in stretches)


def _level(heard: Heard, second: int) -> float | None:
    if heard.level is None or second >= len(heard.level.curve):
        return None
    return heard.level.curve[second]


def _loud(heard: Heard, second: int, limits: Thresholds) -> Cue:
    """Loud, and not by speaking: whoever sits near the microphone speaks loudly."""
    level = _level(heard, second)
    if level is None or heard.speech is None:
        return UNKNOWN
    loud_from = -limits.loud_below_full_scale
    if level < loud_from or _spoken_s(((one.start_s, one.end_s) for one in heard.speech), second) > 0:
        return NO
    return Cue(True, round(min(1.0, 0.75 + (level - loud_from) / 24), 4), {"level": level})


def _dead(heard: Heard, second: int, limits: Thresholds) -> Cue:
    level = _level(heard, second)
    if level is None:
        return UNKNOWN
    return Cue(True, 0.95, {"level": level}) if level <= -limits.silent_below_full_scale else NO


def _speech(heard: Heard, second: int, limits: Thresholds) -> Cue:
    if heard.speech is None:
        return UNKNOWN
    spoken = [one for one in heard.speech if _spoken_s([(one.start_s, one.end_s)], second) > 0]
    if _spoken_s(((one.start_s, one.end_s) for one in spoken), second) < LEAST_S:
        return NO
    score = max(one.score for one in spoken)
    return Cue(True, score, {"score": score}) if score >= limits.speech_score else NO


def _somebody_else(heard: Heard, second: int, limits: Thresholds) -> Cue:
    """A voice unlike the candidate's; unknown while nobody knows how the candidate sounds, or of too short a turn."""
    if heard.turns is None or not heard.knows_candidate:
        return UNKNOWN
    spoken = [one.own for one in heard.turns if _spoken_s([(one.start_s, one.end_s)], second) >= LEAST_S]
    likeness = [own for own in spoken if own is not None]
    if likeness and min(likeness) < limits.own_voice:
        distance = limits.own_voice - min(likeness)
        return Cue(True, round(min(0.99, 0.9 + distance), 4), {"own_voice": min(likeness)})
    return UNKNOWN if None in spoken else NO


def _several(heard: Heard, second: int, limits: Thresholds) -> Cue:
    """Somebody speaks, and in the last minute several different voices did."""
    if heard.turns is None or heard.voices is None:
        return UNKNOWN
    if heard.voices < 2 or _spoken_s(((one.start_s, one.end_s) for one in heard.turns), second) < LEAST_S:
        return NO
    return Cue(True, 0.9, {"voices": heard.voices})


_READERS: dict[str, Callable[[Heard, int, Thresholds], Cue]] = {
    Kind.LOUD_NOISE: _loud,
    Kind.MIC_SILENT: _dead,
    Kind.SPEECH: _speech,
    Kind.BACKGROUND_VOICE: _somebody_else,
    Kind.MULTIPLE_VOICES: _several,
}
