"""dlib's face recognition ResNet (King 2017) run by torch, which takes a tenth of the time that dlib itself does.

The weights are dlib's own file. It holds the layers from the picture on, each as its name followed by its numbers; here
those that carry weights are read, in their order, and put together as dlib's example ``dnn_face_recognition_ex`` does:
a stem, fourteen residual blocks of two convolutions, of which four halve the picture, and one matrix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

SIDE = 150
MEAN_RGB = (122.782, 117.001, 104.298)
SCALE = 256.0
CONVOLUTION, AFFINE, MATRIX = b"con_4", b"affine_", b"fc_2"
CONVOLUTIONS, TENSOR_VERSION = 29, 2


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with the affine map behind it folded in."""

    weight: torch.Tensor
    bias: torch.Tensor
    stride: int
    padding: int

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return what it makes of (n, channels, height, width) values."""
        from torch.nn.functional import conv2d

        return conv2d(values, self.weight, self.bias, stride=self.stride, padding=self.padding)


class FaceNetwork:
    """The network of one thread."""

    def __init__(self, path: Path) -> None:
        """Read the weights; raises ``ValueError`` for a file that is not what it should be."""
        import torch

        torch.set_num_threads(1)
        self._stem, *self._blocks = _convolutions(path.read_bytes())
        self._matrix = _matrix(path.read_bytes())
        self._mean = torch.tensor(MEAN_RGB)[:, None, None]

    def forward(self, faces: np.ndarray) -> np.ndarray:
        """Return the (n, 128) float64 embeddings of (n, 150, 150, 3) uint8 RGB faces, cut out as dlib does."""
        import torch
        from torch.nn.functional import max_pool2d, relu

        with torch.inference_mode():
            pictures = torch.from_numpy(np.ascontiguousarray(faces)).permute(0, 3, 1, 2)
            values = ((pictures - self._mean) / SCALE).contiguous(memory_format=torch.channels_last)
            values = max_pool2d(relu(self._stem(values)), 3, 2)
            for first, second in zip(self._blocks[::2], self._blocks[1::2], strict=True):
                values = _residual(values, first, second)
            embeddings: np.ndarray = (values.mean((2, 3)) @ self._matrix).numpy().astype(np.float64)
        return embeddings


def _residual(values: torch.Tensor, first: Convolution, second: Convolution) -> torch.Tensor:
    from torch.nn.functional import avg_pool2d, relu

    changed = second(relu(first(values)))
    kept = avg_pool2d(values, 2, 2) if first.stride == 2 else values
    return relu(_sum(changed, kept))


def _sum(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Add; where one has fewer channels, rows or columns than the other, it is 0 there, as dlib has it."""
    from torch.nn.functional import pad

    if one.shape == other.shape:
        return one + other
    size = [max(sides) for sides in zip(one.shape[1:], other.shape[1:], strict=True)]

    def fill(values: torch.Tensor) -> torch.Tensor:
        lacks = [whole - side for whole, side in zip(size, values.shape[1:], strict=True)]
        return pad(values, (0, lacks[2], 0, lacks[1], 0, lacks[0]))

    return fill(one) + fill(other)


def _convolutions(data: bytes) -> list[Convolution]:
    names = re.compile(re.escape(CONVOLUTION) + b"|" + re.escape(AFFINE))
    layers = [(found.group(), found.end()) for found in names.finditer(data)]
    if [name for name, _place in layers] != [CONVOLUTION, AFFINE] * CONVOLUTIONS:
        raise ValueError("These are not the weights of dlib's face recognition network.")
    places = [place for _name, place in layers]
    return [_convolution(data, *pair) for pair in zip(places[::2], places[1::2], strict=True)]


def _convolution(data: bytes, place: int, affine_place: int) -> Convolution:
    import torch

    numbers, end = _tensor(data, place)
    (count, height, width, stride, _stride_x, padding, _padding_x), _end = _whole_numbers(data, end, 7)
    weight, bias = numbers[:-count].reshape(count, -1, height, width), numbers[-count:]
    gain, offset = _tensor(data, affine_place)[0].reshape(2, count)
    folded = torch.from_numpy(weight * gain[:, None, None, None]).contiguous(memory_format=torch.channels_last)
    return Convolution(folded, torch.from_numpy(bias * gain + offset), stride, padding)


def _matrix(data: bytes) -> torch.Tensor:
    import torch

    (columns, rows), place = _whole_numbers(data, data.index(MATRIX) + len(MATRIX), 2)
    return torch.from_numpy(_tensor(data, place)[0].reshape(rows, columns).copy())


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
