"""What the server itself sees in the pictures of a system check: measured, and the head cut out of the camera's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.face_worker import FacesBusy, run_on_face_thread
from vision.decoding import Picture, PictureError, decode_picture, downscale, sniff
from vision.head_picture import head_picture
from vision.pipeline import analyze
from vision.types import Condition, Due, Frame, Observation, Sense

LOOKED_FOR = Due(senses=frozenset({Sense.CAMERA, Sense.FACES, Sense.HEAD, Sense.EYES}))
DIGITS = 4
MAX_PIXELS = 36 * 1024**2
"""Of all pictures of one check together: seventeen in full HD, or three of a 12-megapixel phone."""

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


@dataclass(frozen=True, slots=True)
class Examined:
    """What was measured, the server's own in place of the browser's, and the largest head seen, as a small JPEG."""

    measured: dict[str, Any]
    head: bytes | None = field(default=None, repr=False)


def examine(measured: Mapping[str, Any], pictures: CheckPictures) -> Examined:
    """Return ``measured`` with what the server sees in place of what the browser says of the same, and the head.

    Where too much is to be looked at just now, what the browser says stands: the beginning of an exam brings a whole
    hall at once, and nobody is to be late for that. Only headers are read here; pixels are decoded and looked at on the
    thread for faces, one picture after the other. Raises ``UnusablePicture``.
    """
    sent = (pictures.camera, *pictures.points)
    if all(data is None for data in sent):
        return Examined(dict(measured))
    try:
        _refuse_by_headers([data for data in sent if data is not None])
        head, seen = run_on_face_thread(lambda: _look_at_all(sent))
    except FacesBusy:
        return Examined(dict(measured))
    except PictureError as error:
        raise UnusablePicture(str(error)) from error
    camera, *points = seen
    examined = dict(measured)
    if camera is not None:
        examined["camera"] = {**measured["camera"], **_of_camera(camera)}
    if points:
        both = zip(measured["calibration"]["points"], points, strict=True)
        merged = [told if look is None else {**told, **_of_point(look)} for told, look in both]
        examined["calibration"] = {**measured["calibration"], "points": merged}
    return Examined(examined, head)


def _refuse_by_headers(sent: Sequence[bytes]) -> None:
    headers = [sniff(data) for data in sent]
    if sum(header.width * header.height for header in headers) > MAX_PIXELS:
        raise UnusablePicture(_("This is larger than what is taken at once."), code="too_large", status=413)


def _look_at_all(sent: Sequence[bytes | None]) -> tuple[bytes | None, list[Observation | None]]:
    """Return the head in the first picture, the camera's, and what is seen in each."""
    head, seen = None, list[Observation | None]()
    for number, data in enumerate(sent):
        rgb = None if data is None else downscale(decode_picture(data))
        seen.append(None if rgb is None else _look(rgb))
        if number == 0 and rgb is not None:
            head = _head(rgb, seen[0])
    return head, seen


def _look(rgb: Picture) -> Observation:
    return analyze(Frame(seq=0, captured_at=0.0, rgb=rgb), LOOKED_FOR, {})[0]


def _head(rgb: Picture, seen: Observation | None) -> bytes | None:
    """Cut out the largest face, which is that of whoever sits nearest; None where none is seen."""
    faces = () if seen is None else seen.faces or ()
    largest = max(faces, key=lambda face: face.box[2] * face.box[3], default=None)
    return None if largest is None else head_picture(rgb, largest.box)


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
    for name, (part, fact) in POSES.items():
        facts = getattr(seen, part)
        found[name] = None if facts is None else round(getattr(facts, fact), DIGITS)
    return found
