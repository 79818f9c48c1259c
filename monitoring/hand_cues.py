"""From the hands beside a face to yes, no or unknown: signs, a phone's posture, a covered mouth; pure.

Hands that are out of view say nothing, and neither does a chin that rests on one.
"""

from __future__ import annotations

from exams.policy import Thresholds
from monitoring.answers import NO, UNKNOWN, Cue, yes
from vision.types import Hand, Head, Observation

CURLED_FINGERS = 2
"""Around a phone no more fingers than these look stretched; who hides the eyes or the ear has a flat hand."""


def hand_gesture(facts: Observation, limits: Thresholds) -> Cue:
    """A hand makes signs: it is held up beside the head, or moves in front of somebody who does not look down at it.

    Who holds a phone or turns a page looks down; folded hands rest; hands at the face belong to no sign that is told.
    """
    if facts.hands is None:
        return UNKNOWN
    signing = [hand for hand in facts.hands if _signs(hand, facts.head, limits)]
    if not signing:
        return NO
    best = max(signing, key=lambda hand: hand.score)
    return yes(best.score, hands=len(signing), fingers=best.fingers)


def hand_raised(facts: Observation, limits: Thresholds) -> Cue:
    """Say whether a hand is up at all, which alone means nothing."""
    if facts.hands is None:
        return UNKNOWN
    scores = [hand.score for hand in facts.hands if hand.rise >= -limits.hand_low]
    return yes(max(scores)) if scores else NO


def hand_at_ear(facts: Observation, limits: Thresholds) -> Cue:
    """A hand, closed as around a phone, is at an ear; one that a cheek rests on is lower, and covers it."""
    if facts.hands is None:
        return UNKNOWN
    held = [hand for hand in facts.hands if _is_at_ear(hand, limits)]
    if not held:
        return NO
    nearest = min(held, key=lambda hand: hand.to_ear)
    return yes(1 - nearest.to_ear, side="right" if nearest.across > 0 else "left")


def hand_over_mouth(facts: Observation, limits: Thresholds) -> Cue:
    """A hand covers the lips; under a chin it leaves them free."""
    if facts.hands is None:
        return UNKNOWN
    covered = max((hand.on_mouth for hand in facts.hands), default=0.0)
    return yes(covered, covered=round(covered, 2)) if covered >= limits.hand_on_mouth else NO


def _signs(hand: Hand, head: Head | None, limits: Thresholds) -> bool:
    if hand.rise < -limits.hand_low or hand.apart < limits.hand_apart:
        return False
    beside = abs(hand.across) >= limits.hand_beside and hand.rise >= -limits.hand_beside
    if beside and hand.upright >= limits.hand_upright:
        return True
    looked_at = head is None or head.pitch - head.base_pitch <= -limits.hand_looked_at
    return hand.moved is not None and hand.moved >= limits.hand_moved and not looked_at


def _is_at_ear(hand: Hand, limits: Thresholds) -> bool:
    closed = hand.upright > 0 and hand.fingers <= CURLED_FINGERS
    return closed and hand.to_ear <= limits.hand_to_ear and hand.on_face <= limits.hand_on_cheek
