"""The candidate's own voice, learnt from a sentence that they read aloud: only what one clear voice says is taken."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from vision.analyzers import speakers, speech
from vision.analyzers.level import decibels
from vision.types import SoundChunk, Speech

if TYPE_CHECKING:
    import numpy as np

    from vision.analyzers.speakers import Voice
    from vision.loading import Models

LEAST_S = 3.0
"""So much speech tells a voice from nearly all others: docs/accuracy.md."""

QUIETEST_DBFS = speakers.LEVEL_DBFS - speech.MOST_GAIN_DB
"""Quieter speech cannot be made as loud as the network wants it."""


NOISE_BELOW_DB = (20.0, 10.0)
"""Somebody's voice in a noise that begins after the check is less like them than a stranger's may be: it is learnt so
too, with noise so far below the speech.
"""


class VoiceFault(StrEnum):
    """Why a voice was not learnt, for machines."""

    UNHEARD = "unheard"
    SHORT = "short"
    QUIET = "quiet"
    SEVERAL = "several"


class VoiceError(ValueError):
    """The sound does not tell how the candidate's voice sounds."""

    def __init__(self, fault: VoiceFault) -> None:
        super().__init__(fault)
        self.fault = fault


def learn(chunk: SoundChunk, models: Models) -> Voice:
    """Return the one voice in some seconds of 16 kHz sound. Raises ``VoiceError``."""
    heard, _ = speech.analyze(chunk, {}, models)
    if not heard:
        raise VoiceError(VoiceFault.UNHEARD)
    if sum(one.end_s - one.start_s for one in heard) < LEAST_S:
        raise VoiceError(VoiceFault.SHORT)
    if _level(chunk.samples, heard) < QUIETEST_DBFS:
        raise VoiceError(VoiceFault.QUIET)
    _, memory = speakers.analyze(chunk, {}, heard, models)
    voices = speakers.voices_in(memory)
    if len(voices) > 1:
        raise VoiceError(VoiceFault.SEVERAL)
    if not voices or voices[0].seconds < LEAST_S / 2:
        raise VoiceError(VoiceFault.SHORT)
    in_noise = [speakers.mean_of(_in_noise(chunk, heard, below_db), heard, models) for below_db in NOISE_BELOW_DB]
    return replace(voices[0], in_noise=tuple(in_noise))


def _in_noise(chunk: SoundChunk, heard: tuple[Speech, ...], below_db: float) -> SoundChunk:
    """Return the sound with noise of as much power in each octave, as of fans and rooms, so far below the speech."""
    import numpy as np

    count = len(chunk.samples)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(count))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), count)
    noise *= 10 ** ((_level(chunk.samples, heard) - below_db) / 20) / np.std(noise)
    return replace(chunk, samples=(chunk.samples + noise).astype(np.float32))


def _level(samples: np.ndarray, heard: tuple[Speech, ...]) -> float:
    """Return how loud the speech is, in dBFS."""
    import numpy as np

    spoken = [samples[round(one.start_s * speech.RATE) : round(one.end_s * speech.RATE)] for one in heard]
    return decibels(float((np.concatenate(spoken).astype(np.float64) ** 2).mean()))
