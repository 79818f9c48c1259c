"""What a proctoring policy says, as validated data: which senses run, when an activity opens, what it weighs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, TypeVar, get_type_hints

from django.utils.translation import gettext as _

from exams.kinds import DEFAULT_RULES, Kind, KindRule
from vision.types import SOUND_SENSES, Due, Sense

T = TypeVar("T")
KIND_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
SHORTEST_SILENCE_S, LONGEST_SILENCE_S = 10, 600
MUTED_GROUPS: Mapping[str, tuple[str, ...]] = {
    "gaze": (Sense.HEAD, Sense.EYES, Kind.LOOKING_AWAY, Kind.LOOKING_DOWN, Kind.EYE_MOVEMENT, Kind.EYES_CLOSED),
    "hands": (Kind.HAND_GESTURE, Kind.HAND_AT_EAR, Kind.HAND_OVER_MOUTH),
    "sound": tuple(sorted(SOUND_SENSES)),
}
"""Words that mute several senses and kinds at once."""


class PolicyError(ValueError):
    """A policy document that cannot be used; the message says what to mend."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which value on a fact counts as a yes; scores 0..1, angles in degrees from the person's baseline.

    A face is a poster that was in one place for ``poster_s``, or did not change for ``picture_beside_s`` while other
    things did; after ``picture_alone_s`` of that it hides no empty seat.
    ``gaze`` is where head and eyes together point; eyes are away from ``eyes_horizontal`` on, if the gaze is too, by
    ``eyes_gaze``: who turns the head and keeps the eyes on the screen looks at the screen. A glance goes beside the
    screen by ``glance_gaze`` and lasts at most ``glance_longest_s``; two go to one place where they differ by no more
    than ``glance_same``; ``glance_returns`` of them to one within ``glance_window_s``, and ``glance_share`` of all, are
    EYE_MOVEMENT. A recording stands still for ``frozen_s``, or so many of its pictures come back, at any time or in a
    row; a print or a screen looks less living than ``living_score`` at ``print_looks`` of the last four looks. How loud
    a second of sound is stands in dB below full scale. A voice less like the candidate's own than ``own_voice``, a
    cosine, is another's.
    """

    face_score: float = 0.5
    poster_s: float = 30.0
    picture_beside_s: float = 2.0
    picture_alone_s: float = 10.0
    face_hidden: float = 0.1
    person_score: float = 0.5
    person_present_score: float = 0.25
    person_present_share: float = 0.10
    phone_score: float = 0.35
    phone_held_score: float = 0.25
    phone_doubtful_score: float = 0.8
    book_score: float = 0.25
    laptop_score: float = 0.4
    head_yaw: float = 25.0
    head_up: float = 18.0
    head_down: float = 25.0
    head_bent: float = 14.0
    gaze: float = 30.0
    eyes_horizontal: float = 0.12
    eyes_gaze: float = 10.0
    glance_gaze: float = 10.0
    glance_longest_s: float = 3.0
    glance_same: float = 10.0
    glance_returns: int = 6
    glance_window_s: float = 90.0
    glance_share: float = 0.6
    eyes_closed: float = 0.15
    mouth_open: float = 0.12
    mouth_turns: int = 4
    hand_low: float = 1.5
    hand_apart: float = 0.1
    hand_beside: float = 0.6
    hand_upright: float = 0.7
    hand_moved: float = 0.2
    hand_looked_at: float = 8.0
    hand_to_ear: float = 0.3
    hand_on_cheek: float = 0.12
    hand_on_mouth: float = 0.67
    identity_unsure: float = 0.5
    identity_mismatch: float = 0.58
    frozen_s: float = 30.0
    loop_repeats: int = 4
    loop_in_order: int = 8
    living_score: float = 0.2
    print_looks: int = 3
    loud_below_full_scale: float = 18.0
    silent_below_full_scale: float = 80.0
    speech_score: float = 0.6
    own_voice: float = 0.68


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of an exam's rules; the defaults are the default policy.

    ``kind_cap``: one kind adds at most this many times its weight. ``max_gap_s``: an observation stands for the time
    until the next one, but never for longer than this. ``silent_after_s``: after so many seconds without a picture the
    camera is silent, and without any sign of life the connection is lost. ``trust_zero_risk``: the risk at which trust
    is 0.
    """

    kinds: Mapping[str, KindRule] = field(default_factory=lambda: dict(DEFAULT_RULES))
    thresholds: Thresholds = field(default_factory=Thresholds)
    senses: tuple[str, ...] = tuple(Sense)
    objects_every_s: float = 15.0
    identity_every_s: float = 20.0
    medium_from: float = 5.0
    high_from: float = 10.0
    kind_cap: float = 3.0
    trust_zero_risk: float = 20.0
    max_gap_s: float = 5.0
    silent_after_s: float = 20.0
    candidate_may_pause: bool = False
    unknown_kind: KindRule = field(default_factory=lambda: KindRule(instant=True))

    def rule(self, kind: str) -> KindRule:
        """Return the rule of ``kind``; a kind nobody named follows ``unknown_kind``."""
        return self.kinds.get(kind, self.unknown_kind)

    def due(self) -> Due:
        """Return what this policy wants examined."""
        senses = frozenset(Sense(name) for name in self.senses)
        return Due(senses, objects_every_s=self.objects_every_s, identity_every_s=self.identity_every_s)

    @property
    def looks(self) -> bool:
        """Whether any sense wants pictures."""
        return any(name not in SOUND_SENSES for name in self.senses)

    @property
    def listens(self) -> bool:
        """Whether any sense wants sound."""
        return any(name in SOUND_SENSES for name in self.senses)

    def without(self, muted: Sequence[str]) -> Policy:
        """Return the policy less the senses and kinds that are muted, because they would be unfair to somebody."""
        if not muted:
            return self
        off = {name for word in muted for name in (word, *MUTED_GROUPS.get(word, ()))}
        kinds = {kind: replace(rule, enabled=rule.enabled and kind not in off) for kind, rule in self.kinds.items()}
        return replace(self, kinds=kinds, senses=tuple(name for name in self.senses if name not in off))

    def to_document(self) -> dict[str, Any]:
        """Return the complete policy as JSON-serialisable data, which ``parse_policy`` reads back unchanged."""
        return {**asdict(self), "senses": [str(name) for name in self.senses]}


def read_policy(settings: Mapping[str, Any]) -> Policy:
    """Return what ``parse_policy`` does; settings read before are not read again, as every picture would need it."""
    return _policy_of(json.dumps(settings, sort_keys=True))


@lru_cache(maxsize=1000)
def _policy_of(settings: str) -> Policy:
    return parse_policy(json.loads(settings))


def parse_policy(document: Mapping[str, Any]) -> Policy:
    """Read a policy; what it does not mention stays as in the default policy. Raises ``PolicyError``."""
    document = dict(_mapping(document, "policy"))
    policy = Policy()
    kinds = dict(policy.kinds)
    for kind, settings in _mapping(document.pop("kinds", {}), "kinds").items():
        if not KIND_NAME.fullmatch(str(kind)):
            raise PolicyError(_("%(kind)s is not the name of a kind, such as NO_FACE.") % {"kind": f"kinds: {kind!r}"})
        kinds[kind] = _update(policy.rule(kind), settings, f"kinds.{kind}")
    thresholds = _update(policy.thresholds, document.pop("thresholds", {}), "thresholds")
    unknown = _update(policy.unknown_kind, document.pop("unknown_kind", {}), "unknown_kind")
    senses = document.pop("senses", list(policy.senses))
    if not isinstance(senses, list | tuple) or not set(map(str, senses)) <= set(Sense):
        raise PolicyError(_("senses must be a list out of %(senses)s.") % {"senses": ", ".join(Sense)})
    policy = replace(
        policy,
        kinds=kinds,
        thresholds=thresholds,
        unknown_kind=unknown,
        senses=tuple(Sense(name) for name in Sense if name in set(map(str, senses))),
    )
    policy = _update(policy, document, "policy")
    _check_numbers(policy)
    return policy


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PolicyError(_("%(where)s must be a table of names and values.") % {"where": where})
    return value


def _update(current: T, settings: Any, where: str) -> T:
    hints = get_type_hints(type(current))
    names = {item.name for item in fields(current)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in _mapping(settings, where).items():
        if name not in names or hints[name] not in (float, int, bool):
            raise PolicyError(_("%(where)s has no setting called %(name)s.") % {"where": where, "name": repr(name)})
        values[name] = _typed(value, hints[name], f"{where}.{name}")
    return replace(current, **values)  # type: ignore[type-var]


def _typed(value: Any, wanted: type, where: str) -> Any:
    if wanted is bool:
        if not isinstance(value, bool):
            raise PolicyError(_("%(where)s must be true or false.") % {"where": where})
        return value
    no_number = _("%(where)s must be a whole number.") if wanted is int else _("%(where)s must be a number.")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PolicyError(no_number % {"where": where})
    if not 0 <= value <= 1_000_000:  # also what is no number at all
        raise PolicyError(_("%(where)s must lie between 0 and 1,000,000.") % {"where": where})
    if wanted is int and value != int(value):
        raise PolicyError(no_number % {"where": where})
    return wanted(value)


def _check_numbers(policy: Policy) -> None:
    for kind, rule in (*policy.kinds.items(), ("unknown_kind", policy.unknown_kind)):
        if not 1 <= rule.hold <= rule.of <= 100:
            message = _("%(where)s: hold must be at least 1 and at most of, which is at most 100.")
            raise PolicyError(message % {"where": f"kinds.{kind}"})
        if rule.severity not in (1, 2, 3):
            message = _("%(where)s: severity is 1 (low), 2 (medium) or 3 (high).")
            raise PolicyError(message % {"where": f"kinds.{kind}"})
    _check_thresholds(policy.thresholds)
    if not 0 < policy.medium_from < policy.high_from:
        raise PolicyError(_("medium_from must be above 0 and below high_from."))
    if (
        policy.max_gap_s <= 0
        or policy.trust_zero_risk <= 0
        or min(policy.objects_every_s, policy.identity_every_s) <= 0
    ):
        raise PolicyError(_("max_gap_s, trust_zero_risk, objects_every_s and identity_every_s must be above 0."))
    if not SHORTEST_SILENCE_S <= policy.silent_after_s <= LONGEST_SILENCE_S:
        limits = {"shortest": SHORTEST_SILENCE_S, "longest": LONGEST_SILENCE_S}
        raise PolicyError(_("silent_after_s must lie between %(shortest)d and %(longest)d.") % limits)


def _check_thresholds(limits: Thresholds) -> None:
    for item in fields(limits):
        if getattr(limits, item.name) <= 0:
            raise PolicyError(_("%(where)s must be above 0.") % {"where": f"thresholds.{item.name}"})
    if limits.identity_unsure > limits.identity_mismatch:
        raise PolicyError(_("identity_unsure must not be above identity_mismatch."))
