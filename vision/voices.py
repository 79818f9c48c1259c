"""The networks that listen: Silero's for speech, Resemblyzer's for voices.

The latter with its spectrogram, but without the libraries that it would bring along.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16_000
WINDOW, HOP, CHANNELS = 400, 160, 40
FRAMES = 160
"""The network was trained on 1.6 s: shorter sound is filled up with silence."""

SIZE, LAYERS = 256, 3
STATE = 256


class SpeechDetector:
    """Says how likely each 32 ms of sound are speech (Silero VAD), from where it stood after the sound before."""

    def __init__(self, path: Path) -> None:
        from silero_vad.sequence_vad import SileroVADSequence

        self._model = SileroVADSequence(str(path))

    def likelihood(self, samples: np.ndarray, state: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return (steps,) likelihoods for (n,) float32 sound at 16 kHz, and the (256,) float32 state afterwards."""
        from silero_vad.sequence_vad import RATE_CONFIG, frame_blocks

        hidden, cell = np.zeros(STATE, np.float32).reshape(2, 1, 1, -1) if state is None else state.reshape(2, 1, 1, -1)
        parts = [np.zeros(0, np.float32)]
        for block in frame_blocks(samples, *RATE_CONFIG[RATE], self._model.max_frames):
            inputs = {"input": block, "h": hidden, "c": cell}
            likely, hidden, cell = self._model.session.run(["speech_probs", "hn", "cn"], inputs)
            parts.append(likely.ravel())
        return np.concatenate(parts), np.concatenate([hidden.ravel(), cell.ravel()])


class VoiceEncoder:
    """Turns sound into 256 numbers by which voices can be compared (Wan et al. 2018)."""

    def __init__(self, path: Path) -> None:
        import torch

        weights = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        self._lstm = torch.nn.LSTM(CHANNELS, SIZE, LAYERS, batch_first=True)
        self._linear = torch.nn.Linear(SIZE, SIZE)
        for module, name in ((self._lstm, "lstm."), (self._linear, "linear.")):
            own = {key.removeprefix(name): value for key, value in weights.items() if key.startswith(name)}
            module.load_state_dict(own)
            module.eval()
        self._filters = torch.from_numpy(mel_filters())
        self._taper = torch.hann_window(WINDOW)

    def embed(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        """Return an (n, 256) array, a unit vector for each piece of float32 sound at 16 kHz."""
        import torch

        spectra = torch.stack([self._spectrum(torch.from_numpy(np.ascontiguousarray(piece))) for piece in pieces])
        with torch.inference_mode():
            _, (hidden, _cell) = self._lstm(spectra)
            raw = torch.relu(self._linear(hidden[-1]))
            unit = raw / raw.norm(dim=1, keepdim=True).clamp(min=1e-6)
        return np.asarray(unit.numpy(), np.float64)

    def _spectrum(self, sound: Any) -> Any:
        import torch

        filled = torch.nn.functional.pad(sound, (0, max(0, FRAMES * HOP - len(sound))))
        power = (
            torch.stft(
                filled, WINDOW, HOP, window=self._taper, center=True, pad_mode="constant", return_complex=True
            ).abs()
            ** 2
        )
        return (self._filters @ power).T[:FRAMES]


def mel_filters() -> np.ndarray:
    """Return the (40, 201) float32 triangular filters of Slaney's Auditory Toolbox (1998), each of area one."""
    edges = _from_mel(np.linspace(_to_mel(0.0), _to_mel(RATE / 2), CHANNELS + 2))
    bins = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    ramps = edges[:, None] - bins[None, :]
    widths = np.diff(edges)[:, None]
    filters = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    return np.asarray(filters * (2 / (edges[2:] - edges[:-2]))[:, None], np.float32)


# Slaney's mel scale: linear up to 1 kHz, where it has reached 15, and logarithmic above.
_HERTZ_PER_MEL, _BEND_MEL, _LOG_STEP = 200 / 3, 15.0, np.log(6.4) / 27


def _to_mel(hertz: float) -> float:
    if hertz < _BEND_MEL * _HERTZ_PER_MEL:
        return hertz / _HERTZ_PER_MEL
    return float(_BEND_MEL + np.log(hertz / (_BEND_MEL * _HERTZ_PER_MEL)) / _LOG_STEP)


def _from_mel(mel: np.ndarray) -> np.ndarray:
    straight = mel * _HERTZ_PER_MEL
    bent = _BEND_MEL * _HERTZ_PER_MEL * np.exp(_LOG_STEP * (mel - _BEND_MEL))
    return np.asarray(np.where(mel < _BEND_MEL, straight, bent))
