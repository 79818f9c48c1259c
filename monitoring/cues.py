"""From the facts of one frame to yes, no or unknown for each kind; pure, so it can be repeated on stored facts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from exams.kinds import Kind
from exams.policy import Policy, Thresholds
from monitoring.answers import NO, UNKNOWN, Cue
from monitoring.answers import yes as _yes
from monitoring.glances import off_screen
from monitoring.hand_cues import hand_at_ear, hand_gesture, hand_over_mouth
from vision.analyzers.posters import is_picture, shows
from vision.types import (
    EYE_DEGREES,
    SOUND_SENSES,
    Box,
    Condition,
    Detection,
    Face,
    Head,
    Lids,
    Observation,
    Sense,
    overlap,
)

Turn = tuple[float, dict[str, Any]]
"""How far something is turned as a share of its limit, and the numbers that say so."""

EVEN_DISTANCE, DISTANCE_SPREAD = 0.55, 0.02
"""Two faces so far apart are as often one person's as two people's, and how quickly that changes around it."""

PHONE_SHARE = 0.04
"""A phone at a desk fills less of the picture than this; what fills more is mostly something else, held up or near."""

BODY_ASIDE, BODY_DOWN = 1.5, 4.0
"""How far what a person wears is from the middle of the face, in its widths, and below the chin, in its heights."""

HIDDEN_BELOW = 0.15
"""Of eyes that are open no further the lids hide the iris."""

CLEARLY = 1.5
SAME_THING = 0.5
"""Boxes that overlap so much, of their union, are of one thing."""


def wanted_facts(facts: Observation, policy: Policy) -> Observation:
    """Return the facts less what the policy does not want examined, whatever was examined when they were stored."""
    off: dict[str, Any] = {sense: None for sense in Sense if sense not in (*policy.senses, *SOUND_SENSES)}
    if Sense.EYES in off:
        off["lids"] = None
    if Sense.LIVENESS in off:
        off["live_looks"] = None
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
        Sense.EYES: facts.eyes or _shut(facts),
        Sense.MOUTH: facts.mouth,
        Sense.HANDS: facts.hands,
        Sense.OBJECTS: facts.objects,
        Sense.IDENTITY: facts.identity,
        Sense.LIVENESS: facts.liveness,
    }
    usable = {Sense.CAMERA} if facts.usable else set()
    return frozenset(usable | {sense for sense, value in seen.items() if value is not None})


def _shut(facts: Observation) -> Lids | None:
    """Return the lids where they hide the eyes; open eyes without a gaze, as behind glare, were not examined."""
    lids = facts.lids
    return lids if lids is not None and min(lids.left, lids.right) < HIDDEN_BELOW else None


def _beyond(share: float) -> float:
    """Return how sure a yes is whose measure is this share of its limit: four in five at the limit, then more.

    Measured on labelled pictures (docs/accuracy.md): half as much again as the limit is right 19 times in 20.
    """
    return 1 - 0.2 * math.exp(-3 * (share - 1))


def _surely_a_face(score: float) -> float:
    """Return how often a face of this score is one: the counter's own scores are too modest by two thirds."""
    return 1 - (1 - score) / 3


def _nobody(facts: Observation, limits: Thresholds) -> Cue:
    """No face by any face model *and* no person by the object model or the bundled segmentation."""
    if facts.faces is None:
        return UNKNOWN
    pictures = [face for face in facts.faces if face.alike_s >= limits.picture_alone_s]
    if len(pictures) < len(facts.faces):
        return NO
    told = {"pictures": len(pictures)} if pictures else {}
    if facts.objects is not None and facts.looked_at is None:
        person = max(_person_scores(facts, pictures), default=0.0)
        return _yes(1 - person, person_score=person, **told) if person < limits.person_present_score else NO
    if facts.person_share is not None:
        share = facts.person_share
        return _yes(1 - share, person_share=share, **told) if share < limits.person_present_share else NO
    return UNKNOWN  # one model's word is not enough


def _person_scores(facts: Observation, pictures: Sequence[Face]) -> list[float]:
    """Return the scores of the people whom the object model saw, less those whom pictures on the wall show."""
    people = (item for item in facts.objects or () if item.label == "person")
    return [item.score for item in people if not shows(item.box, pictures)]


def _is_poster(face: Face, limits: Thresholds) -> bool:
    """Say whether a face has hung there for long and never moved, or did not change while something else did."""
    return face.still_s >= limits.poster_s or face.alike_s >= limits.picture_beside_s


def counted_faces(facts: Observation, limits: Thresholds) -> int:
    """Return how many faces count, 0 also where nobody looked."""
    return len(_living_scores(facts, limits))


def _living_scores(facts: Observation, limits: Thresholds) -> list[float]:
    """Return the scores of the faces that count, highest first: posters do not."""
    faces = [face for face in facts.faces or () if face.score >= limits.face_score]
    return sorted((face.score for face in faces if not _is_poster(face, limits)), reverse=True)


def _several_faces(facts: Observation, limits: Thresholds) -> Cue:
    if facts.faces is None:
        return UNKNOWN
    scores = _living_scores(facts, limits)
    return _yes(_surely_a_face(scores[1]), faces=len(scores)) if len(scores) > 1 else NO


def _extra_person(facts: Observation, limits: Thresholds) -> Cue:
    """A second person whose face does not show; with two faces it is MULTIPLE_FACES already."""
    if facts.objects is None or facts.looked_at is not None:
        return UNKNOWN
    posters = [face for face in facts.faces or () if _is_poster(face, limits)]
    scores = sorted((score for score in _person_scores(facts, posters) if score >= limits.person_score), reverse=True)
    if len(scores) < 2 or counted_faces(facts, limits) > 1:
        return NO
    return _yes(scores[1], persons=len(scores))


def _partly_hidden(facts: Observation, limits: Thresholds) -> Cue:
    """The picture's edge cuts through the candidate's face.

    Of masks, veils and beards nothing is said: what somebody wears accuses nobody.
    """
    if facts.faces is None:
        return UNKNOWN
    faces = [face for face in facts.faces if face.score >= limits.face_score and not is_picture(face)]
    if not faces:
        return UNKNOWN
    hidden = _share_outside(max(faces, key=lambda face: face.box[2] * face.box[3]).box)
    return _yes(0.9 + hidden / 2, hidden=round(hidden, 2)) if hidden >= limits.face_hidden else NO


def _share_outside(box: Box) -> float:
    x, y, width, height = box
    inside = max(0.0, min(1.0, x + width) - max(0.0, x)) * max(0.0, min(1.0, y + height) - max(0.0, y))
    return 1 - inside / (width * height) if width * height > 0 else 0.0


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
    return _yes(_beyond(share), **detail)


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
    return _yes(_beyond(2 - opened / limits.eyes_closed), openness=round(opened, 3))


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
    return _yes(_beyond(share), openness=facts.mouth.openness) if share >= 1 else NO


def _phone(facts: Observation, limits: Thresholds) -> Cue:
    """A phone in a hand, or one that lies about and is not taken for one by its place, its size or another name."""
    if facts.objects is None:
        return UNKNOWN
    sure = [
        _yes(_sureness(item.score, limit), label=item.label, held=item.held)
        for item in facts.objects
        if item.label == "cell phone"
        and item.score >= (limit := _phone_limit(item, facts, limits))
        and not _is_named_otherwise(item, facts)
    ]
    return max(sure, key=lambda cue: cue.confidence, default=NO)


def _phone_limit(item: Detection, facts: Observation, limits: Thresholds) -> float:
    if item.held:
        return limits.phone_held_score
    doubtful = item.box[2] * item.box[3] > PHONE_SHARE or any(_wears(face.box, item.box) for face in facts.faces or ())
    return limits.phone_doubtful_score if doubtful else limits.phone_score


def _wears(face: Box, box: Box) -> bool:
    """Say whether a thing lies on the body below a face: where badges, cameras and radios hang."""
    across = (box[0] + box[2] / 2 - face[0] - face[2] / 2) / face[2]
    below = (box[1] + box[3] / 2 - face[1] - face[3]) / face[3]
    return abs(across) <= BODY_ASIDE and 0 <= below <= BODY_DOWN


def _is_named_otherwise(item: Detection, facts: Observation) -> bool:
    """Say whether the model is clearly surer that the same thing is a remote."""
    return any(
        other.label == "remote" and other.score > CLEARLY * item.score and overlap(other.box, item.box)[0] >= SAME_THING
        for other in facts.objects or ()
    )


def _sureness(score: float, limit: float) -> float:
    """At its limit a score is right more often than not, at twice the limit nearly always."""
    return 0.7 + 0.25 * min(1.0, (score - limit) / limit)


def _object(label: str, limit: str) -> Callable[[Observation, Thresholds], Cue]:
    def read(facts: Observation, limits: Thresholds) -> Cue:
        if facts.objects is None:
            return UNKNOWN
        score = max((item.score for item in facts.objects if item.label == label), default=0.0)
        if score >= getattr(limits, limit):
            return _yes(score, label=label)
        return NO if facts.looked_at is None else UNKNOWN

    return read


def _somebody_else(facts: Observation, limits: Thresholds) -> Cue:
    """The face is farther from the enrolled one than the same person's ever is."""
    return UNKNOWN if facts.identity is None else different_face(facts.identity.distance, limits.identity_mismatch)


def _unsure_who(facts: Observation, limits: Thresholds) -> Cue:
    """The face is neither near the enrolled one nor clearly somebody else's."""
    if facts.identity is None:
        return UNKNOWN
    apart = facts.identity.distance
    if apart >= limits.identity_mismatch:
        return UNKNOWN  # that is told by the other kind
    return _yes(0.5, distance=round(apart, 3)) if apart >= limits.identity_unsure else NO


def different_face(apart: float, limit: float) -> Cue:
    """Say whether two faces so far apart are two people's."""
    if apart < limit:
        return NO
    return _yes(1 / (1 + math.exp(-(apart - EVEN_DISTANCE) / DISTANCE_SPREAD)), distance=round(apart, 3))


def _spoofed(facts: Observation, limits: Thresholds) -> Cue:
    """A picture of somebody that stands still, or comes back, or a face that several looks take for a print."""
    if facts.liveness is None:
        return UNKNOWN
    seen = facts.liveness
    if seen.frozen_s >= limits.frozen_s:
        return _yes(0.95, by="frozen", seconds=int(seen.frozen_s))
    repeats = max(seen.repeats / limits.loop_repeats, seen.in_order / limits.loop_in_order)
    if repeats >= 1:
        return _yes(0.5 + 0.25 * repeats, by="loop", pictures=max(seen.repeats, seen.in_order))
    return _not_living(facts, limits)


def _not_living(facts: Observation, limits: Thresholds) -> Cue:
    """Several looks at the face in front took it for a print or a screen."""
    looks = sorted(facts.live_looks or ())
    if len(looks) < limits.print_looks or looks[limits.print_looks - 1] >= limits.living_score:
        return NO
    return _yes(1 - looks[limits.print_looks - 1], by="print", looks=limits.print_looks)


def print_look(facts: Observation, limits: Thresholds) -> Cue:
    """Say whether the newest look took the face in front for a print or a screen, which alone means nothing."""
    if not facts.live_looks:
        return UNKNOWN
    score = facts.live_looks[-1]
    return _yes(1 - score, living=score) if score < limits.living_score else NO


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
    Kind.FACE_PARTLY_HIDDEN: _partly_hidden,
    Kind.LOOKING_AWAY: _looking_away,
    Kind.LOOKING_DOWN: _looking_down,
    Kind.EYE_MOVEMENT: off_screen,
    Kind.EYES_CLOSED: _eyes_closed,
    Kind.MOUTH_MOVING: _mouth_moving,
    Kind.HAND_GESTURE: hand_gesture,
    Kind.HAND_AT_EAR: hand_at_ear,
    Kind.HAND_OVER_MOUTH: hand_over_mouth,
    Kind.PHONE: _phone,
    Kind.BOOK: _object("book", "book_score"),
    Kind.LAPTOP: _object("laptop", "laptop_score"),
    Kind.IDENTITY_MISMATCH: _somebody_else,
    Kind.IDENTITY_UNSURE: _unsure_who,
    Kind.SPOOF_SUSPECTED: _spoofed,
    Kind.CAMERA_BLOCKED: _camera(Condition.COVERED),
    Kind.POOR_LIGHT: _camera(Condition.DARK),
    Kind.CAMERA_BLURRED: _camera(Condition.BLURRED),
}
