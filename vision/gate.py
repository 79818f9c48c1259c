"""A cheap look at each picture that decides when the dear object model is due.

Due at the first frame, when its rest is over, when the picture changed, and in every frame while there is doubt
(no face; a phone or a second person seen of late). A change of light is no change of the scene.
Looks take turns between the whole picture and the part where hands and desk are, in which a phone is larger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vision.pictures import shrink
from vision.types import Box, Detection, Due, Face, Frame, Memory

if TYPE_CHECKING:
    import numpy as np

THUMBNAIL = (16, 12)
CELL_CHANGE = 20
"""Grey levels by which a cell must differ, once light is allowed for; noise and shake stay below."""
CHANGED_SHARE = 0.25
"""Share of changed cells that makes a changed scene; a head that moves a little changes about a tenth."""
CHANGE_REST_S = 4.0
NOBODY_REST_S = 4.0
STILL_SHARE = 0.08
DOUBT_SCORES = {"cell phone": 0.2, "second person": 0.4}
DOUBT_S = 20.0
"""How long a doubt is followed frame by frame; a poster or a pencil case that stays is then looked at now and then."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
DESK_HEIGHT = 0.7
DESK_ASPECT = 1.3


def objects_due(frame: Frame, due: Due, memory: Memory) -> bool:
    """Say whether the object model should look at this frame, from what is remembered of its last look."""
    last = memory.get("gate")
    if last is None:
        return True
    rested_s = frame.captured_at - last["ran_at"]
    if rested_s < 0 or rested_s >= due.objects_every_s:
        return True
    if last["doubt_since"] is not None and frame.captured_at - last["doubt_since"] <= DOUBT_S:
        return True
    return bool(rested_s >= CHANGE_REST_S and changed_share(last["seen"], _thumbnail(frame.rgb)) > CHANGED_SHARE)


def region(frame: Frame, faces: tuple[Face, ...] | None, memory: Memory) -> Box:
    """Return the part of the picture to look at: without a face the whole, else whole and desk in turn."""
    if not faces or not (memory.get("gate") or {}).get("at_desk", False):
        return WHOLE
    height, width = frame.rgb.shape[:2]
    desk_width = min(1.0, DESK_HEIGHT * DESK_ASPECT * height / width)
    left = faces[0].box[0] + faces[0].box[2] / 2 - desk_width / 2
    return min(max(left, 0.0), 1.0 - desk_width), 1.0 - DESK_HEIGHT, desk_width, DESK_HEIGHT


def nobody_of_late(frame: Frame, memory: Memory) -> bool:
    """Say whether the object model saw no person a moment ago and the picture has hardly changed since.

    Its word then still stands, and a cheap second look at each frame is enough until the next one of its own.
    """
    last = memory.get("gate")
    if last is None or last["person"] or not 0 <= frame.captured_at - last["ran_at"] < NOBODY_REST_S:
        return False
    return changed_share(last["seen"], _thumbnail(frame.rgb)) <= STILL_SHARE


def remember_look(
    frame: Frame, looked_at: Box, objects: tuple[Detection, ...], memory: Memory, *, faces: int
) -> Memory:
    """Return the memory after the object model looked at this region of the frame and found these objects."""
    doubt_since, at_desk = (memory.get("gate") or {}).get("doubt_since"), looked_at != WHOLE
    if not _doubtful(objects, faces):
        doubt_since, at_desk = None, not at_desk
    elif doubt_since is None:
        doubt_since = frame.captured_at
    look = {
        "ran_at": frame.captured_at,
        "seen": [round(value) for value in _thumbnail(frame.rgb).tolist()],
        "doubt_since": doubt_since,
        "at_desk": at_desk,
        "person": looked_at != WHOLE or any(found.label == "person" for found in objects),
    }
    return {**memory, "gate": look}


def changed_share(before: list[int], now: np.ndarray) -> float:
    """Return the share of cells that changed beyond what a gain and an offset common to all of them explain."""
    import numpy as np

    old = np.asarray(before, np.float32)
    kept = np.ones(old.shape, bool)
    difference = now - old
    for _ in range(2):  # the second fit leaves out what the first one found moved
        gain, offset = _light(old[kept], now[kept])
        difference = np.abs(now - gain * old - offset)
        kept = difference <= max(float(np.median(difference)), 1.0)
    return float((difference > CELL_CHANGE * min(1.0, max(gain, 0.5))).mean())


def _light(old: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    spread = float(old.var())
    gain = float(((old - old.mean()) * (now - now.mean())).mean()) / spread if spread > 1 else 1.0
    gain = min(2.0, max(0.5, gain))
    return gain, float(now.mean() - gain * old.mean())


def _thumbnail(rgb: np.ndarray) -> np.ndarray:
    import cv2
    import numpy as np

    return cv2.cvtColor(shrink(rgb, THUMBNAIL), cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()


def _doubtful(objects: tuple[Detection, ...], faces: int) -> bool:
    """Say whether to look again at once; of several people whose faces show there is no doubt."""
    phone = any(found.label == "cell phone" and found.score >= DOUBT_SCORES["cell phone"] for found in objects)
    people = sum(found.label == "person" and found.score >= DOUBT_SCORES["second person"] for found in objects)
    return phone or people > max(1, faces)
