"""What recordings are labelled with: stretches in which something is so, and kinds that must not come up at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exams.kinds import Kind
from monitoring.evaluation.figures import Rate
from monitoring.evaluation.looking import Span

USUAL_FPS = 25.0
SHORTEST_S = 2.0
"""Of shorter stretches an exam's pictures, one a second, cannot be expected to show enough."""

NEAR_S = 1.0
"""What begins or ends so near a stretch belongs to it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What should be found in a recording: stretches, and kinds of which nothing outside of them is right."""

    spans: tuple[Span, ...] = ()
    judged: frozenset[str] = frozenset()


@dataclass(slots=True)
class SpanFigures:
    """How a kind fared over recordings: stretches hit, false alarms, and hours in which there could be any."""

    clips: int = 0
    staged: int = 0
    hit: int = 0
    false_alarms: int = 0
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)

    @property
    def recall(self) -> Rate:
        """Share of the stretches that were hit."""
        return Rate(self.hit, self.staged)

    @property
    def per_hour(self) -> float | None:
        """False alarms in an hour."""
        return 3600 * self.false_alarms / self.seconds if self.seconds else None

    def add(self, name: str, kind: str, expected: Expected, found: Sequence[Span], seconds: float) -> None:
        """Count one recording."""
        wanted = [span for span in expected.spans if span.kind == kind]
        said = [span for span in found if span.kind == kind]
        hit = [span for span in wanted if any(touches(span, one) for one in said)]
        false = [one for one in said if not any(touches(span, one) for span in wanted)]
        self.clips += 1
        self.staged += len(wanted)
        self.hit += len(hit)
        self.false_alarms += len(false)
        self.seconds += seconds
        self.missed += [f"{name} {_clock(span)}" for span in wanted if span not in hit]
        self.false += [f"{name} {_clock(one)}" for one in false]


def touches(one: Span, other: Span) -> bool:
    """Say whether two stretches overlap, or nearly so."""
    return one.start_s - NEAR_S < other.end_s and other.start_s - NEAR_S < one.end_s


def expected_of(labels: Mapping[str, Any], seconds: float) -> Expected:
    """Return what the labels of a recording of this length want found."""
    spans: list[Span] = []
    judged: set[str] = set()
    if "gaze" in labels:
        judged.add(Kind.LOOKING_AWAY)
        spans += _gaze(labels["gaze"], _fps(labels))
    if "looking_at_phone_every_5_frames" in labels:
        judged.add(Kind.PHONE)
        spans += _phone(str(labels["looking_at_phone_every_5_frames"]), seconds)
    if "phone" in labels.get("objects_absent", ()):
        judged.add(Kind.PHONE)
    if isinstance(labels.get("hand_gesture"), bool):
        judged.add(Kind.HAND_GESTURE)
        spans += [Span(Kind.HAND_GESTURE, 0.0, seconds)] if labels["hand_gesture"] else []
    elif labels.keys() & {"gaze", "looking_at_phone_every_5_frames"}:  # all that is done is told, and it is no sign
        judged.add(Kind.HAND_GESTURE)
    faces, least = labels.get("faces"), labels.get("faces_min", 0)
    if faces == 1:
        judged |= {Kind.MULTIPLE_FACES, Kind.EXTRA_PERSON, Kind.NO_FACE}
    if faces or least or labels.get("persons"):
        judged.add(Kind.SPOOF_SUSPECTED)
    if (faces or least) > 1:
        judged.add(Kind.MULTIPLE_FACES)
        spans.append(Span(Kind.MULTIPLE_FACES, 0.0, seconds))
    return Expected(tuple(spans), frozenset(judged))


def _fps(labels: Mapping[str, Any]) -> float:
    return float(labels.get("fps") or USUAL_FPS)


def _gaze(parts: Iterable[Sequence[Any]], fps: float) -> Iterator[Span]:
    for first, last, direction in parts:
        if str(direction) not in ("center", "camera"):
            yield Span(Kind.LOOKING_AWAY, first / fps, (last + 1) / fps)


def _phone(text: str, seconds: float) -> Iterator[Span]:
    """Yield the runs of ones, each sign standing for an equal share of the recording."""
    signs = [sign.strip() == "1" for sign in text.split(",")]
    step, began = seconds / max(1, len(signs)), None
    for place, sign in enumerate([*signs, False]):
        if sign and began is None:
            began = place
        elif not sign and began is not None:
            yield Span(Kind.PHONE, began * step, place * step)
            began = None


def _clock(span: Span) -> str:
    return f"{span.start_s:.1f}–{span.end_s:.1f} s"
