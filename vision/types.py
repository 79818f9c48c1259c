"""What the senses are given and what they hand back.

Every fact may be ``None``, which means *not examined*: unknown, never "no".
Boxes are ``(x, y, width, height)`` as shares of the picture (0..1), so that facts outlive the picture's size.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

Box = tuple[float, float, float, float]
Memory = dict[str, Any]
"""What a session's analyzers remember between frames: small and JSON-serialisable."""

EYE_DEGREES = 70.0
"""How far the gaze turns, in degrees, while the iris goes from the middle of the eye to its corner."""


class Sense(StrEnum):
    """One thing that can be looked at; coverage is kept per sense."""

    CAMERA = "camera"
    FACES = "faces"
    HEAD = "head"
    EYES = "eyes"
    OBJECTS = "objects"


class Condition(StrEnum):
    """Whether a picture can be examined at all."""

    OK = "ok"
    DARK = "dark"
    BLURRED = "blurred"
    COVERED = "covered"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture: ``rgb`` is (height, width, 3) uint8; ``captured_at`` is seconds, only differences matter."""

    seq: int
    captured_at: float
    rgb: np.ndarray


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be examined: the senses switched on, and the longest rest of the object model in seconds."""

    senses: frozenset[Sense] = frozenset(Sense)
    objects_every_s: float = 8.0


@dataclass(frozen=True, slots=True)
class Camera:
    """How the picture is: brightness, contrast 0..1; sharpness is the variance of the smoothed picture's Laplacian."""

    condition: Condition
    brightness: float
    contrast: float
    sharpness: float


@dataclass(frozen=True, slots=True)
class Face:
    """One face with its score 0..1."""

    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Head:
    """Head pose in degrees (yaw > 0 faces picture-left, pitch > 0 up) and the person's own baseline, if learnt."""

    yaw: float
    pitch: float
    roll: float
    base_yaw: float = 0.0
    base_pitch: float = 0.0


@dataclass(frozen=True, slots=True)
class Eyes:
    """Iris direction −1..1 (horizontal > 0 looks picture-left, vertical > 0 up), eye aspect ratio, and the baseline."""

    horizontal: float
    vertical: float
    openness: float
    base_horizontal: float = 0.0
    base_vertical: float = 0.0


@dataclass(frozen=True, slots=True)
class Detection:
    """One object, by its COCO label (``person``, ``cell phone``, ``book``, ``laptop`` …), with its score 0..1."""

    label: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Observation:
    """The facts of one frame; ``None`` and absent mean not examined.

    ``person_share`` is the share of the picture that the bundled segmentation takes for a person. It is measured only
    where no face was found, and the object model is missing or saw nobody a moment ago in the same unchanged scene.
    """

    seq: int
    captured_at: float
    camera: Camera | None = None
    faces: tuple[Face, ...] | None = None
    head: Head | None = None
    eyes: Eyes | None = None
    objects: tuple[Detection, ...] | None = None
    person_share: float | None = None
    timings_ms: dict[str, float] = field(default_factory=dict, compare=False)

    def to_facts(self) -> dict[str, Any]:
        """Return the examined facts as compact JSON-serialisable values, without seq, time and timings."""
        facts = asdict(self)
        for name in ("seq", "captured_at", "timings_ms"):
            del facts[name]
        return {name: _compact(value) for name, value in facts.items() if value is not None}

    @classmethod
    def from_facts(cls, facts: dict[str, Any], *, seq: int, captured_at: float) -> Observation:
        """Rebuild what ``to_facts`` wrote."""

        def one(kind: type, value: Any) -> Any:
            return None if value is None else kind(**value)

        def many(kind: type, values: Any) -> Any:
            return None if values is None else tuple(kind(**{**v, "box": tuple(v["box"])}) for v in values)

        camera = facts.get("camera")
        return cls(
            seq=seq,
            captured_at=captured_at,
            camera=None if camera is None else Camera(**{**camera, "condition": Condition(camera["condition"])}),
            faces=many(Face, facts.get("faces")),
            head=one(Head, facts.get("head")),
            eyes=one(Eyes, facts.get("eyes")),
            objects=many(Detection, facts.get("objects")),
            person_share=facts.get("person_share"),
        )

    @property
    def usable(self) -> bool | None:
        """Whether the picture could be examined; ``None`` when the camera sense did not run."""
        return None if self.camera is None else self.camera.condition is Condition.OK


def _compact(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _compact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_compact(item) for item in value]
    return value
