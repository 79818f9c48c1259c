"""From activities to scores, with a breakdown that adds up; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from exams.kinds import RiskLevel
from exams.policy import Policy
from vision.types import Sense


@dataclass(frozen=True, slots=True)
class Span:
    """What scoring needs of one activity; times in seconds, ``ended_at`` None while it lasts."""

    kind: str
    severity: int
    started_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the breakdown: ``points`` is what the kind adds, at most ``cap``."""

    kind: str
    count: int
    weight: float
    raw: float
    cap: float
    points: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Risk adds up the lines; trust 0..100; compliance 0..100 is the observed time without an open activity."""

    risk_score: float
    risk_level: str
    trust_score: float
    compliance_score: float | None
    breakdown: tuple[Line, ...]

    def lines(self) -> list[dict[str, Any]]:
        """Return the breakdown as JSON-serialisable rows."""
        return [asdict(line) for line in self.breakdown]


def assess(spans: Sequence[Span], policy: Policy, *, observed_s: float, until: float) -> Scores:
    """Score the activities; ``observed_s`` is the time in which faces were examined, ``until`` the end so far."""
    breakdown = tuple(sorted(_lines(spans, policy), key=lambda line: (-line.points, line.kind)))
    risk = round(sum(line.points for line in breakdown), 2)
    busy = _union_length(
        (span.started_at, min(span.ended_at if span.ended_at is not None else until, until))
        for span in spans
        if policy.rule(span.kind).weight > 0
    )
    return Scores(
        risk_score=risk,
        risk_level=_level(risk, policy),
        trust_score=round(100 * max(0.0, 1 - risk / policy.trust_zero_risk), 1),
        compliance_score=round(100 * max(0.0, 1 - busy / observed_s), 1) if observed_s > 0 else None,
        breakdown=breakdown,
    )


def coverage(observed: Mapping[str, float], *, duration_s: float, senses: Iterable[str]) -> dict[str, float]:
    """Return for each sense the share 0..1 of the session in which it was really observed."""
    if duration_s <= 0:
        return {str(sense): 0.0 for sense in senses}
    return {str(sense): round(min(observed.get(sense, 0.0) / duration_s, 1.0), 4) for sense in senses}


def observed_seconds(observed: Mapping[str, float]) -> float:
    """Return the time in which it was examined whether the candidate is there: the base of compliance."""
    return observed.get(Sense.FACES, 0.0)


def _lines(spans: Sequence[Span], policy: Policy) -> Iterable[Line]:
    for kind in {span.kind for span in spans}:
        own = [span for span in spans if span.kind == kind]
        weight = policy.rule(kind).weight
        raw = sum(weight * span.severity for span in own)
        cap = policy.kind_cap * weight
        yield Line(kind, len(own), weight, round(raw, 2), round(cap, 2), round(min(raw, cap), 2))


def _level(risk: float, policy: Policy) -> str:
    if risk >= policy.high_from:
        return str(RiskLevel.HIGH)
    return str(RiskLevel.MEDIUM if risk >= policy.medium_from else RiskLevel.LOW)


def _union_length(intervals: Iterable[tuple[float, float]]) -> float:
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
