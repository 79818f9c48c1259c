"""The senses at work on labelled media, each picture for itself and each recording as a whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from exams.policy import Policy
from monitoring import rules
from monitoring.evaluation.labels import Sample
from monitoring.evaluation.traits import Traits, traits_of
from monitoring.services import seen_moment
from vision.types import Frame, Memory, Observation

if TYPE_CHECKING:
    from vision.decoding import Picture

PORTABLE_GREY = b"P5"
"""The form of many older collections of faces, which no browser sends."""

LEAST_WIDTH = 320
"""Smaller pictures are enlarged to it: nobody's camera makes them, and labelled ones are cut out of larger ones."""

FPS, MOST_FPS = 1.0, 5.0
LEAST_PICTURES = 15
"""Recordings are watched at the pace of an exam, and clips of a few seconds so much closer that rules can hold."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in one picture, and the CPU milliseconds that looking took; ``trouble`` says why nothing was."""

    facts: Observation
    cpu_ms: float
    trouble: str = ""
    traits: Traits = field(default_factory=Traits)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a recording, in seconds from its start."""

    kind: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Watched:
    """The activities of a recording, how long it is, how many pictures of it were looked at, and what that took."""

    spans: tuple[Span, ...]
    seconds: float
    pictures: int
    cpu_ms: float


def read_picture(sample: Sample) -> Picture:
    """Return a labelled picture as the senses are given it; raises ``PictureError``."""
    return _enlarged(_decoded(sample))


def _decoded(sample: Sample) -> Picture:
    from vision.decoding import PictureError, decode_picture, downscale

    data = sample.path.read_bytes()
    try:
        rgb = decode_picture(data)
    except PictureError:
        if not data.startswith(PORTABLE_GREY):
            raise
        rgb = _portable_grey(data)
    return downscale(rgb)


def look_at(sample: Sample, policy: Policy) -> Seen:
    """Look at one picture as if it were the first of a session; what cannot be read is not examined."""
    from vision.decoding import PictureError
    from vision.pipeline import analyze

    try:
        decoded = _decoded(sample)
    except PictureError as error:
        return Seen(Observation(0, 0.0), 0.0, str(error))
    rgb = _enlarged(decoded)
    began = time.process_time()
    facts, _memory = analyze(Frame(0, 0.0, rgb), policy.due(), {})
    cpu_ms = 1000 * (time.process_time() - began)
    return Seen(facts, cpu_ms, traits=traits_of(facts, rgb, rgb.shape[1] / decoded.shape[1]))


def watch(sample: Sample, policy: Policy, enrolled: tuple[float, ...] = ()) -> Watched:
    """Watch a recording as an exam is watched: its pictures in turn, their facts through the rules.

    ``enrolled`` is the face of whoever should be in it. Raises ``RecordingError``.
    """
    from vision.pipeline import analyze
    from vision.recording import RecordedFrame, open_recording

    state, memory, changes, pictures, cpu_s = rules.initial_state(), Memory(), [], 0, 0.0
    due = replace(policy.due(), enrolled=enrolled)
    with open_recording(sample.path) as recording:
        seconds = recording.duration_s or 0.0
        for item in recording.frames(_pace(seconds)):
            if not isinstance(item, RecordedFrame):
                continue
            began = time.process_time()
            facts, memory = analyze(Frame(pictures, item.offset_s, item.rgb), due, memory)
            cpu_s += time.process_time() - began
            state, more = rules.step(state, seen_moment(facts, policy), policy)
            changes += more
            pictures += 1
            seconds = max(seconds, item.offset_s)
    _state, more = rules.finish(state, seconds, policy)
    return Watched(tuple(_spans([*changes, *more], seconds)), seconds, pictures, 1000 * cpu_s)


def _pace(seconds: float) -> float:
    return min(MOST_FPS, max(FPS, LEAST_PICTURES / seconds)) if seconds else FPS


def _spans(changes: list[rules.Change], seconds: float) -> Iterator[Span]:
    last = {(change.kind, change.started_at): change for change in changes}
    for change in sorted(last.values(), key=lambda change: change.started_at):
        yield Span(change.kind, change.started_at, seconds if change.ended_at is None else change.ended_at)


def _portable_grey(data: bytes) -> Picture:
    import cv2
    import numpy as np

    from vision.decoding import PictureError

    grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise PictureError("The picture is damaged.")
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def _enlarged(rgb: Picture) -> Picture:
    import cv2
    import numpy as np

    height, width = rgb.shape[:2]
    if width >= LEAST_WIDTH:
        return rgb
    scale = LEAST_WIDTH / width
    resize = partial(cv2.resize, interpolation=cv2.INTER_CUBIC)
    return np.asarray(resize(rgb, (LEAST_WIDTH, max(1, round(height * scale)))))
