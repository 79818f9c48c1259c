"""Shares with their uncertainty, and what a set of answers adds up to; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitoring.evaluation.traits import Traits

FEWEST = 30
"""Of fewer samples nothing is claimed: too few to say."""

Z = 1.959964  # two-sided 95 % of the normal distribution
BINS = 10


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of ``n``, with the 95 % interval of the share behind them (Wilson 1927); all None where n is 0."""

    hits: int
    n: int

    @property
    def share(self) -> float | None:
        """The share itself, 0..1."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The two ends of the interval, 0..1."""
        if not self.n:
            return None
        p, n = self.hits / self.n, self.n
        middle, spread = p + Z * Z / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        scale = 1 + Z * Z / n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)

    @property
    def is_enough(self) -> bool:
        """Whether there are enough samples to claim anything."""
        return self.n >= FEWEST


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one sample beside what is true of it; ``said`` None is *not examined*."""

    sample: str
    truth: bool
    said: bool | None
    confidence: float = 0.0
    """Of a yes: how sure it is, 0..1."""

    conditions: frozenset[str] = frozenset()
    traits: Traits | None = None
    why: str = ""
    """Why it was not examined, where that is so."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a set of answers adds up to; precision, recall and false alarms are of the examined samples."""

    n: int
    positives: int
    precision: Rate
    recall: Rate
    false_alarms: Rate
    not_examined: Rate
    calibration_error: float | None

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean of the shares of yes and of no that were found."""
        found, false = self.recall.share, self.false_alarms.share
        return None if found is None or false is None else (found + 1 - false) / 2

    @property
    def balanced_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the balanced accuracy, from those of its two shares (Newcombe 1998, square-and-add)."""
        middle = self.balanced_accuracy
        found, false = self.recall.interval, self.false_alarms.interval
        if middle is None or found is None or false is None:
            return None
        recall, alarms = self.recall.hits / self.recall.n, self.false_alarms.hits / self.false_alarms.n
        below = math.hypot(recall - found[0], false[1] - alarms) / 2
        above = math.hypot(found[1] - recall, alarms - false[0]) / 2
        return max(0.0, middle - below), min(1.0, middle + above)


def figures_of(answers: Sequence[Answer]) -> Figures:
    """Return what these answers add up to."""
    examined = [one for one in answers if one.said is not None]
    said = [one for one in examined if one.said]
    true = [one for one in examined if one.truth]
    both = sum(one.truth for one in said)
    return Figures(
        n=len(answers),
        positives=sum(one.truth for one in answers),
        precision=Rate(both, len(said)),
        recall=Rate(both, len(true)),
        false_alarms=Rate(len(said) - both, len(examined) - len(true)),
        not_examined=Rate(len(answers) - len(examined), len(answers)),
        calibration_error=calibration_error((one.confidence, one.truth) for one in said),
    )


def reliability(answers: Iterable[Answer]) -> list[tuple[float, Rate]]:
    """Return for each tenth of confidence the mean confidence of the yeses in it, and how many of them were right.

    The reliability diagram of DeGroot and Fienberg (1983), as numbers; tenths without a yes are left out.
    """
    bins: list[list[Answer]] = [[] for _ in range(BINS)]
    for one in answers:
        if one.said:
            bins[min(int(one.confidence * BINS), BINS - 1)].append(one)
    return [
        (sum(one.confidence for one in among) / len(among), Rate(sum(one.truth for one in among), len(among)))
        for among in bins
        if among
    ]


def calibration_error(pairs: Iterable[tuple[float, bool]]) -> float | None:
    """Return by how much confidence and truth differ on average (expected calibration error, Naeini et al. 2015).

    ``pairs`` hold how sure a yes was, and whether it was right. None where there are too few to say.
    """
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for confidence, right in pairs:
        bins[min(int(confidence * BINS), BINS - 1)].append((confidence, right))
    total = sum(map(len, bins))
    if total < FEWEST:
        return None
    apart = (abs(sum(confidence - right for confidence, right in one)) for one in bins)
    return sum(apart) / total
