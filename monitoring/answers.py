"""What every cue answers with: yes, no or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Past:
    """What a yes stands on that came before it: since when, and of how many pictures how many said so."""

    since: float
    positives: int
    examined: int


@dataclass(frozen=True, slots=True)
class Cue:
    """One answer: ``value`` None is unknown; ``confidence`` 0..1 belongs to a yes; ``detail`` holds its numbers.

    ``instant`` is a fact of a moment that needs no second look, whatever the rule of its kind says. ``past`` belongs
    to a yes that only several moments together make.
    """

    value: bool | None
    confidence: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)
    instant: bool = False
    past: Past | None = None

    def standing_on(self, past: Past) -> Cue:
        """Return the same answer with what it stands on."""
        return replace(self, past=past)


UNKNOWN = Cue(None)
NO = Cue(False)


def yes(confidence: float, **detail: Any) -> Cue:
    """Return a yes of this confidence with the numbers behind it."""
    return Cue(True, round(min(max(confidence, 0.0), 1.0), 4), detail)
