"""Whether the candidate is the person who was enrolled: now and then, and whenever somebody else may have sat down.

One look costs as much as all other senses that look at faces, so a face that stays in its place is looked at rarely: in
a session's first pictures, when its rest is over, and after it was gone, jumped or changed size, or much of the picture
changed. When a look answers otherwise than the one before, the next pictures are looked at as well, until enough of
them agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vision import gate
from vision.analyzers import gaze, identity
from vision.analyzers.faces import FoundFace
from vision.analyzers.gaze import Looks
from vision.analyzers.identity import UnfitPicture, View
from vision.types import Box, Due, Frame, Head, Likeness, Memory

if TYPE_CHECKING:
    from vision.loading import Models

AGREEING = 3
"""So many looks in a row must answer alike before the face is left in peace."""
MOST_IN_A_ROW = 8
"""After so many looks that do not agree there is a rest as well: a face at the limit is not looked at for ever."""
DOUBT_REST_S = 4.0
DOUBTFUL = 0.5
"""Nearer than this nobody doubts. Where a stranger begins is said by the policy, of the distances that are kept."""

FOREMOST = 4.0
"""So many times as large as any other is the face at the camera, whoever passes behind it."""
GONE_S = 3.0
"""Who was out of view for so long, or in one picture that shows no face, may have changed places with somebody."""
MOVED_WIDTHS = 0.75
RESIZED = 1.4
THUMBNAIL = (8, 6)
CHANGED_SHARE = 0.25
"""Of the picture since the last look; somebody who moves on a chair changes less, a swap of people more."""
CHANGE_REST_S = 4.0

OUTSIDE = 0.12
"""A forehead or a chin beyond the picture's edge does not matter yet: distances stay as they were."""
FARTHEST_YAW, FARTHEST_PITCH, FARTHEST_ROLL = 25.0, 30.0, 30.0
"""A head that is turned further is another face to the embedding."""


def analyze(
    frame: Frame, memory: Memory, faces: tuple[FoundFace, ...], looks: Looks | None, due: Due, models: Models
) -> tuple[Likeness | None, Memory]:
    """Return how far the face is from the enrolled one; ``None`` where no look is due or nothing can be said.

    ``faces`` are largest first; ``looks`` is what the first one shows, with the mesh points ``identity.WANTED``, if
    somebody has looked already.
    Remembers where the face was and what the last looks answered, never what it looks like.
    """
    known = memory.get("likeness")
    face = foremost(faces)
    if face is None:
        return None, memory if known is None else {**memory, "likeness": {**known, "box": None}}
    at, picture = frame.captured_at, gate.thumbnail(frame.small, THUMBNAIL)
    seen = _followed(known, at, face.face.box)
    wanted = _is_due(seen, at, due) or _is_changed(seen, at, picture)
    found = _look(frame.rgb, face, looks, due, models) if wanted else None
    if found is not None:
        seen = _answered(seen, at, found.distance >= DOUBTFUL) | {"picture": gate.pack(picture)}
    return found, {**memory, "likeness": seen}


def foremost(faces: tuple[FoundFace, ...]) -> FoundFace | None:
    """Return the face of whoever sits at the camera, or None where it may be any of several."""
    if not faces or any(faces[0].area < FOREMOST * other.area for other in faces[1:]):
        return None
    return faces[0]


def _followed(known: dict[str, Any] | None, at: float, box: Box) -> dict[str, Any]:
    """Return what is remembered of the face now in view; if it may be another one, it has to be looked at again."""
    place = [round(box[0] + box[2] / 2, 3), round(box[1] + box[3] / 2, 3), round(box[2], 3)]
    if known is None:
        known = {"box": place, "looked_at": None, "agreed": 0, "looks": 0, "doubt": False, "rested": False}
    elif not 0 <= at - known["seen_at"] <= GONE_S or known["box"] is None or _is_elsewhere(known["box"], place):
        known = {**known, "agreed": min(known["agreed"], AGREEING - 1), "looks": 0}
    return {**known, "box": place, "seen_at": at}


def _is_elsewhere(before: list[float], now: list[float]) -> bool:
    larger, smaller = max(before[2], now[2]), max(min(before[2], now[2]), 1e-6)
    return max(abs(before[0] - now[0]), abs(before[1] - now[1])) > MOVED_WIDTHS * larger or larger > RESIZED * smaller


def _is_due(seen: dict[str, Any], at: float, due: Due) -> bool:
    if seen["looked_at"] is None or at < seen["looked_at"]:
        return True
    if seen["agreed"] < AGREEING and seen["looks"] < MOST_IN_A_ROW:
        return True
    settled = seen["agreed"] >= AGREEING and not seen["doubt"]
    every_s = due.identity_every_s * (1.0 if seen.get("rested", True) else due.first_rest)
    return bool(at - seen["looked_at"] >= (every_s if settled else min(DOUBT_REST_S, due.identity_every_s)))


def _is_changed(seen: dict[str, Any], at: float, picture: np.ndarray) -> bool:
    rested = seen["doubt"] or at - seen["looked_at"] >= CHANGE_REST_S
    return bool(rested and gate.changed_share(seen["picture"], picture) > CHANGED_SHARE)


def _answered(seen: dict[str, Any], at: float, doubt: bool) -> dict[str, Any]:
    agreed = min(seen["agreed"] + 1, AGREEING) if doubt == seen["doubt"] else 1
    looks = 0 if agreed == AGREEING else min(seen["looks"] + 1, MOST_IN_A_ROW)
    rested = seen.get("rested", True) or seen["agreed"] >= AGREEING
    return {**seen, "looked_at": at, "agreed": agreed, "looks": looks, "doubt": doubt, "rested": rested}


def view_of(rgb: np.ndarray, face: FoundFace, models: Models) -> View | None:
    """Return a face in the (height, width, 3) uint8 RGB picture, or None where it cannot be compared."""
    return _view_of_mesh(rgb, gaze.mesh(rgb, face, models, identity.WANTED))


def _view_of_mesh(rgb: np.ndarray, mesh: np.ndarray | None) -> View | None:
    if mesh is None:
        return None
    try:
        view = identity.view_mesh(rgb, mesh, OUTSIDE)
    except UnfitPicture:
        return None
    return view if _is_frontal(view.head) else None


def _look(rgb: np.ndarray, face: FoundFace, looks: Looks | None, due: Due, models: Models) -> Likeness | None:
    if looks is not None and looks.head is not None and not _is_frontal(looks.head):
        return None
    view = view_of(rgb, face, models) if looks is None else _view_of_mesh(rgb, looks.mesh)
    if view is None:
        return None
    distance = identity.distance_from(np.asarray(due.enrolled), rgb, view.points, models)
    return Likeness(distance, round(view.height_px))


def _is_frontal(head: Head) -> bool:
    turned = abs(head.yaw) > FARTHEST_YAW or abs(head.pitch) > FARTHEST_PITCH
    return not turned and abs(head.roll) <= FARTHEST_ROLL
