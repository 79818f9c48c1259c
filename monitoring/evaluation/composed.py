"""Recordings shown instead of a live camera, composed of labelled ones: a picture that stands still, a clip on repeat.

No labelled recording shows either. A program that poses as a camera gives exactly what the clip holds, and a browser
compresses it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from exams.kinds import Kind
from exams.policy import Policy
from monitoring import rules
from monitoring.evaluation.labels import Sample
from monitoring.evaluation.looking import Span
from monitoring.evaluation.stretches import Expected, SpanFigures
from monitoring.services import seen_moment
from vision.types import Due, Frame, Memory, Sense

if TYPE_CHECKING:
    from vision.decoding import Picture

SHOWN_RECORDING = "SHOWN_RECORDING"
FROZEN_S, LOOP_S = 60, 240
SHORTEST_S, LONGEST_S = 3.0, 15.0
CLIP_FPS = 15.0
WIDTH = 640
FACES_SHARE = 0.8
"""Nobody could pass for a candidate by a clip in which fewer of the pictures show a face."""
LATE_S = 0.15
"""A browser takes its pictures up to so much later than once a second."""
QUALITIES = (70, 75, 80)
DUE = Due(senses=frozenset({Sense.CAMERA, Sense.FACES, Sense.LIVENESS}))

Moments = Iterable[tuple[float, "Picture"]]


def shown_recordings(samples: Sequence[Sample], policy: Policy) -> SpanFigures:
    """Say how many composed recordings were found out, each of which is one stretch to its end."""
    import numpy as np

    figures, kind = SpanFigures(), str(Kind.SPOOF_SUSPECTED)
    policy = replace(policy, senses=tuple(DUE.senses))
    for sample in samples:
        clip, fps = _clip(sample) if sample.media == "video" else ([], 0.0)
        if not clip or len(clip) < SHORTEST_S * fps or not _shows_somebody(clip):
            continue
        random = np.random.default_rng(len(clip))
        frozen = ((float(second), clip[len(clip) // 2]) for second in range(FROZEN_S))
        times = (second + random.uniform(0, LATE_S) for second in range(LOOP_S))
        loop = ((at, clip[round(at * fps) % len(clip)]) for at in times)
        for name, seconds, shown in (("frozen", FROZEN_S, frozen), ("loop", LOOP_S, loop)):
            qualities = random.choice(QUALITIES, seconds).tolist()
            found = tuple(_found(_compressed(shown, qualities), policy))
            expected = Expected((Span(kind, 0.0, seconds),), frozenset({kind}))
            figures.add(f"{sample.name} ({name}, composed)", kind, expected, found, seconds)
    return figures


def _clip(sample: Sample) -> tuple[list[Picture], float]:
    """Return the pictures of a recording's beginning and how many there are in a second."""
    from vision.decoding import downscale
    from vision.recording import RecordedFrame, RecordingError, open_recording

    try:
        with open_recording(sample.path) as recording:
            frames = (item for item in recording.frames(CLIP_FPS) if isinstance(item, RecordedFrame))
            beginning = takewhile(lambda item: item.offset_s < LONGEST_S, frames)
            items = [(item.offset_s, downscale(item.rgb, WIDTH)) for item in beginning]
    except RecordingError:  # the other questions tell of it
        return [], 0.0
    seconds = items[-1][0] - items[0][0] if items else 0.0
    return [rgb for _at, rgb in items], (len(items) - 1) / seconds if seconds else 0.0


def _shows_somebody(clip: list[Picture]) -> bool:
    from vision.pipeline import analyze

    some = clip[:: max(1, len(clip) // 10)]
    return sum(bool(analyze(Frame(0, 0.0, rgb), DUE, {})[0].faces) for rgb in some) >= FACES_SHARE * len(some)


def _compressed(shown: Moments, qualities: Iterable[int]) -> Moments:
    from vision.decoding import decode_picture, encode_jpeg

    for (at, rgb), quality in zip(shown, qualities, strict=True):
        yield at, decode_picture(encode_jpeg(rgb, quality))


def _found(shown: Moments, policy: Policy) -> Iterator[Span]:
    from vision.pipeline import analyze

    state, memory, changes, at = rules.initial_state(), Memory(), [], 0.0
    for seq, (at, rgb) in enumerate(shown):
        facts, memory = analyze(Frame(seq, at, rgb), DUE, memory)
        state, more = rules.step(state, seen_moment(facts, policy), policy)
        changes += more
    changes += rules.finish(state, at, policy)[1]
    yield from (Span(one.kind, one.started_at, one.ended_at or at) for one in changes if one.action == "close")
