"""When suspicious activities open, last and close: a pure fold over moments.

``step(state, moment, policy) → (state, changes)``. The state is versioned JSON; a stream cut anywhere, its state stored
and restored, gives the same changes. The method is hysteresis with hold, release and rest per kind, as data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from exams.kinds import Kind, KindRule
from exams.policy import Policy, Thresholds
from monitoring import glances
from monitoring.answers import Cue
from vision.types import HANDS_EVERY_S, SOUND_SENSES, Sense

STATE_VERSION = 2
INSTANT_S = 1.0
"""How long a fact of an instant is drawn and counted."""

LONGEST_S = 31 * 86_400.0
KINDS_KEPT = 100
"""Of so many kinds the state is kept; reports of further kinds that the policy does not name count for nothing."""

State = dict[str, Any]
Follow = Callable[[State | None, float, Cue, Thresholds], tuple[State, Cue]]
FOLLOWED: Mapping[str, Follow] = {Kind.EYE_MOVEMENT: glances.follow}
"""Kinds of which a moment alone says nothing: what was remembered, when, and its cue, to what is remembered and a cue
that may say yes. What is remembered begins anew when an activity closes."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of one instant: ``at`` in seconds, the cues by kind, and the senses that were examined.

    ``senses`` is None where nobody looked at all, as for an event that the browser reports. What was ``heard`` comes on
    a road of its own, behind or before the pictures of the same time.
    """

    at: float
    seq: int
    cues: Mapping[str, Cue]
    senses: frozenset[Sense] | None = None
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """An activity opened, went on or closed; always the whole span as it now stands.

    ``confidence`` is the mean of the yes answers; ``positives`` of ``examined`` observations said yes; ``best`` tells
    that this moment is the strongest so far, so its picture is the evidence; ``best_at`` is the time of the strongest.
    """

    action: Literal["open", "update", "close"]
    kind: str
    started_at: float
    ended_at: float | None
    confidence: float
    positives: int
    examined: int
    seq: int
    best: bool
    best_at: float
    detail: Mapping[str, Any] = field(default_factory=dict)


def initial_state() -> State:
    """Return the state before the first moment."""
    return {"version": STATE_VERSION, "last_at": None, "heard_at": None, "seen": {}, "observed": {}, "kinds": {}}


def reached(state: State) -> float | None:
    """Return the time of the last moment that was seen or heard."""
    return max((at for at in (state["last_at"], state.get("heard_at")) if at is not None), default=None)


def step(state: State, moment: Moment, policy: Policy) -> tuple[State, list[Change]]:
    """Fold one moment in; one older than the last that was seen, or heard, changes nothing: time never runs back."""
    last_at = state.get(_clock_of(moment))
    if last_at is not None and moment.at < last_at:
        return state, []
    return _step_kinds({**state, **_clock(state, moment, policy)}, moment, policy)


def report(state: State, moment: Moment, policy: Policy) -> tuple[State, list[Change]]:
    """Fold in what somebody reported of one instant.

    Time goes by what was looked at, so a report does not move it: pictures of an earlier moment may still wait.
    """
    return _step_kinds(state, moment, policy)


def _step_kinds(state: State, moment: Moment, policy: Policy) -> tuple[State, list[Change]]:
    state = {**state, "kinds": dict(state["kinds"])}
    changes: list[Change] = []
    for kind, cue in moment.cues.items():
        rule = policy.rule(kind)
        if not rule.enabled or cue.value is None or not _has_room(state, kind, policy):
            continue
        entry = state["kinds"].get(kind, {"window": [], "open": None, "rest_until": None})
        entry, judged = _followed(entry, kind, cue, moment, policy)
        entry, change = _step_kind(entry, kind, judged, moment, rule, policy)
        state["kinds"][kind] = entry
        changes += [change] if change else []
    return state, changes


def _followed(entry: State, kind: str, cue: Cue, moment: Moment, policy: Policy) -> tuple[State, Cue]:
    """Return what the moments of a kind that is followed make of its cue; that of others stays as it is."""
    if kind not in FOLLOWED:
        return entry, cue
    remembered, judged = FOLLOWED[kind](entry.get("past"), moment.at, cue, policy.thresholds)
    return {**entry, "past": remembered}, judged


def finish(state: State, at: float, policy: Policy) -> tuple[State, list[Change]]:
    """Close whatever is open when the session ends at ``at``, and count the time until then."""
    for heard in (False, True):
        end = Moment(at=at, seq=-1, cues={}, heard=heard)
        last_at = state.get(_clock_of(end))
        if last_at is not None or not heard:
            state, _none = step(state, replace(end, at=max(at, last_at or at)), policy)
    state = {**state, "kinds": dict(state["kinds"])}
    changes = []
    for kind, entry in state["kinds"].items():
        if entry["open"]:
            state["kinds"][kind], change = _close(entry, kind, min(at, _seen_until(entry["open"], policy)), policy, -1)
            changes.append(change)
    return state, changes


def _has_room(state: State, kind: str, policy: Policy) -> bool:
    return kind in policy.kinds or kind in state["kinds"] or len(state["kinds"]) < KINDS_KEPT


def _clock_of(moment: Moment) -> str:
    return "heard_at" if moment.heard else "last_at"


def _clock(state: State, moment: Moment, policy: Policy) -> State:
    """Count the time since the last moment of its road to each sense whose last word still stands."""
    last_at, seen, observed = state.get(_clock_of(moment)), dict(state["seen"]), dict(state["observed"])
    rests = _rests(policy)
    if last_at is not None:
        for sense, at in seen.items():
            if (sense in SOUND_SENSES) is moment.heard:
                reach = max(policy.max_gap_s, rests.get(sense, 0.0))
                passed = max(0.0, min(moment.at, at + reach) - last_at)
                observed[sense] = round(observed.get(sense, 0.0) + passed, 3)
    if moment.senses is not None:
        # What is looked for now and then has a last word that outlives frames without one; that of others does not.
        stays = rests if not moment.heard else {}
        seen = {s: at for s, at in seen.items() if s in stays or (s in SOUND_SENSES) is not moment.heard}
        seen.update({str(sense): moment.at for sense in moment.senses})
    return {_clock_of(moment): moment.at, "seen": seen, "observed": observed}


def _rests(policy: Policy) -> dict[str, float]:
    """Return how long the last word of each sense that rests between two looks stands, in seconds."""
    return {
        Sense.OBJECTS: policy.objects_every_s + 1,
        Sense.HANDS: HANDS_EVERY_S + 1,
        Sense.IDENTITY: policy.identity_every_s + 1,
    }


def _step_kind(
    entry: State, kind: str, cue: Cue, moment: Moment, rule: KindRule, policy: Policy
) -> tuple[State, Change | None]:
    if entry["open"]:
        return _go_on(entry, kind, cue, moment, rule, policy)
    if entry["rest_until"] is not None and moment.at < entry["rest_until"]:
        return {**entry, "window": []}, None
    if rule.instant or cue.instant:
        return _flash(entry, kind, cue, moment, rule)
    window = _gathered(entry["window"], cue, moment, rule)
    entry = {**entry, "window": window}
    yes = [group for group in window if 2 * group["yes"] >= group["of"]]
    if not cue.value or len(yes) < rule.hold or moment.at - yes[0]["first_yes"] < rule.hold_s:
        return entry, None
    counted = [group for group in window if group["at"] >= yes[0]["at"]]
    span = {
        "started_at": yes[0]["first_yes"],
        "last_yes": moment.at,
        "first_no": None,
        "positives": sum(group["yes"] for group in counted),
        "examined": sum(group["of"] for group in counted),
        "since_yes": 0,
        "sum": sum(group["sum"] for group in counted),
        "best": cue.confidence,
        "best_at": moment.at,
        "detail": dict(cue.detail),
    }
    if cue.past is not None:
        positives = cue.past.positives
        span |= {"positives": positives, "examined": cue.past.examined, "sum": positives * cue.confidence}
        span["started_at"] = max(cue.past.since, entry["rest_until"] or cue.past.since)
    return {**entry, "window": [], "open": span}, _change("open", kind, span, moment.seq, best=True)


def _gathered(window: list[Any], cue: Cue, moment: Moment, rule: KindRule) -> list[State]:
    """Return the last groups of observations, as many as the rule looks at.

    A group is one observation where they come at an exam's pace. What comes faster is gathered, or the last few would
    never lie far enough apart, and whoever sends many pictures a second would be seen by no rule.
    """
    apart = rule.hold_s / (rule.of - 1) if rule.of > 1 else 0.0
    # A session that began under an earlier version has single observations in its window: it begins anew.
    groups = [group for group in window if isinstance(group, dict) and moment.at - group["at"] <= rule.window_s]
    if groups and moment.at - groups[-1]["at"] < apart:
        group = groups.pop()
    else:
        group = {"at": moment.at, "first_yes": None, "yes": 0, "of": 0, "sum": 0.0}
    group = {**group, "of": group["of"] + 1}
    if cue.value:
        first_yes = moment.at if group["first_yes"] is None else group["first_yes"]
        group |= {"first_yes": first_yes, "yes": group["yes"] + 1, "sum": group["sum"] + cue.confidence}
    return [*groups, group][-rule.of :]


def _go_on(
    entry: State, kind: str, cue: Cue, moment: Moment, rule: KindRule, policy: Policy
) -> tuple[State, Change | None]:
    span = {**entry["open"], "since_yes": entry["open"]["since_yes"] + 1}
    if cue.value:
        best = cue.confidence > span["best"]
        span |= {"last_yes": moment.at, "first_no": None, "positives": span["positives"] + 1}
        # Noes count once a yes follows them: those after the last yes lie outside the span.
        span |= {"examined": span["examined"] + span["since_yes"], "since_yes": 0}
        span["sum"] += cue.confidence
        if best:
            span |= {"best": cue.confidence, "best_at": moment.at, "detail": dict(cue.detail)}
        return {**entry, "open": span}, _change("update", kind, span, moment.seq, best=best)
    if span["first_no"] is None:
        span["first_no"] = moment.at
    entry = {**entry, "open": span}
    if moment.at - span["first_no"] < rule.release_s:
        return entry, None
    return _close(entry, kind, min(span["first_no"], _seen_until(span, policy)), policy, moment.seq)


def _flash(entry: State, kind: str, cue: Cue, moment: Moment, rule: KindRule) -> tuple[State, Change | None]:
    if not cue.value:
        return entry, None
    span = {
        "started_at": moment.at,
        "positives": 1,
        "examined": 1,
        "sum": cue.confidence,
        "best_at": moment.at,
        "detail": dict(cue.detail),
    }
    ended_at = moment.at + _duration(cue.detail.get("duration_s"))
    change = _change("close", kind, span, moment.seq, best=True, ended_at=ended_at)
    return {**entry, "rest_until": moment.at + rule.cooldown_s}, change


def _duration(told: Any) -> float:
    """Return how long an instant lasted; what was told from outside is believed only if it is a sensible number."""
    sensible = isinstance(told, int | float) and INSTANT_S <= told <= LONGEST_S
    return float(told) if sensible else INSTANT_S


def _seen_until(span: State, policy: Policy) -> float:
    """What was last seen is taken to have lasted no longer than an observation may stand for."""
    return float(span["last_yes"] + policy.max_gap_s)


def _close(entry: State, kind: str, ended_at: float, policy: Policy, seq: int) -> tuple[State, Change]:
    span = entry["open"]
    ended_at = max(ended_at, span["started_at"] + 0.001)
    closed: State = {"window": [], "open": None, "rest_until": ended_at + policy.rule(kind).cooldown_s}
    return closed, _change("close", kind, span, seq, best=False, ended_at=ended_at)


def _change(
    action: Literal["open", "update", "close"],
    kind: str,
    span: State,
    seq: int,
    *,
    best: bool,
    ended_at: float | None = None,
) -> Change:
    return Change(
        action=action,
        kind=kind,
        started_at=span["started_at"],
        ended_at=ended_at,
        confidence=round(span["sum"] / span["positives"], 4),
        positives=span["positives"],
        examined=span["examined"],
        seq=seq,
        best=best,
        best_at=span["best_at"],
        detail=span["detail"],
    )
