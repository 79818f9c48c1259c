"""Video files, decoded by FFmpeg through PyAV."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vision.decoding import Picture
from vision.recording import EDGE_S, LONGEST_S, MAX_WIDTH, Gap, RecordedFrame, Recording, RecordingError, SamplingClock

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

    from vision.recorded_sound import RecordedSound

# Only plain containers: FFmpeg would also open pictures, text, and playlists that name other files or addresses.
OPTIONS = {
    "format_whitelist": "mov,matroska,avi,gif,mpegts,mpeg,flv,asf,ogg,mpegvideo,h264,hevc",
    "protocol_whitelist": "file",
}
KNOWN = "mp4, webm, mkv, avi, mov, gif"
PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"RIFF")
MP4_STARTS = (b"ftyp", b"mdat", b"moov", b"free", b"wide")
MKV_START = b"\x1aE\xdf\xa3"
MAX_PIXELS = 8192 * 4320
MAX_ASPECT = 4.0
"""Pixels that claim to be longer than this in one direction are taken for square."""
HOLE_S = 2.0  # a pause this much longer than a picture lasts is worth telling
HOLE_PICTURES = 20
MAX_READ_ERRORS = 100
# FFmpeg hides damaged blocks in some codecs (h264, mpeg4) and only says so in its log.
HIDDEN_DAMAGE = ("error while decoding MB", "Error at MB")


class VideoFile(Recording):
    """A video file, its rotation tag honoured, at most 1280 pixels wide."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._opened = contextlib.ExitStack()
        with _open(path) as container:
            stream = _video_stream(container, path)
            first = self._first_picture(container, stream)
            self.fps = float(stream.average_rate or stream.guessed_rate or 25)
            self.duration_s = _duration(container, stream)
            if self.duration_s is not None and self.duration_s > LONGEST_S:
                raise RecordingError(f"{path.name} claims to be longer than a month.")
            self.width, self.height = _shown_size(first, _pixel_aspect(stream))

    def frames(self, fps: float) -> Iterator[RecordedFrame | Gap]:
        clock = SamplingClock(fps)
        return self._read(clock)

    def sounds(self) -> Iterator[RecordedSound]:
        from vision.recorded_sound import read_sounds

        container = _open(self.path)
        self._opened.callback(container.close)  # for a pass that is broken off
        stream = _video_stream(container, self.path)
        start_s = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
        return read_sounds(container, start_s)

    def expected_frames(self, fps: float) -> int | None:
        if self.duration_s is None:
            return None
        return max(1, math.ceil(self.duration_s * min(fps, self.fps) - EDGE_S))

    def close(self) -> None:
        self._opened.close()

    def _first_picture(self, container: InputContainer, stream: VideoStream) -> VideoFrame:
        decoder = _Decoder(container, stream, None)
        first = next((frame for frame, _ in decoder.pictures()), None)
        if first is not None:
            return first
        if decoder.damage:
            raise RecordingError(f"{self.name} is damaged or cut off: no picture of it can be decoded.")
        raise RecordingError(f"{self.name} holds no pictures.")

    def _read(self, clock: SamplingClock) -> Iterator[RecordedFrame | Gap]:
        from av.video.reformatter import VideoReformatter

        with _open(self.path) as container:
            self._opened.callback(container.close)  # for a pass that is broken off
            decoder = _Decoder(container, _video_stream(container, self.path), clock)
            scaler = VideoReformatter()
            seen_until = 0.0
            for frame, offset in decoder.pictures():
                if gap := self._gap(decoder, seen_until, offset):
                    yield gap
                seen_until = offset + decoder.interval_of(frame)
                if clock.wants(offset):
                    clock.take(offset)
                    yield RecordedFrame(offset, _as_rgb(frame, scaler, decoder.pixel_aspect))
            end = max(seen_until, decoder.read_until, self.duration_s or 0.0)
            if gap := self._gap(decoder, seen_until, end):
                yield gap

    def _gap(self, decoder: _Decoder, start: float, end: float) -> Gap | None:
        damaged, decoder.damage = decoder.damage, ""
        if damaged and end - start > 2 * decoder.interval:
            return Gap(start, end, damaged)
        if end - start > max(HOLE_S, HOLE_PICTURES * decoder.interval):
            return Gap(start, end, "The recording holds no pictures here.")
        return None


class _Decoder:
    """Decodes one stream in order, cheaply between samples, and keeps damaged pictures back.

    A damaged picture spoils those that are predicted from it, so after damage nothing counts until the next
    picture that stands alone. ``damage`` says what happened since the reader last cleared it.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, clock: SamplingClock | None) -> None:
        self.container, self.stream, self.clock = container, stream, clock
        self.damage = ""
        self.pixel_aspect = _pixel_aspect(stream)
        self.read_until = 0.0
        self.time_base = float(stream.time_base or 0.001)
        self.interval = 1.0 / float(stream.average_rate or stream.guessed_rate or 25)
        self.start: float | None = None if stream.start_time is None else stream.start_time * self.time_base
        self._distrusted_from: int | None = None
        self._last_offset = -1.0
        # One thread: it costs a fifth less processor time, and errors belong to the packet that has them.
        stream.thread_type = "NONE"
        # The header tells one size; a picture later on may have another.
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}

    def pictures(self) -> Iterator[tuple[VideoFrame, float]]:
        """Yield the sound pictures with their offset in seconds, in order of time."""
        for packet in self._packets():
            self._skip_what_nobody_wants(packet)
            for frame in self._decode(packet):
                if frame.width * frame.height > MAX_PIXELS:
                    self.damage = "The pictures here are larger than 8K."
                elif self._trusted(frame) and self._last_offset < (offset := self._offset(frame)) <= LONGEST_S:
                    self._last_offset = offset
                    yield frame, offset

    def interval_of(self, frame: VideoFrame) -> float:
        """Return how long the picture is shown, in seconds."""
        return float(frame.duration) * self.time_base if frame.duration else self.interval

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        import av

        errors = 0
        while errors < MAX_READ_ERRORS:
            try:
                yield from self.container.demux(self.stream)
                return
            except av.FFmpegError:
                errors += 1
                self.damage = self.damage or "The file is damaged here."
        # so many read errors mean that nothing follows

    def _skip_what_nobody_wants(self, packet: Packet[VideoStream]) -> None:
        # Pictures that no other is predicted from need decoding only if they may be sampled.
        if self.clock is None or packet.pts is None:
            return
        offset = packet.pts * self.time_base - (self.start or 0.0)
        self.read_until = max(self.read_until, offset)
        before = offset - 1.5 * self.interval
        wanted = before < 0 or self.clock.slot(offset) != self.clock.slot(before)
        self.stream.codec_context.skip_frame = "DEFAULT" if wanted else "NONREF"

    def _decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        import av
        import av.logging

        level = av.logging.get_level()
        av.logging.set_level(av.logging.ERROR)
        frames: list[VideoFrame] = []
        try:
            with av.logging.Capture(local=True) as messages:
                frames = packet.decode()
            damaged = any(text.startswith(HIDDEN_DAMAGE) for _, _, text in messages)
        except av.FFmpegError:
            damaged = True
        finally:
            av.logging.set_level(level)
        if damaged:
            self.damage = self.damage or "The pictures here are damaged and cannot be decoded."
            if packet.pts is not None:
                self._distrusted_from = max(packet.pts, self._distrusted_from or packet.pts)
        return frames

    def _trusted(self, frame: VideoFrame) -> bool:
        if self._distrusted_from is None:
            return not frame.is_corrupt
        if frame.key_frame and frame.pts is not None and frame.pts > self._distrusted_from:
            self._distrusted_from = None
            return True
        return False

    def _offset(self, frame: VideoFrame) -> float:
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is None:  # some old AVI files carry none
            return max(self._last_offset, -self.interval) + self.interval
        seconds = stamp * self.time_base
        if self.start is None:
            self.start = seconds
        return max(0.0, round(seconds - self.start, 6))


def _open(path: Path) -> InputContainer:
    import av

    try:
        return av.open(str(path), options=OPTIONS)
    except PermissionError:
        raise
    except (av.FFmpegError, ValueError, OSError) as error:
        with path.open("rb") as file:
            start = file.read(12)
        if start.startswith(PICTURE_STARTS) and start[8:12] != b"AVI ":
            raise RecordingError(f"{path.name} is a picture, not a recording.") from error
        if start[4:8] in MP4_STARTS or start.startswith(MKV_START) or start[8:12] == b"AVI ":
            raise RecordingError(f"{path.name} is cut off or damaged: its index cannot be read.") from error
        raise RecordingError(f"{path.name} is not a video in a known format ({KNOWN}).") from error


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    # A cover picture of a sound file is a stream of its own, and no recording.
    import av.stream

    cover = av.stream.Disposition.attached_pic
    stream = next((s for s in container.streams.video if not s.disposition & cover), None)
    if stream is None:
        raise RecordingError(f"{path.name} holds no video.")
    if stream.width * stream.height > MAX_PIXELS:
        raise RecordingError(f"{path.name} is larger than 8K: it has {stream.width}×{stream.height} pixels.")
    return stream


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else None


def _quarter_turns(frame: VideoFrame) -> int:
    return round(frame.rotation / 90) % 4


def _scaled_size(frame: VideoFrame, pixel_aspect: float) -> tuple[int, int]:
    """Return the size, before turning, at which faces have their true proportions: stored pixels need not be square."""
    width, height = frame.width * pixel_aspect, float(frame.height)
    shown_width = height if _quarter_turns(frame) % 2 else width
    share = min(1.0, MAX_WIDTH / shown_width)
    return max(1, round(width * share)), max(1, round(height * share))


def _pixel_aspect(stream: VideoStream) -> float:
    aspect = float(stream.sample_aspect_ratio or 1)
    return aspect if 1 / MAX_ASPECT <= aspect <= MAX_ASPECT else 1.0


def _shown_size(frame: VideoFrame, pixel_aspect: float) -> tuple[int, int]:
    width, height = _scaled_size(frame, pixel_aspect)
    return (height, width) if _quarter_turns(frame) % 2 else (width, height)


def _as_rgb(frame: VideoFrame, scaler: VideoReformatter, pixel_aspect: float) -> Picture:
    import cv2

    width, height = _scaled_size(frame, pixel_aspect)
    scaled = scaler.reformat(frame, width, height, "rgb24", interpolation="BILINEAR")
    rgb = np.asarray(scaled.to_ndarray(), dtype=np.uint8)
    # FFmpeg's display matrix counts quarter turns counter-clockwise.
    turn = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}.get(_quarter_turns(frame))
    return rgb if turn is None else np.asarray(cv2.rotate(rgb, turn), dtype=np.uint8)
