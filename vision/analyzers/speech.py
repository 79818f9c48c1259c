"""Whether somebody speaks, and when: Silero VAD, whose weights come with its package."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from vision.types import Memory, SoundChunk, Speech

if TYPE_CHECKING:
    import numpy as np

    from vision.loading import Models

RATE = 16_000
STEP = 512
"""Samples that one probability stands for."""

BEGIN, END = 0.35, 0.2
"""Speech begins where it is likelier than this, and ends where it is less likely."""

SHORTEST_S, SHORTEST_PAUSE_S = 0.25, 0.5
PAD_S = 0.15
"""Words begin and end more softly than the model hears."""
GAP_S = 0.5
"""What begins so soon after the chunk before goes on from it."""

LOUD_ENOUGH_DBFS = -30.0
MOST_GAIN_DB = 30.0


def analyze(chunk: SoundChunk, memory: Memory, models: Models) -> tuple[tuple[Speech, ...] | None, Memory]:
    """Return the stretches of speech in a 16 kHz chunk, in seconds from its start, with how sure they are.

    Quiet microphones are made louder first: the model was trained on near ones. Remembers the model's own state, since
    without it a word that goes on from one chunk to the next is hardly heard. ``None`` where there is less than one
    step of sound.
    """
    if chunk.rate != RATE or len(chunk.samples) < STEP:
        return None, memory
    state, before = None, memory.get("speech")
    if before is not None and abs(chunk.captured_at - before["until"]) <= GAP_S:
        state = _unpacked(before["state"])
    likely, state = models.speech_detector.likelihood(amplified(chunk.samples), state)
    until = round(chunk.captured_at + chunk.duration_s, 3)
    return tuple(_stretches(likely)), {**memory, "speech": {"state": _packed(state), "until": until}}


def _packed(state: np.ndarray) -> str:
    import numpy as np

    return base64.b64encode(state.astype(np.float16).tobytes()).decode()


def _unpacked(state: str) -> np.ndarray:
    import numpy as np

    return np.frombuffer(base64.b64decode(state), np.float16).astype(np.float32)


def amplified(samples: np.ndarray, level_dbfs: float = LOUD_ENOUGH_DBFS) -> np.ndarray:
    """Return the samples louder, if they are quieter than this (RMS); silence stays silence."""
    import numpy as np

    rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
    if rms < 1e-5:
        return samples
    gain_db = min(MOST_GAIN_DB, level_dbfs - 20 * float(np.log10(rms)))
    return samples if gain_db <= 0 else np.clip(samples * 10 ** (gain_db / 20), -1, 1).astype(np.float32)


def _stretches(likely: np.ndarray) -> list[Speech]:
    """Join steps into stretches with hysteresis, bridge short pauses, and leave out what is too short to be a word."""
    import numpy as np

    runs: list[list[int]] = []
    speaking = False
    for place, value in enumerate(likely.tolist()):
        if value >= (END if speaking else BEGIN):
            if speaking or (runs and (place - runs[-1][1]) * STEP < SHORTEST_PAUSE_S * RATE):
                runs[-1][1] = place + 1
            else:
                runs.append([place, place + 1])
            speaking = True
        else:
            speaking = False
    end_s = len(likely) * STEP / RATE
    return [
        Speech(
            round(max(0.0, first * STEP / RATE - PAD_S), 3),
            round(min(end_s, last * STEP / RATE + PAD_S), 3),
            round(float(np.sort(likely[first:last])[(last - first) // 2 :].mean()), 3),
        )
        for first, last in runs
        if (last - first) * STEP >= SHORTEST_S * RATE
    ]
