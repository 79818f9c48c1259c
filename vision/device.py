"""Where models run: the object model on a GPU where one is there and its libraries are installed, all else on the CPU.

It is the one model that is dear enough to be worth the way to a GPU and back; nothing needs one. ``PROCTORING_GPU=0``
leaves GPUs to others.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

Provider = str | tuple[str, dict[str, str]]

CPU = "CPUExecutionProvider"
GPU_PROVIDERS: dict[str, dict[str, str]] = {
    # Without TF32, which rounds to ten bits, boxes and scores are those of the CPU to three decimals or more.
    "CUDAExecutionProvider": {"use_tf32": "0"},
    "ROCMExecutionProvider": {},
}

_memory_lock = threading.Lock()
_shared_memory: list[Any] = []
"""onnxruntime's memory that all its models share, once one of them was built."""


def gpu_wanted() -> bool:
    """Say whether a GPU may be used."""
    return os.environ.get("PROCTORING_GPU", "1") != "0"


def onnx_providers(built_in: Sequence[str]) -> list[Provider]:
    """Return which of onnxruntime's providers to try, in this order; ``built_in`` are those of the installed build.

    The CPU is always the last: onnxruntime falls back on it where a GPU or one of its libraries is missing.
    """
    gpus: list[Provider] = [(name, options) for name, options in GPU_PROVIDERS.items() if name in built_in]
    return [*gpus, CPU] if gpu_wanted() else [CPU]


def onnx_session(model: str | bytes) -> Any:
    """Open an ONNX model, a file or what one holds, where ``onnx_providers`` says, on one thread of the CPU.

    Raises where it cannot be read.
    """
    import onnxruntime

    providers = onnx_providers(onnxruntime.get_available_providers())
    if len(providers) > 1:
        # CUDA's libraries come with torch's CUDA build, in a folder where onnxruntime does not look by itself.
        onnxruntime.preload_dlls()
    return onnxruntime.InferenceSession(model, _on_one_thread(), providers=providers)


def cpu_session(model: str | bytes) -> Any:
    """Open a small ONNX model, a file or what one holds, on one thread of the CPU; raises where it cannot be read."""
    import onnxruntime

    return onnxruntime.InferenceSession(model, _on_one_thread(), providers=[CPU])


def _on_one_thread() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    _share_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    return options


def _share_memory() -> None:
    """Let all models of the process compute in the same memory: a thread runs one after the other."""
    import onnxruntime

    with _memory_lock:
        if not _shared_memory:
            arena, usual = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
            memory = onnxruntime.OrtMemoryInfo("Cpu", arena, 0, usual)
            onnxruntime.create_and_register_allocator(memory, None)
            _shared_memory.append(memory)


def torch_device() -> Any:
    """Return torch's device: the GPU, if its build knows one."""
    import torch

    return torch.device("cuda" if gpu_wanted() and torch.cuda.is_available() else "cpu")
