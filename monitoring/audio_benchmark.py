"""What listening costs: a stream in which somebody speaks half of the time, and what is saved while nobody does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from monitoring.benchmarks import ROUNDS, Step, cpu_ms, detectors_here, memory_mb
from vision.recorded_sound import CHUNK_S
from vision.sound import RATE
from vision.types import SOUND_SENSES, Due, Heard, Memory, Sense, SoundChunk

STREAM_S = 120
TURN_S = 2 * CHUNK_S
QUIET_ROOM = 0.001
"""RMS of what is heard while nobody speaks: −60 dBFS."""

LISTENING: Mapping[str, frozenset[Sense]] = {
    "level": frozenset({Sense.LEVEL}),
    "speech": frozenset({Sense.LEVEL, Sense.SPEECH}),
    "speakers": SOUND_SENSES,
}
"""Each sense, with those that it comes on top of."""


class NothingSpoken(ValueError):
    """A recording in which nobody speaks: no stream can be composed of it."""


def benchmark_audio(path: Path | None, *, say: Step) -> dict[str, Any]:
    """Measure the senses that listen, at their default cadence, on two minutes of which half is spoken (composed).

    What is spoken comes from a recording or, without one, from nobody: ``vision.demo_voice``. Raises ``NothingSpoken``.
    """
    from vision.loading import warm_up

    say("composing the stream")
    warm_up(frozenset(Sense))
    chunks = list(_chunks(_composed(_spoken(path))))
    whole, heard = {}, list[Heard]()
    for name, senses in LISTENING.items():
        say(f"listening: {name}")
        rounds = [cpu_ms(partial(_listen_to_all, chunks, senses)) for _round in range(ROUNDS)]
        whole[name], (heard, memory) = min(spent for spent, _found in rounds) / STREAM_S, rounds[-1][1]
    say("listening to nobody")
    nobody = list(_chunks(_quiet_room()))
    quiet = min(cpu_ms(lambda: _listen_to_all(nobody, SOUND_SENSES))[0] for _round in range(ROUNDS)) / STREAM_S
    _look_once()
    spent = whole["speakers"]
    return {
        "stream_s": STREAM_S,
        "spoken_share": round(_spoken_s(heard) / STREAM_S, 2),
        "audio_ms_per_second": round(spent, 2),
        "percent_of_a_core": round(spent / 10, 2),
        "streams_per_core": round(1000 / spent),
        "detectors_ms_per_second": _steps(whole),
        "nobody_speaks_ms_per_second": round(quiet, 2),
        "percent_saved_while_nobody_speaks": round(100 * (1 - quiet / _all_spoken(spent, quiet)), 1),
        "session_memory_bytes": len(json.dumps(memory)),
        "memory_with_all_models_mb": memory_mb(),
        "detectors": detectors_here(),
    }


def _look_once() -> None:
    """Use the models that look as well, as a worker does: only then is known how much memory it takes."""
    from vision import loading
    from vision.demo import package_picture
    from vision.pipeline import analyze
    from vision.types import Frame

    if loading.identity_availability().available:
        _ = loading.models().face_embedder
    for name in ("zidane.jpg", "bus.jpg"):
        analyze(Frame(0, 0.0, package_picture(name)), Due(), {})


def _spoken(path: Path | None) -> np.ndarray:
    """Return the stretches of a recording in which somebody speaks, (n,) float32 at 16 kHz."""
    if path is None:
        from vision.demo_voice import synthetic_voice

        return synthetic_voice(STREAM_S / 2)
    parts = [item.samples[start:end] for item, start, end in _stretches(path)]
    if not parts:
        raise NothingSpoken(f"Nobody speaks in {path.name}.")
    return np.concatenate(parts)


def _stretches(path: Path) -> Iterator[tuple[Any, int, int]]:
    from vision.analyzers import speech
    from vision.loading import models
    from vision.recording import open_recording

    memory = Memory()
    with open_recording(path) as recording:
        for number, item in enumerate(recording.sounds()):
            found, memory = speech.analyze(SoundChunk(number, item.offset_s, item.samples, RATE), memory, models())
            for one in found or ():
                yield item, round(one.start_s * RATE), round(one.end_s * RATE)


def _composed(spoken: np.ndarray) -> np.ndarray:
    """Return a stream of speech and a quiet room by turns."""
    turn, stream = round(TURN_S * RATE), _quiet_room()
    spoken = np.resize(spoken, STREAM_S * RATE // 2)
    for number, start in enumerate(range(0, len(spoken), turn)):
        part, place = spoken[start : start + turn], 2 * number * turn
        stream[place : place + len(part)] += part[: len(stream) - place]
    return stream


def _quiet_room() -> np.ndarray:
    return np.asarray(QUIET_ROOM * np.random.default_rng(0).standard_normal(STREAM_S * RATE), np.float32)


def _chunks(stream: np.ndarray) -> Iterator[SoundChunk]:
    size = round(CHUNK_S * RATE)
    for number, start in enumerate(range(0, len(stream), size)):
        yield SoundChunk(number, start / RATE, stream[start : start + size], RATE)


def _listen_to_all(chunks: Sequence[SoundChunk], senses: frozenset[Sense]) -> tuple[list[Heard], Memory]:
    from vision.hearing import listen

    memory, heard = Memory(), []
    for chunk in chunks:
        facts, memory = listen(chunk, Due(senses=senses), memory)
        heard.append(facts)
    return heard, memory


def _spoken_s(heard: Sequence[Heard]) -> float:
    return sum(one.end_s - one.start_s for facts in heard for one in facts.speech or ())


def _steps(whole: Mapping[str, float]) -> dict[str, float]:
    """Return what each sense adds to those before it."""
    names = list(whole)
    before = [0.0, *(whole[name] for name in names)]
    return {name: round(whole[name] - before[place], 2) for place, name in enumerate(names)}


def _all_spoken(half: float, quiet: float) -> float:
    """Return what a stream would cost in which somebody speaks all the time."""
    return 2 * half - quiet
