"""One frame through all senses: what is due is examined, what cannot be examined stays unknown.

No clock but for timings, no database, no state of its own: what a session remembers comes in and goes out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeVar

from vision import gate, loading
from vision.analyzers import camera, faces, gaze, objects
from vision.types import (
    Camera,
    Condition,
    Detection,
    Due,
    Eyes,
    Face,
    Frame,
    Head,
    Lids,
    Memory,
    Mouth,
    Observation,
    Sense,
)

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


class _Look:
    """The facts of one frame as they come together."""

    def __init__(self, frame: Frame, due: Due, memory: Memory) -> None:
        self.frame, self.due, self.memory = frame, due, dict(memory)
        self.timings_ms: dict[str, float] = {}
        self.camera: Camera | None = None
        self.faces: tuple[Face, ...] | None = None
        self.head: Head | None = None
        self.eyes: Eyes | None = None
        self.lids: Lids | None = None
        self.mouth: Mouth | None = None
        self.objects: tuple[Detection, ...] | None = None
        self.person_share: float | None = None

    def run(self) -> None:
        """Examine what is due, cheapest first; an unusable picture is examined no further."""
        senses = self.due.senses
        # Whoever does not want to be told of the camera must still not be accused in the dark.
        self.camera = self._remembering("camera", lambda: camera.analyze(self.frame, self.memory))
        if self.camera is None or self.camera.condition is not Condition.OK:
            return
        self._look_at_faces()
        if Sense.OBJECTS in senses:
            self._look_for_objects()
        if self.faces == () and self.objects is None and self.person_share is None:
            self.person_share = self._guarded("person", lambda: objects.person_share(self.frame.rgb, loading.models()))

    def observation(self) -> Observation:
        """Return the facts; a sense that is switched off is left out even where another one needed it."""
        senses = self.due.senses
        return Observation(
            seq=self.frame.seq,
            captured_at=self.frame.captured_at,
            camera=self.camera if Sense.CAMERA in senses else None,
            faces=self.faces if Sense.FACES in senses else None,
            head=self.head if Sense.HEAD in senses else None,
            eyes=self.eyes if Sense.EYES in senses else None,
            lids=self.lids if Sense.EYES in senses else None,
            mouth=self.mouth if Sense.MOUTH in senses else None,
            objects=self.objects,
            person_share=self.person_share,
            timings_ms=self.timings_ms,
        )

    def _look_at_faces(self) -> None:
        mesh_wanted = bool(self.due.senses & {Sense.HEAD, Sense.EYES, Sense.MOUTH})
        if not mesh_wanted and Sense.FACES not in self.due.senses:
            return
        found = self._remembering("faces", lambda: faces.analyze(self.frame, self.memory, loading.models()))
        if found is None:
            return
        self.faces = tuple(one.face for one in found)
        if found and mesh_wanted:
            looks = self._remembering("gaze", lambda: gaze.analyze(self.frame, self.memory, found, loading.models()))
            if looks is not None:
                self.head, self.eyes, self.lids, self.mouth = looks.head, looks.eyes, looks.lids, looks.mouth

    def _look_for_objects(self) -> None:
        doubt = self.faces == ()
        if doubt and self._still_nobody():
            return
        if not self._guarded("gate", lambda: doubt or gate.objects_due(self.frame, self.due, self.memory)):
            return
        region = self._guarded("gate", lambda: gate.region(self.frame, self.faces, self.memory)) or gate.WHOLE
        self.objects = self._remembering(
            "objects", lambda: objects.analyze(self.frame, self.memory, loading.models(), region)
        )
        if self.objects is not None:
            found, count = self.objects, len(self.faces or ())
            memory = self._guarded(
                "gate", lambda: gate.remember_look(self.frame, region, found, self.memory, faces=count)
            )
            self.memory = memory or self.memory

    def _still_nobody(self) -> bool:
        """Between two looks of the object model at an empty seat, let the segmentation agree; if it doubts, look."""
        if not self._guarded("gate", lambda: gate.nobody_of_late(self.frame, self.memory)):
            return False
        share = self._guarded("person", lambda: objects.person_share(self.frame.rgb, loading.models()))
        if share is None or share >= EMPTY_SHARE:
            return False
        self.person_share = share
        return True

    def _remembering(self, stage: str, step: Callable[[], tuple[T, Memory]]) -> T | None:
        outcome = self._guarded(stage, step)
        if outcome is None:
            return None
        facts, self.memory = outcome
        return facts

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
