"""YOLO: its weights as models that can look, whatever form they come in, and pictures made ready for them.

Ultralytics is AGPL-3.0 and is imported nowhere else; ``vision.analyzers.objects`` is all that uses these models.
"""

from __future__ import annotations

import ast
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vision import device
from vision.types import Box, Detection

if TYPE_CHECKING:
    import numpy as np

LEAST_SCORE = 0.05
"""Rows below are dropped; exports with suppression inside keep none below either."""

LABELS = frozenset({"person", "cell phone", "book", "laptop", "remote"})
"""A remote keeps its own label, so that it is not taken for a phone."""
MIN_SCORE = 0.2
SIDE = 480
"""Longest side in pixels for weights that take any size; padded to 480 x 384 it costs what 416 x 416 does."""
SHORT_SHARE = 0.75
"""The shorter side of an export's wide and tall sizes, as a share of the longer: cameras send 4:3, or wider."""
STRIDE = 32
PADDING_GREY = 114

Size = tuple[int, int]
"""Height and width of a picture in pixels."""

logger = logging.getLogger(__name__)

_image_open_lock = threading.Lock()


class Yolo(Protocol):
    """A model that is built, and its labels by number."""

    names: dict[int, str]

    def size_for(self, height: int, width: int) -> Size:
        """Return the (height, width) in which it looks at a picture of this one."""

    def look(self, picture: np.ndarray) -> np.ndarray:
        """Return (n, 6) rows x1, y1, x2, y2, score, label of a (1, 3, height, width) float32 picture, in pixels."""


def load(path: Path) -> Yolo:
    """Build the model of these weights, on a GPU or on one CPU thread; raises where they cannot be used."""
    return OnnxYolo(path) if path.suffix == ".onnx" else TorchYolo(path)


def look(rgb: np.ndarray, model: Yolo, region: Box) -> tuple[Detection, ...]:
    """Return what the model names in a region of the picture, best first, with boxes as shares of the whole picture."""
    height, width = rgb.shape[:2]
    left, top = round(region[0] * width), round(region[1] * height)
    right, bottom = round((region[0] + region[2]) * width), round((region[1] + region[3]) * height)
    found = detect(rgb[top:bottom, left:right], model)
    place = (left / width, top / height, (right - left) / width, (bottom - top) / height)
    return tuple(replace(one, box=_within(one.box, place)) for one in found)


def detect(rgb: np.ndarray, model: Yolo) -> tuple[Detection, ...]:
    """Run the model on one picture and return what it names, best first, with boxes as shares of the picture."""
    picture, place = letterbox(rgb, model.size_for(*rgb.shape[:2]))
    rows = sorted(model.look(picture).tolist(), key=lambda row: row[4], reverse=True)
    found = (_detection(row, model.names, place) for row in rows if row[4] >= MIN_SCORE)
    return tuple(one for one in found if one.label in LABELS)


def letterbox(rgb: np.ndarray, size: Size) -> tuple[np.ndarray, tuple[float, float, int, int]]:
    """Fit the picture into (height, width) with grey bars, as YOLO was trained.

    Returns the (1, 3, height, width) float32 picture in 0..1 and where the picture lies in it: (left, top, width,
    height) in pixels.
    """
    import cv2
    import numpy as np

    height, width = rgb.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (size[0] - new_height) // 2, (size[1] - new_width) // 2
    padded = np.full((*size, 3), PADDING_GREY, np.uint8)
    inside = padded[top : top + new_height, left : left + new_width]
    cv2.resize(rgb, (new_width, new_height), dst=inside, interpolation=cv2.INTER_LINEAR)
    return cv2.dnn.blobFromImage(padded, 1 / 255), (left, top, new_width, new_height)


class OnnxYolo:
    """An export with suppression inside, run by onnxruntime alone: neither torch nor ultralytics is loaded for it.

    Where it was made for squares, it looks at wide and at tall pictures without the bars that a square would need.
    """

    def __init__(self, path: Path) -> None:
        session = device.onnx_session(str(path))
        about = session.get_modelmeta().custom_metadata_map
        if about.get("end2end") != "True":
            raise ValueError(f"{path.name} is an export without suppression inside.")
        self._path = path
        self._input = session.get_inputs()[0].name
        self.names: dict[int, str] = ast.literal_eval(about["names"])
        height, width = ast.literal_eval(about["imgsz"])
        self._own: Size = (int(height), int(width))
        self._sessions = {self._own: session}
        self._sizes = self._shapes()

    def size_for(self, height: int, width: int) -> Size:
        """Return the smallest of its sizes that shows the picture as large as its own one does."""
        scale = min(self._own[0] / height, self._own[1] / width)
        shown = round(height * scale), round(width * scale)
        return next((size for size in self._sizes if shown[0] <= size[0] and shown[1] <= size[1]), self._own)

    def look(self, picture: np.ndarray) -> np.ndarray:
        """Return what ``Yolo.look`` does."""
        height, width = picture.shape[2:]
        rows: np.ndarray = self._session((height, width)).run(None, {self._input: picture})[0][0]
        return rows[rows[:, 4] >= LEAST_SCORE]

    def _shapes(self) -> tuple[Size, ...]:
        """Return the sizes it can look in, smallest first; an export that cannot be changed keeps the one it has."""
        long, short = self._own[1], _multiple(self._own[1] * SHORT_SHARE)
        if self._own != (long, long):
            return (self._own,)
        try:
            self._session((short, long))
        except ValueError as error:
            logger.warning("%s looks at squares only: %s", self._path.name, error)
            return (self._own,)
        return (short, long), (long, short), self._own

    def _session(self, size: Size) -> Any:
        if size not in self._sessions:
            from vision import yolo_sizes

            self._sessions[size] = device.onnx_session(yolo_sizes.resized(self._path, self._own, size))
        return self._sessions[size]


class TorchYolo:
    """Weights as ultralytics publishes them, as a bare backend: its predictor costs as much again on a CPU."""

    def __init__(self, path: Path) -> None:
        _prepare_ultralytics()
        import torch

        torch.set_num_threads(1)
        with _own_image_open():
            from ultralytics.nn.autobackend import AutoBackend

            self._device = device.torch_device()
            self._model: Any = AutoBackend(model=str(path), device=self._device, verbose=False).eval()
        self.names: dict[int, str] = self._model.names

    def size_for(self, height: int, width: int) -> Size:
        """Return a size that suits the picture, since the network takes any."""
        scale = SIDE / max(height, width)
        return _multiple(height * scale), _multiple(width * scale)

    def look(self, picture: np.ndarray) -> np.ndarray:
        """Return what ``Yolo.look`` does."""
        import torch
        from ultralytics.utils.nms import non_max_suppression

        with torch.inference_mode():
            raw = self._model.forward(torch.from_numpy(picture).to(self._device))
            raw = raw[0] if isinstance(raw, list | tuple) else raw
            raw = raw if isinstance(raw, torch.Tensor) else torch.from_numpy(raw)
            end2end = bool(getattr(self._model, "end2end", False))
            rows: np.ndarray = non_max_suppression(raw, LEAST_SCORE, end2end=end2end)[0].cpu().numpy()
        return rows


def _prepare_ultralytics() -> None:
    """Keep it from installing packages, from writing where it may not, and from talking."""
    config = os.environ.get("PROCTORING_MODELS") or tempfile.gettempdir()
    if not os.access(config, os.W_OK):
        config = tempfile.gettempdir()
    os.environ.setdefault("YOLO_AUTOINSTALL", "False")
    os.environ.setdefault("YOLO_CONFIG_DIR", config)
    os.environ.setdefault("YOLO_VERBOSE", "False")
    logging.getLogger("ultralytics").setLevel(logging.ERROR)


@contextmanager
def _own_image_open() -> Iterator[None]:
    """Keep Pillow's ``open``: ultralytics swaps it for one that wants to install a package at an unknown picture."""
    from PIL import Image

    with _image_open_lock:
        kept = Image.open
        try:
            yield
        finally:
            Image.open = kept


def _within(box: Box, place: Box) -> Box:
    """Turn a box that is given as shares of a place into shares of what the place lies in."""
    return place[0] + box[0] * place[2], place[1] + box[1] * place[3], box[2] * place[2], box[3] * place[3]


def _multiple(side: float) -> int:
    """Return the least multiple of the network's widest stride that holds a side."""
    return -(-round(side) // STRIDE) * STRIDE


def _detection(row: list[float], names: dict[int, str], place: tuple[float, float, int, int]) -> Detection:
    left, top, width, height = place
    x1, y1, x2, y2, score, label = row
    box = ((x1 - left) / width, (y1 - top) / height, (x2 - x1) / width, (y2 - y1) / height)
    return Detection(names[int(label)], score, box)
