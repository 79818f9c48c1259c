"""From the bytes a candidate sent to a picture that can be examined, refusing what is dangerous before decoding it."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vision.picture_headers import (
    APP0,
    APP1,
    APP15,
    COM,
    EXIF,
    JFIF,
    MAX_BYTES,
    MAX_PIXELS,
    MAX_SEGMENTS,
    MAX_SIDE,
    MIN_SIDE,
    PNG,
    SOI,
    SOS,
    PictureError,
    PictureFault,
    PictureHeader,
    chunks,
    damaged,
    is_plain_jpeg,
    refuse_size,
    segments,
    sniff,
    too_large,
    unknown,
)

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "MIN_SIDE",
    "Picture",
    "PictureError",
    "PictureFault",
    "PictureHeader",
    "decode_picture",
    "downscale",
    "encode_jpeg",
    "is_plain_jpeg",
    "sniff",
]

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) in RGB."""

ADOBE = b"Adobe"
# EXIF tag 0x0112: how the stored rows must be turned or mirrored to stand upright (EXIF 2.32, 4.6.4 A).
EXIF_ORIENTATION = 0x0112


def decode_picture(data: bytes) -> Picture:
    """Decode one picture, the first of an animation, standing upright as its EXIF orientation says.

    Returns a contiguous (height, width, 3) uint8 array in RGB; transparent parts become black.
    Raises PictureError with one sentence for everything that ``sniff`` refuses and for damaged data.
    """
    from PIL import ImageFile

    header = sniff(data)
    bare, exif = _BARE[header.format](data) if header.format in _BARE else (data, b"")
    orientation = _orientation_in(exif)
    if header.format in ("JPEG", "MPO") and orientation == 1 and (rgb := _quickly(bare)) is not None:
        return rgb
    with _opened(bare, header) as picture:
        # WeasyPrint, in the same process, switches this on for everybody; half a picture is no picture here.
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            picture.load()
            upright = _upright(picture, orientation)
            return np.ascontiguousarray(_as_rgb(upright))
        except (OSError, SyntaxError, ValueError, MemoryError) as error:
            raise PictureError("The picture is damaged or cut off.") from error


def _quickly(jpeg: bytes) -> Picture | None:
    """Return the pixels of a JPEG in the usual colours, as Pillow does; ``None`` leaves it to Pillow."""
    import simplejpeg

    try:
        height, width, colours, _sampling = simplejpeg.decode_jpeg_header(jpeg)
        if colours != "YCbCr":
            return None
        refuse_size(width, height)
        return np.asarray(simplejpeg.decode_jpeg(jpeg))
    except PictureError:
        raise
    except (ValueError, MemoryError):  # whatever is not quite right
        return None


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


# --- what Pillow is shown: the pixels and what they need, and nothing else; the EXIF data is read here ----------------


def _bare_jpeg(data: bytes) -> tuple[bytes, bytes]:
    kept, exif = [SOI], b""
    for code, start, end in segments(data):
        if code == SOS:
            kept.append(data[start:])
        elif code == APP1 and data.startswith(EXIF, start + 4):
            exif = exif or data[start + 10 : end]
        # Which colours these are, where the frame does not say.
        elif not (APP0 <= code <= APP15 or code == COM) or data.startswith((JFIF, ADOBE), start + 4):
            kept.append(data[start:end])
    return b"".join(kept), exif


def _bare_png(data: bytes) -> tuple[bytes, bytes]:
    kept, exif = [PNG], b""
    for kind, start, end in chunks(data):
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(data[start:end])
        elif kind == b"eXIf":
            exif = data[start + 8 : end - 4]
    return b"".join(kept), exif


def _whole_webp(data: bytes) -> tuple[bytes, bytes]:
    at = 12
    for _step in range(MAX_SEGMENTS):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind == b"EXIF":
            return data, data[at + 8 : at + 8 + length].removeprefix(EXIF)
        at += 8 + length + length % 2
    return data, b""


_BARE: dict[str, Callable[[bytes], tuple[bytes, bytes]]] = {
    "JPEG": _bare_jpeg,
    "MPO": _bare_jpeg,
    "PNG": _bare_png,
    "WEBP": _whole_webp,
}


def _opened(data: bytes, header: PictureHeader) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(data), formats=["JPEG" if header.format == "MPO" else header.format])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(too_large(), PictureFault.TOO_LARGE) from error
    except UnidentifiedImageError as error:
        raise unknown() from error
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        raise damaged() from error
    refuse_size(picture.width, picture.height)
    return picture


def _orientation_in(exif: bytes) -> int:
    """Return the orientation that the first directory of this EXIF data names, 1 to 8; 1 if none can be read."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}L", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, at)
        for number in range(min(count, MAX_SEGMENTS)):
            tag, kind, _count, value = struct.unpack_from(f"{order}HHLH", exif, at + 2 + 12 * number)
            if tag == EXIF_ORIENTATION and kind == 3:  # SHORT
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
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
    turn = turns.get(orientation)
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
    # Pillow would copy what is in RGB already.
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
