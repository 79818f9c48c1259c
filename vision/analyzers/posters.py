"""Faces that are pictures: posters and photos on the wall, which nobody sits there as.

Two signs tell. A face beside the largest whose box has not moved for long; and, much sooner, one of which no part has
changed while something else in the picture did. Of a picture that stands still as a whole nothing is said here: that is
for liveness, and a photo that is held up moves.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from vision.pictures import median, shrink
from vision.types import Box, Face, Frame, Memory

SAME_PLACE = 0.1
"""In widths of the face: nobody holds their head so still for long, and detectors waver less."""

WAVERS = 0.25
"""In widths: so much a box may waver around pixels that do not change at all."""

NEAR, NEAR_SIZE = 1.5, 1.5
"""A face of about the same size that turns up so near, in widths, is one that was here and moved: it lives."""

LONGEST_STEP_S = 5.0
MOST = 4

PATCH = 8
"""A face is compared by so many cells each way."""
STILL_LEVELS, STILL_SHARE = 4.0, 0.1
"""By so many grey levels, and by such a share of its contrast, no cell of a picture changes: noise and compression stay
below, from 40 pixels of width on. Who tries to sit still changes more within two seconds, and twice as much within
four; the share keeps that true of faces that are dark or dimly lit, whose movements change fewer levels."""
LEAST_CONTRAST = 10.0
"""Of a face with less, in grey levels (RMS), nothing is said."""

SCENE = (16, 12)
SCENE_MOVED_LEVELS = 3.0
"""A cell of the scene that changes so much, once light is allowed for, shows that something moved; noise makes half."""
BESIDE, ABOVE, BELOW = 1.5, 0.5, 5.0
"""In widths and heights of a face: what moves so near may be its own body, and is not taken for something else."""

PICTURE_S = 10.0
"""A face that was so long like a picture is one, and what else is asked of faces is not asked of it."""

WIDEST, TALLEST = 6.0, 10.0
"""A person is at most so many face widths wide and face heights tall."""


def analyze(frame: Frame, faces: tuple[Face, ...], memory: Memory) -> tuple[tuple[Face, ...], Memory]:
    """Return the faces, largest first, with how many seconds each was seen without having moved, and without a change.

    What is out of view meanwhile is not counted, and not forgotten: a head may hide a poster.
    """
    at, rgb = frame.captured_at, frame.small
    places: list[dict[str, Any]] = [one for one in memory.get("posters", []) if "patch" in one]
    scene = _scene(frame.small)
    moved = _moved(memory.get("scene"), scene)
    found: list[Face] = []
    for face in faces:
        before = next((one for one in places if _is_same(face.box, one["box"], WAVERS)), None)
        elsewhere = _is_elsewhere(moved, face.box)
        place = _seen_again(before, face.box, rgb, at, elsewhere) if before else None
        if place is None:
            places = [one for one in places if not _is_near(face.box, one["box"])]
            place = {**_new_place(face.box, rgb, at), "alone": elsewhere}
        places = [place, *(one for one in places if one is not before)][:MOST]
        still_s = place["still_s"] if found else 0.0
        found.append(replace(face, still_s=still_s, alike_s=place["alike_s"] if place["alone"] else 0.0))
    return tuple(found), {**memory, "posters": places, "scene": _text(scene)}


def is_picture(face: Face) -> bool:
    """Say whether a face was like a picture for so long that it is one."""
    return face.alike_s >= PICTURE_S


def shows(person: Box, pictures: Iterable[Face]) -> bool:
    """Say whether what was taken for a person in this box is what one of these pictures shows of its face's owner."""
    return any(_is_owner(person, picture.box) for picture in pictures)


def _is_owner(person: Box, face: Box) -> bool:
    x, y = face[0] + face[2] / 2, face[1] + face[3] / 2
    inside = person[0] <= x <= person[0] + person[2] and person[1] <= y <= person[1] + person[3]
    return inside and person[2] <= WIDEST * face[2] and person[3] <= TALLEST * face[3]


def _new_place(box: Box, rgb: np.ndarray, at: float) -> dict[str, Any]:
    place: dict[str, Any] = {"box": [round(value, 3) for value in box], "still_s": 0.0, "at": round(at, 2)}
    return place | _new_patch(_patch(rgb, place["box"]))


def _new_patch(patch: np.ndarray) -> dict[str, Any]:
    return {"patch": _text(patch), "alike_s": 0.0, "alone": False, "odd": False}


def _seen_again(place: dict[str, Any], box: Box, rgb: np.ndarray, at: float, elsewhere: bool) -> dict[str, Any] | None:
    """Return the place after another look, None if the face has moved from it; ``elsewhere``: something else has.

    ``alone`` says that something else moved while the face did not change.
    """
    passed_s = min(max(0.0, at - place["at"]), LONGEST_STEP_S)
    now = {**place, "still_s": round(place["still_s"] + passed_s, 1), "at": round(at, 2)}
    patch = _patch(rgb, place["box"])
    before = np.frombuffer(b64decode(place["patch"]), np.uint8).astype(np.float32)
    if _is_unchanged(before, patch.ravel()):
        alike_s, alone = round(place["alike_s"] + passed_s, 1), place["alone"] or elsewhere
        return {**now, "alike_s": alike_s, "alone": alone, "odd": False}
    if not _is_same(box, place["box"], SAME_PLACE):
        return None
    # Noise may make one look odd; who moved is elsewhere in the next one as well.
    return {**now, **_new_patch(patch)} if place["odd"] else {**now, "odd": True}


def _is_unchanged(before: np.ndarray, now: np.ndarray) -> bool:
    contrast = float(before.std())
    limit = min(STILL_LEVELS, STILL_SHARE * contrast)
    return contrast >= LEAST_CONTRAST and bool(_changes(before, now).max() < limit)


def _scene(rgb: np.ndarray) -> np.ndarray:
    import cv2

    return np.asarray(shrink(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), SCENE).astype(np.float32))


def _patch(rgb: np.ndarray, box: Box) -> np.ndarray:
    import cv2

    height, width = rgb.shape[:2]
    left, top = max(0, round(box[0] * width)), max(0, round(box[1] * height))
    right, bottom = round((box[0] + box[2]) * width), round((box[1] + box[3]) * height)
    part = rgb[min(top, height - 1) : max(bottom, top + 1), min(left, width - 1) : max(right, left + 1)]
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.resize(grey, (PATCH, PATCH), interpolation=cv2.INTER_AREA))


def _moved(before: str | None, scene: np.ndarray) -> np.ndarray | None:
    """Return which cells of the scene have changed since the picture before; None where there was none."""
    if before is None:
        return None
    old = np.frombuffer(b64decode(before), np.uint8).astype(np.float32)
    return np.asarray(_changes(old, scene.ravel()) >= SCENE_MOVED_LEVELS).reshape(scene.shape)


def _is_elsewhere(moved: np.ndarray | None, box: Box) -> bool:
    """Say whether anything moved that is neither this face nor what may belong to it, and nothing where it is."""
    if moved is None or not moved.any():
        return False
    x, y, wide, high = box
    body = (x - BESIDE * wide, y - ABOVE * high, (1 + 2 * BESIDE) * wide, (1 + ABOVE + BELOW) * high)
    return bool(not moved[_covered(moved.shape, box)].any() and (moved & ~_covered(moved.shape, body)).any())


def _covered(shape: tuple[int, ...], box: Box) -> np.ndarray:
    """Return which cells of the scene the box touches."""
    rows, columns = np.indices(shape)
    height, width = shape
    across = (columns + 1 > box[0] * width) & (columns < (box[0] + box[2]) * width)
    down = (rows + 1 > box[1] * height) & (rows < (box[1] + box[3]) * height)
    return np.asarray(across & down)


def _changes(old: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return by how many grey levels each cell differs from what light alone would have made of it.

    The light is the median of what the cells tell: it is right as long as less than half of them have moved.
    """
    light = float(median((now + 1) / (old + 1)))
    return np.asarray(np.abs(now + 1 - light * (old + 1)))


def _text(cells: np.ndarray) -> str:
    return b64encode(np.rint(cells).astype(np.uint8).tobytes()).decode()


def _is_same(box: Box, other: Box, limit: float) -> bool:
    resized = max(abs(box[at] - other[at]) for at in (2, 3))
    return max(_apart(box, other), resized) <= limit * max(box[2], other[2])


def _is_near(box: Box, other: Box) -> bool:
    larger = max(box[2], other[2])
    return larger <= NEAR_SIZE * min(box[2], other[2]) and _apart(box, other) <= NEAR * larger


def _apart(box: Box, other: Box) -> float:
    return max(abs(box[at] + box[at + 2] / 2 - other[at] - other[at + 2] / 2) for at in (0, 1))
