"""YOLO exports for pictures of another shape.

An export knows one size, mostly a square one, of which a camera's picture of 4:3 fills three quarters: the rest would
be grey bars that are looked at as well. The network itself takes any size; all that an export has fixed is the grid of
places at which it answers, and that is exchanged here. Ultralytics does the same by exporting again, which needs the
weights as it publishes them, and torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

if TYPE_CHECKING:
    from vision.yolo import Size

STRIDES = (8, 16, 32)
"""How far apart the places of each grid are, in pixels (Jocher 2023, YOLOv8)."""
MIDDLE = 0.5


def resized(path: Path, old: Size, new: Size) -> bytes:
    """Return the export at ``path``, made for ``old`` pictures, as one for ``new`` pictures.

    Raises ``ValueError`` where the size is no multiple of the widest stride or the export is not built as expected.
    """
    if any(side % max(STRIDES) for side in new):
        raise ValueError(f"{new[1]} x {new[0]} pixels are no multiple of {max(STRIDES)}.")
    model = onnx.load(path)
    grids = _exchanged(model, old, new)
    if "places" not in grids:
        raise ValueError(f"{path.name} has no grid of places for {old[1]} x {old[0]} pixels.")
    height, width = model.graph.input[0].type.tensor_type.shape.dim[2:]
    height.dim_value, width.dim_value = new
    del model.graph.value_info[:]  # sizes in between, which onnxruntime works out again
    made: bytes = model.SerializeToString()
    return made


def _exchanged(model: onnx.ModelProto, old: Size, new: Size) -> set[str]:
    """Exchange what depends on the size among the model's constants, and return which grids these were."""
    before, after = _grids(old), _grids(new)
    count, new_count = len(before["strides"]), len(after["strides"])
    exchanged = set()
    for tensor in _constants(model):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.int64 and values.ndim == 1 and count in values:
            made = np.where(values == count, new_count, values)
        elif count in values.shape:
            name = _name_of(values, before)
            exchanged.add(name)
            made = (
                after[name]
                .astype(values.dtype)
                .reshape([new_count if side == count else side for side in values.shape])
            )
        else:
            continue
        tensor.CopyFrom(numpy_helper.from_array(made, tensor.name))
    return exchanged


def _constants(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        if node.op_type == "Constant":
            yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def _grids(size: Size) -> dict[str, np.ndarray]:
    """Return the middles of a size's places in strides, (2, n) as x and y, and the stride of each, (n,)."""
    places, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        places.append(np.stack([x.ravel(), y.ravel()]) + MIDDLE)
        strides.append(np.full(x.size, stride))
    return {"places": np.hstack(places), "strides": np.concatenate(strides)}


def _name_of(values: np.ndarray, grids: dict[str, np.ndarray]) -> str:
    for name, grid in grids.items():
        if values.squeeze().shape == grid.shape and np.array_equal(values.squeeze(), grid):
            return name
    raise ValueError(f"An export with an unknown constant of shape {values.shape}.")
