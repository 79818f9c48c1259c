"""The sound of a recorded exam, in chunks such as a live one comes in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vision.recording import LONGEST_S
from vision.sound import RATE, RATES

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer

CHUNK_S = 4.0
HOLE_S = 0.25
"""Where sound is missing for longer than this a new chunk begins, so that its time is right."""

MOST_ERRORS = 100


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSound:
    """A chunk that began ``offset_s`` after the recording: (n,) float32 samples in −1..1 at 16 kHz, one channel."""

    offset_s: float
    samples: np.ndarray


def read_sounds(container: InputContainer, start_s: float) -> Iterator[RecordedSound]:
    """Yield the first audio stream of an opened container in chunks of four seconds, and close the container.

    ``start_s`` is the time stamp at which the recording begins. Memory does not grow with the length; what is damaged
    is left out.
    """
    with closing(container):
        parts: list[np.ndarray] = []
        began, filled = 0.0, 0
        for offset_s, samples in _pieces(container, start_s):
            if filled and abs(offset_s - (began + filled / RATE)) > HOLE_S:
                yield RecordedSound(began, np.concatenate(parts))
                filled = 0
            if not filled:
                began, parts = offset_s, []
            parts.append(samples)
            filled += len(samples)
            while filled >= CHUNK_S * RATE:
                whole, size = np.concatenate(parts), round(CHUNK_S * RATE)
                yield RecordedSound(began, whole[:size])
                began, parts, filled = began + CHUNK_S, [whole[size:]], filled - size
        if filled:
            yield RecordedSound(began, np.concatenate(parts))


def _pieces(container: InputContainer, start_s: float) -> Iterator[tuple[float, np.ndarray]]:
    from av.audio.resampler import AudioResampler

    resampler = AudioResampler(format="flt", layout="mono", rate=RATE)
    form: tuple[int, str] | None = None
    for frame in _frames(container):
        if frame.sample_rate not in RATES or frame.pts is None or frame.time_base is None:
            continue
        offset_s = float(frame.pts * frame.time_base) - start_s
        if not 0 <= offset_s <= LONGEST_S:
            continue
        if form != (frame.sample_rate, frame.layout.name):  # it may change in the middle of a stream
            form = (frame.sample_rate, frame.layout.name)
            resampler = AudioResampler(format="flt", layout="mono", rate=RATE)
        for part in resampler.resample(frame):
            samples = np.nan_to_num(part.to_ndarray().ravel(), nan=0.0, posinf=1.0, neginf=-1.0)
            yield offset_s, np.clip(samples, -1.0, 1.0).astype(np.float32)


def _frames(container: InputContainer) -> Iterator[AudioFrame]:
    import av

    stream = next(iter(container.streams.audio), None)
    if stream is None:
        return
    errors, packets = 0, container.demux(stream)
    while errors < MOST_ERRORS:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            yield from packet.decode()
        except av.FFmpegError:
            errors += 1
