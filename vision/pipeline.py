"""One frame through all senses: what is due is examined, what cannot be examined stays unknown.

No clock but for timings, no database, no state of its own: what a session remembers comes in and goes out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any, TypeVar

from vision import gate, hand_gate, loading
from vision.analyzers import (
    antispoof,
    camera,
    faces,
    gaze,
    hands,
    identity,
    likeness,
    liveness,
    objects,
    posters,
    tracks,
)
from vision.analyzers.faces import FoundFace
from vision.types import Condition, Due, Face, Frame, Head, Memory, Observation, Sense

logger = logging.getLogger(__name__)
T = TypeVar("T")

EMPTY_SHARE = 0.05
"""Below this share of the picture the segmentation found nothing that could be a person."""


def analyze(frame: Frame, due: Due, memory: Memory) -> tuple[Observation, Memory]:
    """Return the facts of one frame and what is to be remembered for the next frame of the same session.

    ``memory`` is ``{}`` for a session's first frame; it is never changed, holds less than 4 kB and survives JSON.
    An analyzer that fails leaves its sense not examined and is logged; it never raises.
    """
    look = _Look(frame, due, memory)
    look.run()
    return look.observation(), look.memory


NEEDED_BY_OTHERS = {
    "camera": Sense.CAMERA,
    "faces": Sense.FACES,
    "head": Sense.HEAD,
    "eyes": Sense.EYES,
    "lids": Sense.EYES,
    "mouth": Sense.MOUTH,
}
"""Facts that are found where another sense needs them as well, and told only where their own is switched on."""


MEMORY_VERSION = 3
KEPT_OF_OTHER_VERSIONS = ("usual",)
"""Of what another version of this program remembered only the calibration, which was there before any picture."""


def _readable(memory: Memory) -> Memory:
    if memory.get("version") == MEMORY_VERSION:
        return dict(memory)
    kept = {name: memory[name] for name in KEPT_OF_OTHER_VERSIONS if name in memory}
    return {"version": MEMORY_VERSION, **kept}


class _Look:
    """The facts of one frame as they come together, by their names in an observation."""

    def __init__(self, frame: Frame, due: Due, memory: Memory) -> None:
        self.frame, self.due, self.memory = frame, due, _readable(memory)
        self.facts: dict[str, Any] = {}
        self.timings_ms: dict[str, float] = {}
        self.living: tuple[Face, ...] | None = None
        """The faces that are no pictures on a wall, ``None`` where they were not examined."""
        self.somebody = False
        """Whether the object model saw somebody a moment ago, without a face, who has hardly moved since."""

    @property
    def faces(self) -> tuple[Face, ...] | None:
        """The faces, ``None`` where they were not examined."""
        return self.facts.get("faces")

    def run(self) -> None:
        """Examine what is due, cheapest first; an unusable picture is examined no further."""
        # Whoever does not want to be told of the camera must still not be accused in the dark.
        seen = self._remembering("camera", lambda: camera.analyze(self.frame, self.memory))
        self.facts["camera"] = seen
        if seen is None or seen.condition is not Condition.OK:
            return
        self._look_at_faces()
        if self._wants(Sense.LIVENESS) and self.faces is not None:
            self._look_for_life(self.living or ())
        if self._wants(Sense.OBJECTS):
            self._look_for_objects()
        unsure = self.facts.get("objects") is None and "person_share" not in self.facts
        if self.living == () and unsure and not self.somebody:
            self.facts["person_share"] = self._person_share()

    def observation(self) -> Observation:
        """Return the facts; a sense that is switched off is left out even where another one needed it."""
        told = {
            name: value
            for name, value in self.facts.items()
            if name not in NEEDED_BY_OTHERS or NEEDED_BY_OTHERS[name] in self.due.senses
        }
        return Observation(self.frame.seq, self.frame.captured_at, **told, timings_ms=self.timings_ms)

    def _wants(self, *senses: Sense) -> bool:
        return not self.due.senses.isdisjoint(senses)

    def _look_at_faces(self) -> None:
        wants_mesh = self._wants(Sense.HEAD, Sense.EYES, Sense.MOUTH)
        compares = self._wants(Sense.IDENTITY) and bool(self.due.enrolled)
        if not (wants_mesh or compares or self._wants(Sense.FACES, Sense.HANDS, Sense.LIVENESS)):
            return
        found = self._remembering("faces", lambda: faces.analyze(self.frame, self.memory, loading.models()))
        if found is None:
            return
        seen = tuple(one.face for one in found)
        at = self.frame.captured_at
        seen = self._remembering("faces", lambda: tracks.analyze(seen, at, self.memory)) or seen
        seen = self._remembering("faces", lambda: posters.analyze(self.frame, seen, self.memory)) or seen
        self.facts["faces"] = seen
        self.living = tuple(face for face in seen if not posters.is_picture(face))
        living = tuple(one for one, face in zip(found, seen, strict=True) if not posters.is_picture(face))
        looks = self._look_at_mesh(living, compares) if living and wants_mesh else None
        if compares:
            self._compare(living, looks)
        if living and self._wants(Sense.HANDS):
            self._look_for_hands(living)

    def _look_at_mesh(self, found: tuple[FoundFace, ...], compares: bool) -> gaze.Looks | None:
        wanted = identity.WANTED if compares else gaze.USED_POINTS
        looks = self._remembering(
            "gaze", lambda: gaze.analyze(self.frame, self.memory, found, loading.models(), wanted)
        )
        if looks is not None:
            self.facts |= {"head": looks.head, "eyes": looks.eyes, "lids": looks.lids, "mouth": looks.mouth}
        return looks

    def _compare(self, found: tuple[FoundFace, ...], looks: gaze.Looks | None) -> None:
        self.facts["identity"] = self._remembering(
            "identity", lambda: likeness.analyze(self.frame, self.memory, found, looks, self.due, loading.models())
        )

    def _look_for_hands(self, found: tuple[FoundFace, ...]) -> None:
        face = found[0].face.box
        if not self._guarded("hands", lambda: hand_gate.is_due(self.frame, self.due, self.memory, face)):
            return
        seen = self._remembering("hands", lambda: hands.analyze(self.frame, self.memory, found, loading.models()))
        self.facts["hands"] = seen
        if seen is not None:
            self._remember("hands", lambda: hand_gate.remember_look(self.frame, seen, self.memory, face))

    def _look_for_life(self, found: tuple[Face, ...]) -> None:
        self.facts["liveness"] = self._remembering(
            "liveness", lambda: liveness.analyze(self.frame, self.memory, face=bool(found))
        )
        self.facts["live_looks"] = self._remembering(
            "liveness", lambda: antispoof.analyze(self.frame, self.memory, found, self.due, loading.models())
        )

    def _look_for_objects(self) -> None:
        if self.living == () and self._is_settled():
            return
        head: Head | None = self.facts.get("head")
        look = self._guarded(
            "gate", lambda: gate.due_look(self.frame, self.due, self.memory, faces=self.living, head=head)
        )
        if look is None:
            return
        seen = self._remembering(
            "objects", lambda: objects.analyze(self.frame, self.memory, loading.models(), look, self.living or ())
        )
        if seen is not None:
            self.facts |= {"objects": seen.objects, "looked_at": seen.part}
            around = self._but_for_pictures(seen)
            nobody = self.living == ()
            self._remember(
                "gate",
                lambda: gate.remember_look(self.frame, self.due, self.memory, look, around, head, nobody=nobody),
            )

    def _but_for_pictures(self, seen: gate.Seen) -> gate.Seen:
        """Return what was seen less the people that posters show: nobody has to look again for their sake."""
        shown = self._pictures()
        objects = (one for one in seen.objects if one.label != "person" or not posters.shows(one.box, shown))
        return replace(seen, objects=tuple(objects)) if shown else seen

    def _pictures(self) -> tuple[Face, ...]:
        return tuple(face for face in self.faces or () if posters.is_picture(face))

    def _is_settled(self) -> bool:
        """Between two looks of the object model, where no face shows: say whether its last word still stands.

        At an empty seat the segmentation must agree; if it doubts, look. Who turned away is still there.
        """
        self.somebody = bool(person := self._guarded("gate", lambda: gate.person_of_late(self.frame, self.memory)))
        if person is not False:
            return self.somebody
        share = self._person_share()
        if share is None or share >= EMPTY_SHARE:
            return False
        self.facts["person_share"] = share
        return True

    def _person_share(self) -> float | None:
        return self._guarded("person", lambda: objects.person_share(self.frame.rgb, loading.models(), self._pictures()))

    def _remembering(self, stage: str, step: Callable[[], tuple[T, Memory]]) -> T | None:
        outcome = self._guarded(stage, step)
        if outcome is None:
            return None
        facts, self.memory = outcome
        return facts

    def _remember(self, stage: str, step: Callable[[], Memory]) -> None:
        self.memory = self._guarded(stage, step) or self.memory

    def _guarded(self, stage: str, step: Callable[[], T]) -> T | None:
        """Run one step, add its time to its stage, and log instead of raising."""
        started = perf_counter()
        try:
            return step()
        except Exception:
            logger.exception("Sense %s failed on frame %s", stage, self.frame.seq)
            return None
        finally:
            spent: Any = (perf_counter() - started) * 1000
            self.timings_ms[stage] = round(self.timings_ms.get(stage, 0.0) + spent, 3)
