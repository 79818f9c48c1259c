"""How loud it is: level, peaks, clipping, and a microphone that is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vision.types import Level, Memory, SoundChunk

if TYPE_CHECKING:
    import numpy as np

WINDOW_S = 0.1
LOUD_WINDOWS = 4
"""Something is as loud as its loudest 0.4 s: a click is no noise."""

SILENCE_DBFS = -100.0
"""The least that is told; digital silence has no level at all."""

FULL_SCALE = 0.999
FLOOR_PERCENT = 10


def analyze(chunk: SoundChunk, memory: Memory) -> tuple[Level | None, Memory]:
    """Measure a chunk's levels in dB below full scale, RMS (AES17 less its 3 dB for sines); remembers nothing.

    ``None`` where it is shorter than a tenth of a second.
    """
    import numpy as np

    size = round(WINDOW_S * chunk.rate)
    count = len(chunk.samples) // size
    if not count:
        return None, memory
    windows = chunk.samples[: count * size].reshape(count, size).astype(np.float64)
    power = (windows**2).mean(axis=1)
    loud = np.convolve(power, np.ones(LOUD_WINDOWS) / LOUD_WINDOWS, "valid") if count >= LOUD_WINDOWS else power
    peaks = np.abs(chunk.samples)
    level = Level(
        rms=decibels(float(power.mean())),
        loudest=decibels(float(loud.max())),
        floor=decibels(float(np.percentile(power, FLOOR_PERCENT))),
        clipped=float((peaks >= FULL_SCALE).mean()),
        curve=tuple(_curve(power)),
    )
    return level, memory


def decibels(power: float) -> float:
    """Return a mean square (1 is a full-scale square wave) in dBFS, at least −100."""
    import numpy as np

    return max(SILENCE_DBFS, round(10 * float(np.log10(max(power, 1e-12))), 1))


def _curve(power: np.ndarray) -> list[float]:
    """Return the level of each second, the last of which may be shorter."""
    per_second = round(1 / WINDOW_S)
    return [decibels(float(power[at : at + per_second].mean())) for at in range(0, len(power), per_second)]
