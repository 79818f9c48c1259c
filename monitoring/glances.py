"""Short looks that go again and again to one place beside the screen, as to something that is read from: a pure fold.

A look is one stretch in which the gaze is off the screen; it is over once the gaze is clearly back. Long ones are
LOOKING_AWAY's. What lies below is left out, for that is where keyboards are, and so is what lies above, where people
look who think, and which the height of the irises hardly tells.
"""

from __future__ import annotations

from typing import Any

from exams.policy import Thresholds
from monitoring.answers import NO, UNKNOWN, Cue, Past, yes
from vision.types import EYE_DEGREES, Observation

BACK_SHARE = 0.5
"""The gaze is back on the screen within this share of the limit; who sits at the limit looks neither here nor there."""

UNPROVEN = 0.5
"""Nothing labelled says how often such looks are to something forbidden: as many as are asked for are half sure."""

MOST = 60
Looks = dict[str, Any]
"""What is remembered: the looks that are over, the one that lasts, and how many pictures were examined."""


def off_screen(facts: Observation, limits: Thresholds) -> Cue:
    """Say whether head and eyes together point beside the screen now, from where this person usually looks.

    A yes is one moment of a look and means nothing yet; its ``degrees`` are above 0 to the left of the picture.
    """
    degrees = _sideways(facts, limits)
    if degrees is None or facts.head is None:
        return UNKNOWN
    down = facts.head.base_pitch - facts.head.pitch
    if down >= min(limits.head_bent, max(abs(degrees), limits.glance_gaze)):
        return NO
    if abs(degrees) >= limits.glance_gaze:
        return yes(UNPROVEN, degrees=round(degrees, 1))
    return NO if abs(degrees) <= BACK_SHARE * limits.glance_gaze else UNKNOWN


def follow(known: Looks | None, at: float, cue: Cue, limits: Thresholds) -> tuple[Looks, Cue]:
    """Return what is remembered after this moment, and a yes if its look is one of many short ones to one place.

    ``cue`` is what ``off_screen`` said, yes or no. The yes knows since when the looks go there.
    """
    looks = _recent(known or {"over": [], "now": None, "pictures": 0}, at, limits)
    looks["pictures"] += 1
    if not cue.value:
        return _ended(looks, limits), NO
    degrees = float(cue.detail["degrees"])
    if looks["now"] and abs(looks["now"]["degrees"] - degrees) > limits.glance_same:
        looks = _ended(looks, limits)  # the gaze went on to another place
    looks["now"] = _longer(looks["now"], at, degrees, looks["pictures"])
    return looks, _judged(looks, limits)


def _sideways(facts: Observation, limits: Thresholds) -> float | None:
    """Return where the gaze points in degrees; None where the eyes are hidden and the head alone does not tell."""
    if facts.head is None:
        return None
    yaw = facts.head.yaw - facts.head.base_yaw
    if facts.eyes is not None:
        return yaw + EYE_DEGREES * (facts.eyes.horizontal - facts.eyes.base_horizontal)
    return yaw if abs(yaw) >= limits.head_yaw else None


def _recent(known: Looks, at: float, limits: Thresholds) -> Looks:
    over = [look for look in known["over"] if at - look["at"] <= limits.glance_window_s]
    return {**known, "over": over}


def _longer(look: Looks | None, at: float, degrees: float, picture: int) -> Looks:
    if look is None:
        return {"at": at, "last": at, "degrees": degrees, "pictures": 1, "first": picture}
    count = look["pictures"] + 1
    mean = look["degrees"] + (degrees - look["degrees"]) / count
    return {**look, "last": at, "degrees": round(mean, 2), "pictures": count}


def _ended(looks: Looks, limits: Thresholds) -> Looks:
    now, over = looks["now"], looks["over"]
    if now is not None and _is_short(now, limits):
        over = [*over, now][-MOST:]
    return {**looks, "over": over, "now": None}


def _is_short(look: Looks, limits: Thresholds) -> bool:
    return bool(look["last"] - look["at"] <= limits.glance_longest_s)


def _judged(looks: Looks, limits: Thresholds) -> Cue:
    now, over = looks["now"], looks["over"]
    same = [look for look in over if abs(look["degrees"] - now["degrees"]) <= limits.glance_same]
    times, share = len(same) + 1, (len(same) + 1) / (len(over) + 1)
    if not _is_short(now, limits) or times < limits.glance_returns or share < limits.glance_share:
        return NO
    first = same[0] if same else now
    past = Past(
        since=first["at"],
        positives=sum(look["pictures"] for look in (*same, now)),
        examined=looks["pictures"] - first["first"] + 1,
    )
    degrees = sum(look["degrees"] for look in (*same, now)) / times
    told = {"looks": times, "direction": "left" if degrees > 0 else "right", "degrees": round(abs(degrees))}
    sure = share * (1 - (1 - UNPROVEN) * limits.glance_returns / times)
    return yes(sure, **told, window_s=round(now["last"] - first["at"])).standing_on(past)
