"""The pictures that the tests look at: those of the ultralytics package and, where it is there, the labelled media."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from vision.decoding import decode_picture, downscale
from vision.demo import package_picture
from vision.types import Due, Frame
from vision.weights import find

OBJECTS_NEEDED = pytest.mark.skipif(
    find("yolo26n.pt", "yolov8n-416.onnx", "yolov8n-640.onnx") is None, reason="no object-detection weights"
)
COUNTER_NEEDED = pytest.mark.skipif(find("face_detection_yunet_2026may.onnx") is None, reason="no YuNet weights")
NOTHING_FOUND = Path("/nonexistent")


def media_folder() -> Path:
    """Return the folder of labelled media, or skip the test."""
    folder = os.environ.get("PROCTORING_MEDIA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("PROCTORING_MEDIA names no folder")
    return Path(folder)


def rows() -> list[dict]:
    """Return every row of the labels, or skip the test."""
    return [json.loads(line) for line in (media_folder() / "labels.jsonl").read_text().splitlines()]


def labelled(
    sense: str, at_most: int = 40, *, condition: str | None = None, **wanted: object
) -> list[tuple[np.ndarray, dict]]:
    """Return up to so many pictures of one sense whose labels, and a condition, are as wanted, each with its labels."""
    folder = media_folder()
    chosen = [
        row
        for row in rows()
        if row["kind"] == "image"
        and row["sense"] == sense
        and "low_res" not in row["conditions"]
        and (condition is None or condition in row["conditions"])
        and all(row["labels"].get(name) == value for name, value in wanted.items())
    ][:at_most]
    return [(downscale(decode_picture((folder / row["file"]).read_bytes())), row["labels"]) for row in chosen]


def labelled_sounds(at_most: int, **wanted: object) -> list[tuple[np.ndarray, dict]]:
    """Return up to so many sounds whose labels are as wanted, 16 kHz, each with its labels."""
    import av

    from vision.recorded_sound import read_sounds

    chosen = [
        row
        for row in rows()
        if row["kind"] == "audio" and all(row["labels"].get(name) == value for name, value in wanted.items())
    ][:at_most]
    found = []
    for row in chosen:
        with av.open(str(media_folder() / row["file"])) as file:
            found.append((np.concatenate([item.samples for item in read_sounds(file, 0.0)]), row["labels"]))
    return found


def two_men() -> np.ndarray:
    """Return a picture of two men, 1280 pixels wide."""
    return downscale(package_picture("zidane.jpg"))


def one_man() -> np.ndarray:
    """Return the right-hand one of the two men, alone in the picture."""
    return np.ascontiguousarray(two_men()[:, 640:])


def frame(rgb: np.ndarray, at: float = 0.0) -> Frame:
    return Frame(seq=int(at), captured_at=at, rgb=rgb)


EVERYTHING = Due()
