"""Who speaks: each stretch of speech is compared with the voices heard before, the candidate's own first among them.

The voices' embeddings are those of generalized end-to-end training (Wan et al. 2018), by Resemblyzer's weights.
Voices are told apart as they come in, by their nearest mean, since nobody knows beforehand how many there will be.
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

WINDOW_S, HOP_S = 1.6, 0.8
SHORTEST_S, FOUNDING_S = 0.5, 1.2
"""Of less speech nobody can be told by their voice; a voice that was not heard before takes more."""

SAME, OTHER = 0.70, 0.68
"""From this cosine on it is the same voice, below that one another; in between it is not said whose it is."""

LEARN = 0.80
"""Only what is so like a voice changes what is known of it: where two people speak it is a little like both."""

MOST_VOICES = 5
MOST_WEIGHT = 60.0
SURE_WINDOWS = 2
"""A voice counts as one once so many windows agreed with it."""

RECENT_S = 60.0
CANDIDATE = 0
"""The number of the candidate's own voice; others are counted from 1 in the order in which they were first heard."""


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A voice that was heard: the mean (256,) embedding, of how many windows, and when it was heard last."""

    number: int
    mean: np.ndarray
    windows: float
    heard_at: float


def analyze(
    chunk: SoundChunk, memory: Memory, speech: Sequence[Speech], models: Models
) -> tuple[tuple[Turn, ...] | None, Memory]:
    """Say who spoke when in a 16 kHz chunk, and remember the voices; ``None`` where all speech is too short to tell."""
    windows = list(_windows(speech))
    if not windows:
        return (() if not speech else None), memory
    louder = amplified(chunk.samples)
    pieces = [louder[round(start * RATE) : round(end * RATE)] for start, end in windows]
    voices, turns = [_read(voice) for voice in memory.get("voices", ())], []
    for (start, end), embedding in zip(windows, models.voice_encoder.embed(pieces), strict=True):
        voices, turn = _recognise(voices, embedding, start, end, chunk.captured_at + end)
        turns.append(turn)
    return tuple(_joined(turns)), {**memory, "voices": [_written(voice) for voice in voices]}


def recent_voices(memory: Memory, at: float) -> int:
    """Return how many voices were heard for certain in the minute before."""
    voices = (_read(voice) for voice in memory.get("voices", ()))
    return sum(voice.windows >= SURE_WINDOWS and 0 <= at - voice.heard_at <= RECENT_S for voice in voices)


def knows_candidate(memory: Memory) -> bool:
    """Say whether the candidate's own voice is known."""
    return any(voice["number"] == CANDIDATE for voice in memory.get("voices", ()))


def learn_candidate(memory: Memory, embedding: np.ndarray, at: float) -> Memory:
    """Return the memory with this as the candidate's own voice."""
    others = [voice for voice in memory.get("voices", ()) if voice["number"] != CANDIDATE]
    return {**memory, "voices": [_written(Voice(CANDIDATE, embedding, SURE_WINDOWS, at)), *others]}


def _windows(speech: Sequence[Speech]) -> Iterator[tuple[float, float]]:
    """Cut stretches of speech into windows that overlap by half; what is left at an end belongs to the last one."""
    for stretch in speech:
        length = stretch.end_s - stretch.start_s
        if length < SHORTEST_S:
            continue
        count = max(1, round((length - WINDOW_S) / HOP_S) + 1)
        last = max(stretch.start_s, stretch.end_s - WINDOW_S)
        for number in range(count):
            start = last if number == count - 1 else stretch.start_s + number * HOP_S
            yield start, min(stretch.end_s, start + WINDOW_S)


def _recognise(
    voices: list[Voice], embedding: np.ndarray, start: float, end: float, at: float
) -> tuple[list[Voice], Turn]:
    likeness = [float(voice.mean @ embedding) for voice in voices]
    nearest = int(np.argmax(likeness)) if voices else -1
    if voices and likeness[nearest] >= SAME:
        known, likely = voices[nearest], likeness[nearest] >= LEARN or voices[nearest].windows < SURE_WINDOWS
        heard = _moved(known, embedding, at) if likely else replace(known, heard_at=at)
        voices = [*voices[:nearest], heard, *voices[nearest + 1 :]]
        return voices, Turn(start, end, known.number, round(likeness[nearest], 3))
    if end - start < FOUNDING_S or (voices and (likeness[nearest] >= OTHER or len(voices) >= MOST_VOICES)):
        return voices, Turn(start, end, None, round(max(likeness, default=0.0), 3))
    new = Voice(max((voice.number for voice in voices), default=0) + 1, embedding, 1.0, at)
    return [*voices, new], Turn(start, end, new.number, 1.0)


def _moved(voice: Voice, embedding: np.ndarray, at: float) -> Voice:
    mean = voice.mean * voice.windows + embedding
    return Voice(voice.number, mean / np.linalg.norm(mean), min(MOST_WEIGHT, voice.windows + 1), at)


def _joined(turns: Sequence[Turn]) -> Iterator[Turn]:
    """Join windows of one voice that follow each other; where two voices' windows overlap, each has a half."""
    current: Turn | None = None
    for turn in turns:
        if current is None:
            current = turn
        elif turn.speaker == current.speaker and turn.start_s <= current.end_s:
            likeness = min(current.likeness, turn.likeness)
            current = Turn(current.start_s, max(current.end_s, turn.end_s), current.speaker, likeness)
        else:
            middle = (turn.start_s + current.end_s) / 2 if turn.start_s < current.end_s else None
            yield current if middle is None else Turn(current.start_s, middle, current.speaker, current.likeness)
            current = turn if middle is None else Turn(middle, turn.end_s, turn.speaker, turn.likeness)
    if current is not None:
        yield current


def _written(voice: Voice) -> dict[str, Any]:
    """Pack the mean, whose numbers lie in 0..1, into bytes: 256 floats as text would be 4 kB."""
    packed = np.round(np.clip(voice.mean, 0, 1) * 255).astype(np.uint8).tobytes()
    mean = base64.b64encode(packed).decode()
    return {
        "number": voice.number,
        "mean": mean,
        "windows": round(voice.windows, 1),
        "heard_at": round(voice.heard_at, 3),
    }


def _read(row: dict[str, Any]) -> Voice:
    mean = np.frombuffer(base64.b64decode(row["mean"]), np.uint8).astype(np.float64)
    return Voice(row["number"], mean / np.linalg.norm(mean), row["windows"], row["heard_at"])
