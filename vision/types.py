"""What the senses are given and what they hand back.

Every fact may be ``None``, which means *not examined*: unknown, never "no".
Boxes are ``(x, y, width, height)`` as shares of the picture (0..1), so that facts outlive the picture's size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vision.pictures import SMALL_WIDTH, averaged

if TYPE_CHECKING:
    import numpy as np

Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
Memory = dict[str, Any]
"""What a session's analyzers remember between frames: small and JSON-serialisable."""

EYE_DEGREES = 70.0
"""How far the gaze turns, in degrees, while the iris goes from the middle of the eye to its corner."""

HANDS_EVERY_S = 15.0
"""Longest rest between two looks for hands."""


class Sense(StrEnum):
    """One thing that can be looked at; coverage is kept per sense."""

    CAMERA = "camera"
    FACES = "faces"
    HEAD = "head"
    EYES = "eyes"
    MOUTH = "mouth"
    HANDS = "hands"
    OBJECTS = "objects"
    IDENTITY = "identity"
    LIVENESS = "liveness"
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


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture: ``rgb`` is (height, width, 3) uint8; ``captured_at`` is seconds, only differences matter."""

    seq: int
    captured_at: float
    rgb: np.ndarray

    @cached_property
    def small(self) -> np.ndarray:
        """The same picture 320 to 639 pixels wide, or as it is where it is narrower; made once for all senses."""
        return averaged(self.rgb, self.rgb.shape[1] // SMALL_WIDTH)


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be examined: the senses switched on, and the longest rests, in seconds, of the object model and
    between two looks at whose face it is. ``enrolled`` is the face to compare with, (128,) numbers; empty is nobody's.

    The first rest of each sense that rests lasts only the share ``first_rest``, 0..1, of the others. It is better
    another one for each session: else all those who begin together fall due together, again and again.
    """

    senses: frozenset[Sense] = frozenset(Sense)
    objects_every_s: float = 15.0
    identity_every_s: float = 20.0
    first_rest: float = 1.0
    enrolled: tuple[float, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Camera:
    """How the picture is: brightness, contrast 0..1; sharpness is the variance of the smoothed picture's Laplacian."""

    condition: Condition
    brightness: float
    contrast: float
    sharpness: float


@dataclass(frozen=True, slots=True)
class Face:
    """One face with its score 0..1.

    ``track`` is its number as long as it stays in view, and ``track_score`` the running mean of its scores. For
    ``still_s`` seconds it was seen in one place without having moved; 0 of the largest. For ``alike_s`` seconds no part
    of it has changed, though something else in the picture did: a picture of a face does that.
    """

    box: Box
    score: float
    track: int | None = None
    track_score: float | None = None
    still_s: float = 0.0
    alike_s: float = 0.0


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
class Hand:
    """One hand near the candidate's face; lengths are in face lengths, the height of the face's box.

    ``score`` says how sure it is that this is a ``right`` hand or a left one; ``size`` is the palm's length; ``across``
    and ``rise`` tell how far the palm's middle is to the picture's right of the face's middle, and above the chin;
    ``upright`` (−1..1) how much the hand points up; ``fingers`` how many are stretched; ``apart`` how far the hand is
    from the face; ``on_face`` and ``on_mouth`` their share it covers; ``to_ear`` how far the palm is from the
    nearer ear; ``moved`` how far it went of late, None where it was not seen before.
    """

    box: Box
    score: float
    right: bool
    size: float
    across: float
    rise: float
    upright: float
    fingers: int
    apart: float
    on_face: float
    on_mouth: float
    to_ear: float
    moved: float | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """One object, by its COCO label (``person``, ``cell phone``, ``book``, ``laptop`` …), with its score 0..1.

    ``held``: a hand was found that holds it.
    """

    label: str
    score: float
    box: Box
    held: bool = False


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far the face is from the enrolled one: mostly under 0.5 for the same person, over 0.6 for somebody else.

    ``face_px`` is the face's height in pixels. What the face looks like is never among the facts.
    """

    distance: float
    face_px: int = 0


@dataclass(frozen=True, slots=True)
class Liveness:
    """How much the pictures are like a recording.

    ``frozen_s``: for so many seconds nothing has moved. ``repeats``: so many pictures of the last ten minutes were the
    same as an earlier one with movement in between. ``in_order``: so many in a row came back, each ``lag_s``
    seconds after the first time.
    """

    frozen_s: float = 0.0
    repeats: int = 0
    in_order: int = 0
    lag_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """The facts of one frame; ``None`` and absent mean not examined.

    ``person_share`` is the share of the picture that the bundled segmentation takes for a person. It is measured only
    where no face was found, and the object model is missing or saw nobody a moment ago in the same unchanged scene.
    ``live_looks``: how living the face in front looked at each of the last looks at it, 0..1, the newest last.
    ``looked_at`` is the part of the picture in which ``objects`` were looked for, ``None`` where it was the whole.
    """

    seq: int
    captured_at: float
    camera: Camera | None = None
    faces: tuple[Face, ...] | None = None
    head: Head | None = None
    eyes: Eyes | None = None
    lids: Lids | None = None
    mouth: Mouth | None = None
    hands: tuple[Hand, ...] | None = None
    objects: tuple[Detection, ...] | None = None
    looked_at: Box | None = None
    identity: Likeness | None = None
    person_share: float | None = None
    liveness: Liveness | None = None
    live_looks: tuple[float, ...] | None = None
    timings_ms: dict[str, float] = field(default_factory=dict, compare=False)

    def to_facts(self) -> dict[str, Any]:
        """Return the examined facts as compact JSON-serialisable values, without seq, time and timings."""
        facts = _examined(self)
        if self.liveness is not None:  # of which nearly always all is 0
            facts["liveness"] = {name: value for name, value in facts["liveness"].items() if value}
        return facts

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
            hands=many(Hand, facts.get("hands")),
            objects=many(Detection, facts.get("objects")),
            looked_at=tuple(facts["looked_at"]) if facts.get("looked_at") else None,
            identity=one(Likeness, facts.get("identity")),
            person_share=facts.get("person_share"),
            liveness=one(Liveness, facts.get("liveness")),
            live_looks=None if facts.get("live_looks") is None else tuple(facts["live_looks"]),
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
    """Who spoke in a stretch: 0 is the candidate, others by number, None is not to be told; ``likeness`` a cosine.

    ``own`` is how like it is to the candidate's own voice, a cosine too; None where that is unknown or it is too short.
    """

    start_s: float
    end_s: float
    speaker: int | None
    likeness: float
    own: float | None = None


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
        return _examined(self)

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


def overlap(a: Box, b: Box) -> tuple[float, float]:
    """Return the intersection of two boxes over their union, and over the smaller of them."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(0.0, width) * max(0.0, height)
    area_a, area_b = a[2] * a[3], b[2] * b[3]
    return common / max(area_a + area_b - common, 1e-9), common / max(min(area_a, area_b), 1e-9)


NO_FACTS = ("seq", "captured_at", "timings_ms")


def _examined(seen: Observation | Heard) -> dict[str, Any]:
    """Return the facts that are known; by hand, since ``asdict`` copies all there is and takes three times as long."""
    facts = {name: getattr(seen, name) for name in type(seen).__slots__ if name not in NO_FACTS}
    return {name: _compact(value) for name, value in facts.items() if value is not None}


def _compact(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, list | tuple):
        return [_compact(item) for item in value]
    return {name: _compact(getattr(value, name)) for name in type(value).__slots__}
