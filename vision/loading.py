"""The models of the senses: built when first needed, once per worker thread, on one CPU thread each.

One set per thread, because neither MediaPipe graphs nor OpenCV networks may be used by two threads at once, and
because building one costs about a third of a second.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vision import weights
from vision.types import Sense

if TYPE_CHECKING:
    import numpy as np

    from vision.yolo import Yolo

FACE_COUNTER_WEIGHTS = ("face_detection_yunet_2026may.onnx",)
FACE_PACKAGE = "face_recognition_models"
FACE_EMBEDDER = "dlib_face_recognition_resnet_model_v1.dat"
MEDIAPIPE_MODELS = (
    "face_detection/face_detection_short_range",
    "face_detection/face_detection_full_range_sparse",
    "face_landmark/face_landmark_with_attention",
    "palm_detection/palm_detection_lite",
    "hand_landmark/hand_landmark_lite",
    "selfie_segmentation/selfie_segmentation_landscape",
)
SPEECH_DETECTOR, VOICE_ENCODER = "data/silero_vad_16k_sequence.onnx", "pretrained.pt"
NEAR_ANTISPOOF_WEIGHTS = ("2.7_80x80_MiniFASNetV2.pth",)
WIDE_ANTISPOOF_WEIGHTS = ("4_0_0_80x80_MiniFASNetV1SE.pth",)
OBJECT_WEIGHTS = ("yolo26n.pt", "yolov8n-416.onnx", "yolov8n-640.onnx")
FACE_COUNTER_SCORE = 0.6
HAND_SCORE = 0.3

logger = logging.getLogger(__name__)
_local = threading.local()
_stderr_lock = threading.Lock()
_unloadable: dict[str, str] = {}
"""By package or path, why the model that it carries, or that lies there, does not work in this process."""


@dataclass(frozen=True)
class Availability:
    """Whether a sense can work here, in one sentence why or why not, and by which model."""

    available: bool
    reason: str
    model: str


class ModelError(RuntimeError):
    """A model that does not work here; it was complained of when it was first wanted."""


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
        """Face mesh of 478 points with irises (bundled with MediaPipe)."""
        return _build_face_mesh()

    @cached_property
    def hands(self) -> Any:
        """Hands with 21 points each, by the smaller of MediaPipe's two models (bundled); static like the mesh."""
        options = {"static_image_mode": True, "max_num_hands": 2, "model_complexity": 0}
        return _QuietAtFirst(_build_solution("hands", "Hands", **options), "multi_hand_landmarks")

    @cached_property
    def person_segmentation(self) -> Any:
        """Selfie segmentation (bundled with MediaPipe)."""
        return _build_solution("selfie_segmentation", "SelfieSegmentation", model_selection=0)

    @cached_property
    def hand_finder(self) -> Any:
        """Up to two hands with 21 points each, sure or not, by the smaller of MediaPipe's two models (bundled)."""
        options = {"static_image_mode": True, "max_num_hands": 2, "model_complexity": 0}
        solution = _build_solution("hands", "Hands", min_detection_confidence=HAND_SCORE, **options)
        return _QuietAtFirst(solution, "multi_hand_landmarks")

    @property
    def face_embedder(self) -> Any:
        """dlib's face recognition ResNet (its weights bundled with a package); raises ModelError."""
        from vision.face_network import FaceNetwork

        return self._bundled("_face_embedder", FACE_PACKAGE, f"models/{FACE_EMBEDDER}", FaceNetwork)

    @property
    def speech_detector(self) -> Any:
        """Silero VAD (its weights bundled with its package), which takes a whole chunk at once; raises ModelError."""
        from vision.voices import SpeechDetector

        return self._bundled("_speech_detector", "silero_vad", SPEECH_DETECTOR, SpeechDetector)

    @property
    def voice_encoder(self) -> Any:
        """Resemblyzer's voice encoder (its weights bundled with its package); raises ModelError."""
        from vision.voices import VoiceEncoder

        return self._bundled("_voice_encoder", "resemblyzer", VOICE_ENCODER, VoiceEncoder)

    def _bundled(self, name: str, package: str, file: str, build: Callable[[Path], Any]) -> Any:
        """Return the kept model, or build it; what cannot be built is tried, and complained of, once."""
        if name not in self.__dict__:
            if name in self._damaged:
                raise ModelError(_unloadable[package])
            path = _package_file(package, file)
            try:
                self.__dict__[name] = build(path)
                _unloadable.pop(package, None)
            except Exception as error:
                self._damaged[name] = (path, path.stat().st_mtime_ns)
                _unloadable[package] = f"The weights {path.name} cannot be loaded."
                logger.exception("The weights %s cannot be loaded", path.name)
                raise ModelError(_unloadable[package]) from error
        return self.__dict__[name]

    @property
    def face_counter(self) -> Any | None:
        """YuNet (Wu et al. 2023), or ``None`` where its weights are missing."""
        return self._kept("_face_counter", FACE_COUNTER_WEIGHTS, _build_face_counter)

    @property
    def object_model(self) -> Yolo | None:
        """YOLO, or ``None`` where its weights are missing."""
        return self._kept("_object_model", OBJECT_WEIGHTS, _build_object_model)

    @property
    def near_antispoof(self) -> Any | None:
        """MiniFASNet for a face and a little around it, or ``None`` where its weights are missing."""
        return self._kept("_near_antispoof", NEAR_ANTISPOOF_WEIGHTS, _build_antispoof)

    @property
    def wide_antispoof(self) -> Any | None:
        """MiniFASNet for a face and much around it, or ``None`` where its weights are missing."""
        return self._kept("_wide_antispoof", WIDE_ANTISPOOF_WEIGHTS, _build_antispoof)

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
                    _unloadable.pop(str(path), None)
                except Exception:
                    self._damaged[name] = state
                    _unloadable[str(path)] = f"The weights {path.name} cannot be loaded."
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
    if cold & {Sense.FACES, Sense.LIVENESS}:
        _ = own.face_counter or own.full_range_faces, own.short_range_faces, own.person_segmentation
    if cold & {Sense.HEAD, Sense.EYES, Sense.MOUTH}:
        _ = own.face_mesh
    if Sense.HANDS in cold:
        _ = own.hands
    if Sense.IDENTITY in cold and identity_availability().available:
        with suppress(ModelError):  # told already; the other senses go on
            _ = own.face_mesh, own.face_embedder
    if Sense.OBJECTS in cold:
        _warm_up_objects(own)
    if Sense.LIVENESS in cold:
        _ = own.near_antispoof, own.wide_antispoof
    if cold & {Sense.SPEECH, Sense.SPEAKERS}:
        _ = own.speech_detector
    if Sense.SPEAKERS in cold:
        _ = own.voice_encoder


def _warm_up_objects(own: Models) -> None:
    import numpy as np

    from vision import yolo

    if own.object_model is not None:
        for shape in ((64, 64, 3), (48, 64, 3)):
            yolo.detect(np.zeros(shape, np.uint8), own.object_model)
        _ = own.hand_finder


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
        Sense.HANDS: _packaged(mediapipe, "mediapipe", "MediaPipe hands"),
        Sense.OBJECTS: _objects_availability(),
        Sense.IDENTITY: identity_availability(),
        Sense.LIVENESS: _liveness_availability(mediapipe),
        Sense.LEVEL: Availability(True, "Ready.", "levels in dBFS"),
        Sense.SPEECH: _packaged(_installed("silero_vad"), "silero-vad", "Silero VAD"),
        Sense.SPEAKERS: _packaged(_installed("resemblyzer"), "resemblyzer", "Resemblyzer voice encoder"),
    }


def identity_availability() -> Availability:
    """Say whether faces can be told apart here, for exams and for signing in."""
    for module, package in (("mediapipe", "mediapipe"), ("dlib", "dlib-bin"), ("onnxruntime", "onnxruntime")):
        if not _installed(module):
            return Availability(False, f"The package {package} is not installed.", "")
    if face_embedder_file() is None:
        return Availability(False, "The package face-recognition-models is not installed.", "")
    return _packaged(True, FACE_PACKAGE, f"dlib ResNet ({FACE_EMBEDDER})")


def face_embedder_file() -> Path | None:
    """Return the weights inside face_recognition_models, found without importing it: it wants pkg_resources."""
    return _file_in(FACE_PACKAGE, f"models/{FACE_EMBEDDER}")


def bundled_files() -> list[Path]:
    """Return the files of the models that packages carry and that are used here, as far as they are installed."""
    files = [*(("mediapipe", f"modules/{name}.tflite") for name in MEDIAPIPE_MODELS)]
    files += [
        (FACE_PACKAGE, f"models/{FACE_EMBEDDER}"),
        ("silero_vad", SPEECH_DETECTOR),
        ("resemblyzer", VOICE_ENCODER),
    ]
    return [path for package, name in files if (path := _file_in(package, name)) is not None]


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
    """Keep OpenCV and torch to one CPU thread: the workers share the cores among sessions."""
    import cv2

    cv2.setNumThreads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@cache
def _installed(package: str) -> bool:
    return find_spec(package) is not None


def _packaged(installed: bool, package: str, model: str) -> Availability:
    if not installed:
        return Availability(False, f"The package {package} is not installed.", "")
    broken = _unloadable.get(package.replace("-", "_"))
    return Availability(broken is None, broken or "Ready.", "" if broken else model)


def _objects_availability() -> Availability:
    path = weights.find(*OBJECT_WEIGHTS)
    if path is None:
        return Availability(False, "No object-detection weights; fetch them with manage.py fetch_models.", "")
    if broken := _unloadable.get(str(path)):
        return Availability(False, broken, "")
    package = "onnxruntime" if path.suffix == ".onnx" else "ultralytics"
    return _packaged(_installed(package), package, path.name)


def _liveness_availability(mediapipe: bool) -> Availability:
    """Recordings are told by comparing pictures; prints and screens need weights on top of that."""
    networks = [weights.find(*files) for files in (NEAR_ANTISPOOF_WEIGHTS, WIDE_ANTISPOOF_WEIGHTS)]
    model = "comparison of pictures" + (", MiniFASNet" if all(networks) and _installed("torch") else "")
    return _packaged(mediapipe, "mediapipe", model)


def _build_solution(module: str, name: str, **options: Any) -> Any:
    """Build one of MediaPipe's legacy solutions and run it once, with its start-up chatter kept off stderr."""
    with _quiet_mediapipe():
        import mediapipe
        import numpy as np

        from vision.graphs import on_this_thread

        solution = on_this_thread(getattr(getattr(mediapipe.solutions, module), name))(**options)
        solution.process(np.zeros((64, 64, 3), np.uint8))
    return solution


def _build_face_mesh() -> Any:
    with _quiet_mediapipe():
        import numpy as np

        from vision.face_mesh import FaceMesh, Region

        mesh = FaceMesh()
        mesh.fit(np.zeros((64, 64, 3), np.uint8), Region(32, 32, 64, 0), ())
    return mesh


def _build_face_counter(path: Path) -> Any:
    from vision.face_counter import FaceCounter

    return FaceCounter(path, FACE_COUNTER_SCORE)


def _build_antispoof(path: Path) -> Any:
    """Load MiniFASNet and run it once."""
    import numpy as np
    import torch

    from vision.minifasnet import SIDE, MiniFASNet

    torch.set_num_threads(1)
    network = MiniFASNet(path)
    network.living(np.zeros((SIDE, SIDE, 3), np.uint8))
    return network


def _build_object_model(path: Path) -> Yolo:
    from vision import yolo

    return yolo.load(path)


class _QuietAtFirst:
    """A solution whose C++ code may warn about itself at the first thing it finds, and is heard from then on."""

    def __init__(self, solution: Any, finds: str) -> None:
        self._solution, self._finds = solution, finds

    def process(self, rgb: np.ndarray) -> Any:
        """Return what the solution finds in the (height, width, 3) uint8 picture."""
        with _quiet_stderr():
            found = self._solution.process(rgb)
        if getattr(found, self._finds):
            self.process = self._solution.process  # type: ignore[method-assign]
        return found

    def close(self) -> None:
        """Free the graph; it cannot work again."""
        self._solution.close()


@contextmanager
def _quiet_mediapipe() -> Iterator[None]:
    """Keep the start-up chatter of MediaPipe, which is imported inside, off stderr."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _quiet_stderr():
        yield


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
