"""What a labelled picture is like, as far as it bears on what can be seen in it, and why a question went unanswered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vision.analyzers import antispoof, gaze
from vision.types import Condition, Observation

if TYPE_CHECKING:
    from vision.decoding import Picture

OF_CONDITION = {Condition.DARK: "too dark", Condition.BLURRED: "too blurred", Condition.COVERED: "covered"}
OF_MESH = frozenset({"HEAD_TURNED", "LOOKING_AWAY", "LOOKING_DOWN", "EYES_CLOSED", "MOUTH_OPEN"})
OF_PRINTS = "PRINT_OR_SCREEN"
NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Traits:
    """Of a picture: its brightness 0..1, and the height of its largest face in pixels of the file, None without one.

    ``seen_px`` is the face's shorter side in the picture that was looked at, which may have been enlarged; ``tint``
    how colourful the face is, and ``fills`` whether it fills the picture.
    """

    brightness: float | None = None
    face_px: float | None = None
    seen_px: float | None = None
    tint: float | None = None
    fills: bool = False


def traits_of(facts: Observation, rgb: Picture, enlarged: float) -> Traits:
    """Return the traits of a picture that was enlarged so many times before it was looked at."""
    brightness = facts.camera.brightness if facts.camera else None
    if not facts.faces:
        return Traits(brightness)
    box = facts.faces[0].box
    wide, high = box[2] * rgb.shape[1], box[3] * rgb.shape[0]
    tint, fills = antispoof.tint(rgb, box), antispoof.fills(rgb, box)
    return Traits(brightness, high / enlarged, min(wide, high), tint, fills)


def why_unexamined(question: str, facts: Observation, traits: Traits) -> str:
    """Say in a few words why a question about a picture got no answer, or that it is not known."""
    if facts.camera is not None and facts.camera.condition in OF_CONDITION:
        return f"picture {OF_CONDITION[facts.camera.condition]}"
    if question in OF_MESH | {OF_PRINTS} and not facts.faces:
        return "no face found"
    if question in OF_MESH:
        small = (traits.seen_px or 0) < gaze.MIN_FACE_PX
        return f"face smaller than {gaze.MIN_FACE_PX} pixels" if small else "no mesh fits the face"
    if question == OF_PRINTS:
        return _why_not_print(traits)
    return NOT_KNOWN


def _why_not_print(traits: Traits) -> str:
    if (traits.seen_px or 0) < antispoof.LEAST_FACE_PX:
        return f"face smaller than {antispoof.LEAST_FACE_PX} pixels"
    if (traits.tint or 0) < antispoof.LEAST_COLOUR:
        return "grey face"
    return "face fills the picture" if traits.fills else NOT_KNOWN
