"""MiniFASNet, the network of Silent-Face-Anti-Spoofing (minivision 2020, Apache-2.0), as far as it is needed to ask it.

MobileFaceNet's residual depthwise blocks, pruned, some with squeeze and excitation; which, the weights themselves tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    import numpy as np

SIDE = 80
LIVE = 1
"""Place of the living face among the three answers; the others are two kinds of false ones."""
STAGES = (("conv_23", "conv_3.model", 4), ("conv_34", "conv_4.model", 6), ("conv_45", "conv_5.model", 2))
NORM_FLOOR = 1e-5


class MiniFASNet:
    """One of the two networks, with its batch norms folded into the convolutions before them."""

    def __init__(self, path: Path) -> None:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        self._weights = {name.removeprefix("module."): value.float() for name, value in stored.items()}

        def has_norm(name: str) -> bool:
            return name.endswith(".running_var")

        for norm in [name.removesuffix(".running_var") for name in self._weights if has_norm(name)]:
            self._fold(norm)
        for name, value in self._weights.items():
            if value.dim() == 4:  # pictures come in this order of memory, in which convolutions are a quarter faster
                self._weights[name] = value.contiguous(memory_format=torch.channels_last)

    def living(self, bgr: np.ndarray) -> float:
        """Return how living the face in the (80, 80, 3) uint8 BGR picture looks, 0..1."""
        with torch.inference_mode():
            pixels = torch.from_numpy(bgr).permute(2, 0, 1).float()[None]
            return float(functional.softmax(self._answer(pixels), dim=1)[0, LIVE])

    def _fold(self, norm: str) -> None:
        weights, layer = self._weights, _normed_by(norm)
        gain = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + NORM_FLOOR)
        kernel = weights[f"{layer}.weight"]
        weights[f"{layer}.weight"] = kernel * gain.reshape(-1, *[1] * (kernel.dim() - 1))
        weights[f"{layer}.bias"] = weights[f"{norm}.bias"] - gain * weights[f"{norm}.running_mean"]

    def _answer(self, x: torch.Tensor) -> torch.Tensor:
        x = self._convolved(x, "conv1", stride=2, padding=1)
        x = self._convolved(x, "conv2_dw", padding=1)
        for shrinking, keeping, depth in STAGES:
            x = self._block(x, shrinking, stride=2)
            for number in range(depth):
                x = x + self._block(x, f"{keeping}.{number}")
        x = self._convolved(x, "conv_6_sep")
        x = self._convolved(x, "conv_6_dw").flatten(1)
        x = functional.linear(x, self._weights["linear.weight"], self._weights["linear.bias"])
        return functional.linear(x, self._weights["prob.weight"])

    def _block(self, x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        x = self._convolved(x, f"{name}.conv")
        x = self._convolved(x, f"{name}.conv_dw", stride=stride, padding=1)
        x = self._convolved(x, f"{name}.project")
        if f"{name}.se_module.fc1.weight" not in self._weights:
            return x
        squeezed = functional.relu(self._plain(functional.adaptive_avg_pool2d(x, 1), f"{name}.se_module.fc1"))
        return x * torch.sigmoid(self._plain(squeezed, f"{name}.se_module.fc2"))

    def _convolved(self, x: torch.Tensor, name: str, *, stride: int = 1, padding: int = 0) -> torch.Tensor:
        x = self._plain(x, f"{name}.conv", stride=stride, padding=padding)
        slope = self._weights.get(f"{name}.prelu.weight")
        return x if slope is None else functional.prelu(x, slope)

    def _plain(self, x: torch.Tensor, name: str, *, stride: int = 1, padding: int = 0) -> torch.Tensor:
        kernel = self._weights[f"{name}.weight"]
        groups = x.shape[1] // kernel.shape[1]
        return functional.conv2d(x, kernel, self._weights[f"{name}.bias"], stride, padding, groups=groups)


def _normed_by(norm: str) -> str:
    """Return the layer whose output this batch norm evens out: ``….bn`` of ``….conv``, ``….bn1`` of ``….fc1``."""
    if norm == "bn":
        return "linear"
    parent, _dot, name = norm.rpartition(".")
    return f"{parent}.{'conv' if name == 'bn' else name.replace('bn', 'fc')}"
