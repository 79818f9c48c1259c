"""From the facts of one frame to yes, no or unknown for each kind; pure, so it can be repeated on stored facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exams.kinds import Kind
from exams.policy import Policy, Thresholds
from vision.types import EYE_DEGREES, SOUND_SENSES, Condition, Head, Observation, Sense


@dataclass(frozen=True, slots=True)
class Cue:
    """One answer: ``value`` None is unknown; ``confidence`` 0..1 belongs to a yes; ``detail`` holds its numbers."""

    value: bool | None
    confidence: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)


Turn = tuple[float, dict[str, Any]]
"""How far something is turned as a share of its limit, and the numbers that say so."""

UNKNOWN = Cue(None)
NO = Cue(False)


def wanted_facts(facts: Observation, policy: Policy) -> Observation:
    """Return the facts less what the policy does not want examined, whatever was examined when they were stored."""
    off: dict[str, Any] = {sense: None for sense in Sense if sense not in (*policy.senses, *SOUND_SENSES)}
    if Sense.EYES in off:
        off["lids"] = None
    return replace(facts, **off) if off else facts


def read_cues(facts: Observation, policy: Policy) -> dict[str, Cue]:
    """Return a cue for every enabled kind that pictures can answer."""
    return {kind: read(facts, policy.thresholds) for kind, read in _READERS.items() if policy.rule(kind).enabled}


def read_cue(kind: str, facts: Observation, policy: Policy) -> Cue:
    """Return the cue for one kind that pictures can answer, enabled or not."""
    return _READERS[kind](facts, policy.thresholds)


def examined_senses(facts: Observation) -> frozenset[Sense]:
    """Return the senses that could say something about this frame."""
    seen = {
        Sense.FACES: facts.faces,
        Sense.HEAD: facts.head,
        Sense.EYES: facts.eyes or facts.lids,
        Sense.MOUTH: facts.mouth,
        Sense.OBJECTS: facts.objects,
    }
    usable = {Sense.CAMERA} if facts.usable else set()
    return frozenset(usable | {sense for sense, value in seen.items() if value is not None})


def _yes(confidence: float, **detail: Any) -> Cue:
    return Cue(True, round(min(max(confidence, 0.0), 1.0), 4), detail)


def _nobody(facts: Observation, limits: Thresholds) -> Cue:
    """No face by any face model *and* no person by the object model or the bundled segmentation."""
    if facts.faces is None:
        return UNKNOWN
    if facts.faces:
        return NO
    if facts.objects is not None:
        person = max((item.score for item in facts.objects if item.label == "person"), default=0.0)
        return _yes(1 - person, person_score=person) if person < limits.person_present_score else NO
    if facts.person_share is not None:
        share = facts.person_share
        return _yes(1 - share, person_share=share) if share < limits.person_present_share else NO
    return UNKNOWN  # one model's word is not enough


def counted_faces(facts: Observation, limits: Thresholds) -> int:
    """Return how many faces count, 0 also where nobody looked."""
    return sum(face.score >= limits.face_score for face in facts.faces or ())


def _several_faces(facts: Observation, limits: Thresholds) -> Cue:
    if facts.faces is None:
        return UNKNOWN
    scores = sorted((face.score for face in facts.faces if face.score >= limits.face_score), reverse=True)
    return _yes(scores[1], faces=len(scores)) if len(scores) > 1 else NO


def _extra_person(facts: Observation, limits: Thresholds) -> Cue:
    """A second person whose face does not show; with two faces it is MULTIPLE_FACES already."""
    if facts.objects is None:
        return UNKNOWN
    scores = sorted((item.score for item in facts.objects if item.label == "person"), reverse=True)
    scores = [score for score in scores if score >= limits.person_score]
    if len(scores) < 2 or counted_faces(facts, limits) > 1:
        return NO
    return _yes(scores[1], persons=len(scores))


def _looking_away(facts: Observation, limits: Thresholds) -> Cue:
    """The head is turned, or the eyes are, from where this person usually looks."""
    if facts.head is None:  # without the head's direction that of the eyes says nothing
        return UNKNOWN
    return _farthest(*_head_turns(facts, limits), *_eye_turns(facts, limits))


def _looking_down(facts: Observation, limits: Thresholds) -> Cue:
    """The head is bent, as over a keyboard, a sheet of paper or a phone in the lap."""
    return UNKNOWN if facts.head is None else _farthest(_head_bow(facts.head, limits))


def head_turn(facts: Observation, limits: Thresholds) -> Cue:
    """Say whether the head alone is turned from where this person usually looks."""
    if facts.head is None:
        return UNKNOWN
    return _farthest(*_head_turns(facts, limits), _head_bow(facts.head, limits))


def _farthest(*among: Turn) -> Cue:
    turns = [turn for turn in among if turn[0] >= 1]
    if not turns:
        return NO
    share, detail = max(turns, key=lambda turn: turn[0])
    # At the limit the answer is as good as a coin; at twice the limit it is sure.
    return _yes(0.5 + 0.5 * min(share - 1, 1), **detail)


def _head_turns(facts: Observation, limits: Thresholds) -> Iterator[Turn]:
    if facts.head is None:
        return
    yaw, pitch = facts.head.yaw - facts.head.base_yaw, facts.head.pitch - facts.head.base_pitch
    yield abs(yaw) / limits.head_yaw, _turned("head", "left" if yaw > 0 else "right", yaw)
    limit = limits.head_up if pitch > 0 else limits.head_down
    yield abs(pitch) / limit, _turned("head", "up" if pitch > 0 else "down", pitch)


def _head_bow(head: Head, limits: Thresholds) -> Turn:
    pitch = head.pitch - head.base_pitch
    return -pitch / limits.head_bent, _turned("head", "down", pitch)


def _eye_turns(facts: Observation, limits: Thresholds) -> Iterator[Turn]:
    if facts.eyes is None or facts.head is None:
        return
    eyes = facts.eyes.horizontal - facts.eyes.base_horizontal
    gaze = facts.head.yaw - facts.head.base_yaw + EYE_DEGREES * eyes
    detail = _turned("eyes", "left" if gaze > 0 else "right", gaze)
    yield abs(gaze) / limits.gaze, detail
    if abs(gaze) >= limits.eyes_gaze:
        yield abs(eyes) / limits.eyes_horizontal, detail


def _turned(by: str, direction: str, degrees: float) -> dict[str, Any]:
    return {"by": by, "direction": direction, "degrees": round(abs(degrees))}


def _eyes_closed(facts: Observation, limits: Thresholds) -> Cue:
    """Both eyes are shut; who winks sees."""
    if facts.lids is None:
        return UNKNOWN
    opened = max(facts.lids.left, facts.lids.right)
    if opened >= limits.eyes_closed:
        return NO
    return _yes(0.5 + 0.5 * min(1.0, 2 * (1 - opened / limits.eyes_closed)), openness=round(opened, 3))


def _mouth_moving(facts: Observation, limits: Thresholds) -> Cue:
    """The mouth went open and shut several times, as in talking."""
    if facts.mouth is None:
        return UNKNOWN
    turned = facts.mouth.turns
    return _yes(0.5 + 0.1 * (turned - limits.mouth_turns), turns=turned) if turned >= limits.mouth_turns else NO


def mouth_open(facts: Observation, limits: Thresholds) -> Cue:
    """Say whether the mouth is open now, which alone means nothing."""
    if facts.mouth is None:
        return UNKNOWN
    share = facts.mouth.openness / limits.mouth_open
    return _yes(0.5 + 0.5 * min(share - 1, 1), openness=facts.mouth.openness) if share >= 1 else NO


def _object(label: str, limit: str) -> Callable[[Observation, Thresholds], Cue]:
    def read(facts: Observation, limits: Thresholds) -> Cue:
        if facts.objects is None:
            return UNKNOWN
        score = max((item.score for item in facts.objects if item.label == label), default=0.0)
        return _yes(score, label=label) if score >= getattr(limits, limit) else NO

    return read


def _camera(condition: Condition) -> Callable[[Observation, Thresholds], Cue]:
    def read(facts: Observation, limits: Thresholds) -> Cue:
        if facts.camera is None:
            return UNKNOWN
        if facts.camera.condition is not condition:
            return NO
        return _yes(0.9, brightness=facts.camera.brightness, sharpness=facts.camera.sharpness)

    return read


_READERS: dict[str, Callable[[Observation, Thresholds], Cue]] = {
    Kind.NO_FACE: _nobody,
    Kind.MULTIPLE_FACES: _several_faces,
    Kind.EXTRA_PERSON: _extra_person,
    Kind.LOOKING_AWAY: _looking_away,
    Kind.LOOKING_DOWN: _looking_down,
    Kind.EYES_CLOSED: _eyes_closed,
    Kind.MOUTH_MOVING: _mouth_moving,
    Kind.PHONE: _object("cell phone", "phone_score"),
    Kind.BOOK: _object("book", "book_score"),
    Kind.LAPTOP: _object("laptop", "laptop_score"),
    Kind.CAMERA_BLOCKED: _camera(Condition.COVERED),
    Kind.POOR_LIGHT: _camera(Condition.DARK),
    Kind.CAMERA_BLURRED: _camera(Condition.BLURRED),
}
