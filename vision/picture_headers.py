"""What a picture's bytes say of themselves before anything is decoded, read by hand in a few steps.

Pillow's readers keep, join and unpack all that lies around the pixels, in Python, before they tell the size.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

MAX_BYTES = 10 * 1024**2
MAX_PIXELS = 12 * 1024**2  # 4096 × 3072, what a 12-megapixel phone delivers
MAX_SIDE = 5000
MIN_SIDE = 32
# A progressive JPEG of a camera has about ten scans. Each is another walk over all blocks, for as little as 29 bytes.
MAX_SCANS = 64
# Before the pixels begin: a phone's depth map may fill dozens of segments of a JPEG. Each costs steps in Python.
MAX_SEGMENTS = 256
MAX_ANCILLARY = 128
MAX_CHUNKS = 16_384  # of a PNG in all; encoders write at least some hundred bytes into each
MAX_PLAIN_BYTES = 1024**2

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SOS, APP0, APP1, APP2, APP15, COM = 0xDA, 0xE0, 0xE1, 0xE2, 0xEF, 0xFE
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF, which tell the size
ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})  # without a length
PLAIN = frozenset({0xC0, 0xC2, 0xC4, 0xDB, 0xDD, SOS})
IHDR_END = 33
EXIF, JFIF = b"Exif\x00\x00", b"JFIF\x00"
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")


class PictureFault(StrEnum):
    """What is wrong with a picture, for machines."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TOO_SMALL = "too_small"
    UNKNOWN = "unknown"
    DAMAGED = "damaged"


class PictureError(ValueError):
    """The picture cannot be examined; the message is one sentence for the person who sent it."""

    def __init__(self, message: str, fault: PictureFault = PictureFault.DAMAGED) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What the header promises: the format's name and the stored size in pixels, before any EXIF turn."""

    format: str
    width: int
    height: int


def sniff(data: bytes) -> PictureHeader:
    """Read format and size from the header alone, in a few steps whatever the file is made of; no pixel is decoded.

    Raises PictureError for anything that is no JPEG, PNG, WebP, GIF or BMP, is larger than 10 MB,
    12 megapixels or 5000 pixels on a side, smaller than 32 pixels on a side, or in more parts than cameras write.
    """
    if not data:
        raise PictureError("The picture is empty.", PictureFault.EMPTY)
    if len(data) > MAX_BYTES:
        raise PictureError(f"The picture is larger than {MAX_BYTES // 1024**2} MB.", PictureFault.TOO_LARGE)
    for magic, read in _READERS:
        if data.startswith(magic):
            try:
                header = read(data)
            except (struct.error, IndexError) as error:  # it ends within its header
                raise unknown() from error
            refuse_size(header.width, header.height)
            return header
    raise unknown()


def _read_jpeg(data: bytes) -> PictureHeader:
    kind, size = "JPEG", None
    for code, start, end in segments(data):
        if code in FRAMES and size is None:
            size = struct.unpack_from(">HH", data, start + 5)
        elif code == APP2 and data.startswith(b"MPF\x00", start + 4):
            kind = "MPO"  # the pairs that some phones write
        elif code == SOS:
            if size is None or end > len(data):
                raise damaged()
            _refuse_many_scans(data, start)
            return PictureHeader(kind, size[1], size[0])
    raise damaged()


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Give marker, beginning and end of each segment of a JPEG up to its first scan."""
    at = 2
    for _step in range(MAX_SEGMENTS):
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            raise damaged()
        code = data[at + 1]
        if code == 0xFF:
            at += 1
        elif code in ALONE:
            at += 2
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            yield code, at, end
            if code == SOS:
                return
            at = end
    raise _in_pieces()


def _refuse_many_scans(data: bytes, at: int) -> None:
    # Within a scan FF is followed by 00, so this counts too many rather than too few: what lies behind the end, such
    # as the film of a phone's moving picture, may hold some. Only then each is looked for.
    if data.count(b"\xff\xda", at) <= MAX_SCANS:
        return
    scans = 0
    for _step in range(MAX_SEGMENTS):
        found = MARKER.search(data, at)
        if found is None or found.group() == EOI:
            return
        scans += found.group()[1] == SOS
        if scans > MAX_SCANS:
            break
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    raise _in_pieces()


def _read_png(data: bytes) -> PictureHeader:
    if len(data) < IHDR_END:
        raise damaged()
    length, kind, width, height = struct.unpack_from(">L4sLL", data, len(PNG))
    if (length, kind) != (13, b"IHDR") or data[29:IHDR_END] != zlib.crc32(data[12:29]).to_bytes(4, "big"):
        raise unknown()
    if not any(kind == b"IDAT" for kind, _start, _end in islice(chunks(data), MAX_ANCILLARY)):
        raise _in_pieces()
    return PictureHeader("PNG", width, height)


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Give name, beginning and end of each chunk of a PNG."""
    at = len(PNG)
    for _step in range(MAX_CHUNKS):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield kind, at, end
        if kind == b"IEND" or end >= len(data):
            return
        at = end
    raise _in_pieces()


def _read_webp(data: bytes) -> PictureHeader:
    # RFC 9649, 2.5 to 2.7.
    if data[8:12] != b"WEBP":
        raise unknown()
    if len(data) < 30 or len(data) < int.from_bytes(data[4:8], "little"):
        raise damaged()
    kind = data[12:16]
    if kind == b"VP8X":
        size = int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        size = width & 0x3FFF, height & 0x3FFF
    else:
        raise damaged()
    return PictureHeader("WEBP", *size)


def _read_gif(data: bytes) -> PictureHeader:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    for _step in range(MAX_ANCILLARY):
        if data[at] == 0x2C:  # the first picture, which may reach beyond the canvas
            left, top, wide, high = struct.unpack_from("<4H", data, at + 1)
            return PictureHeader("GIF", max(width, left + wide), max(height, top + high))
        if data[at] != 0x21:
            raise unknown()
        at = _past_blocks(data, at + 2)
    raise _in_pieces()


def _past_blocks(data: bytes, at: int) -> int:
    for _step in range(MAX_SEGMENTS):
        length = data[at]
        at += 1 + length
        if length == 0:
            return at
    raise _in_pieces()


def _read_bmp(data: bytes) -> PictureHeader:
    (length,) = struct.unpack_from("<L", data, 14)
    if length == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height, _planes, _bits, packing = struct.unpack_from("<LlHHL", data, 18)
        # Packed runs would be unpacked in Python.
        if length not in (40, 52, 56, 64, 108, 124) or packing not in (0, 3, 6):
            raise unknown()
    return PictureHeader("BMP", width, abs(height))


_READERS: tuple[tuple[bytes, Callable[[bytes], PictureHeader]], ...] = (
    (JPEG, _read_jpeg),
    (PNG, _read_png),
    (b"RIFF", _read_webp),
    (b"GIF87a", _read_gif),
    (b"GIF89a", _read_gif),
    (b"BM", _read_bmp),
)


def is_plain_jpeg(data: bytes) -> bool:
    """Say whether this is a JPEG below 1 MB with nothing in it but the picture, as a browser's canvas writes it.

    No EXIF, no colour profile, no comment, no thumbnail, and not a byte behind its end.
    """
    if len(data) >= MAX_PLAIN_BYTES or not data.startswith(JPEG):
        return False
    at, scans = 2, 0
    for _step in range(MAX_SEGMENTS):
        marker = data[at : at + 2]
        if marker == EOI:
            return scans > 0 and at + 2 == len(data)
        if len(marker) < 2 or marker[0] != 0xFF:
            return False
        code, end = marker[1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        # 18 bytes: one with a thumbnail is longer.
        if not (code in PLAIN or (code == APP0 and at == 2 and end == 20 and data.startswith(JFIF, 6))):
            return False
        at, scans = end, scans + (code == SOS)
        if code == SOS and (found := MARKER.search(data, end)):
            at = found.start()
    return False


def refuse_size(width: int, height: int) -> None:
    """Raise ``PictureError`` for a size that is not taken."""
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise PictureError(f"{too_large()[:-1]}: it has {width}×{height} pixels.", PictureFault.TOO_LARGE)
    if width < MIN_SIDE or height < MIN_SIDE:
        raise PictureError(
            f"The picture is too small to examine: it has {width}×{height} pixels and needs {MIN_SIDE} on each side.",
            PictureFault.TOO_SMALL,
        )


def too_large() -> str:
    """Return what is said of too many pixels."""
    return f"The picture is larger than {MAX_PIXELS // 1024**2} megapixels or {MAX_SIDE} pixels on a side."


def unknown() -> PictureError:
    """Return the refusal of what is no picture."""
    return PictureError(
        "The data is not a picture in a known format (JPEG, PNG, WebP, GIF, BMP).", PictureFault.UNKNOWN
    )


def damaged() -> PictureError:
    """Return the refusal of what begins like a picture and goes on like none."""
    return PictureError("The picture's header is damaged.")


def _in_pieces() -> PictureError:
    return PictureError("The picture is in more pieces than any camera writes.")
