"""When the hand model is due: now and then, and at once when something of the face's colour turns up beside the head.

The colour is that of the face in the same picture, whatever that is and in whatever light, and never one that is
written down here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vision.gate import is_first
from vision.pictures import median, shrink
from vision.types import HANDS_EVERY_S, Box, Due, Frame, Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vision.types import Hand

FOLLOW_S = 6.0
"""How long a raised hand is followed picture by picture; one that stays is then looked at now and then."""

RAISED_RISE = -1.5
"""From this height on, in face lengths above the chin, a hand is raised: lower ones write, type or lie on the desk."""

MOST_TRIES = 2
GRID = (32, 24)
CHROMA_NEAR = 10.0
"""Distance in the plane of Cr and Cb within which a colour is the face's."""

LIGHT_NEAR = (0.4, 1.6)
HAND_AREA = 0.15
"""A hand's area in squared face lengths; half of it is worth a look."""

LEAST_CELLS = 2.0
HEAD_ASIDE, HEAD_UP, HEAD_DOWN = 0.35, 0.4, 0.35
"""How far hair, ears and neck reach beyond the face's box, in face lengths."""


def is_due(frame: Frame, due: Due, memory: Memory, face: Box) -> bool:
    """Say whether to look for hands in this frame, from what is remembered of the last look."""
    last = memory.get("hand_gate")
    if last is None:
        return True
    rest_s = HANDS_EVERY_S * (due.first_rest if last.get("first") else 1.0)
    if not 0 <= frame.captured_at - last["ran_at"] < rest_s:
        return True
    if last["raised_since"] is not None and frame.captured_at - last["raised_since"] <= FOLLOW_S:
        return True
    return something_came(last["like_face"], frame.small, face)


def remember_look(frame: Frame, hands: Sequence[Hand], memory: Memory, face: Box) -> Memory:
    """Return the memory after these hands were found in this frame.

    Where something came up that is no hand, or one that is blurred while it moves, the next looks are due as well.
    """
    last = memory.get("hand_gate") or {"raised_since": None, "like_face": None, "tries": 0}
    since, known, tries = last["raised_since"], last["like_face"], last["tries"] + 1
    if not any(hand.rise >= RAISED_RISE for hand in hands):
        since = None
    elif since is None:
        since = frame.captured_at
    if hands or known is None or tries > MOST_TRIES or not something_came(known, frame.small, face):
        known, tries = np.packbits(like_face(frame.small, face)).tobytes().hex(), 0
    first = is_first(memory.get("hand_gate"), frame.captured_at, HANDS_EVERY_S)
    look = {"ran_at": frame.captured_at, "raised_since": since, "like_face": known, "tries": tries}
    return {**memory, "hand_gate": look | {"first": first}}


def something_came(before: str, rgb: np.ndarray, face: Box) -> bool:
    """Say whether as much as half a hand of the face's colour turned up where there was none at the last look."""
    import cv2

    known = np.unpackbits(np.frombuffer(bytes.fromhex(before), np.uint8)).reshape(GRID[1], GRID[0])
    around = cv2.dilate(known, np.ones((3, 3), np.uint8))  # what merely swayed did not come
    came = int((like_face(rgb, face) & (around == 0)).sum())
    height, width = rgb.shape[:2]
    hand = HAND_AREA * face[3] * face[3] * height / width * GRID[0] * GRID[1]
    return came >= max(LEAST_CELLS, hand / 2)


def like_face(rgb: np.ndarray, face: Box) -> np.ndarray:
    """Return which cells of a (24, 32) grid outside the head have the colour of the face's middle."""
    import cv2

    cells = cv2.cvtColor(shrink(rgb, GRID), cv2.COLOR_RGB2YCrCb).astype(np.float32)
    light, *chroma = _face_colour(rgb, face)
    near = np.hypot(cells[..., 1] - chroma[0], cells[..., 2] - chroma[1]) <= CHROMA_NEAR
    near &= (cells[..., 0] >= LIGHT_NEAR[0] * light) & (cells[..., 0] <= LIGHT_NEAR[1] * light)
    x, y, width, height = face
    aside = height * rgb.shape[0] / rgb.shape[1]  # a face length as a share of the picture's width
    left, right = (x - HEAD_ASIDE * aside) * GRID[0], (x + width + HEAD_ASIDE * aside) * GRID[0]
    top, bottom = (y - HEAD_UP * height) * GRID[1], (y + (1 + HEAD_DOWN) * height) * GRID[1]
    near[max(0, int(top)) : max(0, round(bottom)), max(0, int(left)) : max(0, round(right))] = False
    return np.asarray(near)


def _face_colour(rgb: np.ndarray, face: Box) -> Any:
    """Return light, Cr and Cb of the middle of the face, from under the eyes to the chin."""
    import cv2

    height, width = rgb.shape[:2]
    x, y, face_width, face_height = face
    left, right = (int(share * width) for share in (x + 0.25 * face_width, x + 0.75 * face_width))
    top, bottom = (int(share * height) for share in (y + 0.4 * face_height, y + 0.8 * face_height))
    middle = rgb[max(0, top) : max(1, bottom), max(0, left) : max(1, right)]
    if not middle.size:
        middle = rgb
    colours = cv2.cvtColor(shrink(middle, (4, 4)), cv2.COLOR_RGB2YCrCb).reshape(-1, 3)
    return median(colours)
