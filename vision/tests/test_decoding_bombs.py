"""Pictures that are small to send and dear to open, and what is nothing but a picture."""

import io
import random
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from vision.decoding import PictureError, PictureFault, decode_picture, is_plain_jpeg, sniff
from vision.tests.test_decoding import chunk, coded, corners

SOON_S = 0.25
"""Far less than any of these would take; a few thousandths of a second are usual."""


def jpeg(**options) -> bytes:
    return coded(corners(), "JPEG", **options)


def segment(code: int, body: bytes) -> bytes:
    return b"\xff" + bytes([code]) + struct.pack(">H", len(body) + 2) + body


def behind_start(data: bytes, more: bytes) -> bytes:
    return data[:2] + more + data[2:]


def in_many_scans(count: int) -> bytes:
    """A progressive grey JPEG of 512×512 that refines what is not there, again and again."""
    table = bytes([1] + [0] * 15)
    blocks = 64 * 64
    picture = b"\xff\xd8" + segment(0xDB, b"\x00" + bytes([1] * 64))
    picture += segment(0xC2, struct.pack(">BHHB", 8, 512, 512, 1) + b"\x01\x11\x00")
    picture += segment(0xC4, b"\x00" + table + b"\x00") + segment(0xC4, b"\x10" + table + b"\xe0")
    picture += segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + bytes(blocks // 8)
    return picture + (segment(0xDA, b"\x01\x01\x00\x01\x3f\x10") + b"\x00\x00") * (count - 1) + b"\xff\xd9"


def zipped_text() -> bytes:
    return chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000)))


def png_with(more: bytes, at: int = 33) -> bytes:
    whole = coded(corners())
    at %= len(whole)
    return whole[:at] + more + whole[at:]


def in_pieces(whole: bytes) -> list[bytes]:
    data, at = b"", 33
    while whole[at + 4 : at + 8] == b"IDAT":
        length = int.from_bytes(whole[at : at + 4], "big")
        data += whole[at + 8 : at + 8 + length]
        at += 12 + length
    return [data[start : start + 1024] for start in range(0, len(data), 1024)]


def took(read, data) -> tuple[str, float]:
    began = time.perf_counter()
    try:
        read(data)
        said = ""
    except PictureError as error:
        said = str(error)
    return said, time.perf_counter() - began


# --- dear to open -----------------------------------------------------------------------------------------------------


def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded():
    for read in (sniff, decode_picture):
        said, seconds = took(read, in_many_scans(5000))
        assert "more pieces" in said and seconds < SOON_S


def test_as_many_scans_as_any_encoder_writes_are_taken():
    assert decode_picture(in_many_scans(64)).shape == (512, 512, 3)
    assert decode_picture(jpeg(progressive=True)).shape == (48, 64, 3)


@pytest.mark.parametrize("hidden", [b"\xff\xd9", b"\xff\xda", b"\xff\x00\xff"])
def test_scans_are_counted_past_what_only_looks_like_their_end(hidden):
    bomb = in_many_scans(70)
    at = bomb.rindex(b"\xff\xda")
    with pytest.raises(PictureError, match="more pieces"):
        sniff(bomb[:at] + segment(0xFE, hidden) + bomb[at:])


def test_a_film_behind_the_picture_counts_for_nothing():
    film = random.Random(1).randbytes(500_000) + b"\xff\xda" * 500
    assert decode_picture(jpeg() + film).shape == (48, 64, 3)


def test_a_thumbnail_in_many_scans_counts_for_nothing():
    thumbnail = segment(0xE1, b"Exif\x00\x00" + in_many_scans(500))
    assert sniff(behind_start(jpeg(), thumbnail)).width == 64


def test_a_jpeg_of_empty_segments_is_refused_at_once():
    bomb = behind_start(jpeg(), segment(0xE1, b"") * 1_000_000)
    for read in (sniff, decode_picture):
        said, seconds = took(read, bomb)
        assert "more pieces" in said and seconds < SOON_S


def test_a_jpeg_of_padding_is_refused_at_once():
    said, seconds = took(sniff, behind_start(jpeg(), b"\xff" * 4_000_000))
    assert "more pieces" in said and seconds < SOON_S


def test_large_segments_as_phones_write_them_are_taken():
    depth = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000)) * 80
    assert decode_picture(behind_start(jpeg(), depth)).shape == (48, 64, 3)


@pytest.mark.parametrize("at", [33, -12], ids=["before", "behind"])
def test_packed_text_in_a_png_is_never_unpacked(at, monkeypatch):
    def unpack(*_arguments):
        raise AssertionError("unpacked")

    monkeypatch.setattr("PIL.PngImagePlugin._safe_zlib_decompress", unpack)
    bomb = png_with(zipped_text() * 63, at)
    assert sniff(bomb).width == 64
    assert np.array_equal(decode_picture(bomb), np.asarray(corners()))


@pytest.mark.parametrize(
    "more", [chunk(b"tEXt", b"k\0v") * 200_000, chunk(b"IDAT", b"") * 200_000], ids=["text", "data"]
)
def test_a_png_of_too_many_chunks_is_refused_at_once(more):
    said, seconds = took(decode_picture, png_with(more))
    assert "more pieces" in said and seconds < SOON_S


def test_a_png_with_as_many_chunks_as_encoders_write_is_taken():
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (700, 1000, 3), np.uint8))
    whole = coded(noise, compress_level=0)
    many = whole[:33] + b"".join(chunk(b"IDAT", piece) for piece in in_pieces(whole)) + whole[-12:]
    assert np.array_equal(decode_picture(many), np.asarray(noise))


def test_a_gif_of_comments_is_refused_at_once():
    whole = coded(corners(), "GIF")
    start = 13 + (3 << (whole[10] & 7) + 1)
    said, seconds = took(sniff, whole[:start] + b"\x21\xfe\x01a\x00" * 500_000 + whole[start:])
    assert "more pieces" in said and seconds < SOON_S


def test_a_bmp_of_packed_runs_is_refused():
    whole = bytearray(coded(corners().convert("P"), "BMP"))
    whole[30] = 1
    with pytest.raises(PictureError) as refused:
        sniff(bytes(whole))
    assert refused.value.fault is PictureFault.UNKNOWN


# --- as before --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("size", [(64, 48), (33, 2000), (2016, 1512)])
def test_every_header_tells_the_size(kind, size):
    found = sniff(coded(Image.new("RGB", size), kind))
    assert (found.format, found.width, found.height) == (kind, *size)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": b"Exif\0\0MM\0*"}], ids=["lossless", "extended"])
def test_every_kind_of_webp_tells_the_size(options):
    assert sniff(coded(corners(), "WEBP", **options)).height == 48


def test_a_bmp_that_stands_on_its_head_tells_its_size():
    whole = bytearray(coded(corners(), "BMP"))
    whole[22:26] = struct.pack("<l", -48)
    assert sniff(bytes(whole)).height == 48 and decode_picture(bytes(whole)).shape == (48, 64, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "MPO"])
def test_every_format_is_turned_as_its_exif_data_says(kind):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a camera", 6
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(np.asarray(corners()), 1)))
    more = {"save_all": True, "append_images": [lying]} if kind == "MPO" else {}
    rgb = decode_picture(coded(lying, kind, exif=exif.tobytes(), **more))
    assert rgb.shape == (48, 64, 3) and rgb[6, 6, 0] > 200 and rgb[6, 58, 1] > 200


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_a_header_that_is_cut_off_is_no_picture(kind):
    whole = coded(corners(), kind)
    for length in range(1, 30):
        with pytest.raises(PictureError):
            sniff(whole[:length])


# --- nothing but a picture --------------------------------------------------------------------------------------------


def canvas_like() -> list[bytes]:
    rgb = np.random.default_rng(2).integers(0, 256, (480, 640, 3), np.uint8)
    photo = Image.fromarray(cv2.GaussianBlur(rgb, (0, 0), 9))
    return [
        cv2.imencode(".jpg", np.asarray(photo))[1].tobytes(),
        cv2.imencode(".jpg", np.asarray(photo), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes(),
        cv2.imencode(".jpg", np.asarray(photo), [cv2.IMWRITE_JPEG_RST_INTERVAL, 3])[1].tobytes(),
        coded(photo, "JPEG", quality=80),
        coded(photo.convert("L"), "JPEG", quality=80, optimize=True),
    ]


@pytest.mark.parametrize("number", range(5))
def test_what_a_canvas_writes_is_plain(number):
    assert is_plain_jpeg(canvas_like()[number])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        coded(corners()),
        jpeg(exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
        jpeg(icc_profile=bytes(500)),
        jpeg(comment=b"where I live"),
        jpeg()[:-2],
        jpeg()[:-40],
        jpeg() + b"\0",
        jpeg() + jpeg(),
        jpeg() + b"<script>",
        jpeg().ljust(1024**2, b"\0"),
        coded(corners().convert("CMYK"), "JPEG"),
        coded(corners(), "MPO", save_all=True, append_images=[corners()]),
        behind_start(jpeg(), segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")),
        behind_start(jpeg(), b"\0\0\0"),
        jpeg()[:-2] + segment(0xFE, b"hidden") + b"\xff\xd9",
        jpeg()[:-2] + segment(0xE1, b"hidden") + b"\xff\xd9",
    ],
    ids=[
        *("nothing", "start", "png", "exif", "icc", "comment", "no end", "cut off", "padded", "two", "html", "large"),
        *("cmyk", "pair", "second head", "junk", "comment behind", "exif behind"),
    ],
)
def test_what_carries_anything_else_is_not_plain(data):
    assert not is_plain_jpeg(data)


def test_a_thumbnail_in_the_head_is_not_plain():
    head = segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\x01\x01" + b"rgb")
    whole = jpeg()
    assert whole[2:4] == b"\xff\xe0"
    assert not is_plain_jpeg(whole[:2] + head + whole[20:])
    assert is_plain_jpeg(whole)


def test_a_plain_picture_shows_the_same_as_it_was():
    whole = canvas_like()[0]
    shown = np.asarray(Image.open(io.BytesIO(whole)).convert("RGB"))
    assert np.array_equal(decode_picture(whole), shown)
