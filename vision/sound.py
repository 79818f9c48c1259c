"""From the bytes a candidate sent to sound that can be examined, refusing what is dangerous before decoding it."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from av.audio.frame import AudioFrame

MAX_BYTES = 4 * 1024**2
LONGEST_S = 60.0
RATES = range(8_000, 192_001)
"""Samples per second that are taken."""

RATE = 16_000
"""What all sound is turned into: what analyses of speech use."""

MAX_CHANNELS = 8
# Only plain containers: FFmpeg would also open playlists that name other files or addresses.
OPTIONS = {"format_whitelist": "wav,flac,ogg,matroska,webm,mp3", "protocol_whitelist": ""}
EBML = b"\x1aE\xdf\xa3"
OGG_CODECS = (b"OpusHead", b"\x01vorbis", b"\x7fFLAC")
MAX_HEADER = 64 * 1024


class SoundFault(StrEnum):
    """What is wrong with sound, for machines."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    UNKNOWN = "unknown"
    DAMAGED = "damaged"


class SoundError(ValueError):
    """The sound cannot be examined; the message is one sentence for the person who sent it."""

    def __init__(self, message: str, fault: SoundFault = SoundFault.DAMAGED) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class SoundHeader:
    """What is known of a chunk: format (WAV, FLAC, WEBM, OGG, MP3), seconds, samples per second, channels."""

    format: str
    duration_s: float | None = None
    rate: int | None = None
    channels: int | None = None


def sniff_sound(data: bytes) -> SoundHeader:
    """Read from the header alone what sound this is; nothing is decoded, and what the header does not tell is None.

    Raises SoundError for anything that is no WAV, FLAC, WebM, Ogg or MP3, is larger than 4 MB or longer than 60 s.
    """
    if not data:
        raise SoundError("The sound is empty.", SoundFault.EMPTY)
    if len(data) > MAX_BYTES:
        raise SoundError(f"The sound is larger than {MAX_BYTES // 1024**2} MB.", SoundFault.TOO_LARGE)
    header = _header(data)
    if header is None:
        message = "The data is not sound in a known format (WAV, FLAC, WebM, Ogg, MP3)."
        raise SoundError(message, SoundFault.UNKNOWN)
    _refuse_numbers(header)
    return header


def wrap_pcm(data: bytes, *, rate: int, channels: int) -> bytes:
    """Return raw 16-bit little-endian samples as a WAV file, so that it says itself what it is."""
    width = 2 * channels
    whole = len(data) - len(data) % width
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * width, width, 16)
    head = b"RIFF" + struct.pack("<I", 36 + whole) + b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    return head + b"data" + struct.pack("<I", whole) + data[:whole]


def as_wav(samples: np.ndarray, rate: int) -> bytes:
    """Return (n,) float samples in −1..1 of one channel as a WAV file of 16 bits."""
    import numpy as np

    return wrap_pcm((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), rate=rate, channels=1)


def decode_sound(data: bytes) -> np.ndarray:
    """Decode a chunk as one channel at 16 kHz: (n,) float32 in −1..1.

    Raises SoundError for what ``sniff_sound`` refuses, for damaged data, and once 60 s are exceeded.
    """
    import numpy as np

    sniff_sound(data)
    parts = [part.ravel() for part in _resampled(data)]
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if not len(samples):
        raise SoundError("There is no sound in it that can be decoded.")
    # FFmpeg hands on what a file of floats holds, be it no number at all.
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0).astype(np.float32)


def _resampled(data: bytes) -> Iterator[np.ndarray]:
    from av.audio.resampler import AudioResampler

    resampler, form, length_s = AudioResampler(format="flt", layout="mono", rate=RATE), None, 0.0
    for frame in _frames(data):
        if form is not None and form != (frame.sample_rate, frame.layout.name):  # it may change within a stream
            yield from (part.to_ndarray() for part in resampler.resample(None))
            resampler = AudioResampler(format="flt", layout="mono", rate=RATE)
        form = (frame.sample_rate, frame.layout.name)
        _refuse_numbers(SoundHeader("", None, frame.sample_rate, len(frame.layout.channels)))
        length_s += frame.samples / frame.sample_rate
        if length_s > LONGEST_S + 1:
            raise SoundError(_too_long(), SoundFault.TOO_LONG)
        yield from (part.to_ndarray() for part in resampler.resample(frame))
    yield from (part.to_ndarray() for part in resampler.resample(None))


def _frames(data: bytes) -> Iterator[AudioFrame]:
    import av

    try:
        with closing(av.open(io.BytesIO(data), mode="r", options=OPTIONS)) as container:
            for stream in container.streams.audio[:1]:
                yield from container.decode(stream)
    except (av.FFmpegError, ValueError, MemoryError) as error:
        raise SoundError("The sound is damaged or cut off.") from error


def _header(data: bytes) -> SoundHeader | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _wav(data)
    if data[:4] == b"fLaC":
        return _flac(data)
    if data[:4] == b"OggS":
        return SoundHeader("OGG") if any(codec in data[:200] for codec in OGG_CODECS) else None
    if data[:4] == EBML:
        return SoundHeader("WEBM") if any(name in data[:100] for name in (b"webm", b"matroska")) else None
    return SoundHeader("MP3") if _is_mp3(data) else None


def _wav(data: bytes) -> SoundHeader:
    """Multimedia Programming Interface and Data Specifications 1.0: chunks of name, length, content."""
    at, fmt = 12, b""
    while at + 8 <= min(len(data), MAX_HEADER):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if name == b"fmt ":
            fmt = data[at : at + 16]
        if name == b"data" and len(fmt) == 16:
            _tag, channels, rate, bytes_per_s, *_rest = struct.unpack("<HHIIHH", fmt)
            there = min(length, len(data) - at)  # a recorder that streams does not know the length yet
            return SoundHeader("WAV", there / bytes_per_s if bytes_per_s else None, rate, channels)
        at += length + length % 2
    raise SoundError("The sound's header is damaged.")


def _flac(data: bytes) -> SoundHeader:
    """RFC 9639, 8.2: the stream info comes first; 20 bits rate, 3 channels, 5 depth, 36 samples (0 is unknown)."""
    if len(data) < 42 or data[4] & 0x7F:
        raise SoundError("The sound's header is damaged.")
    bits = int.from_bytes(data[18:26], "big")
    rate, channels, samples = bits >> 44, (bits >> 41 & 7) + 1, bits & (1 << 36) - 1
    return SoundHeader("FLAC", samples / rate if rate and samples else None, rate, channels)


def _is_mp3(data: bytes) -> bool:
    """ISO 11172-3: eleven bits sync, a version, layer III, a bit rate and a sampling rate that exist."""
    if data[:3] == b"ID3":
        return True
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return False
    version, layer, bit_rate, rate = data[1] >> 3 & 3, data[1] >> 1 & 3, data[2] >> 4, data[2] >> 2 & 3
    return version != 1 and layer == 1 and bit_rate not in (0, 15) and rate != 3


def _refuse_numbers(header: SoundHeader) -> None:
    if header.rate is not None and header.rate not in RATES:
        raise SoundError(f"{header.rate} samples per second are not taken: {RATES[0]} to {RATES[-1]} are.")
    if header.channels is not None and not 1 <= header.channels <= MAX_CHANNELS:
        raise SoundError(f"{header.channels} channels are not taken: 1 to {MAX_CHANNELS} are.")
    if header.duration_s is not None and header.duration_s > LONGEST_S:
        raise SoundError(_too_long(), SoundFault.TOO_LONG)


def _too_long() -> str:
    return f"The sound is longer than {LONGEST_S:.0f} s."
