"""YuNet's network in onnxruntime, which runs it in less than half the time that OpenCV takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vision import device
from vision.pictures import shrink

STRIDES = (8, 16, 32)
STEP = STRIDES[-1]
"""The network takes sides that are multiples of its coarsest stride; the rest is filled up with black."""

SAME_FACE_IOU = 0.3
KEYPOINTS = 5


class FaceCounter:
    """Finds faces with their eyes, nose tip and corners of the mouth (YuNet, Wu et al. 2023)."""

    def __init__(self, path: Path, min_score: float) -> None:
        self._session = device.cpu_session(str(path))
        self._min_score = min_score
        # By name, as the order of the outputs is nobody's promise: three strides of each.
        self._outputs = [f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in STRIDES]

    def detect(self, rgb: np.ndarray, side: int) -> np.ndarray:
        """Return an (n, 15) array of the faces in an RGB picture that is looked at with this longest side in pixels.

        Each row holds box (x, y, width, height), five key points (x, y) and score; all but the score as shares of the
        picture. Rows are sorted by score.
        """
        height, width = rgb.shape[:2]
        scale = side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        outputs = self._session.run(self._outputs, {"input": _as_input(shrink(rgb, size))})
        rows = _decode(outputs, -(-size[0] // STEP) * STEP, -(-size[1] // STEP) * STEP, self._min_score)
        rows = _best_of_each(rows)
        rows[:, :14] /= np.tile(size, 7)
        return rows


def _as_input(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    filled = np.zeros((1, 3, -(-height // STEP) * STEP, -(-width // STEP) * STEP), np.float32)
    filled[0, :, :height, :width] = rgb.transpose(2, 0, 1)[::-1]  # trained on blue, green, red
    return filled


def _decode(outputs: Sequence[np.ndarray], width: int, height: int, min_score: float) -> np.ndarray:
    """Return rows of box, key points and score in pixels for what is scored high enough at any of the strides."""
    found = []
    for index, stride in enumerate(STRIDES):
        classes, objects, boxes, points = (outputs[index + 3 * group][0] for group in range(4))
        scores = classes[:, 0] * objects[:, 0]  # the square of what counts
        kept = np.flatnonzero(scores >= min_score**2)
        if not kept.size:
            continue
        at = np.column_stack([kept % (width // stride), kept // (width // stride)]).astype(np.float32)
        centres, sizes = (at + boxes[kept, :2]) * stride, np.exp(boxes[kept, 2:]) * stride
        keypoints = (points[kept].reshape(-1, KEYPOINTS, 2) + at[:, None]) * stride
        found.append(np.hstack([centres - sizes / 2, sizes, keypoints.reshape(-1, 10), np.sqrt(scores[kept, None])]))
    rows: np.ndarray = np.concatenate(found or [np.empty((0, 15))]).astype(np.float64)
    return rows


def _best_of_each(rows: np.ndarray) -> np.ndarray:
    """Return the best row for each face, best first (non-maximum suppression)."""
    import cv2

    if len(rows) < 2:
        return rows
    kept = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), 0.0, SAME_FACE_IOU)
    best: np.ndarray = rows[np.asarray(kept, int).reshape(-1)]
    return best
