"""From the facts of one frame to yes, no or unknown for each kind; pure, so it can be repeated on stored facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exams.kinds import Kind
from exams.policy import Policy, Thresholds
from vision.types import EYE_DEGREES, Condition, Observation, Sense


@dataclass(frozen=True, slots=True)
class Cue:
    """One answer: ``value`` None is unknown; ``confidence`` 0..1 belongs to a yes; ``detail`` holds its numbers."""

    value: bool | None
    confidence: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)


UNKNOWN = Cue(None)
NO = Cue(False)


def wanted_facts(facts: Observation, policy: Policy) -> Observation:
    """Return the facts less what the policy does not want examined, whatever was examined when they were stored."""
    off: dict[str, Any] = {sense: None for sense in Sense if sense not in policy.senses}
    return replace(facts, **off) if off else facts


def read_cues(facts: Observation, policy: Policy) -> dict[str, Cue]:
    """Return a cue for every enabled kind that pictures can answer."""
    return {kind: read(facts, policy.thresholds) for kind, read in _READERS.items() if policy.rule(kind).enabled}


def examined_senses(facts: Observation) -> frozenset[Sense]:
    """Return the senses that could say something about this frame."""
    seen = {Sense.FACES: facts.faces, Sense.HEAD: facts.head, Sense.EYES: facts.eyes, Sense.OBJECTS: facts.objects}
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


def _count(facts: Observation, limits: Thresholds) -> int:
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
    if len(scores) < 2 or _count(facts, limits) > 1:
        return NO
    return _yes(scores[1], persons=len(scores))


def _looking_away(facts: Observation, limits: Thresholds) -> Cue:
    """The head is turned, or the eyes are, from where this person usually looks."""
    if facts.head is None:  # without the head's direction that of the eyes says nothing
        return UNKNOWN
    turns = [turn for turn in (*_head_turns(facts, limits), *_eye_turns(facts, limits)) if turn[0] >= 1]
    if not turns:
        return NO
    share, detail = max(turns, key=lambda turn: turn[0])
    # At the limit the answer is as good as a coin; at twice the limit it is sure.
    return _yes(0.5 + 0.5 * min(share - 1, 1), **detail)


Turn = tuple[float, dict[str, Any]]
"""How far something is turned as a share of its limit, and the numbers that say so."""


def _head_turns(facts: Observation, limits: Thresholds) -> Iterator[Turn]:
    if facts.head is None:
        return
    yaw, pitch = facts.head.yaw - facts.head.base_yaw, facts.head.pitch - facts.head.base_pitch
    yield abs(yaw) / limits.head_yaw, _turned("head", "left" if yaw > 0 else "right", yaw)
    limit = limits.head_up if pitch > 0 else limits.head_down
    yield abs(pitch) / limit, _turned("head", "up" if pitch > 0 else "down", pitch)


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
    Kind.PHONE: _object("cell phone", "phone_score"),
    Kind.BOOK: _object("book", "book_score"),
    Kind.LAPTOP: _object("laptop", "laptop_score"),
    Kind.CAMERA_BLOCKED: _camera(Condition.COVERED),
    Kind.POOR_LIGHT: _camera(Condition.DARK),
    Kind.CAMERA_BLURRED: _camera(Condition.BLURRED),
}
