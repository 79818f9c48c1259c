"""What another policy would make of sessions that were held already: judged in memory, and nothing is written."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When

from exams.kinds import RiskLevel, kind_label
from exams.models import Exam, ExamSession
from exams.policy import Policy
from monitoring import scoring
from monitoring.case_models import ReviewCase
from monitoring.evaluation.figures import Rate
from monitoring.models import Assessment, MonitoringLog, ReviewDecision, SuspiciousActivity
from monitoring.scored_again import OutOfTimeError, score_again
from monitoring.selectors import latest_verdict

MOST_SESSIONS = 200
LONGEST_S = 15.0
WRONG = (ReviewDecision.Outcome.CONCERN, ReviewDecision.Outcome.VIOLATION)
RIGHT = (ReviewDecision.Outcome.CLEAR,)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far what is pointed at agrees with what people decided; of how many, and the 95 % interval, is in it."""

    precision: Rate
    recall: Rate


@dataclass(frozen=True, slots=True)
class Compared:
    """The same measure under the assessments that count and under the policy that was tried."""

    before: Agreement
    after: Agreement


@dataclass(frozen=True, slots=True)
class Judged:
    """An activity that somebody confirmed or dismissed; times in seconds."""

    kind: str
    started_at: float
    ended_at: float | None
    confirmed: bool

    def is_met_by(self, span: scoring.Span) -> bool:
        """Say whether the span is of the same kind and shares time with it."""
        if self.kind != span.kind:
            return False
        begins_in_time = self.ended_at is None or span.started_at < self.ended_at
        return begins_in_time and (span.ended_at is None or self.started_at < span.ended_at)


@dataclass(frozen=True, slots=True)
class Tried:
    """One session, as it stands and as the policy would have it; ``outcome`` is what people decided of it."""

    session: ExamSession
    outcome: str | None
    level_before: str
    level_after: str
    risk_before: float
    risk_after: float
    kinds_before: Counter[str]
    kinds_after: Counter[str]
    judged: tuple[tuple[Judged, bool], ...]
    """What people judged, each with whether the policy would still point at it."""

    @property
    def outcome_label(self) -> str:
        """What people decided of the session, in words."""
        return str(ReviewDecision.Outcome(self.outcome).label) if self.outcome else "–"

    @property
    def changes_level(self) -> bool:
        """Whether it would stand elsewhere in the list."""
        return self.level_before != self.level_after


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answer: sessions tried, newest first, out of all that could have been; ``seconds`` is what it took."""

    tried: tuple[Tried, ...]
    available: int
    seconds: float
    ran_out_of_time: bool = False
    levels: tuple[str, ...] = field(default=tuple(RiskLevel.values))

    @property
    def changed(self) -> list[Tried]:
        """The sessions whose level would change, those that change most first."""
        moved = (one for one in self.tried if one.changes_level)
        return sorted(moved, key=lambda one: -abs(one.risk_after - one.risk_before))

    @property
    def moves(self) -> list[tuple[str, list[tuple[str, int]]]]:
        """How many sessions go from each level to each: level before → (level after, count)."""
        counts = Counter((one.level_before, one.level_after) for one in self.tried)
        return [(old, [(new, counts[old, new]) for new in self.levels]) for old in self.levels]

    @property
    def kinds(self) -> list[tuple[str, int, int]]:
        """The kinds of which there would be more or fewer activities: in words, before, after."""
        before = sum((one.kinds_before for one in self.tried), Counter[str]())
        after = sum((one.kinds_after for one in self.tried), Counter[str]())
        moved = [kind for kind in before.keys() | after.keys() if before[kind] != after[kind]]
        moved.sort(key=lambda kind: (-abs(after[kind] - before[kind]), kind))
        return [(kind_label(kind), before[kind], after[kind]) for kind in moved]

    @property
    def activities(self) -> Compared:
        """Against verdicts on activities; whatever was judged had been pointed at, so recall before is all of it."""
        judged = [pair for one in self.tried for pair in one.judged]
        everything = [(what.confirmed, True) for what, _met in judged]
        return Compared(agreement(everything), agreement([(what.confirmed, met) for what, met in judged]))

    @property
    def sessions(self) -> Compared:
        """Against outcomes of sessions: Medium and High point at a session, concern and violation say it was right."""
        judged = [(one, one.outcome in WRONG) for one in self.tried if one.outcome in (*WRONG, *RIGHT)]
        low = RiskLevel.LOW
        return Compared(
            agreement([(wrong, one.level_before != low) for one, wrong in judged]),
            agreement([(wrong, one.level_after != low) for one, wrong in judged]),
        )


def agreement(pairs: Sequence[tuple[bool, bool]]) -> Agreement:
    """Return precision and recall of pairs of what is true and whether it was pointed at."""
    right = sum(1 for true, pointed in pairs if true and pointed)
    pointed_at = sum(1 for _true, pointed in pairs if pointed)
    return Agreement(Rate(right, pointed_at), Rate(right, sum(1 for true, _pointed in pairs if true)))


def try_policy(*, exam: Exam, policy: Policy, most: int = MOST_SESSIONS, longest_s: float = LONGEST_S) -> WhatIf:
    """Judge the newest sessions of the exam whose observations are kept, in memory, until one of the limits.

    A session that was not finished in time is left out, not half judged. Nothing is written.
    """
    began = time.monotonic()
    kept = _kept(exam)
    rows = list(kept.order_by("-session__ended_at", "pk")[:most])
    stored = _activities(rows)
    tried: list[Tried] = []
    late = False
    for row in rows:
        try:
            tried.append(_try(row, policy, stored.get(row.session_id, []), began + longest_s))
        except OutOfTimeError:
            late = True
            break
    return WhatIf(tuple(tried), kept.count(), time.monotonic() - began, late)


def _kept(exam: Exam) -> QuerySet[Any]:
    """The assessments that count of ended sessions of which the observations are still there."""
    finished = Assessment.objects.filter(
        is_current=True,
        session__exam=exam,
        session__ended_at__isnull=False,
        session__monitor__finished_at__isnull=False,
        session__monitor__evidence_removed_at__isnull=True,
    )
    # Who tries policies may be the one who is to look at a session anew: its verdicts are nobody's to know.
    blind = Q(session__review__stage__in=ReviewCase.BLIND)
    disputed = When(session__review__stage=ReviewCase.Stage.DISAGREEMENT, then=None)
    outcome = Case(disputed, default=latest_verdict(session=OuterRef("session"), activity__isnull=True))
    late = MonitoringLog.objects.filter(session=OuterRef("session"), received_at__gt=OuterRef("session__ended_at"))
    rows = finished.exclude(blind).select_related("policy", "session__candidate__user", "session__exam")
    return rows.annotate(outcome=outcome, reported_late=Exists(late))


def _activities(rows: Iterable[Assessment]) -> dict[UUID, list[dict[str, Any]]]:
    found = SuspiciousActivity.objects.filter(assessment__in=[row.pk for row in rows])
    told: Any = found.annotate(verdict=latest_verdict(activity=OuterRef("pk"))).values(
        "session_id", "kind", "started_at", "ended_at", "detail", "verdict"
    )
    by_session: dict[UUID, list[dict[str, Any]]] = {}
    for row in told:
        by_session.setdefault(row["session_id"], []).append(row)
    return by_session


def _try(row: Any, policy: Policy, stored: Sequence[dict[str, Any]], deadline: float) -> Tried:
    session: ExamSession = row.session
    settings = policy.without(session.muted)
    # What came in after the end is in no activity that is stored, and would be in those found anew.
    spans, scores = score_again(row, settings, None if row.reported_late else stored, deadline)
    verdicts = (ReviewDecision.Verdict.CONFIRMED, ReviewDecision.Verdict.DISMISSED)
    judged = [_judged(activity) for activity in stored if activity["verdict"] in verdicts]
    return Tried(
        session=session,
        outcome=row.outcome,
        level_before=row.risk_level,
        level_after=scores.risk_level,
        risk_before=row.risk_score,
        risk_after=scores.risk_score,
        kinds_before=Counter(activity["kind"] for activity in stored),
        kinds_after=Counter(span.kind for span in spans),
        judged=tuple((what, any(what.is_met_by(span) for span in spans)) for what in judged),
    )


def _judged(activity: dict[str, Any]) -> Judged:
    ended_at: datetime | None = activity["ended_at"]
    return Judged(
        activity["kind"],
        activity["started_at"].timestamp(),
        None if ended_at is None else ended_at.timestamp(),
        activity["verdict"] == ReviewDecision.Verdict.CONFIRMED,
    )
