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
    MOUTH = "mouth"
    OBJECTS = "objects"
    LEVEL = "level"
    SPEECH = "speech"
    SPEAKERS = "speakers"


SOUND_SENSES = frozenset({Sense.LEVEL, Sense.SPEECH, Sense.SPEAKERS})
"""The senses that listen; the others look."""


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
class Lids:
    """How far each eye is open, as its aspect ratio: that on the picture's left and that on its right."""

    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Mouth:
    """How far the mouth is open, as the inner lips' aspect ratio, and how often it went open and shut of late."""

    openness: float
    turns: int = 0


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
    lids: Lids | None = None
    mouth: Mouth | None = None
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
            lids=one(Lids, facts.get("lids")),
            mouth=one(Mouth, facts.get("mouth")),
            objects=many(Detection, facts.get("objects")),
            person_share=facts.get("person_share"),
        )

    @property
    def usable(self) -> bool | None:
        """Whether the picture could be examined; ``None`` when the camera sense did not run."""
        return None if self.camera is None else self.camera.condition is Condition.OK


@dataclass(frozen=True, slots=True, eq=False)
class SoundChunk:
    """Decoded sound: ``samples`` is (n,) float32 in −1..1, one channel; it began ``captured_at``, in seconds."""

    seq: int
    captured_at: float
    samples: np.ndarray
    rate: int

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a chunk is, in dBFS (RMS): as a whole, its loudest 0.4 s, its quietest tenth, and second by second.

    ``clipped`` is the share 0..1 of samples at full scale.
    """

    rms: float
    loudest: float
    floor: float
    clipped: float
    curve: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Speech:
    """A stretch of speech, in seconds from the chunk's start, and how sure that is, 0..1."""

    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True, slots=True)
class Turn:
    """Who spoke in a stretch: 0 is the candidate, others by number, None is not to be told; ``likeness`` a cosine."""

    start_s: float
    end_s: float
    speaker: int | None
    likeness: float


@dataclass(frozen=True, slots=True)
class Heard:
    """The facts of one chunk of sound; ``None`` means not examined.

    ``voices`` is how many different voices were heard in the minute up to its end, and ``knows_candidate`` whether the
    candidate's own is known.
    """

    seq: int
    captured_at: float
    duration_s: float
    level: Level | None = None
    speech: tuple[Speech, ...] | None = None
    turns: tuple[Turn, ...] | None = None
    voices: int | None = None
    knows_candidate: bool = False
    timings_ms: dict[str, float] = field(default_factory=dict, compare=False)

    def to_facts(self) -> dict[str, Any]:
        """Return the examined facts as compact JSON-serialisable values, without seq, time and timings."""
        facts = asdict(self)
        for name in ("seq", "captured_at", "timings_ms"):
            del facts[name]
        return {name: _compact(value) for name, value in facts.items() if value is not None}

    @classmethod
    def from_facts(cls, facts: dict[str, Any], *, seq: int, captured_at: float) -> Heard:
        """Rebuild what ``to_facts`` wrote."""
        level, speech, turns = facts.get("level"), facts.get("speech"), facts.get("turns")
        return cls(
            seq=seq,
            captured_at=captured_at,
            duration_s=facts.get("duration_s", 0.0),
            level=None if level is None else Level(**{**level, "curve": tuple(level["curve"])}),
            speech=None if speech is None else tuple(Speech(**item) for item in speech),
            turns=None if turns is None else tuple(Turn(**item) for item in turns),
            voices=facts.get("voices"),
            knows_candidate=facts.get("knows_candidate", False),
        )


def _compact(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _compact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_compact(item) for item in value]
    return value
