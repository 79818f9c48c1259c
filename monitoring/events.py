"""What the candidate's side may report: names brought into one spelling, numbers and text kept within bounds; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from exams.kinds import Kind

EVENT_NAME = re.compile(r"[A-Za-z0-9_ .:-]{1,64}")
MAX_DETAIL_BYTES = 8 * 1024
MAX_DETAIL_DEPTH = 8
COUNTERS = ("keys", "mouse")
"""What may be said of typing and moving: how often, never what."""

LARGEST_COUNT = 1_000_000
# What other clients call the same things.
ALIASES: Mapping[str, str] = {
    "TAB_HIDDEN": Kind.TAB_SWITCH,
    "TAB_CHANGE": Kind.TAB_SWITCH,
    "VISIBILITY_HIDDEN": Kind.TAB_SWITCH,
    "BLUR": Kind.WINDOW_BLUR,
    "FOCUS_LOST": Kind.WINDOW_BLUR,
    "FULLSCREEN_LEFT": Kind.FULLSCREEN_EXIT,
    "FULL_SCREEN_EXIT": Kind.FULLSCREEN_EXIT,
    "EXIT_FULLSCREEN": Kind.FULLSCREEN_EXIT,
    "CONTEXT_MENU": Kind.RIGHT_CLICK,
    "DEVTOOLS": Kind.DEVTOOLS_OPEN,
    "DEV_TOOLS_OPEN": Kind.DEVTOOLS_OPEN,
    "MULTIPLE_SCREENS": Kind.SECOND_SCREEN,
    "MICROPHONE_ON": Kind.MIC_ON,
    "MICROPHONE_OFF": Kind.MIC_OFF,
    "IDLE": Kind.USER_IDLE,
    "USER_ACTIVITY": Kind.ACTIVITY,
    "NETWORK_LOST": Kind.NETWORK_GAP,
}


class DetailError(ValueError):
    """A detail that cannot be kept; the message is a word: size, depth or count."""


def canonical_name(told: str) -> str:
    """Return a known kind in its own spelling (``tabSwitch``, ``Tab Switch`` → ``TAB_SWITCH``), others as told."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", told.strip())
    name = re.sub(r"[ .:_-]+", "_", words).upper()
    known = ALIASES.get(name, name)
    return str(known) if known in Kind.values else told.strip()


def check_detail(detail: Mapping[str, Any]) -> None:
    """Raise ``DetailError`` for what is too large or nested too deeply; a large detail is not walked to its end."""
    _check_value(detail, 1, MAX_DETAIL_BYTES)
    if len(json.dumps(detail, ensure_ascii=False).encode()) > MAX_DETAIL_BYTES:
        raise DetailError("size")


def counters_only(detail: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts of an ``ACTIVITY`` report and drop all else, such as what was typed.

    Raises ``DetailError`` for a count that is no whole number from 0 to a million.
    """
    counts = {name: detail[name] for name in COUNTERS if name in detail}
    for count in counts.values():
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= LARGEST_COUNT:
            raise DetailError("count")
    return counts


def _check_value(value: Any, depth: int, room: int) -> int:
    """Return how much room a value leaves at best: its letters or items take a byte each, and in truth more."""
    room -= len(value) if isinstance(value, str | dict | list) else 1
    if isinstance(value, dict):
        room -= sum(map(len, value))
    if room < 0:
        raise DetailError("size")
    if not isinstance(value, dict | list):
        return room
    if depth > MAX_DETAIL_DEPTH:
        raise DetailError("depth")
    for item in value.values() if isinstance(value, dict) else value:
        room = _check_value(item, depth + 1, room)
    return room
