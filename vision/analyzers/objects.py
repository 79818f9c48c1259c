"""Objects and people by YOLO through ultralytics, and a bundled stand-in that only tells whether somebody is there.

Ultralytics is AGPL-3.0 and is used nowhere else than here and where the model is loaded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vision.types import Box, Detection, Frame, Memory

if TYPE_CHECKING:
    import numpy as np

    from vision.loading import Models

LABELS = frozenset({"person", "cell phone", "book", "laptop", "remote"})
"""A remote keeps its own label, so that it is not taken for a phone."""
MIN_SCORE = 0.2
SIDE = 480
"""Longest side in pixels for weights that take any size; padded to 480 x 384 it costs what 416 x 416 does."""
STRIDE = 32
PADDING_GREY = 114


def analyze(
    frame: Frame, memory: Memory, models: Models, region: Box = (0.0, 0.0, 1.0, 1.0)
) -> tuple[tuple[Detection, ...] | None, Memory]:
    """Find people, phones, books, laptops and remotes scored 0.2 or more in a region of the picture, best first.

    Boxes are shares of the whole picture. ``None`` where the weights are missing. Remembers nothing.
    """
    model = models.object_model
    if model is None:
        return None, memory
    height, width = frame.rgb.shape[:2]
    left, top = round(region[0] * width), round(region[1] * height)
    right, bottom = round((region[0] + region[2]) * width), round((region[1] + region[3]) * height)
    found = detect(frame.rgb[top:bottom, left:right], model)
    place = (left / width, top / height, (right - left) / width, (bottom - top) / height)
    return tuple(replace(one, box=_within(one.box, place)) for one in found), memory


def detect(rgb: np.ndarray, model: Any) -> tuple[Detection, ...]:
    """Run the model on one picture and return what it names, with boxes as shares of the picture."""
    import torch
    from ultralytics.utils.nms import non_max_suppression

    picture, place = letterbox(rgb, _input_size(rgb, model))
    with torch.inference_mode():
        raw = model.forward(torch.from_numpy(picture))
        rows = non_max_suppression(_tensor(raw), MIN_SCORE, end2end=bool(getattr(model, "end2end", False)))[0]
    found = (_detection(row, model.names, place) for row in rows.tolist())
    return tuple(one for one in found if one.label in LABELS)


def person_share(rgb: np.ndarray, models: Models) -> float:
    """Return the share of the picture that the bundled selfie segmentation takes for a person."""
    mask = models.person_segmentation.process(rgb).segmentation_mask
    return float((mask > 0.5).mean())


def letterbox(rgb: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[float, float, int, int]]:
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


def _within(box: Box, place: Box) -> Box:
    """Turn a box that is given as shares of a place into shares of what the place lies in."""
    return place[0] + box[0] * place[2], place[1] + box[1] * place[3], box[2] * place[2], box[3] * place[3]


def _input_size(rgb: np.ndarray, model: Any) -> tuple[int, int]:
    """Return the model's own (height, width), or for weights that take any size one that suits the picture."""
    if str(getattr(model, "format", "")) == "onnx" and not getattr(model, "dynamic", False):
        height, width = model.imgsz
        return int(height), int(width)
    height, width = rgb.shape[:2]
    scale = SIDE / max(height, width)
    fitted = (-(-round(side * scale) // STRIDE) * STRIDE for side in (height, width))
    return next(fitted), next(fitted)


def _tensor(raw: Any) -> Any:
    import torch

    first = raw[0] if isinstance(raw, list | tuple) else raw
    return first if isinstance(first, torch.Tensor) else torch.from_numpy(first)


def _detection(row: list[float], names: dict[int, str], place: tuple[float, float, int, int]) -> Detection:
    left, top, width, height = place
    x1, y1, x2, y2, score, label = row
    box = ((x1 - left) / width, (y1 - top) / height, (x2 - x1) / width, (y2 - y1) / height)
    return Detection(names[int(label)], score, box)
