"""A short demo recording, put together from the pictures of people that the ultralytics package carries."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from vision.decoding import Picture, decode_picture

if TYPE_CHECKING:
    from numpy.random import Generator

Kind = Literal["present", "two_people", "empty"]

WIDTH, HEIGHT = 640, 480
SHAKE_PX = 1.5
NOISE_LEVELS, NOISE_ZERO = 3.0, 128
DRIFT = 0.04
# Which part of which picture is shown, as (x, y, width, height) in pixels; every one has the shape 4:3.
SCENES: dict[Kind, tuple[str, tuple[int, int, int, int]]] = {
    "present": ("zidane.jpg", (780, 6, 440, 330)),
    "two_people": ("zidane.jpg", (440, 30, 800, 600)),
    "empty": ("bus.jpg", (330, 4, 284, 213)),
}
Story = Sequence[tuple[Kind, float]]
"""Kinds in order with their share of the whole length."""

STORY: Story = (("present", 0.3), ("two_people", 0.2), ("empty", 0.2), ("present", 0.3))


@dataclass(frozen=True, slots=True)
class DemoPart:
    """One stretch of the demo recording, in seconds from its start."""

    kind: Kind
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class DemoTimeline:
    """What the demo recording shows and when."""

    path: Path
    duration_s: float
    parts: tuple[DemoPart, ...]


def build_demo_recording(path: Path, *, seconds: float = 48, fps: int = 10, story: Story = STORY) -> DemoTimeline:
    """Write the demo recording as H.264 or MPEG-4 video, 640×480, and return what it shows and when.

    A candidate, two people, an empty scene, the candidate again; with camera shake, sensor noise and a slow
    drift of the light, the same on every run. Raises FileNotFoundError if ultralytics' pictures are missing
    and ValueError if the recording would have less than one picture for each part.
    """
    parts, start = [], 0.0
    for kind, share in story:
        end = round((start + share * seconds) * fps) / fps
        parts.append(DemoPart(kind, start, end))
        start = end
    if fps < 1 or any(part.end_s <= part.start_s for part in parts):
        raise ValueError("The demo recording needs at least one picture for each of its parts.")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.part{path.suffix or '.mp4'}")
    try:
        _write_video(unfinished, _pictures(parts, fps), fps)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return DemoTimeline(path, start, tuple(parts))


def package_picture(name: str) -> Picture:
    """Return one of ultralytics' own pictures as (height, width, 3) uint8 RGB, without importing ultralytics."""
    package = importlib.util.find_spec("ultralytics")
    if package is None or package.origin is None:
        raise FileNotFoundError("The ultralytics package, whose pictures the demo recording shows, is not installed.")
    return decode_picture((Path(package.origin).parent / "assets" / name).read_bytes())


def _pictures(parts: list[DemoPart], fps: int) -> Iterator[Picture]:
    random = np.random.default_rng(20260131)
    sources = {name: package_picture(name) for name, _ in SCENES.values()}
    # One field of noise, shifted at random, looks like fresh noise and costs a tenth of it.
    noise = random.normal(NOISE_ZERO, NOISE_LEVELS, (HEIGHT * 2, WIDTH * 2, 3)).round().astype(np.uint8)
    shake = np.zeros(2)
    number = 0
    for part in parts:
        name, box = SCENES[part.kind]
        for _ in range(round((part.end_s - part.start_s) * fps)):
            shake = 0.8 * shake + random.normal(0.0, SHAKE_PX * 0.6, 2)
            light = 1.0 + DRIFT * np.sin(2 * np.pi * number / fps / 17.0)
            yield _camera_picture(sources[name], box, shake, light, noise, random)
            number += 1


def _camera_picture(
    source: Picture,
    box: tuple[int, int, int, int],
    shake: npt.NDArray[np.float64],
    light: float,
    noise: Picture,
    random: Generator,
) -> Picture:
    import cv2

    x, y, width, _ = box
    scale = WIDTH / width
    move_x, move_y = np.clip(shake, -3 * SHAKE_PX, 3 * SHAKE_PX)
    matrix = np.array([[scale, 0, -x * scale + move_x], [0, scale, -y * scale + move_y]])
    picture = cv2.warpAffine(
        source, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT  # no black rim
    )
    top, left = random.integers(0, HEIGHT), random.integers(0, WIDTH)
    field = noise[top : top + HEIGHT, left : left + WIDTH]
    return np.asarray(cv2.addWeighted(picture, light, field, 1.0, -NOISE_ZERO))


def _write_video(path: Path, pictures: Iterator[Picture], fps: int) -> None:
    import av

    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    options = {"preset": "veryfast", "crf": "25"} if codec == "libx264" else {"qscale": "5"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps), options=options)
        assert isinstance(stream, av.VideoStream)  # noqa: S101 - for the type checker
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 5 * fps  # jumping about in the recording stays quick
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
