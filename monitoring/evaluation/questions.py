"""What is asked of a labelled picture: what its labels say, and what the facts of a look at it answer.

Every truth may be None, where the labels do not tell; such a picture is not asked that question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exams.kinds import Kind
from exams.policy import Policy
from monitoring.answers import Cue
from monitoring.cues import counted_faces, head_turn, mouth_open, print_look, read_cue
from monitoring.hand_cues import hand_raised
from vision.types import Observation

MOST_COUNTED = 5
"""So many faces are counted exactly; of a crowd nobody wants the number."""

Labels = Mapping[str, Any]
Truth = Callable[[Labels], bool | None]
OF_LIVING = ("person", "direction", "eyes", "mouth")
FORWARD_EYES = {"center", "camera"}
LABEL_OF = {Kind.PHONE: "phone", Kind.BOOK: "book", Kind.LAPTOP: "laptop"}


@dataclass(frozen=True, slots=True)
class Question:
    """One yes-or-no question about a picture; ``about`` is a kind's name where one answers it."""

    name: str
    asks: str
    truth: Truth
    answer: Callable[[Observation, Policy], Cue]


def _kind(kind: str) -> Callable[[Observation, Policy], Cue]:
    """Ask what the kind's cue says, also where the policy has it switched off."""
    return lambda facts, policy: read_cue(kind, facts, policy)


def _head(facts: Observation, policy: Policy) -> Cue:
    return head_turn(facts, policy.thresholds)


def _mouth(facts: Observation, policy: Policy) -> Cue:
    return mouth_open(facts, policy.thresholds)


def _hand(facts: Observation, policy: Policy) -> Cue:
    return hand_raised(facts, policy.thresholds)


def _print(facts: Observation, policy: Policy) -> Cue:
    return print_look(facts, policy.thresholds)


def _nobody(labels: Labels) -> bool | None:
    if labels.get("persons") or labels.get("faces") or labels.get("faces_min"):
        return False
    return True if labels.get("faces") == 0 else None


def _several(labels: Labels) -> bool | None:
    if "faces" in labels:
        return bool(labels["faces"] > 1)
    return True if labels.get("faces_min", 0) > 1 else None


def _turned(labels: Labels) -> bool | None:
    direction = labels.get("direction")
    return None if direction is None else bool(direction != "forward")


def _down(labels: Labels) -> bool | None:
    direction = labels.get("direction")
    return None if direction is None else "down" in str(direction)


def _away(labels: Labels) -> bool | None:
    """A head that is turned, or eyes that are; forward counts only where both are said to be, and down not at all."""
    if _turned(labels):
        return None if labels["direction"] == "down" else True
    gaze = labels.get("gaze")
    if not isinstance(gaze, str):
        return None
    if gaze not in FORWARD_EYES:
        return True
    return False if _turned(labels) is False else None


def _no_living_face(labels: Labels) -> bool | None:
    """Say whether the face is a print, a screen or painted; who has eyes, a direction or a name is alive."""
    if "live" in labels:
        return not labels["live"]
    living = labels.get("faces") or labels.get("faces_min") or any(name in labels for name in OF_LIVING)
    return False if living else None


def _stated(name: str, yes: str, no: str) -> Truth:
    """Read a label whose other words, such as half closed, are neither."""
    return lambda labels: {yes: True, no: False}.get(str(labels.get(name)))


def _mouth_covered(labels: Labels) -> bool | None:
    return {"covered": True, "open": False, "closed": False}.get(str(labels.get("mouth")))


def _told(name: str) -> Truth:
    return lambda labels: labels[name] if isinstance(labels.get(name), bool) else None


def _object(label: str) -> Truth:
    def truth(labels: Labels) -> bool | None:
        if label in labels.get("objects", ()):
            return True
        return False if label in labels.get("objects_absent", ()) or _is_bare(labels) else None

    return truth


def _is_bare(labels: Labels) -> bool:
    """Say whether the labels list every object in the picture, as they do where they list none."""
    return labels.get("objects") == []


QUESTIONS: tuple[Question, ...] = (
    Question(Kind.NO_FACE, "is nobody in view", _nobody, _kind(Kind.NO_FACE)),
    Question(Kind.MULTIPLE_FACES, "are there several faces", _several, _kind(Kind.MULTIPLE_FACES)),
    Question("HEAD_TURNED", "is the head turned", _turned, _head),
    Question(Kind.LOOKING_AWAY, "are head or eyes turned away", _away, _kind(Kind.LOOKING_AWAY)),
    Question(Kind.LOOKING_DOWN, "is the head bent down", _down, _kind(Kind.LOOKING_DOWN)),
    Question(Kind.EYES_CLOSED, "are both eyes closed", _stated("eyes", "closed", "open"), _kind(Kind.EYES_CLOSED)),
    Question("PRINT_OR_SCREEN", "is the face no living one", _no_living_face, _print),
    Question("MOUTH_OPEN", "is the mouth open", _stated("mouth", "open", "closed"), _mouth),
    Question(Kind.HAND_OVER_MOUTH, "does a hand cover the mouth", _mouth_covered, _kind(Kind.HAND_OVER_MOUTH)),
    Question("HAND_RAISED", "is a hand up, as in a sign", _told("hand_gesture"), _hand),
    *(Question(kind, f"is a {label} in view", _object(label), _kind(kind)) for kind, label in LABEL_OF.items()),
)


def face_count(labels: Labels) -> int | None:
    """Return how many faces there are, where that is told and not a crowd."""
    faces = labels.get("faces")
    return faces if isinstance(faces, int) and 0 <= faces <= MOST_COUNTED else None


def counted(facts: Observation, policy: Policy) -> int | None:
    """Return how many faces were counted, None where nobody could look."""
    return None if facts.faces is None else counted_faces(facts, policy.thresholds)
