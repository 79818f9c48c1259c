"""A voice that nobody has: pulses through the resonances of vowels, which the models of speech take for a person's.

For measuring what listening costs where no recording is at hand; what it says of anybody's quality is nothing.
"""

from __future__ import annotations

import numpy as np

from vision.sound import RATE

VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""The first three formants of some vowels, in Hz (Peterson and Barney 1952, men)."""

HIGHEST_HZ = 5500.0
LEVEL = 0.1


def synthetic_voice(seconds: float, *, pitch_hz: float = 120.0, seed: int = 0) -> np.ndarray:
    """Return (n,) float32 samples at 16 kHz of syllables one after the other, at −20 dBFS, the same on every run."""
    random = np.random.default_rng(seed)
    wanted, syllables = round(seconds * RATE), [np.zeros(0)]
    while sum(map(len, syllables)) < wanted:
        size = round(random.uniform(0.12, 0.3) * RATE)
        pitch = pitch_hz * random.uniform(0.85, 1.25) * np.linspace(1.08, 0.95, size)
        syllables.append(_vowel(pitch, VOWELS[random.integers(len(VOWELS))]))
        syllables.append(_consonant(random, float(np.abs(syllables[-1]).max())))
    sound = np.concatenate(syllables)[:wanted]
    return np.asarray(LEVEL * sound / np.sqrt(np.mean(sound**2)), np.float32)


def _vowel(pitch: np.ndarray, formants: tuple[int, int, int]) -> np.ndarray:
    phase, sound = 2 * np.pi * np.cumsum(pitch) / RATE, np.zeros(len(pitch))
    for harmonic in range(1, int(HIGHEST_HZ / pitch.mean()) + 1):
        frequency = harmonic * pitch.mean()
        gains = [
            0.7**number / (1 + ((frequency - formant) / (60 + 40 * number)) ** 2)
            for number, formant in enumerate(formants)
        ]
        sound += (sum(gains) + 0.01) * np.sin(harmonic * phase)
    return np.asarray(sound * np.sqrt(np.sin(np.pi * np.linspace(0, 1, len(pitch)))))


def _consonant(random: np.random.Generator, loudest: float) -> np.ndarray:
    """Return a short hiss, or every other time a moment of silence."""
    size = round(random.uniform(0.02, 0.06) * RATE)
    if random.random() < 0.5:
        return np.zeros(size)
    return 0.15 * loudest * random.standard_normal(size) * np.hanning(size)
