"""Same person or not: labelled pictures of people against each other, by the distance that an exam goes by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from exams.kinds import Kind
from exams.policy import Policy
from monitoring.cues import read_cue
from monitoring.evaluation import looking
from monitoring.evaluation.figures import Rate, calibration_error
from monitoring.evaluation.labels import Sample
from vision.types import Likeness, Observation

if TYPE_CHECKING:
    import numpy as np

LIKENESS = "IDENTITY"
"""Asked of pairs of pictures, not of single ones."""

ACCEPTED = 0.001
"""Misses are counted where so many strangers are taken for the person."""

ENROLLED = (1, 2, 3)
RESAMPLED = 200
"""Pairs of the same people hang together, so intervals come from drawing people anew (Efron 1979), not pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrayed:
    """One examined picture: who is in it, its conditions and its (128,) embedding; ``frontal`` enough to enrol."""

    person: str
    conditions: frozenset[str]
    embedding: np.ndarray
    frontal: bool


@dataclass(frozen=True, slots=True, eq=False)
class Tries:
    """Comparisons of a picture with an enrolled face, nearest first: distance, who with whom, and conditions."""

    apart: np.ndarray
    enrolled: np.ndarray
    shown: np.ndarray
    conditions: list[frozenset[str]]

    @property
    def same(self) -> np.ndarray:
        """Which of them show the enrolled person."""
        answer: np.ndarray = self.enrolled == self.shown
        return answer


@dataclass(slots=True)
class Portraits:
    """The labelled pictures that could be examined, and how many there were."""

    examined: list[Portrayed] = field(default_factory=list)
    pictures: int = 0


def portray_people(samples: Sequence[Sample]) -> Portraits:
    """Look at each picture that is labelled with a person as an exam would; those that will not do are counted."""
    found = Portraits()
    for sample in samples:
        if sample.media == "image" and "person" in sample.labels:
            found.pictures += 1
            one = _portray(sample)
            if one is not None:
                found.examined.append(one)
    return found


def _portray(sample: Sample) -> Portrayed | None:
    import numpy as np

    from vision.analyzers import faces, identity, likeness
    from vision.decoding import PictureError
    from vision.loading import models
    from vision.types import Frame

    try:
        rgb = np.ascontiguousarray(looking.read_picture(sample))
        found, _memory = faces.analyze(Frame(0, 0.0, rgb), {}, models())
        face = likeness.foremost(found)
        view = None if face is None else likeness.view_of(rgb, face, models())
    except PictureError:
        return None
    if view is None:
        return None
    person = f"{sample.labels.get('set', '')}/{sample.labels['person']}"
    embedding = identity.embed(rgb, view.points, models())
    return Portrayed(person, sample.conditions, embedding, abs(view.head.yaw) <= identity.FRONTAL_YAW)


def tries_of(portraits: Sequence[Portrayed], enrolled: int) -> Tries:
    """Compare every picture with every person, enrolled in turn with so many successive frontal pictures of them."""
    import numpy as np

    numbers = {person: number for number, person in enumerate(dict.fromkeys(one.person for one in portraits))}
    all_of = np.array([one.embedding for one in portraits])
    people = np.array([numbers[one.person] for one in portraits])
    parts: list[tuple[np.ndarray, ...]] = []
    conditions: list[frozenset[str]] = []
    for chosen in _enrolments(portraits, enrolled):
        # Of single pictures each pair is compared once.
        rest = np.setdiff1d(np.arange(chosen[0] if enrolled == 1 else len(portraits)), chosen)
        apart = np.linalg.norm(all_of[rest] - all_of[chosen].mean(axis=0), axis=1)
        parts.append((apart, np.full(len(rest), people[chosen[0]]), people[rest]))
        own = frozenset().union(*(portraits[index].conditions for index in chosen))
        conditions += [own | portraits[index].conditions for index in rest]
    if not parts:
        nobody = np.zeros(0, int)
        return Tries(nobody.astype(float), nobody, nobody, [])
    apart, names, shown = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(apart, kind="stable")
    return Tries(apart[order], names[order], shown[order], [conditions[place] for place in order])


def _enrolments(portraits: Sequence[Portrayed], enrolled: int) -> Iterator[list[int]]:
    by_person: dict[str, list[int]] = {}
    for index, one in enumerate(portraits):
        if one.frontal or enrolled == 1:
            by_person.setdefault(one.person, []).append(index)
    for own in by_person.values():
        if len(own) >= enrolled:
            starts = range(len(own)) if enrolled < len(own) else range(1)
            yield from ([own[(start + step) % len(own)] for step in range(enrolled)] for start in starts)


def figures_of(tries: Tries, policy: Policy) -> Mapping[str, Any]:
    """Return what the tries add up to: error rates with their intervals, and what the default policy says of them."""
    import numpy as np

    same = tries.same
    people = int(max(tries.enrolled.max(), tries.shown.max())) + 1
    weights = np.ones(people)
    equal, missed, limit = _errors(tries, weights)
    random = np.random.default_rng(0)
    drawn = [
        _errors(tries, np.bincount(random.integers(0, people, people), minlength=people)) for _ in range(RESAMPLED)
    ]
    low, high = np.nanpercentile(np.array([one[:2] for one in drawn], float), (2.5, 97.5), axis=0)
    return {
        "same": int(same.sum()),
        "strangers": int((~same).sum()),
        "equal_error": _share(equal, low[0], high[0]),
        "missed": _share(missed, low[1], high[1]),
        "limit": round(limit, 3),
        "said": _said(tries, policy),
        "calibration_error": _calibration(tries, policy),
    }


def by_condition(tries: Tries, limit: float) -> Iterator[tuple[str, Rate]]:
    """Yield each condition with the share of one person's pairs in which it occurs that lie beyond the limit."""
    pairs = zip(tries.conditions, tries.apart > limit, tries.same, strict=True)
    own = [(conditions, bool(beyond)) for conditions, beyond, same in pairs if same]
    for name in sorted({name for conditions, _beyond in own for name in conditions}):
        among = [beyond for conditions, beyond in own if name in conditions]
        yield name, Rate(sum(among), len(among))


def beside_the_rest(tries: Tries, limit: float) -> Iterator[tuple[str, Rate, Rate, int]]:
    """Yield each condition with the share missed there, that of all other pairs, and of how many people it is."""
    beyond, names = tries.apart > limit, tries.enrolled
    for condition in sorted({name for conditions in tries.conditions for name in conditions}):
        within = tries.same & [condition in conditions for conditions in tries.conditions]
        rest = tries.same & ~within
        people = len(set(names[within].tolist()))
        there, others = (Rate(int((beyond & among).sum()), int(among.sum())) for among in (within, rest))
        yield condition, there, others, people


def _errors(tries: Tries, weights: np.ndarray) -> tuple[float, float, float]:
    """Return equal error rate, misses where ``ACCEPTED`` strangers are taken, and that limit; people have weights."""
    import numpy as np

    same = tries.same
    weight = np.where(same, weights[tries.enrolled], weights[tries.enrolled] * weights[tries.shown]).astype(float)
    of_same, of_others = np.cumsum(weight * same), np.cumsum(weight * ~same)
    if not of_same[-1] or not of_others[-1]:
        return float("nan"), float("nan"), float("nan")
    missed, taken = 1 - of_same / of_same[-1], of_others / of_others[-1]
    even = int(np.argmin(np.abs(missed - taken)))
    last = max(int(np.searchsorted(taken, ACCEPTED, side="right")) - 1, 0)
    return float(missed[even] + taken[even]) / 2, float(missed[last]), float(tries.apart[last])


def _said(tries: Tries, policy: Policy) -> Mapping[str, Rate]:
    """Count what the policy's limits make of single looks."""
    limits, same = policy.thresholds, tries.same
    else_, unsure = tries.apart >= limits.identity_mismatch, tries.apart >= limits.identity_unsure
    unsure &= ~else_
    return {
        "strangers_told": Rate(int((else_ & ~same).sum()), int((~same).sum())),
        "strangers_unsure": Rate(int((unsure & ~same).sum()), int((~same).sum())),
        "same_accused": Rate(int((else_ & same).sum()), int(same.sum())),
        "same_unsure": Rate(int((unsure & same).sum()), int(same.sum())),
    }


def _calibration(tries: Tries, policy: Policy) -> float | None:
    """Return by how much the confidence of *somebody else* differs from how often it is, as many of both shown."""
    same = tries.same
    pace = max(1, round((~same).sum() / max(1, same.sum())))
    numbers = count()
    kept = [own or next(numbers) % pace == 0 for own in same]
    told = [
        (read_cue(Kind.IDENTITY_MISMATCH, Observation(0, 0.0, identity=Likeness(float(apart))), policy), bool(own))
        for apart, own, keep in zip(tries.apart, same, kept, strict=True)
        if keep
    ]
    return calibration_error((cue.confidence, not own) for cue, own in told if cue.value)


def data_of(portraits: Portraits, policy: Policy) -> Mapping[str, Any]:
    """Return all that the card tells of it; rates are still ``Rate``."""
    people = {one.person for one in portraits.examined}
    rows, conditions, gaps = [], [], []
    for enrolled in ENROLLED if len(people) > 1 else ():
        tries = tries_of(portraits.examined, enrolled)
        if tries.same.any():
            rows.append({"enrolled": enrolled, **figures_of(tries, policy)})
            named = by_condition(tries, rows[-1]["limit"])
            conditions += [{"enrolled": enrolled, "condition": name, "missed": rate} for name, rate in named]
            gaps += [(enrolled, *told) for told in beside_the_rest(tries, rows[-1]["limit"]) if told[1].n and told[2].n]
    examined = len(portraits.examined)
    return {
        "people": len(people),
        "not_examined": Rate(portraits.pictures - examined, portraits.pictures),
        "rows": rows,
        "conditions": conditions,
        "beside_the_rest": gaps,
    }


def _share(value: float, low: float, high: float) -> Mapping[str, float]:
    return {"share": round(value, 5), "low": round(float(low), 5), "high": round(float(high), 5)}
