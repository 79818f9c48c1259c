"""Small pictures and sounds made by hand, good and bad."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np


def encoded(form: str, size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a grey picture in one of Pillow's formats."""
    from PIL import Image

    target = io.BytesIO()
    Image.new("RGB", size, (90, 90, 90)).save(target, form)
    return target.getvalue()


def bomb() -> bytes:
    """Return a few bytes of PNG that declare 30,000 × 30,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def tone(seconds: float = 1.0, rate: int = 16_000) -> bytes:
    """Return a tone as raw 16-bit samples."""
    times = np.arange(round(seconds * rate)) / rate
    samples: bytes = (8000 * np.sin(2 * np.pi * 440 * times)).astype("<i2").tobytes()
    return samples


def sound(form: str, codec: str, seconds: float = 1.0, rate: int = 48_000) -> bytes:
    """Return a tone in a container, encoded by FFmpeg."""
    import av
    from av.audio.stream import AudioStream

    target = io.BytesIO()
    with av.open(target, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, AudioStream)
        samples = np.frombuffer(tone(seconds, rate), "<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size or 0)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return target.getvalue()
