"""Pictures as they may arrive: every mode, turned, damaged, far too large."""

import importlib.util
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vision.decoding import PictureError, decode_picture, downscale, encode_jpeg, sniff


def coded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def corners() -> Image.Image:
    """64×48 with a red top left, a green top right and a blue bottom left quarter."""
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[:24, :32], rgb[:24, 32:], rgb[24:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return Image.fromarray(rgb)


def complaint_about(data: bytes) -> str | None:
    try:
        decode_picture(data)
    except PictureError as error:
        return str(error)
    return None


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(side: int) -> bytes:
    """A real PNG of side × side black pixels in two colours: a few kB for 400 million pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def photo() -> bytes:
    package = importlib.util.find_spec("ultralytics")
    assert package is not None and package.origin is not None
    return (Path(package.origin).parent / "assets" / "zidane.jpg").read_bytes()


def test_it_decodes_a_photograph(photo):
    rgb = decode_picture(photo)
    assert rgb.shape == (720, 1280, 3) and rgb.dtype == np.uint8 and rgb.flags.c_contiguous
    header = sniff(photo)
    assert (header.format, header.width, header.height) == ("JPEG", 1280, 720)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_it_reads_every_known_format(kind):
    rgb = decode_picture(coded(corners(), kind))
    assert rgb.shape == (48, 64, 3)
    assert rgb[6, 6, 0] > 200 and rgb[6, 58, 1] > 200 and rgb[42, 6, 2] > 200


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "YCbCr"])
def test_it_turns_every_mode_into_rgb(mode):
    kind = "JPEG" if mode in {"CMYK", "YCbCr"} else "PNG"
    rgb = decode_picture(coded(corners().convert(mode), kind))
    assert rgb.shape == (48, 64, 3)
    assert rgb[:24].mean() > rgb[24:, 32:].mean() + 30, "the red and green half stays brighter than the black quarter"


def test_it_keeps_the_brightness_of_16_bit_pictures():
    ramp = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    rgb = decode_picture(coded(Image.fromarray(ramp)))
    assert rgb[0, 0, 0] == 0 and rgb[-1, -1, 0] == 255 and 120 <= rgb[24, 0, 0] <= 135


def test_it_hides_what_is_transparent():
    rgba = np.full((40, 40, 4), 255, np.uint8)
    rgba[:20, :, 3] = 0
    rgb = decode_picture(coded(Image.fromarray(rgba)))
    assert rgb[5, 5].tolist() == [0, 0, 0] and rgb[30, 5].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_it_takes_the_first_picture_of_an_animation(kind):
    more = [Image.new("RGB", (64, 48), "white")] * 3
    rgb = decode_picture(coded(corners(), kind, save_all=True, append_images=more))
    assert rgb[6, 6, 0] > 200 and rgb[42, 58].max() < 60


def test_it_reads_the_picture_pairs_of_some_phones():
    pair = coded(corners(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48), "white")])
    assert sniff(pair).format == "MPO" and decode_picture(pair)[6, 6, 0] > 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_honours_every_exif_orientation(orientation):
    upright = np.asarray(corners())
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb = decode_picture(coded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif))
    assert np.array_equal(rgb, upright)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_it_reads_a_picture_whose_exif_is_damaged():
    assert decode_picture(coded(corners(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The picture is empty."),
        (b"not a picture at all " * 50, "not a picture in a known format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='100' height='100'/>", "not a picture in a known format"),
        (b"\xff" * (10 * 1024**2 + 1), "larger than 10 MB"),
    ],
)
def test_it_refuses_what_is_no_picture(data, sentence):
    for read in (sniff, decode_picture):
        with pytest.raises(PictureError, match=sentence):
            read(data)


@pytest.mark.parametrize(("width", "height"), [(31, 480), (640, 8), (1, 1)])
def test_it_refuses_pictures_too_small_to_examine(width, height):
    with pytest.raises(PictureError, match="too small"):
        sniff(coded(Image.new("RGB", (width, height))))


@pytest.mark.parametrize(("width", "height"), [(8000, 4), (5001, 100), (4200, 4200)])
def test_it_refuses_pictures_that_are_too_large(width, height):
    for kind in ("PNG", "JPEG", "WEBP"):
        with pytest.raises(PictureError, match="larger than 12 megapixels"):
            decode_picture(coded(Image.new("L", (width, height)), kind))


def test_it_accepts_what_a_12_megapixel_phone_delivers():
    assert decode_picture(coded(Image.new("RGB", (4032, 3024)), "JPEG")).shape == (3024, 4032, 3)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_000, 20_000])
def test_it_refuses_a_decompression_bomb_without_decoding_it(side):
    bomb = huge_png(side)
    assert len(bomb) < 100_000
    with pytest.raises(PictureError, match="larger than 12 megapixels"):
        decode_picture(bomb)


def test_it_refuses_a_webp_whose_header_promises_a_huge_canvas():
    size = (16_000 - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + b"\x00" * 4 + size + size
    with pytest.raises(PictureError, match="16000×16000"):
        sniff(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body)


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 60, "subsampling": "4:2:0"},
        {"quality": 90, "subsampling": "4:2:2"},
        {"quality": 95, "subsampling": "4:4:4", "progressive": True},
        {"quality": 80, "keep_rgb": True},
        {"quality": 80, "restart_marker_blocks": 4},
    ],
)
def test_a_jpeg_has_the_pixels_that_pillow_reads(options, photo):
    jpeg = coded(Image.open(io.BytesIO(photo)).resize((333, 187)), "JPEG", **options)
    for data in (jpeg, jpeg + bytes(100)):
        assert np.array_equal(decode_picture(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_it_refuses_a_picture_that_was_cut_off(kind, photo):
    whole = coded(Image.open(io.BytesIO(photo)).resize((320, 180)), kind)
    with pytest.raises(PictureError):
        decode_picture(whole[: len(whole) // 2])


def test_it_says_one_sentence_whatever_the_bytes_are(photo):
    random = np.random.default_rng(7)
    for _ in range(60):
        data = bytearray(photo[: random.integers(4, len(photo))])
        for place in random.integers(2, len(data), 20):
            data[place] = random.integers(0, 256)
        sentence = complaint_about(bytes(data))
        assert sentence is None or (sentence.endswith(".") and "\n" not in sentence)


def test_it_scales_down_but_never_up(photo):
    rgb = decode_picture(photo)
    assert downscale(rgb, 640).shape == (360, 640, 3)
    assert downscale(rgb, 4000) is rgb


def test_it_writes_jpeg_that_reads_back_the_same(photo):
    rgb = decode_picture(photo)
    again = decode_picture(encode_jpeg(rgb, 90))
    assert np.abs(again.astype(int) - rgb.astype(int)).mean() < 3
