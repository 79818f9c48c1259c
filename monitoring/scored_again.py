"""Scores of one session under another policy, in memory; nothing is written."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from exams.models import ExamSession
from exams.policy import Policy
from monitoring import rules, scoring
from monitoring.models import Assessment
from monitoring.rescoring import fold_again, moments_of

Scored = tuple[list[scoring.Span], scoring.Scores]


class OutOfTimeError(Exception):
    """The time for trying is over."""


def score_again(
    assessment: Assessment, policy: Policy, stored: Sequence[Mapping[str, Any]] | None, deadline: float
) -> Scored:
    """Return the activities and scores that the policy, muted as the session is, would give.

    ``stored``: the assessment's activities, None if they are not to be relied on. Where the policy only weighs them
    otherwise they are taken as they are; else all that was observed goes through the rules again, until ``deadline``
    (``time.monotonic``) at the latest, when ``OutOfTimeError`` is raised.
    """
    if time.monotonic() > deadline:
        raise OutOfTimeError
    session = assessment.session
    if stored is not None and opens_the_same(assessment.policy.rules.without(session.muted), policy):
        spans = [_span_of(row, policy) for row in stored]
        return spans, _scores(spans, policy, assessment.observed, assessment.observed_until)
    return _folded(session, policy, deadline)


def opens_the_same(old: Policy, new: Policy) -> bool:
    """Say whether the two find the same activities in the same observations, and differ in what these weigh at most."""
    return _finding(old) == _finding(new)


def _finding(policy: Policy) -> Policy:
    """Return the policy without what has no part in finding activities in what was observed."""
    default = Policy()
    unweighed = {kind: replace(rule, weight=1.0, severity=1) for kind, rule in policy.kinds.items()}
    unknown = replace(policy.unknown_kind, weight=1.0, severity=1)
    return replace(
        policy,
        # A kind that says no more than what holds for unknown ones may as well not be named.
        kinds={kind: rule for kind, rule in unweighed.items() if rule != unknown},
        unknown_kind=unknown,
        senses=tuple(sorted(policy.senses)),
        objects_every_s=default.objects_every_s,
        identity_every_s=default.identity_every_s,
        medium_from=default.medium_from,
        high_from=default.high_from,
        kind_cap=default.kind_cap,
        trust_zero_risk=default.trust_zero_risk,
        candidate_may_pause=default.candidate_may_pause,
    )


def _folded(session: ExamSession, policy: Policy, deadline: float) -> Scored:
    if session.ended_at is None:
        raise ValueError("The session has not ended.")
    state, changes = fold_again(session, policy, _until(deadline, moments_of(session, policy)))
    state, more = rules.finish(state, session.ended_at.timestamp(), policy)
    last = {(change.kind, change.started_at): change for change in (*changes, *more)}
    spans = [
        scoring.Span(change.kind, _severity(change.kind, change.detail, policy), change.started_at, change.ended_at)
        for change in last.values()
    ]
    return spans, _scores(spans, policy, state["observed"], rules.reached(state) or 0.0)


def _until(deadline: float, moments: Iterable[rules.Moment]) -> Iterator[rules.Moment]:
    for moment in moments:
        if time.monotonic() > deadline:
            raise OutOfTimeError
        yield moment


def _span_of(row: Mapping[str, Any], policy: Policy) -> scoring.Span:
    ended_at = None if row["ended_at"] is None else row["ended_at"].timestamp()
    severity = _severity(row["kind"], row["detail"], policy)
    return scoring.Span(row["kind"], severity, row["started_at"].timestamp(), ended_at)


def _severity(kind: str, detail: Mapping[str, Any], policy: Policy) -> int:
    """Return how grave it was reported to be, else what the policy says of its kind."""
    return int(detail.get("severity", policy.rule(kind).severity))


def _scores(
    spans: Sequence[scoring.Span], policy: Policy, observed: Mapping[str, float], until: float
) -> scoring.Scores:
    return scoring.assess(spans, policy, observed_s=scoring.observed_seconds(observed), until=until)
