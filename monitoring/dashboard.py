"""What the first page of the console tells: exams of today, what is live, what waits for reviewers, what was found.

Each member of staff is told of the exams that they own or review. The number of queries is the same for any number of
rows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, FilteredRelation, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from exams.kinds import RiskLevel, kind_label
from exams.models import CLOSED_STATUSES, OPEN_STATUSES, ExamSession, SessionStatus
from exams.selectors import sat_by, visible_exams
from monitoring.case_models import ReviewCase
from monitoring.frame_store import StoreUnavailable, frame_store
from monitoring.models import ReviewDecision, SuspiciousActivity
from monitoring.reading import minutes_to_read
from monitoring.selectors import counting, visible_sessions
from monitoring.silence import CONNECTED_S
from monitoring.statistics import UtcDay

SHOWN_EXAMS = 12
SHOWN_KINDS = 5
KINDS_DAYS, RISK_DAYS = 14, 30

RISK_STEPS = (0.0, 2.0, 5.0, 10.0, 15.0, 20.0)
"""Scores are counted from one step to below the next; 5 and 10 are where Medium and High begin by default."""


@dataclass(frozen=True, slots=True)
class Live:
    """Sessions that are open: sat right now, paused, not begun yet; of those that are sat, without connection."""

    active: int
    paused: int
    checking: int
    away: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.active + self.paused + self.checking


@dataclass(frozen=True, slots=True)
class Queue:
    """Sessions that are over and without an outcome: by level, with the activities that nobody judged.

    ``handed_on`` wait for a second reviewer, for an admin, or for a decision on an appeal.
    """

    by_level: tuple[tuple[str, str, int], ...]
    sessions: int
    undecided: int
    handed_on: int

    @property
    def reading_s(self) -> float:
        """How long it takes to read all that, roughly."""
        return 60 * minutes_to_read(sessions=self.sessions, activities=self.undecided)


@dataclass(frozen=True, slots=True)
class RiskStep:
    """How many sessions have a risk score from ``least`` to below ``below`` (None: any above), by level."""

    least: float
    below: float | None
    by_level: tuple[tuple[str, str, int], ...]

    @property
    def count(self) -> int:
        """All of them."""
        return sum(count for _level, _label, count in self.by_level)

    @property
    def label(self) -> str:
        """The step in figures."""
        return f"{self.least:g}+" if self.below is None else f"{self.least:g}–{self.below:g}"


@dataclass(frozen=True, slots=True)
class KindsByDay:
    """How often each kind began, day by day in UTC; the most frequent kinds, and all others together as the last."""

    days: tuple[date, ...]
    kinds: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def rows(self) -> list[tuple[date, list[int], int]]:
        """One row for each day: the counts of the kinds, and their sum."""
        columns = [counts for _label, counts in self.kinds]
        rows = ((day, [counts[at] for counts in columns]) for at, day in enumerate(self.days))
        return [(day, counts, sum(counts)) for day, counts in rows]


@dataclass(frozen=True, slots=True)
class Lag:
    """What waits to be examined, and since when the oldest of it does; None where the queues cannot be read."""

    items: int | None
    sessions: int = 0
    oldest_s: float = 0.0


def exams_today(user: User, *, now: datetime | None = None) -> list[Any]:
    """Return exams whose window touches this day, or that were begun in it or are sat; those that are sat first.

    Each has ``live``, ``done_today`` and ``high``, the number of those that are sat and stand at High.
    """
    now = now or timezone.now()
    began = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    ends = began + timedelta(days=1)
    # An exam without either end of its window is always open, which alone makes it no exam of this day.
    window = (Q(opens_at__lt=ends) & (Q(closes_at__gte=began) | Q(closes_at__isnull=True))) | (
        Q(opens_at__isnull=True) & Q(closes_at__gte=began, closes_at__lt=ends)
    )
    going_on = Q(status__in=OPEN_STATUSES) | Q(started_at__gte=began, started_at__lt=ends)
    touched = Exists(ExamSession.objects.filter(going_on, exam=OuterRef("pk")))
    live = Q(sessions__status__in=OPEN_STATUSES)
    # A reviewer who sits the exam is not to learn their own level from a count.
    high = live & ~Q(sessions__in=sat_by(user).order_by().values("pk"))
    high &= Q(sessions__assessments__is_current=True, sessions__assessments__risk_level=RiskLevel.HIGH)
    done = Q(sessions__status__in=CLOSED_STATUSES, sessions__ended_at__gte=began, sessions__ended_at__lt=ends)
    found: QuerySet[Any] = visible_exams(user).filter(window | Q(touched))
    counted = found.annotate(
        live=Count("sessions", filter=live, distinct=True),
        high=Count("sessions", filter=high, distinct=True),
        done_today=Count("sessions", filter=done, distinct=True),
    )
    return list(counted.order_by("-live", F("opens_at").asc(nulls_last=True), "code")[:SHOWN_EXAMS])


def live_of(user: User, *, now: datetime | None = None) -> Live:
    """Count the sessions that are open, recordings left out."""
    now = now or timezone.now()
    seen = Q(monitor__last_seen_at__gte=now - timedelta(seconds=CONNECTED_S))
    connected = seen & (Q(monitor__gone_at__isnull=True) | Q(monitor__gone_at__lt=F("monitor__last_seen_at")))
    rows = visible_sessions(user).filter(status__in=OPEN_STATUSES, source=ExamSession.Source.LIVE).order_by()
    active = Q(status=SessionStatus.ACTIVE)
    counts = rows.aggregate(
        total=Count("pk"),
        active=Count("pk", filter=active),
        paused=Count("pk", filter=Q(status=SessionStatus.PAUSED)),
        connected=Count("pk", filter=active & connected),
    )
    checking = counts["total"] - counts["active"] - counts["paused"]
    return Live(counts["active"], counts["paused"], checking, counts["active"] - counts["connected"])


def queue_of(user: User) -> Queue:
    """Count what waits for a human's decision."""
    outcomes = ReviewDecision.objects.filter(session=OuterRef("pk"), activity__isnull=True)
    watched = visible_sessions(user).filter(status__in=CLOSED_STATUSES, assessments__is_current=True)
    waiting = watched.filter(~Exists(outcomes)).exclude(candidate__user=user).order_by()
    current = FilteredRelation("assessments", condition=Q(assessments__is_current=True))
    levelled = waiting.annotate(current=current).values(level=F("current__risk_level")).annotate(n=Count("pk"))
    counts = {row["level"]: row["n"] for row in levelled}
    later = ReviewDecision.objects.filter(activity=OuterRef("activity"), decided_at__gt=OuterRef("decided_at"))
    latest = ReviewDecision.objects.filter(~Exists(later), activity__isnull=False)
    judged = latest.exclude(verdict=ReviewDecision.Verdict.WITHDRAWN).values("activity")
    undecided = SuspiciousActivity.objects.filter(counting(), ~Q(pk__in=judged), session__in=waiting.values("pk"))
    stages = ReviewCase.Stage
    handed_on = ReviewCase.objects.filter(
        session__in=visible_sessions(user).order_by(), stage__in=(stages.SECOND, stages.DISAGREEMENT, stages.APPEAL)
    )
    return Queue(_by_level(counts), sum(counts.values()), undecided.count(), handed_on.count())


def risk_of(user: User, *, now: datetime | None = None) -> list[RiskStep]:
    """Count the sessions of the last weeks by risk score."""
    since = (now or timezone.now()) - timedelta(days=RISK_DAYS)
    current = FilteredRelation("assessments", condition=Q(assessments__is_current=True))
    sessions = visible_sessions(user).filter(created_at__gte=since).annotate(current=current)
    scored = sessions.filter(current__isnull=False).order_by()
    values = {"level": F("current__risk_level"), "score": F("current__risk_score")}
    rows: list[Any] = list(scored.values(**values).annotate(n=Count("pk")))
    return [_risk_step(rows, at) for at in range(len(RISK_STEPS))]


def kinds_of(user: User, *, now: datetime | None = None) -> KindsByDay:
    """Count the activities of the last days by kind and day."""
    today = (now or timezone.now()).astimezone(UTC).date()
    days = tuple(today - timedelta(days=ago) for ago in reversed(range(KINDS_DAYS)))
    since = datetime.combine(days[0], datetime.min.time(), UTC)
    sessions = visible_sessions(user).order_by().values("pk")
    found = SuspiciousActivity.objects.filter(counting(), started_at__gte=since, session__in=sessions).order_by()
    counts: dict[str, dict[date, int]] = {}
    for row in found.values("kind", day=UtcDay("started_at")).annotate(n=Count("pk")):
        counts.setdefault(row["kind"], {})[row["day"]] = row["n"]
    ranked = sorted(counts, key=lambda kind: (-sum(counts[kind].values()), kind))
    kinds = [(kind_label(kind), _series(days, [counts[kind]])) for kind in ranked[:SHOWN_KINDS]]
    others = [counts[kind] for kind in ranked[SHOWN_KINDS:]]
    return KindsByDay(days, (*kinds, *([("", _series(days, others))] if others else [])))


def lag_now() -> Lag:
    """Return what waits in all queues of this deployment."""
    try:
        tally = frame_store().tally()
    except (StoreUnavailable, OSError):
        return Lag(None)
    oldest = min(tally.oldest.values(), default=None)
    return Lag(sum(tally.waiting.values()), tally.sessions, 0.0 if oldest is None else max(0.0, time.time() - oldest))


def _by_level(counts: dict[Any, int]) -> tuple[tuple[str, str, int], ...]:
    return tuple((level.value, str(level.label), counts.get(level.value, 0)) for level in reversed(RiskLevel))


def _risk_step(rows: Sequence[dict[str, Any]], at: int) -> RiskStep:
    least = RISK_STEPS[at]
    below = RISK_STEPS[at + 1] if at + 1 < len(RISK_STEPS) else None
    counts: dict[str, int] = {}
    for row in rows:
        if row["score"] >= least and (below is None or row["score"] < below):
            counts[row["level"]] = counts.get(row["level"], 0) + row["n"]
    return RiskStep(least, below, tuple(reversed(_by_level(counts))))


def _series(days: Sequence[date], counted: Sequence[dict[date, int]]) -> tuple[int, ...]:
    return tuple(sum(counts.get(day, 0) for counts in counted) for day in days)
