"""Conditions under which something fares worse than under all others, and what explains it, as far as data can.

A gap of at most three points is none. One is *too few to say* where either side has fewer samples than anything is
claimed of, and *may be chance* where the interval of the difference reaches down to three points. Whatever is left is
explained by what could not be seen, or said to be unexplained.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from monitoring.evaluation.figures import FEWEST, Answer, Rate, figures_of

ALLOWED = 0.03 + 1e-9
"""So much worse than the rest any condition may be, and what rounding adds."""

TOO_FEW, CHANCE, UNEXPLAINED = "too few to say", "may be chance", "not explained"
MIDDLE = 0.05
"""Pictures are alike in a trait that lies within the condition's range, less this share at each end."""

DIFFERENT = 1.5
"""How many times smaller or larger a trait's median must be to be named."""

Trait = Callable[[Answer], float | None]
TRAITS: dict[str, Trait] = {
    "face height": lambda one: one.traits.face_px if one.traits else None,
    "brightness": lambda one: one.traits.brightness if one.traits else None,
}
UNITS = {"face height": " px", "brightness": ""}


@dataclass(frozen=True, slots=True)
class Gap:
    """What fares worse, where, by how much (``low`` to ``high`` is the 95 % interval), and why."""

    kind: str
    condition: str
    measure: str
    there: Rate
    rest: Rate
    why: str

    @property
    def worse_by(self) -> float:
        """How much worse it is there than in the rest, 0..1."""
        return worse_by(self.measure, self.there, self.rest)[0]

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference."""
        return worse_by(self.measure, self.there, self.rest)[1:]


def gaps_of(kind: str, answers: Sequence[Answer]) -> Iterator[Gap]:
    """Yield each condition that fares worse by more than is allowed, measure by measure."""
    for condition in sorted({condition for one in answers for condition in one.conditions}):
        there = [one for one in answers if condition in one.conditions]
        rest = [one for one in answers if condition not in one.conditions]
        for measure in MEASURES:
            ours, theirs = rate_of(measure, there), rate_of(measure, rest)
            if ours.n and theirs.n and worse_by(measure, ours, theirs)[0] > ALLOWED:
                yield Gap(kind, condition, measure, ours, theirs, _why(measure, there, rest))


def gaps_of_people(told: Sequence[tuple[int, str, Rate, Rate, int]]) -> Iterator[Gap]:
    """Yield the conditions in which people are missed more often than in the rest, from ``likeness.data_of``.

    Pairs of the same people hang together, so what counts as enough are people.
    """
    for enrolled, condition, there, rest, people in told:
        if worse_by("missed", there, rest)[0] > ALLOWED:
            why = verdict("missed", there, rest) or UNEXPLAINED
            few = f"{people} people, {TOO_FEW}"
            yield Gap(
                f"IDENTITY, {enrolled} enrolled", condition, "missed", there, rest, few if people < FEWEST else why
            )


MEASURES = ("recall", "false_alarms", "not_examined")


def rate_of(measure: str, answers: Sequence[Answer]) -> Rate:
    """Return one measure of a set of answers."""
    rate: Rate = getattr(figures_of(answers), measure)
    return rate


def worse_by(measure: str, there: Rate, rest: Rate) -> tuple[float, float, float]:
    """Return how much worse a rate is there, and the interval of it (Newcombe 1998, square-and-add); none may be empty.

    Of recall less is worse, of everything else more is.
    """
    (p, low, high), (q, rest_low, rest_high) = _ends(there), _ends(rest)
    below, above = math.hypot(p - low, rest_high - q), math.hypot(high - p, q - rest_low)
    if measure == "recall":
        return q - p, q - p - above, q - p + below
    return p - q, p - q - below, p - q + above


def verdict(measure: str, there: Rate, rest: Rate) -> str | None:
    """Say why nothing can be claimed of a gap; None where it is one."""
    if not (there.is_enough and rest.is_enough):
        return TOO_FEW
    return CHANCE if worse_by(measure, there, rest)[1] <= ALLOWED else None


def _ends(rate: Rate) -> tuple[float, float, float]:
    low, high = rate.interval or (0.0, 1.0)
    return rate.share or 0.0, low, high


def _why(measure: str, there: Sequence[Answer], rest: Sequence[Answer]) -> str:
    nothing = verdict(measure, rate_of(measure, there), rate_of(measure, rest))
    if nothing:
        return nothing
    return "; ".join(_reasons(measure, there, rest)) or UNEXPLAINED


def _reasons(measure: str, there: Sequence[Answer], rest: Sequence[Answer]) -> Iterator[str]:
    if measure == "not_examined":
        causes = Counter(one.why for one in there if one.said is None)
        yield "cannot be seen: " + ", ".join(f"{why} ({count})" for why, count in causes.most_common())
    for name, trait in TRAITS.items():
        ours, theirs = _known(trait, there), _known(trait, rest)
        if ours and theirs and _differ(statistics.median(ours), statistics.median(theirs)):
            unit = UNITS[name]
            yield f"{name} {statistics.median(ours):.3g}{unit} against {statistics.median(theirs):.3g}{unit} (medians)"
            yield from _alike(measure, name, there, rest)


def _alike(measure: str, name: str, there: Sequence[Answer], rest: Sequence[Answer]) -> Iterator[str]:
    """Compare with those of the rest that are alike in a trait, if there are enough of them."""
    trait = TRAITS[name]
    ours = sorted(_known(trait, there))
    cut = int(MIDDLE * len(ours))
    low, high = ours[cut], ours[len(ours) - 1 - cut]
    alike = [one for one in rest if (value := trait(one)) is not None and low <= value <= high]
    like = rate_of(measure, alike)
    if like.n < FEWEST:
        yield f"only {like.n} of the rest are alike in it"
        return
    left = worse_by(measure, rate_of(measure, there), like)[0]
    explained = "explains it" if left <= ALLOWED else "does not explain it"
    yield f"which {explained}: {100 * left:.1f} points beside {like.n} of the rest that are alike"


def _known(trait: Trait, answers: Sequence[Answer]) -> list[float]:
    return [value for one in answers if (value := trait(one)) is not None]


def _differ(ours: float, theirs: float) -> bool:
    return min(ours, theirs) * DIFFERENT <= max(ours, theirs)
