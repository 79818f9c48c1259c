"""From the bytes a candidate sent to a picture that can be examined, refusing what is dangerous before decoding it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) in RGB."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")  # JPEG includes MPO, the pairs that some phones write
MAX_BYTES = 10 * 1024**2
MAX_PIXELS = 12 * 1024**2  # 4096 × 3072, what a 12-megapixel phone delivers
MAX_SIDE = 5000
MIN_SIDE = 32
# EXIF tag 0x0112: how the stored rows must be turned or mirrored to stand upright (EXIF 2.32, 4.6.4 A).
EXIF_ORIENTATION = 0x0112


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
    """Read format and size from the header alone; no pixel is decoded.

    Raises PictureError for anything that is no JPEG, PNG, WebP, GIF or BMP, is larger than 10 MB,
    12 megapixels or 5000 pixels on a side, or smaller than 32 pixels on a side.
    """
    with _opened(data) as picture:
        return PictureHeader(format=str(picture.format), width=picture.width, height=picture.height)


def decode_picture(data: bytes) -> Picture:
    """Decode one picture, the first of an animation, standing upright as its EXIF orientation says.

    Returns a contiguous (height, width, 3) uint8 array in RGB; transparent parts become black.
    Raises PictureError with one sentence for everything that ``sniff`` refuses and for damaged data.
    """
    from PIL import ImageFile

    with _opened(data) as picture:
        # WeasyPrint, in the same process, switches this on for everybody; half a picture is no picture here.
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            picture.load()
            upright = _upright(picture)
            return np.ascontiguousarray(_as_rgb(upright))
        except (OSError, SyntaxError, ValueError, MemoryError) as error:
            raise PictureError("The picture is damaged or cut off.") from error


def downscale(rgb: Picture, max_width: int = 1280) -> Picture:
    """Return the picture at most ``max_width`` pixels wide, its proportions kept; never enlarged."""
    import cv2

    height, width = rgb.shape[:2]
    if width <= max_width:
        return rgb
    size = (max_width, max(1, round(height * max_width / width)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))


def encode_jpeg(rgb: Picture, quality: int = 85) -> bytes:
    """Return the (height, width, 3) uint8 RGB picture as JPEG bytes, without any metadata."""
    import cv2

    done, buffer = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise PictureError("The picture cannot be written as JPEG.")
    return buffer.tobytes()


def _opened(data: bytes) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise PictureError("The picture is empty.", PictureFault.EMPTY)
    if len(data) > MAX_BYTES:
        raise PictureError(f"The picture is larger than {MAX_BYTES // 1024**2} MB.", PictureFault.TOO_LARGE)
    _refuse_large_webp(data)
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(_too_large(), PictureFault.TOO_LARGE) from error
    except UnidentifiedImageError as error:
        message = "The data is not a picture in a known format (JPEG, PNG, WebP, GIF, BMP)."
        raise PictureError(message, PictureFault.UNKNOWN) from error
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        raise PictureError("The picture's header is damaged.") from error
    _refuse_size(picture.width, picture.height)
    return picture


def _refuse_large_webp(data: bytes) -> None:
    # Pillow's WebP reader reserves the whole canvas while it opens the file, so its size is read by hand
    # (RFC 9649, 2.5 to 2.7) before Pillow sees it.
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return
    chunk = data[12:16]
    if chunk == b"VP8X":
        _refuse_size(int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1)
    elif chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        _refuse_size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    elif chunk == b"VP8 ":
        width, height = int.from_bytes(data[26:28], "little"), int.from_bytes(data[28:30], "little")
        _refuse_size(width & 0x3FFF, height & 0x3FFF)


def _refuse_size(width: int, height: int) -> None:
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise PictureError(f"{_too_large()[:-1]}: it has {width}×{height} pixels.", PictureFault.TOO_LARGE)
    if width < MIN_SIDE or height < MIN_SIDE:
        raise PictureError(
            f"The picture is too small to examine: it has {width}×{height} pixels and needs {MIN_SIDE} on each side.",
            PictureFault.TOO_SMALL,
        )


def _too_large() -> str:
    return f"The picture is larger than {MAX_PIXELS // 1024**2} megapixels or {MAX_SIDE} pixels on a side."


def _upright(picture: Image.Image) -> Image.Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(picture.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - damaged metadata must not cost us a good picture
        turn = None
    return picture if turn is None else picture.transpose(turn)


def _as_rgb(picture: Image.Image) -> Picture:
    from PIL import Image

    if picture.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip it at 255
        grey = (np.asarray(picture).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        ground = Image.new("RGBA", layered.size, (0, 0, 0, 255))
        return np.asarray(Image.alpha_composite(ground, layered).convert("RGB"))
    return np.asarray(picture.convert("RGB"))
