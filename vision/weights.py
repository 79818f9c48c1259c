"""Model weights that no package carries: what they are, where they lie, and how to fetch them safely."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all) while a file comes in."""

TIMEOUT_S = 30
ATTEMPTS = 3
RETRY_S = 1
CHUNK = 1 << 18


class WeightError(RuntimeError):
    """A weight file could not be had; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight file: ``sha256`` in hex, ``size`` in bytes, ``url`` None where no publisher offers it.

    ``default`` files are fetched without asking for all.
    """

    name: str
    sha256: str
    size: int
    url: str | None
    licence: str
    purpose: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What ``fetch`` did: the file was there already (``present``), ``copied`` or ``downloaded``."""

    weight: Weight
    path: Path
    action: Literal["present", "copied", "downloaded"]


ULTRALYTICS = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
OPENCV_ZOO = "https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98/models"
MINIVISION = (
    "https://github.com/minivision-ai/Silent-Face-Anti-Spoofing/raw/f679b7c96ad407d1114182847d3e0c20619a76d0"
    "/resources/anti_spoof_models"
)
WEIGHTS: tuple[Weight, ...] = (
    Weight(
        name="yolo26n.pt",
        sha256="9b09cc8bf347f0fc8a5f7657480587f25db09b34bf33b0652110fb03a8ad4fef",
        size=5_544_453,
        url=f"{ULTRALYTICS}/yolo26n.pt",
        licence="AGPL-3.0 (Ultralytics)",
        purpose="people, phones, books and laptops (YOLO26 nano, COCO)",
        default=True,
    ),
    Weight(
        name="face_detection_yunet_2026may.onnx",
        sha256="ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
        size=229_738,
        url=f"{OPENCV_ZOO}/face_detection_yunet/face_detection_yunet_2026may.onnx",
        licence="MIT (OpenCV Zoo, YuNet)",
        purpose="counting faces",
        default=True,
    ),
    Weight(
        name="2.7_80x80_MiniFASNetV2.pth",
        sha256="a5eb02e1843f19b5386b953cc4c9f011c3f985d0ee2bb9819eea9a142099bec0",
        size=1_849_453,
        url=f"{MINIVISION}/2.7_80x80_MiniFASNetV2.pth",
        licence="Apache-2.0 (minivision, Silent-Face-Anti-Spoofing)",
        purpose="telling prints and screens from living faces, near",
        default=True,
    ),
    Weight(
        name="4_0_0_80x80_MiniFASNetV1SE.pth",
        sha256="84ee1d37d96894d5e82de5a57df044ef80a58be2b218b5ed7cdfd875ec2f5990",
        size=1_856_130,
        url=f"{MINIVISION}/4_0_0_80x80_MiniFASNetV1SE.pth",
        licence="Apache-2.0 (minivision, Silent-Face-Anti-Spoofing)",
        purpose="telling prints and screens from living faces, wide",
        default=True,
    ),
    Weight(
        name="yolov8n.pt",
        sha256="f59b3d833e2ff32e194b5bb8e08d211dc7c5bdf144b90d2c8412c47ccfc83b36",
        size=6_549_796,
        url=f"{ULTRALYTICS}/yolov8n.pt",
        licence="AGPL-3.0 (Ultralytics)",
        purpose="people, phones, books and laptops (YOLOv8 nano, COCO), for comparison",
    ),
    Weight(
        name="yolov8n-416.onnx",
        sha256="2e9951b5c2bfac910ca9bab6a48be403a9075f32c5977fa2a16168e81aafb985",
        size=12_728_787,
        url=None,
        licence="AGPL-3.0 (Ultralytics)",
        purpose="people, phones, books and laptops (YOLOv8 nano as ONNX, 416 pixels), from a mirror only",
    ),
    Weight(
        name="yolov8n-640.onnx",
        sha256="a722084749fd3786da23da3e1eecc56d2ddf486b366bf6259bdb2c80bfded23f",
        size=12_825_811,
        url=None,
        licence="AGPL-3.0 (Ultralytics)",
        purpose="people, phones, books and laptops (YOLOv8 nano as ONNX, 640 pixels), from a mirror only",
    ),
)


_hiding = ContextVar("hiding", default=False)


def directory() -> Path:
    """Return the folder of the weights: ``PROCTORING_MODELS``, or ``var/models`` in the project."""
    chosen = os.environ.get("PROCTORING_MODELS")
    return Path(chosen).expanduser() if chosen else Path(__file__).resolve().parents[1] / "var" / "models"


@contextmanager
def bundled_only() -> Iterator[None]:
    """Act meanwhile, in this thread, as if nothing had been fetched; models that are built already stay."""
    before = _hiding.set(True)
    try:
        yield
    finally:
        _hiding.reset(before)


def find(*names: str) -> Path | None:
    """Return the first of these weight files that is present and whole; its hash was checked when it was fetched."""
    if _hiding.get():
        return None
    sizes = {weight.name: weight.size for weight in WEIGHTS}
    paths = ((directory() / name, sizes.get(name)) for name in names)
    return next((path for path, size in paths if path.is_file() and size in (None, path.stat().st_size)), None)


def verify(path: Path, weight: Weight) -> bool:
    """Tell whether the file has exactly the size and SHA-256 that the manifest pins."""
    try:
        if path.stat().st_size != weight.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == weight.sha256
    except OSError:
        return False


def fetch(weight: Weight, *, mirror: Path | None = None, progress: Progress | None = None) -> FetchResult:
    """Bring one weight file into ``directory()``, from the mirror folder if given, else from its publisher.

    A verified file is left alone; a broken download resumes; a wrong hash is refused and a good old file
    kept; the new file appears whole or not at all. Raises WeightError with one sentence.
    """
    target = directory() / weight.name
    if verify(target, weight):
        return FetchResult(weight, target, "present")
    report = progress or _silent
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _part_file(target) as (part, file):
            if mirror is not None:
                _copy(weight, mirror, file, report)
            else:
                _download(weight, file, report)
            _install(weight, part, target)
    except OSError as error:
        raise WeightError(f"{weight.name} could not be stored in {target.parent}: {_why(error)}.") from error
    return FetchResult(weight, target, "downloaded" if mirror is None else "copied")


def _silent(done: int, total: int) -> None:
    """Report to nobody."""


@contextmanager
def _part_file(target: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    part = target.with_name(target.name + ".part")
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WeightError(f"{target.name} is being fetched by another process.") from error
        try:
            yield part, file
        finally:
            if part.exists() and part.stat().st_size == 0:
                part.unlink()


def _copy(weight: Weight, mirror: Path, file: IO[bytes], report: Progress) -> None:
    file.truncate(0)
    try:
        source = (mirror / weight.name).open("rb")
    except FileNotFoundError as error:
        raise WeightError(f"{weight.name} is not in the mirror folder {mirror}.") from error
    except OSError as error:
        raise WeightError(f"{weight.name} in {mirror} cannot be read: {_why(error)}.") from error
    with source:
        _receive(source, weight, file, report)


def _download(weight: Weight, file: IO[bytes], report: Progress) -> None:
    if weight.url is None:
        raise WeightError(f"{weight.name} has no publisher to download from; give a mirror folder that holds it.")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _request(weight, weight.url, file, report)
        except urllib.error.HTTPError as error:
            raise WeightError(f"{weight.name} could not be downloaded: the server answered {error.code}.") from error
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            if attempt == ATTEMPTS:
                raise WeightError(f"{weight.name} could not be downloaded: {_why(error)}.") from error
            time.sleep(RETRY_S * attempt)
        else:
            if file.tell() == weight.size:
                return
    raise WeightError(
        f"{weight.name} broke off at {file.tell()} of {weight.size} bytes; run it again to go on from there."
    )


def _request(weight: Weight, url: str, file: IO[bytes], report: Progress) -> None:
    if not url.startswith(("https://", "http://")):
        raise WeightError(f"{weight.name} has an address that is not HTTP.")
    have = file.seek(0, os.SEEK_END)
    if have >= weight.size:  # a complete or overlong leftover: let the hash decide, or begin anew
        if have == weight.size:
            return
        have = file.truncate(0)
    headers = {"Range": f"bytes={have}-"} if have else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - scheme checked above
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - scheme checked above
        if have and answer.status != http.client.PARTIAL_CONTENT:
            file.truncate(0)  # the server does not resume
        _receive(answer, weight, file, report)


def _receive(source: IO[bytes], weight: Weight, file: IO[bytes], report: Progress) -> None:
    done = file.seek(0, os.SEEK_END)
    report(done, weight.size)
    while chunk := source.read(CHUNK):
        done += len(chunk)
        if done > weight.size:  # never fill the disk with what cannot be the file
            file.truncate(0)
            raise WeightError(f"{weight.name} is refused: it is larger than the {weight.size} bytes it should have.")
        file.write(chunk)
        report(done, weight.size)
    file.flush()


def _install(weight: Weight, part: Path, target: Path) -> None:
    if not verify(part, weight):
        part.unlink(missing_ok=True)
        raise WeightError(f"{weight.name} is refused: its SHA-256 is not the pinned one.")
    part.chmod(0o644)
    part.replace(target)


def _why(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    reason = getattr(reason, "strerror", None) or reason
    return str(reason).strip().rstrip(".") or type(error).__name__
