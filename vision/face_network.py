"""dlib's face recognition ResNet (King 2017) run by onnxruntime, in a small part of the time that dlib itself takes.

The weights are dlib's own file. It holds the layers from the picture on, each as its name followed by its numbers; here
those that carry weights are read, in their order, and put together as dlib's example ``dnn_face_recognition_ex`` does:
a stem, fourteen residual blocks of two convolutions, of which four halve the picture, and one matrix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vision import device

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

SIDE = 150
MEAN_RGB = np.array([122.782, 117.001, 104.298], np.float32)
SCALE = np.float32(256)
CONVOLUTION, AFFINE, MATRIX = b"con_4", b"affine_", b"fc_2"
CONVOLUTIONS, TENSOR_VERSION = 29, 2
OPSET = 17
"""The version of ONNX's operators that the network is written in."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with the affine map behind it folded in: (out, in, rows, columns) weights and (out,) biases."""

    weight: np.ndarray
    bias: np.ndarray
    stride: int
    padding: int


@dataclass(frozen=True, slots=True)
class Values:
    """What a node gives: its name, and how many channels of how many rows, and as many columns, it holds."""

    name: str
    channels: int
    side: int


class FaceNetwork:
    """The network of one thread."""

    def __init__(self, path: Path) -> None:
        """Read the weights; raises ``ValueError`` for a file that is not what it should be."""
        # In one expression: onnxruntime makes copies of its own, and needs the room that ours would take meanwhile.
        self._session = device.cpu_session(_model(path.read_bytes()).SerializeToString())

    def forward(self, faces: np.ndarray) -> np.ndarray:
        """Return the (n, 128) float64 embeddings of (n, 150, 150, 3) uint8 RGB faces, cut out as dlib does."""
        pictures = (faces.astype(np.float32) - MEAN_RGB) / SCALE
        embeddings = self._session.run(None, {"faces": np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))})[0]
        return np.asarray(embeddings, np.float64)


def _model(data: bytes) -> ModelProto:
    return _Graph().model(_convolutions(data), _matrix(data))


class _Graph:
    """The network as ONNX has it, while it is put together."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []

    def model(self, convolutions: list[Convolution], matrix: np.ndarray) -> ModelProto:
        """Return the network from (n, 3, 150, 150) ``faces`` to (n, 128) embeddings."""
        from onnx import TensorProto, helper

        stem, *blocks = convolutions
        values = self._relu(self._convolved(Values("faces", 3, SIDE), stem))
        values = self._pooled(values, "MaxPool", 3)
        for first, second in zip(blocks[::2], blocks[1::2], strict=True):
            values = self._residual(values, first, second)
        mean = self._node("Flatten", self._node("GlobalAveragePool", values.name))
        answer = self._node("MatMul", mean, self._weight(matrix))
        faces = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
        embeddings = helper.make_tensor_value_info(answer, TensorProto.FLOAT, ["n", matrix.shape[1]])
        graph = helper.make_graph(self._nodes, "faces", [faces], [embeddings], self._weights)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model_gen_version(graph, opset_imports=[opset])

    def _residual(self, values: Values, first: Convolution, second: Convolution) -> Values:
        changed = self._convolved(self._relu(self._convolved(values, first)), second)
        kept = self._pooled(values, "AveragePool", 2) if first.stride == 2 else values
        return self._relu(self._sum(changed, kept))

    def _sum(self, one: Values, other: Values) -> Values:
        """Add; where one has fewer channels, rows or columns than the other, it is 0 there, as dlib has it."""
        channels, side = max(one.channels, other.channels), max(one.side, other.side)
        filled = [self._filled(values, channels, side) for values in (one, other)]
        return Values(self._node("Add", *filled), channels, side)

    def _filled(self, values: Values, channels: int, side: int) -> str:
        lacks = side - values.side
        ends = np.array([0, 0, 0, 0, 0, channels - values.channels, lacks, lacks], np.int64)
        return self._node("Pad", values.name, self._weight(ends)) if ends.any() else values.name

    def _convolved(self, values: Values, layer: Convolution) -> Values:
        weights = self._weight(layer.weight), self._weight(layer.bias)
        name = self._node("Conv", values.name, *weights, strides=[layer.stride] * 2, pads=[layer.padding] * 4)
        channels, _in, rows, _columns = layer.weight.shape
        return Values(name, channels, (values.side + 2 * layer.padding - rows) // layer.stride + 1)

    def _pooled(self, values: Values, how: str, size: int) -> Values:
        name = self._node(how, values.name, kernel_shape=[size, size], strides=[2, 2])
        return Values(name, values.channels, (values.side - size) // 2 + 1)

    def _relu(self, values: Values) -> Values:
        return Values(self._node("Relu", values.name), values.channels, values.side)

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def _weight(self, values: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(values, name))
        return name


def _convolutions(data: bytes) -> list[Convolution]:
    names = re.compile(re.escape(CONVOLUTION) + b"|" + re.escape(AFFINE))
    layers = [(found.group(), found.end()) for found in names.finditer(data)]
    if [name for name, _place in layers] != [CONVOLUTION, AFFINE] * CONVOLUTIONS:
        raise ValueError("These are not the weights of dlib's face recognition network.")
    places = [place for _name, place in layers]
    return [_convolution(data, *pair) for pair in zip(places[::2], places[1::2], strict=True)]


def _convolution(data: bytes, place: int, affine_place: int) -> Convolution:
    numbers, end = _tensor(data, place)
    (count, height, width, stride, _stride_x, padding, _padding_x), _end = _whole_numbers(data, end, 7)
    weight, bias = numbers[:-count].reshape(count, -1, height, width), numbers[-count:]
    gain, offset = _tensor(data, affine_place)[0].reshape(2, count)
    return Convolution(weight * gain[:, None, None, None], bias * gain + offset, stride, padding)


def _matrix(data: bytes) -> np.ndarray:
    (columns, rows), place = _whole_numbers(data, data.index(MATRIX) + len(MATRIX), 2)
    return _tensor(data, place)[0].reshape(rows, columns)


def _tensor(data: bytes, place: int) -> tuple[np.ndarray, int]:
    """Read a tensor as flat float32 and return where it ends: version, four sizes, little-endian numbers."""
    (version, *sizes), place = _whole_numbers(data, place, 5)
    count = int(np.prod(sizes))
    if version != TENSOR_VERSION or not 0 < count <= len(data):
        raise ValueError("The weights of the face recognition network cannot be read.")
    return np.frombuffer(data, "<f4", count, place), place + 4 * count


def _whole_numbers(data: bytes, place: int, count: int) -> tuple[list[int], int]:
    """Read whole numbers as dlib packs them: a byte that holds sign and length, then the bytes, lowest first."""

    def read() -> Iterator[int]:
        nonlocal place
        for _ in range(count):
            head, place = data[place], place + 1
            length = head & 0x0F
            size = int.from_bytes(data[place : place + length], "little")
            place += length
            yield -size if head & 0x80 else size

    return list(read()), place
