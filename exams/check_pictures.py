"""What the server itself sees in the pictures of a system check; they are looked at, measured and forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts.errors import Refused
from accounts.face_worker import FacesBusy, run_on_face_thread
from vision.decoding import PictureError, decode_picture, downscale
from vision.pipeline import analyze
from vision.types import Condition, Due, Frame, Observation, Sense

LOOKED_FOR = Due(senses=frozenset({Sense.CAMERA, Sense.FACES, Sense.HEAD, Sense.EYES}))
DIGITS = 4

POSES: Mapping[str, tuple[str, str]] = {
    "yaw": ("head", "yaw"),
    "pitch": ("head", "pitch"),
    "horizontal": ("eyes", "horizontal"),
    "vertical": ("eyes", "vertical"),
}
"""What is kept of each point: a name, and where it stands in an observation."""


class UnusablePicture(Refused):
    """Bytes that are no picture, or none that is taken."""

    code = "invalid_picture"
    status = 400


@dataclass(frozen=True, slots=True)
class CheckPictures:
    """Encoded pictures: of the camera as it is now, and one for each point that was looked at; None where none came."""

    camera: bytes | None = None
    points: tuple[bytes | None, ...] = ()


def examine(measured: Mapping[str, Any], pictures: CheckPictures) -> dict[str, Any]:
    """Return ``measured`` with what the server sees in place of what the browser says of the same.

    Where too much is to be looked at just now, what the browser says stands: the beginning of an exam brings a whole
    hall at once, and nobody is to be late for that. Raises ``UnusablePicture``.
    """
    decoded = [None if data is None else _decode(data) for data in (pictures.camera, *pictures.points)]
    if all(rgb is None for rgb in decoded):
        return dict(measured)
    try:
        seen = run_on_face_thread(lambda: [None if rgb is None else _look(rgb) for rgb in decoded])
    except FacesBusy:
        return dict(measured)
    camera, *points = seen
    examined = dict(measured)
    if camera is not None:
        examined["camera"] = {**measured["camera"], **_of_camera(camera)}
    if points:
        both = zip(measured["calibration"]["points"], points, strict=True)
        merged = [told if look is None else {**told, **_of_point(look)} for told, look in both]
        examined["calibration"] = {**measured["calibration"], "points": merged}
    return examined


def _decode(data: bytes) -> Any:
    try:
        return downscale(decode_picture(data))
    except PictureError as error:
        raise UnusablePicture(str(error)) from error


def _look(rgb: Any) -> Observation:
    return analyze(Frame(seq=0, captured_at=0.0, rgb=rgb), LOOKED_FOR, {})[0]


def _of_camera(seen: Observation) -> dict[str, Any]:
    condition = None if seen.camera is None else seen.camera.condition
    faces = 0 if condition in (Condition.DARK, Condition.COVERED) else None
    return {
        "brightness": None if seen.camera is None else round(seen.camera.brightness, DIGITS),
        "faces": faces if seen.faces is None else len(seen.faces),
        "seen_by_server": True,
    }


def _of_point(seen: Observation) -> dict[str, float | None]:
    """Return the pose; None for what cannot be seen, whatever the browser says of it."""
    found = {}
    for name, (part, field) in POSES.items():
        facts = getattr(seen, part)
        found[name] = None if facts is None else round(getattr(facts, field), DIGITS)
    return found
