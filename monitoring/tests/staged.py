"""Sessions staged out of labelled pictures and sounds, as a camera and a microphone would give them, for every sense.

Where no recording shows what a test is about, real parts are put one after the other: *composed*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import cv2
import numpy as np

from exams.policy import Policy, parse_policy
from monitoring import rules
from monitoring.services import seen_moment
from monitoring.sounds import fold_sound
from vision import loading
from vision.analyzers import speakers
from vision.decoding import decode_picture, downscale, encode_jpeg
from vision.hearing import listen
from vision.pipeline import analyze
from vision.sound import RATE
from vision.types import Frame, Memory, SoundChunk

SWAY, NOISE, FLICKER = 3.0, 2.0, 0.01
"""How far a head moves between two pictures, in pixels, and how a camera's picture wavers."""

CHUNK_S = 4

Stretch = tuple[float, float | None]


def policy_with(*kinds: str, **settings: Any) -> Policy:
    """Return the default policy with these kinds switched on."""
    return parse_policy(settings | {"kinds": {kind: {"enabled": True} for kind in kinds}})


def shown(picture: np.ndarray, seconds: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Show a still picture for a while as a live camera would: it sways and wavers, and is compressed anew.

    Two stretches of one session need two seeds, or they would be a recording on repeat.
    """
    random, still = np.random.default_rng(seed), downscale(picture)
    for _ in range(seconds):
        aside, down = random.normal(0, SWAY, 2)
        swayed = cv2.warpAffine(
            still, np.array([[1, 0, aside], [0, 1, down]]), still.shape[1::-1], borderMode=cv2.BORDER_REPLICATE
        )
        lit = swayed * (1 + FLICKER * random.uniform(-1, 1)) + random.normal(0, NOISE, still.shape)
        yield decode_picture(encode_jpeg(np.clip(lit, 0, 255).astype(np.uint8), int(random.integers(70, 81))))


def activities_of(
    pictures: Iterable[np.ndarray],
    policy: Policy,
    *,
    enrolled: Iterable[float] = (),
    times: Iterable[float] | None = None,
) -> dict[str, list[Stretch]]:
    """Watch pictures as a worker does; returns by kind from when to when, None for what had not ended at the end.

    ``times`` are those of the pictures, in seconds; else one is taken each second.
    """
    state, memory, found = rules.initial_state(), Memory(), {}
    due = replace(policy.due(), enrolled=tuple(enrolled))
    for number, (at, picture) in enumerate(zip(times or count(), pictures, strict=False)):
        facts, memory = analyze(Frame(number, float(at), picture), due, memory)
        state, changes = rules.step(state, seen_moment(facts, policy), policy)
        found |= {(str(change.kind), change.started_at): change.ended_at for change in changes}
    return _by_kind(found)


def _by_kind(found: dict[tuple[str, float], float | None]) -> dict[str, list[Stretch]]:
    by_kind: dict[str, list[Stretch]] = {}
    for (kind, start), end in sorted(found.items()):
        by_kind.setdefault(kind, []).append((start, end))
    return by_kind


def sounds_of(samples: np.ndarray, policy: Policy, *, own: np.ndarray | None = None) -> dict[str, list[Stretch]]:
    """Listen to sound (16 kHz) in chunks of four seconds as a worker does; ``own`` is the candidate's voice alone."""
    state, memory, found = rules.initial_state(), _knowing(own), {}
    for start in range(0, len(samples), CHUNK_S * RATE):
        chunk = SoundChunk(start, start / RATE, samples[start : start + CHUNK_S * RATE], RATE)
        heard, memory = listen(chunk, policy.due(), memory)
        state, changes = fold_sound(state, heard, policy)
        found |= {(str(change.kind), change.started_at): change.ended_at for change in changes}
    return _by_kind(found)


def _knowing(own: np.ndarray | None) -> Any:
    if own is None:
        return Memory()
    embedding = loading.models().voice_encoder.embed([own[: round(speakers.WINDOW_S * RATE)]])[0]
    return speakers.learn_candidate({}, speakers.Voice(speakers.CANDIDATE, embedding, speakers.WINDOW_S, 0.0))
