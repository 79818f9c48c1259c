"""A cheap look at each picture that decides when the dear object model is due, and what it should look at.

Due at a session's first frame, which is looked at from every view; when its rest is over; and, as far as the purse
goes, in every frame while there is doubt (a phone or a second person seen of late), when the picture changed, and when
the head is bent. A change of light is no change of the scene. While no face is found, it looks as often as need be.
Looks take turns between the whole picture and a closer one at hands and desk; a doubt is followed where it arose.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from vision.pictures import median, shrink
from vision.types import Box, Detection, Due, Face, Frame, Head, Memory

if TYPE_CHECKING:
    import numpy as np

THUMBNAIL = (16, 12)
CELL_CHANGE = 20
"""Grey levels by which a cell must differ, once light is allowed for; noise and shake stay below."""
CHANGED_SHARE = 0.25
"""Share of changed cells that makes a changed scene; a head that moves a little changes about a tenth."""
MOVED_SHARE = 0.02
"""Share of changed cells from which on somebody may have taken something up."""
PICTURE_S = 0.15
"""Pictures that come faster show the same."""
BENT_DEGREES = 14.0
NOBODY_REST_S = 4.0
STILL_SHARE = 0.08
DOUBT_SCORES = {"cell phone": 0.2, "second person": 0.4}

PURSE, FILL_S = 10.0, 30.0
"""So many looks out of turn may be taken at once, and so many seconds pass until one more may: a poster or a pencil
case that stays is looked at now and then, and no session costs more than its share."""

DEBT = 8.0
"""So many looks more may be taken while a hand seems to hold a phone: rare, and grave enough to make sure."""

SPARE, SPARE_FOR_MOVES = 7.0, 9.0
"""So many looks are kept for doubts, for hands that come into view and for a head that bends: a new scene may not spend
them, a mere move still less."""

BREAK_RESTS = 2.0
"""After so many rests without a look the line was gone, or the server."""

OWED = 6
"""So many closer looks follow on hands, bent heads and doubts: a phone is seen in one view and missed in the next."""


class Look(StrEnum):
    """What to look at: everything from every view, the whole picture once, or hands and desk from nearby."""

    EVERYWHERE = "everywhere"
    WHOLE = "whole"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found, best first; in which part (``None``: the whole); whether hands; and how many faces."""

    objects: tuple[Detection, ...]
    part: Box | None = None
    hands: bool = False
    faces: int = 0


def due_look(
    frame: Frame, due: Due, memory: Memory, *, faces: tuple[Face, ...] | None, head: Head | None
) -> Look | None:
    """Return what the object model should look at in this frame, from what is remembered of its last look."""
    last = memory.get("gate")
    if last is None:
        return Look.EVERYWHERE
    if faces == () and not (last["person"] and last["doubt"] == Look.CLOSE):
        return Look.WHOLE
    if last["doubt"] and _purse(last, frame) >= (1 - DEBT if last["doubt"] == Look.CLOSE else 1):
        return Look(last["doubt"])
    if _rested(last, frame, due):
        return Look(last["next"])
    return _out_of_turn(frame, last, head)


def is_first(last: dict[str, Any] | None, at: float, every_s: float) -> bool:
    """Say whether a look is a session's first, or the first after such a break as comes to many sessions at once."""
    return last is None or at - last["ran_at"] > BREAK_RESTS * every_s


def _rested(last: dict[str, Any], frame: Frame, due: Due) -> bool:
    rested_s, share = frame.captured_at - last["ran_at"], due.first_rest if last.get("first") else 1.0
    return bool(rested_s < 0 or rested_s >= due.objects_every_s * share)


def _out_of_turn(frame: Frame, last: dict[str, Any], head: Head | None) -> Look | None:
    rested_s, purse = frame.captured_at - last["ran_at"], _purse(last, frame)
    if rested_s < PICTURE_S or purse < 1:
        return None
    if last["owed"] or (_bent(head) and not last["bent"]):
        return Look.CLOSE
    share = changed_share(last["seen"], thumbnail(frame.small)) if purse >= SPARE else 0.0
    if share > CHANGED_SHARE:
        return Look(last["next"])
    return Look.CLOSE if share > MOVED_SHARE and purse >= SPARE_FOR_MOVES else None


def _bent(head: Head | None) -> bool:
    return head is not None and head.base_pitch - head.pitch >= BENT_DEGREES


def turn_of(memory: Memory) -> int:
    """Return which of the closer views is next."""
    return int((memory.get("gate") or {}).get("turn", 0))


def person_of_late(frame: Frame, memory: Memory) -> bool | None:
    """Say whether the object model saw a person a moment ago, if the picture has hardly changed since; else ``None``.

    Its word then still stands, and nothing dearer than a second look is needed until the next one of its own.
    """
    last = memory.get("gate")
    if last is None or last["person"] is None or not 0 <= frame.captured_at - last["ran_at"] < NOBODY_REST_S:
        return None
    still = changed_share(last["seen"], thumbnail(frame.small)) <= STILL_SHARE
    return bool(last["person"]) if still else None


def remember_look(
    frame: Frame, due: Due, memory: Memory, look: Look, seen: Seen, head: Head | None, *, nobody: bool = False
) -> Memory:
    """Return the memory after such a look at the frame; ``nobody``: no face was in it."""
    last = memory.get("gate") or {"hands": False, "bent": False, "owed": 0, "turn": 0}
    doubt, bent = _doubt(look, seen), _bent(head)
    again = look is Look.CLOSE and doubt is not Look.CLOSE
    new = seen.hands > last["hands"] or bent > last["bent"] or doubt is Look.CLOSE
    state = {
        "ran_at": frame.captured_at,
        "first": is_first(memory.get("gate"), frame.captured_at, due.objects_every_s),
        "seen": pack(thumbnail(frame.small)),
        "doubt": doubt,
        "next": Look.CLOSE if look is Look.WHOLE else Look.WHOLE,
        # What raised a doubt is looked at once more in the same way; else the next view has its turn.
        "turn": last["turn"] + again,
        "owed": OWED if new else max(0, last["owed"] - (look is Look.CLOSE)),
        "hands": seen.hands,
        "bent": bent,
        "purse": _purse_after(last, frame, due, free=nobody and look is Look.WHOLE),
        "person": None if look is Look.CLOSE else any(found.label == "person" for found in seen.objects),
    }
    return {**memory, "gate": state}


def _purse_after(last: dict[str, Any], frame: Frame, due: Due, *, free: bool) -> float:
    """Return what is left; an empty seat is looked at whatever the purse says, and leaves it to who comes back."""
    if "purse" not in last:
        return PURSE
    return round(_purse(last, frame) - (not free and not _rested(last, frame, due)), 2)


def _purse(last: dict[str, Any], frame: Frame) -> float:
    """Return how many looks out of turn may be taken by now."""
    passed_s = max(0.0, frame.captured_at - last["ran_at"])
    return float(min(PURSE, max(-DEBT, last["purse"]) + passed_s / FILL_S))


def pack(picture: np.ndarray) -> str:
    """Return grey levels, two letters each, as ``changed_share`` takes them."""
    import numpy as np

    return bytes(np.rint(picture).astype(np.uint8).tolist()).hex()


def changed_share(before: str, now: np.ndarray) -> float:
    """Return the share of cells that changed beyond what a gain and an offset common to all of them explain."""
    import numpy as np

    old = np.frombuffer(bytes.fromhex(before), np.uint8).astype(np.float32)
    kept = np.ones(old.shape, bool)
    difference = now - old
    for _ in range(2):  # the second fit leaves out what the first one found moved
        gain, offset = _light(old[kept], now[kept])
        difference = np.abs(now - gain * old - offset)
        kept = difference <= max(float(median(difference)), 1.0)
    return float((difference > CELL_CHANGE * min(1.0, max(gain, 0.5))).mean())


def _light(old: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    before, after = float(old.mean()), float(now.mean())
    apart = old - before
    spread = float(apart @ apart)
    gain = float(apart @ (now - after)) / spread if spread > len(old) else 1.0
    gain = min(2.0, max(0.5, gain))
    return gain, after - gain * before


def thumbnail(rgb: np.ndarray, size: tuple[int, int] = THUMBNAIL) -> np.ndarray:
    """Return the picture's grey levels at this (width, height), as (width * height,) float32."""
    import cv2
    import numpy as np

    return cv2.cvtColor(shrink(rgb, size), cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()


def _doubt(look: Look, seen: Seen) -> Look | None:
    """Return how to look again at once, or ``None``; of several people whose faces show there is no doubt.

    What is not held, a closer look has cleared: a badge or a pencil case, for which the next one is early enough.
    """
    phones = [one for one in seen.objects if one.label == "cell phone" and one.score >= DOUBT_SCORES["cell phone"]]
    if any(phone.held or look is Look.WHOLE for phone in phones):
        return Look.CLOSE
    people = sum(one.label == "person" and one.score >= DOUBT_SCORES["second person"] for one in seen.objects)
    return Look.WHOLE if people > max(1, seen.faces) else None
