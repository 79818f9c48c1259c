"""A person's own way of facing the screen, learnt slowly and only from frames in which they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vision.types import EYE_DEGREES, Box, Eyes, Head

FORGOTTEN_S = 30.0
"""After so long without the known face the baseline starts anew."""
MOVED_WIDTHS = 1.5
RESIZED = 1.8
FORWARD_YAW = 20.0
FORWARD_PITCH = 25.0
NEAR_BASE_DEGREES = 15.0
NEAR_BASE_GAZE = 10.0
NEAR_BASE_EYES = 0.1
NEAR_BASE_EYES_AT_FIRST = 0.15
PRIOR_FRAMES = 8
"""Weight of the assumption that a person sits straight in front of the camera."""
MEMORY_FRAMES = 120
USUAL = {"yaw": 0.0, "pitch": -2.0, "horizontal": 0.0, "vertical": 0.1}
LARGEST_STEP = {"yaw": 8.0, "pitch": 8.0, "horizontal": 0.15, "vertical": 0.15}


LARGEST_SHIFT = {"yaw": 12.0, "pitch": 12.0, "horizontal": 0.15, "vertical": 0.15}
"""How far a calibration may lie from what is usual: a camera on a second screen, but no phone on the lap."""


def calibrated(measured: Mapping[str, float]) -> dict[str, float]:
    """Return what is usual for a person whose pose was measured while they looked all over the screen."""
    shifts = {name: measured.get(name, value) - value for name, value in USUAL.items()}
    bounded = {name: max(-LARGEST_SHIFT[name], min(LARGEST_SHIFT[name], shift)) for name, shift in shifts.items()}
    return {name: round(value + bounded[name], 5) for name, value in USUAL.items()}


def learn(
    known: dict[str, Any] | None,
    at: float,
    box: Box,
    head: Head,
    eyes: Eyes | None,
    usual: Mapping[str, float] = USUAL,
) -> dict[str, Any]:
    """Return the baseline after this frame; ``known`` is what was returned for the frame before.

    ``usual`` is what is assumed while nothing is learnt.
    A running mean whose steps are clipped (Huber 1964), so that single wrong measurements hardly count.
    """
    if known is None or not 0 <= at - known["seen_at"] <= FORGOTTEN_S:
        known = {**usual, "head_frames": 0, "eye_frames": 0, "box": _place(box), "seen_at": at}
    if not _same_place(known["box"], _place(box)):
        return known
    learnt = {**known, "seen_at": at}
    learnt["box"] = [old + 0.2 * (new - old) for old, new in zip(known["box"], _place(box), strict=True)]
    if not _faces_screen(learnt, head, usual) or not (eyes is None or _eyes_near(learnt, head, eyes)):
        return learnt
    # Head and eyes are learnt from the same frames: a head that is turned a little while the eyes make up for it is one
    # way of looking at the screen, and half of it learnt would look like looking away.
    _update(learnt, "head_frames", {"yaw": head.yaw, "pitch": head.pitch})
    if eyes is not None:
        _update(learnt, "eye_frames", {"horizontal": eyes.horizontal, "vertical": eyes.vertical})
    return learnt


def _update(learnt: dict[str, Any], counter: str, measured: dict[str, float]) -> None:
    learnt[counter] = min(learnt[counter] + 1, MEMORY_FRAMES)
    for name, value in measured.items():
        step = max(-LARGEST_STEP[name], min(LARGEST_STEP[name], value - learnt[name]))
        learnt[name] = round(learnt[name] + step / (learnt[counter] + PRIOR_FRAMES), 5)


def _faces_screen(learnt: dict[str, Any], head: Head, usual: Mapping[str, float]) -> bool:
    straight = abs(head.yaw - usual["yaw"]) <= FORWARD_YAW and abs(head.pitch - usual["pitch"]) <= FORWARD_PITCH
    turned = max(abs(head.yaw - learnt["yaw"]), abs(head.pitch - learnt["pitch"]))
    # While little is known there is no base to be near to.
    return straight and (learnt["head_frames"] < PRIOR_FRAMES or turned <= NEAR_BASE_DEGREES)


def _eyes_near(learnt: dict[str, Any], head: Head, eyes: Eyes) -> bool:
    gaze = head.yaw - learnt["yaw"] + EYE_DEGREES * (eyes.horizontal - learnt["horizontal"])
    if abs(gaze) <= NEAR_BASE_GAZE:
        return True
    limit: float = NEAR_BASE_EYES if learnt["eye_frames"] >= PRIOR_FRAMES else NEAR_BASE_EYES_AT_FIRST
    return bool(max(abs(eyes.horizontal - learnt["horizontal"]), abs(eyes.vertical - learnt["vertical"])) <= limit)


def _place(box: Box) -> list[float]:
    return [round(box[0] + box[2] / 2, 4), round(box[1] + box[3] / 2, 4), round(box[2], 4)]


def _same_place(known: list[float], now: list[float]) -> bool:
    apart = max(abs(known[0] - now[0]), abs(known[1] - now[1]))
    return apart <= MOVED_WIDTHS * max(known[2], now[2]) and max(known[2], now[2]) <= RESIZED * min(known[2], now[2])
