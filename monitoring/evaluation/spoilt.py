"""Pictures and sounds that were spoilt, composed of labelled ones, for kinds that no labelled one shows.

Each labelled picture of one person is asked as it is, and once more dark, blurred, covered, cut by the lower edge, and
with somebody's body beside the person; each labelled sound much louder, and cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exams.kinds import Kind
from exams.policy import Policy
from monitoring.cues import read_cue
from monitoring.evaluation import hearing, looking
from monitoring.evaluation.figures import Answer
from monitoring.evaluation.labels import Sample
from vision.types import Box, Frame, Observation, Sense

if TYPE_CHECKING:
    import numpy as np

    from vision.decoding import Picture

MOST = 120
"""So many pictures, and sounds, are spoilt in each way, evenly out of all that can be."""

UNUSUAL = frozenset({"low_res", "cropped", "dark_or_backlit", "hard"})
"""Pictures that are spoilt already, or that are cut out of another."""

LIGHT, BLUR, LENS = 0.04, 1 / 45, (120, 60, 40)
"""What is left of the light; the blur's deviation as a share of the width; a finger on the lens."""

CUT_AT = 0.7
"""The lower edge goes through the face here, in its heights below its upper edge."""

BODY_LENGTHS, MOST_BODIES = 2.5, 10
"""A body is taken where so much of it shows below the face, in the face's heights."""

LOUD, QUIET, SOUND_S = 0.35, 0.02, 8
"""Levels of a sound that is loud and of one that is not, as root mean square of full scale."""

Spoil = Callable[["Picture", Box, "Picture | None"], "Picture | None"]


@dataclass(frozen=True, slots=True)
class Way:
    """How pictures are spoilt for a kind, and by which senses that is noticed."""

    kind: str
    senses: tuple[Sense, ...]
    spoil: Spoil


def spoilt_pictures(
    samples: Sequence[Sample], policy: Policy, wanted: Callable[[str], bool]
) -> dict[str, list[Answer]]:
    """Ask about each picture as it is and spoilt; returns the answers by kind, for the kinds that are ``wanted``."""
    answers: dict[str, list[Answer]] = {}
    ways = [way for way in WAYS if wanted(way.kind)]
    bodies = _bodies(samples) if wanted(Kind.EXTRA_PERSON) else []
    people = _people(_some([one for one in samples if _is_usual(one, "faces")])) if ways else ()
    for number, (sample, picture, face) in enumerate(people):
        body = bodies[number % len(bodies)] if bodies else None
        for way in ways:
            spoilt = way.spoil(picture, face, body)
            for what, shown in (("", picture), (" (composed)", spoilt)) if spoilt is not None else ():
                facts = _look(shown, replace(policy, senses=way.senses))
                cue = read_cue(way.kind, facts, policy)
                answers.setdefault(way.kind, []).append(
                    Answer(sample.name + what, bool(what), cue.value, cue.confidence)
                )
    return answers


def spoilt_sounds(samples: Sequence[Sample], policy: Policy, wanted: Callable[[str], bool]) -> dict[str, list[Answer]]:
    """Ask of each sound whether it is a loud noise, quiet and loud, and of each speaker whether the microphone died."""
    answers: dict[str, list[Answer]] = {}
    for sample in _some([sample for sample in samples if sample.media == "audio"]):
        speech = sample.labels.get("speech")
        # Where several talk far away, what becomes loud with them may be anything.
        if speech is not False and sample.labels.get("speakers") != 1:
            continue
        for kind, truth, sound in _sounds(hearing.beginning(sample.path, SOUND_S), bool(speech)):
            if wanted(kind):
                said, confidence = hearing.listen(sound, policy).cue(kind, policy)
                answers.setdefault(kind, []).append(Answer(f"{sample.name} (composed)", truth, said, confidence))
    return answers


def _sounds(sound: np.ndarray, speech: bool) -> Iterator[tuple[str, bool, np.ndarray]]:
    import numpy as np

    level = float(np.sqrt(np.mean(np.square(sound)))) if len(sound) else 0.0
    if level < 1e-5:  # nothing that could be made loud
        return
    loud = np.clip(sound * (LOUD / level), -1, 1).astype(np.float32)
    yield Kind.LOUD_NOISE, not speech, loud
    yield Kind.LOUD_NOISE, False, sound * (QUIET / level)
    yield Kind.MIC_SILENT, False, sound * (QUIET / level)
    yield Kind.MIC_SILENT, True, np.zeros_like(sound)


def _people(samples: Sequence[Sample]) -> Iterator[tuple[Sample, Picture, Box]]:
    from vision.decoding import PictureError

    for sample in samples:
        try:
            picture = looking.read_picture(sample)
        except PictureError:
            continue  # it is told where it is asked about
        faces = _look(picture, replace(Policy(), senses=(Sense.CAMERA, Sense.FACES))).faces
        if faces and len(faces) == 1:
            yield sample, picture, faces[0].box


def _is_usual(sample: Sample, name: str) -> bool:
    return sample.media == "image" and sample.labels.get(name) == 1 and not sample.conditions & UNUSUAL


def _bodies(samples: Sequence[Sample]) -> list[Picture]:
    """Return the bodies of people who are labelled as alone in a picture that shows enough of them."""
    people = _people(_some([one for one in samples if _is_usual(one, "persons")]))
    return [body for _sample, picture, face in people if (body := _body(picture, face)) is not None][:MOST_BODIES]


def _some(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[:: max(1, -(-len(samples) // MOST))]


def _look(picture: Picture, policy: Policy) -> Observation:
    from vision.pipeline import analyze

    return analyze(Frame(0, 0.0, picture), policy.due(), {})[0]


def _dark(picture: Picture, _face: Box, _body: Picture | None) -> Picture:
    import numpy as np

    return (picture * LIGHT).astype(np.uint8)


def _blurred(picture: Picture, _face: Box, _body: Picture | None) -> Picture:
    import cv2
    import numpy as np

    return np.asarray(cv2.GaussianBlur(picture, (0, 0), picture.shape[1] * BLUR), np.uint8)


def _covered(picture: Picture, _face: Box, _body: Picture | None) -> Picture:
    """A finger on the lens: a glow that hardly wavers."""
    import numpy as np

    waver = np.random.default_rng(0).normal(0, 1.5, picture.shape)
    return np.asarray(np.clip(np.asarray(LENS) + waver, 0, 255), np.uint8)


def _cut(picture: Picture, face: Box, _body: Picture | None) -> Picture | None:
    import numpy as np

    edge = round((face[1] + CUT_AT * face[3]) * picture.shape[0])
    return np.ascontiguousarray(picture[:edge]) if edge >= picture.shape[0] // 4 else None


def _beside(picture: Picture, face: Box, body: Picture | None) -> Picture | None:
    """Somebody's body at the side where there is more room, without a head."""
    import cv2

    if body is None:
        return None
    height, width = picture.shape[:2]
    rooms = {"left": face[0], "right": 1 - face[0] - face[2]}
    side = max(rooms, key=lambda name: rooms[name])
    broad = round(0.85 * rooms[side] * width)
    tall = min(height, round(body.shape[0] * broad / max(1, body.shape[1])))
    if broad < width // 4 or tall < height // 2:
        return None
    both, left = picture.copy(), 0 if side == "left" else width - broad
    both[height - tall :, left : left + broad] = cv2.resize(body, (broad, tall), interpolation=cv2.INTER_AREA)
    return both


def _body(picture: Picture, face: Box) -> Picture | None:
    """Return what shows of the body below a face; None where that is too little."""
    import numpy as np

    height, width = picture.shape[:2]
    top, below = (face[1] + 1.1 * face[3]) * height, (1 - face[1] - 1.1 * face[3]) / face[3]
    left, right = max(0.0, face[0] - face[2]), min(1.0, face[0] + 2 * face[2])
    if below < BODY_LENGTHS or right - left < 2 * face[2]:
        return None
    return np.ascontiguousarray(picture[round(top) :, round(left * width) : round(right * width)])


WAYS: tuple[Way, ...] = (
    Way(Kind.POOR_LIGHT, (Sense.CAMERA,), _dark),
    Way(Kind.CAMERA_BLURRED, (Sense.CAMERA,), _blurred),
    Way(Kind.CAMERA_BLOCKED, (Sense.CAMERA,), _covered),
    Way(Kind.FACE_PARTLY_HIDDEN, (Sense.CAMERA, Sense.FACES), _cut),
    Way(Kind.EXTRA_PERSON, (Sense.CAMERA, Sense.FACES, Sense.OBJECTS), _beside),
)
