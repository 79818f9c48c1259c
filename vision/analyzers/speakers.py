"""Who speaks: each stretch of speech is compared with the voices heard before, the candidate's own first among them.

The voices' embeddings are those of generalized end-to-end training (Wan et al. 2018), by Resemblyzer's weights. Windows
that overlap are followed through a stretch as by a hidden Markov model (Viterbi 1967) whose states are the voices known
and one that nobody knows yet; what stays unknown for long enough founds a voice, and voices that have become alike are
taken for one. Nobody knows beforehand how many there will be. Of several who speak at once one is named.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vision.analyzers.speech import RATE, amplified
from vision.types import Memory, SoundChunk, Speech, Turn

if TYPE_CHECKING:
    from vision.loading import Models

WINDOW_S, HOP_S = 1.6, 0.4
SHORTEST_S = 0.5
"""Of less speech nobody can be told by their voice."""

FOUNDING_S, SURE_S = 1.6, 1.8
"""A voice that was not heard before takes so much speech; it counts as one from so much on."""

LEVEL_DBFS = -24.0
"""Quieter windows are made so loud: the network was trained on near microphones, and takes no logarithm."""

SAME = 0.68
"""From this cosine on a window belongs to a voice rather than to somebody new, and to the others of a new voice."""

ALIKE, ONE = 0.72, 0.76
"""The same of means, which lie closer together: below the first two voices are two, from the second on they are one.

What is less like a voice than the first changes nothing in what is known of it: where two people speak a window is a
little like both.
"""

LONG_S, ALIKE_SHORT = 3.0, 0.66
"""Of less speech than this a mean is not yet what it will be: two that are nearer than that are not counted as two."""

NEAREST = 0.60
"""What is too short to found a voice is put down to the nearest one from here on, and else to nobody."""

SWITCH = 0.3
"""So much likeness, summed over windows, must be won for the speaker to change within a stretch."""

PAUSE_S = 1.0
"""Between two turns of one person so much silence is a pause."""

TELLING_S = 1.2
"""A turn must be so long for its likeness to the candidate to be told."""

MOST_VOICES = 5
MOST_WEIGHT_S = 60.0
RECENT_S = 60.0
CANDIDATE, NOBODY = 0, -1
"""The number of the candidate's own voice; others are counted from 1 in the order in which they were first heard."""


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A voice that was heard: the mean (256,) embedding, of how many seconds, and when it was heard last.

    ``in_noise``: means of the same voice as it sounds in noise, where they are known; it is as like as the likest.
    """

    number: int
    mean: np.ndarray
    seconds: float
    heard_at: float
    in_noise: tuple[np.ndarray, ...] = ()

    def likeness(self, embeddings: np.ndarray) -> np.ndarray:
        """Return how like it are (256,) or (n, 256) embeddings, as cosines."""
        return np.asarray(np.max([embeddings @ mean for mean in (self.mean, *self.in_noise)], axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class _Windows:
    """Windows of speech in order: where each lies, of which stretch it is, and its embedding; (n, 256) in all."""

    places: Sequence[tuple[float, float]]
    stretches: Sequence[int]
    embeddings: np.ndarray

    def seconds(self, chosen: Sequence[int]) -> float:
        """Return how much speech these windows cover together; they are in order."""
        covered, reached = 0.0, 0.0
        for start, end in (self.places[index] for index in chosen):
            covered += max(0.0, end - max(start, reached))
            reached = max(reached, end)
        return covered


def analyze(
    chunk: SoundChunk, memory: Memory, speech: Sequence[Speech], models: Models
) -> tuple[tuple[Turn, ...] | None, Memory]:
    """Say who spoke when in a 16 kHz chunk, and remember the voices; ``None`` where all speech is too short to tell."""
    windows = _embedded(chunk, speech, models)
    if windows is None:
        return (() if not speech else None), memory
    voices = [_read(voice) for voice in memory.get("voices", ())]
    voices, labels = _followed(windows, voices, chunk.captured_at)
    turns = tuple(_told(turn) for turn in _joined(list(_turns(windows, voices, labels))))
    voices = _united(list(_learnt(windows, voices, labels, chunk.captured_at)))
    return turns, {**memory, "voices": [_written(voice) for voice in voices]}


def recent_voices(memory: Memory, at: float) -> int:
    """Return how many voices were heard for certain in the minute before; two that are much alike count as one."""
    voices = (_read(voice) for voice in memory.get("voices", ()))
    sure = [voice for voice in voices if voice.seconds >= SURE_S and abs(at - voice.heard_at) <= RECENT_S]
    different: list[Voice] = []
    for voice in sorted(sure, key=lambda voice: -voice.seconds):
        alike = ALIKE if voice.seconds >= LONG_S else ALIKE_SHORT
        if all(float(other.likeness(voice.mean)) < alike for other in different):
            different.append(voice)
    return len(different)


def knows_candidate(memory: Memory) -> bool:
    """Say whether the candidate's own voice is known."""
    return any(voice["number"] == CANDIDATE for voice in memory.get("voices", ()))


def learn_candidate(memory: Memory, own: Voice) -> Memory:
    """Return the memory with this as the candidate's own voice, and whoever was taken for another forgotten."""
    others = [voice for voice in memory.get("voices", ()) if voice["number"] != CANDIDATE]
    apart = [voice for voice in others if float(_read(voice).mean @ own.mean) < ONE]
    return {**memory, "voices": [_written(replace(own, number=CANDIDATE)), *apart[: MOST_VOICES - 1]]}


def forget_candidate(memory: Memory) -> Memory:
    """Return the memory without the candidate's own voice."""
    return {**memory, "voices": [voice for voice in memory.get("voices", ()) if voice["number"] != CANDIDATE]}


def voices_in(memory: Memory) -> list[Voice]:
    """Return the voices that are remembered."""
    return [_read(voice) for voice in memory.get("voices", ())]


def mean_of(chunk: SoundChunk, speech: Sequence[Speech], models: Models) -> np.ndarray:
    """Return the (256,) mean of all that is spoken in a 16 kHz chunk by one voice; there must be something."""
    windows = _embedded(chunk, speech, models)
    if windows is None:
        raise ValueError("Nothing is spoken.")
    return _unit(windows.embeddings.mean(axis=0))


def _embedded(chunk: SoundChunk, speech: Sequence[Speech], models: Models) -> _Windows | None:
    cut = [(place, number) for number, one in enumerate(speech) for place in _cut(one, chunk.duration_s)]
    if not cut:
        return None
    places = [place for place, _number in cut]
    pieces = [amplified(chunk.samples[round(start * RATE) : round(end * RATE)], LEVEL_DBFS) for start, end in places]
    return _Windows(places, [number for _place, number in cut], models.voice_encoder.embed(pieces))


def _cut(stretch: Speech, longest_s: float) -> Iterator[tuple[float, float]]:
    """Cut a stretch into windows that overlap; what is left at its end belongs to the last one."""
    end = min(stretch.end_s, longest_s)
    length = end - stretch.start_s
    if length < SHORTEST_S:
        return
    count = max(1, round((length - WINDOW_S) / HOP_S) + 1)
    last = max(stretch.start_s, end - WINDOW_S)
    for number in range(count):
        start = last if number == count - 1 else stretch.start_s + number * HOP_S
        yield start, min(end, start + WINDOW_S)


def _followed(windows: _Windows, voices: list[Voice], at: float) -> tuple[list[Voice], np.ndarray]:
    """Return the voices, with those that begin here, and for each window the place of its voice among them."""
    voices = _with_room(voices, at)
    while True:
        labels = _best_path(_likeness(windows, voices), windows.stretches)
        unknown = np.flatnonzero(labels == NOBODY).tolist()
        new = _founded(windows, voices, unknown, at) if len(voices) < MOST_VOICES else None
        if new is None:
            return voices, labels
        voices = [*voices, new]


def _with_room(voices: list[Voice], at: float) -> list[Voice]:
    """Forget who was not heard for longest, if there is no place for anybody new; never the newest, nor the candidate.

    Numbers go up from the newest's, so that none is given twice.
    """
    if len(voices) < MOST_VOICES:
        return voices
    newest = max(voice.number for voice in voices)
    old = [voice for voice in voices if voice.number not in (CANDIDATE, newest) and at - voice.heard_at > RECENT_S]
    gone = min(old, key=lambda voice: voice.heard_at, default=None)
    return [voice for voice in voices if voice is not gone]


def _likeness(windows: _Windows, voices: Sequence[Voice]) -> np.ndarray:
    columns = [voice.likeness(windows.embeddings) for voice in voices]
    return np.array(columns).reshape(len(voices), len(windows.places)).T


def _best_path(likeness: np.ndarray, stretches: Sequence[int]) -> np.ndarray:
    """Return the voices, or ``NOBODY``, by which the windows' likeness is highest, less what each change costs."""
    count, known = likeness.shape
    gains = np.hstack([likeness, np.full((count, 1), SAME)])
    reached, origins = gains[0], []
    for place in range(1, count):
        best = int(reached.argmax())
        change = reached[best] - (SWITCH if stretches[place] == stretches[place - 1] else 0.0)
        origins.append(np.where(reached >= change, np.arange(known + 1), best))
        reached = np.maximum(reached, change) + gains[place]
    path = [int(reached.argmax())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    labels = np.array(path[::-1])
    return np.where(labels == known, NOBODY, labels)


def _founded(windows: _Windows, voices: Sequence[Voice], unknown: list[int], at: float) -> Voice | None:
    """Return a voice of what agrees most among windows that are nobody's, if there is enough of it and it is new."""
    if not unknown:
        return None
    embeddings = windows.embeddings[unknown]
    likeness = embeddings @ embeddings.T
    agree = likeness >= SAME
    core = np.flatnonzero(agree[int((likeness * agree).sum(axis=1).argmax())])
    mean = _unit(embeddings[core].mean(axis=0))
    short = windows.seconds([unknown[place] for place in core]) < FOUNDING_S - 1e-6
    if short or any(float(voice.likeness(mean)) >= ALIKE for voice in voices):
        return None
    return Voice(max((voice.number for voice in voices), default=CANDIDATE) + 1, mean, 0.0, at)


def _turns(windows: _Windows, voices: Sequence[Voice], labels: np.ndarray) -> Iterator[Turn]:
    """Yield a turn for each run of windows of one voice within a stretch; they may overlap by less than a window."""
    likeness = _likeness(windows, voices)
    own = next((place for place, voice in enumerate(voices) if voice.number == CANDIDATE), None)
    for first, last in _runs(labels, windows.stretches):
        run, label = slice(first, last + 1), int(labels[first])
        if label == NOBODY and voices:
            nearest = int(likeness[run].mean(axis=0).argmax())
            label = nearest if likeness[run, nearest].mean() >= NEAREST else NOBODY
        start, end = windows.places[first][0], windows.places[last][1]
        told = None
        if own is not None:
            told = round(float(voices[own].likeness(_unit(windows.embeddings[run].mean(axis=0)))), 3)
        speaker = None if label == NOBODY else voices[label].number
        how_like = 0.0 if label == NOBODY else round(float(likeness[run, label].mean()), 3)
        yield Turn(start, end, speaker, how_like, told)


def _runs(labels: np.ndarray, stretches: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = 0
    for place in range(1, len(labels) + 1):
        ends = place == len(labels) or labels[place] != labels[first] or stretches[place] != stretches[first]
        if ends:
            yield first, place - 1
            first = place


def _joined(turns: Sequence[Turn]) -> Iterator[Turn]:
    """Join turns of one voice with a pause between them; where two voices' windows overlap, each has a half."""
    current: Turn | None = None
    for turn in turns:
        if current is None:
            current = turn
        elif turn.speaker == current.speaker and turn.start_s - current.end_s <= PAUSE_S:
            current = replace(
                current,
                end_s=max(current.end_s, turn.end_s),
                likeness=min(current.likeness, turn.likeness),
                own=_together(current, turn),
            )
        else:
            middle = (turn.start_s + current.end_s) / 2 if turn.start_s < current.end_s else None
            yield current if middle is None else replace(current, end_s=middle)
            current = turn if middle is None else replace(turn, start_s=middle)
    if current is not None:
        yield current


def _told(turn: Turn) -> Turn:
    """Leave out how like the candidate a turn is that is too short to tell."""
    return turn if turn.end_s - turn.start_s >= TELLING_S else replace(turn, own=None)


def _together(one: Turn, other: Turn) -> float | None:
    """Return how like the candidate two turns are together: each weighs as much as it is long."""
    told = [turn for turn in (one, other) if turn.own is not None]
    if not told:
        return None
    lengths = [turn.end_s - turn.start_s for turn in told]
    return round(float(np.average([turn.own for turn in told], weights=lengths)), 3)


def _learnt(windows: _Windows, voices: Sequence[Voice], labels: np.ndarray, at: float) -> Iterator[Voice]:
    """Yield the voices, those heard here with what is like them moved into their means."""
    likeness = _likeness(windows, voices)
    for place, voice in enumerate(voices):
        heard = np.flatnonzero(labels == place).tolist()
        if not heard:
            yield voice
            continue
        alike = [index for index in heard if likeness[index, place] >= ALIKE]
        seconds, mean = windows.seconds(alike), voice.mean
        if alike:
            mean = _unit(mean * voice.seconds + _unit(windows.embeddings[alike].mean(axis=0)) * seconds)
        end = max(windows.places[index][1] for index in heard)
        yield replace(voice, mean=mean, seconds=min(MOST_WEIGHT_S, voice.seconds + seconds), heard_at=at + end)


def _united(voices: list[Voice]) -> list[Voice]:
    """Take voices that have become one for one, under the lower number."""
    for place, voice in enumerate(voices):
        for other in voices[place + 1 :]:
            if float(voice.mean @ other.mean) >= ONE:
                seconds = min(MOST_WEIGHT_S, voice.seconds + other.seconds)
                mean = _unit(voice.mean * max(voice.seconds, HOP_S) + other.mean * other.seconds)
                heard_at = max(voice.heard_at, other.heard_at)
                both = replace(voice, mean=mean, seconds=seconds, heard_at=heard_at)
                rest = [one for one in voices[place + 1 :] if one is not other]
                return _united([*voices[:place], both, *rest])
    return voices


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def _written(voice: Voice) -> dict[str, Any]:
    row = {
        "number": voice.number,
        "mean": _packed(voice.mean),
        "seconds": round(voice.seconds, 1),
        "heard_at": round(voice.heard_at, 3),
    }
    return {**row, "in_noise": [_packed(mean) for mean in voice.in_noise]} if voice.in_noise else row


def _read(row: dict[str, Any]) -> Voice:
    # An earlier version counted windows, of which each added 0.8 s.
    seconds = row["seconds"] if "seconds" in row else 0.8 * row["windows"]
    in_noise = tuple(_unpacked(mean) for mean in row.get("in_noise", ()))
    return Voice(row["number"], _unpacked(row["mean"]), seconds, row["heard_at"], in_noise)


def _packed(mean: np.ndarray) -> str:
    """Pack a mean, whose numbers lie in 0..1, into bytes: 256 floats as text would be 4 kB."""
    return base64.b64encode(np.round(np.clip(mean, 0, 1) * 255).astype(np.uint8).tobytes()).decode()


def _unpacked(packed: str) -> np.ndarray:
    return _unit(np.frombuffer(base64.b64decode(packed), np.uint8).astype(np.float64))
