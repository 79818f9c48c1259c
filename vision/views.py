"""Where to look closer for small things, and which of them a hand holds.

In the whole picture a phone in a hand is some 20 pixels long once the object model has shrunk it, and mostly missed.
In a part that is a few hands wide it is found, and the hand tells it from what only looks like one: a badge on the
chest, a switch on the wall. How wide is best differs from picture to picture, so views of several widths take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vision.types import Box, Detection, Face, overlap

Shape = tuple[int, ...]
"""Height and width of a picture in pixels."""

HANDHELD = frozenset({"cell phone", "remote", "book"})
"""What a part of the picture can show; people and laptops are cut by its edges."""

WIDTHS = (5.0, 2.0, 3.0, 4.0)
"""Widths of a view in hand lengths: the phone alone, or with the arm that holds it."""

LEAST_PX = 16
"""Of smaller hands far away nothing could be told."""

HELD_LENGTHS = (0.35, 1.75)
"""How long what a hand holds is, in hand lengths: a wristwatch is shorter than a phone, a book and an arm longer."""

PARTS: tuple[Box, ...] = (
    (0, 0, 0.6, 0.6),
    (0.4, 0, 0.6, 0.6),
    (0, 0.4, 0.6, 0.6),
    (0.4, 0.4, 0.6, 0.6),
    (0.2, 0.2, 0.6, 0.6),
)
DESK_HEIGHT = 0.7
DESK_ASPECT = 1.3
SAME_IOU = 0.5


def hand_views(hands: Sequence[Box], shape: Shape) -> list[Box]:
    """Return every view of hands that are large enough, in a (height, width) picture."""
    return [_square(hand, width, shape) for width in WIDTHS for hand in _large(hands, shape)]


def hand_view(hands: Sequence[Box], shape: Shape, turn: int) -> Box | None:
    """Return the view whose turn it is: the widest, which finds most, each second time; ``None`` without a hand."""
    large = _large(hands, shape)
    if not large:
        return None
    width = WIDTHS[0] if turn % 2 == 0 else WIDTHS[1 + turn // 2 % (len(WIDTHS) - 1)]
    return _square(large[turn // 2 % len(large)], width, shape)


def _large(hands: Sequence[Box], shape: Shape) -> list[Box]:
    return [hand for hand in hands if _length(hand, shape) >= LEAST_PX]


def desk(faces: Sequence[Face], shape: Shape) -> Box:
    """Return the lower part of the picture, around the largest face: where desk and lap are."""
    height, width = shape[:2]
    share = min(1.0, DESK_HEIGHT * DESK_ASPECT * height / width)
    middle = faces[0].box[0] + faces[0].box[2] / 2 if faces else 0.5
    return min(max(middle - share / 2, 0.0), 1.0 - share), 1.0 - DESK_HEIGHT, share, DESK_HEIGHT


def marked(found: Sequence[Detection], hands: Sequence[Box], shape: Shape) -> tuple[Detection, ...]:
    """Return what was found, with what a hand holds marked as held."""
    return tuple(
        replace(one, held=one.label in HANDHELD and any(_holds(hand, one.box, shape) for hand in hands))
        for one in found
    )


def merged(found: Sequence[Detection]) -> list[Detection]:
    """Return what several views found, each thing once, by its best score."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda detection: detection.score, reverse=True):
        if not any(one.label == other.label and overlap(one.box, other.box)[0] >= SAME_IOU for other in kept):
            kept.append(one)
    return kept


def _holds(hand: Box, box: Box, shape: Shape) -> bool:
    """Say whether the boxes meet and the thing is as long as a hand can hold, seen from the camera."""
    meet = (
        box[0] < hand[0] + hand[2]
        and hand[0] < box[0] + box[2]
        and box[1] < hand[1] + hand[3]
        and hand[1] < box[1] + box[3]
    )
    least, most = HELD_LENGTHS
    return meet and least <= _length(box, shape) / _length(hand, shape) <= most


def _length(box: Box, shape: Shape) -> float:
    return max(box[2] * shape[1], box[3] * shape[0], 1.0)


def _square(hand: Box, width: float, shape: Shape) -> Box:
    """Return the square around a hand, so many hand lengths wide, moved and cut to lie within the picture."""
    rows, columns = shape[:2]
    side = width * _length(hand, shape)
    across, down = min(side, columns), min(side, rows)
    left = min(max((hand[0] + hand[2] / 2) * columns - across / 2, 0.0), columns - across)
    top = min(max((hand[1] + hand[3] / 2) * rows - down / 2, 0.0), rows - down)
    return left / columns, top / rows, across / columns, down / rows
