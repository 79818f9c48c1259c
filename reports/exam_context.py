"""What the report of a whole exam says: everybody who was to sit it, what was found, and who decided."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, When
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from exams.kinds import RiskLevel, kind_label
from exams.models import Exam, ExamAssignment, ExamSession
from monitoring.explain import duration_text
from monitoring.models import Assessment, ReviewCase, ReviewDecision, SuspiciousActivity
from monitoring.selectors import counting, latest_verdict, with_scores
from vision.types import Sense

NOT_WATCHED = "none"
MOST_PRINTED = 300
"""Nobody reads more on paper, and each line costs 15 ms to set; the table for spreadsheets holds all."""


@dataclass(frozen=True, slots=True)
class Part:
    """So many of all: one line of a distribution."""

    name: str
    label: str
    count: int
    of: int

    @property
    def percent(self) -> float:
        """The share in percent."""
        return round(100 * self.count / self.of, 1) if self.of else 0.0


@dataclass(frozen=True, slots=True)
class KindLine:
    """Activities of one kind, in how many sessions, and what reviewers said of them."""

    kind: str
    label: str
    activities: int
    sessions: int
    confirmed: int
    dismissed: int
    escalated: int

    @property
    def undecided(self) -> int:
        """Of how many nobody has decided."""
        return self.activities - self.confirmed - self.dismissed - self.escalated


@dataclass(frozen=True, slots=True)
class ReviewerLine:
    """What one reviewer decided."""

    reviewer: str
    activities: int
    sessions: int


@dataclass(frozen=True, slots=True)
class Line:
    """One session of a candidate, or an assigned candidate without one (``session`` is None); scores may be None."""

    candidate: str
    email: str
    external_id: str
    session: uuid.UUID | None = None
    status: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None
    risk_score: float | None = None
    risk_level: str = ""
    reviewed_risk_score: float | None = None
    trust_score: float | None = None
    compliance_score: float | None = None
    faces_coverage: float | None = None
    activities: int = 0
    outcome: str = ""
    reason: str = ""
    reviewer: str = ""
    decided_at: datetime | None = None

    @property
    def risk_label(self) -> str:
        """The level in words."""
        return str(RiskLevel(self.risk_level).label) if self.risk_level else ""

    @property
    def outcome_label(self) -> str:
        """The outcome in words."""
        return str(ReviewDecision.Outcome(self.outcome).label) if self.outcome else ""

    @property
    def duration(self) -> str:
        """How long it took, in words."""
        return "" if self.duration_s is None else duration_text(self.duration_s)


@dataclass(frozen=True, slots=True)
class ExamContext:
    """Everything the report says; ``lines`` are the riskiest first, and those who did not come last."""

    code: str
    title: str
    opens_at: datetime | None
    closes_at: datetime | None
    made_at: datetime
    lines: tuple[Line, ...]
    levels: tuple[Part, ...]
    outcomes: tuple[Part, ...]
    kinds: tuple[KindLine, ...]
    reviewers: tuple[ReviewerLine, ...]

    @property
    def session_count(self) -> int:
        """How many sessions there are."""
        return sum(line.session is not None for line in self.lines)

    @property
    def printed(self) -> tuple[Line, ...]:
        """The lines that a PDF shows."""
        return self.lines[:MOST_PRINTED]

    @property
    def unprinted(self) -> int:
        """How many more there are, in the table."""
        return len(self.lines) - len(self.printed)

    @property
    def absent_count(self) -> int:
        """How many assigned candidates have none."""
        return len(self.lines) - self.session_count


def build_exam_context(exam: Exam) -> ExamContext:
    """Read all that the report of this exam says, in a constant number of queries and in the active language."""
    lines = (*_sessions(exam), *_absent(exam))
    sat = [line for line in lines if line.session is not None]
    return ExamContext(
        code=exam.code,
        title=exam.title,
        opens_at=exam.opens_at,
        closes_at=exam.closes_at,
        made_at=timezone.now(),
        lines=lines,
        levels=_levels(sat),
        outcomes=_outcomes(sat),
        kinds=_kinds(exam),
        reviewers=_reviewers(exam),
    )


def _sessions(exam: Exam) -> list[Line]:
    # While reviewers disagree, the latest word is not the outcome.
    settled = _told().exclude(session__review__stage=ReviewCase.Stage.DISAGREEMENT)
    held = settled.filter(session=OuterRef("pk"), activity__isnull=True).order_by("-decided_at", "-pk")
    activities = SuspiciousActivity.objects.filter(counting(), session=OuterRef("pk")).order_by().values("session")
    rows: Any = with_scores(ExamSession.objects.filter(exam=exam).select_related("candidate__user"))
    rows = rows.annotate(
        decision=Subquery(held.values("pk")[:1]),
        found=Subquery(activities.annotate(count=Count("pk")).values("count")),
        coverage=Subquery(_coverage()),
    )
    sessions = list(rows.order_by("-risk_score", "candidate__user__email", "created_at"))
    decisions = ReviewDecision.objects.select_related("reviewer").in_bulk(
        [session.decision for session in sessions if session.decision is not None]
    )
    lines = [_line(session, decisions.get(session.decision)) for session in sessions]
    # Databases put what is unknown first or last, each as it likes.
    return sorted(lines, key=lambda line: -1.0 if line.risk_score is None else line.risk_score, reverse=True)


def _coverage() -> Any:
    return Assessment.objects.filter(session=OuterRef("pk"), is_current=True).values("coverage")[:1]


def _line(session: Any, decision: ReviewDecision | None) -> Line:
    user = session.candidate.user
    coverage = session.coverage if isinstance(session.coverage, dict) else {}
    return Line(
        candidate=user.full_name or user.email,
        email=user.email,
        external_id=session.candidate.external_id,
        session=session.pk,
        status=str(session.get_status_display()),
        started_at=session.started_at,
        ended_at=session.ended_at,
        duration_s=session.duration.total_seconds(),
        risk_score=session.risk_score,
        risk_level=session.risk_level or "",
        reviewed_risk_score=session.reviewed_risk_score,
        trust_score=session.trust_score,
        compliance_score=session.compliance_score,
        faces_coverage=coverage.get(str(Sense.FACES)),
        activities=session.found or 0,
        outcome="" if decision is None else decision.verdict,
        reason="" if decision is None else decision.reason,
        reviewer="" if decision is None else _name(decision.reviewer),
        decided_at=None if decision is None else decision.decided_at,
    )


def _absent(exam: Exam) -> list[Line]:
    sat = ExamSession.objects.filter(exam=exam).values("candidate")
    assigned = ExamAssignment.objects.filter(exam=exam).exclude(candidate__in=sat).select_related("candidate__user")
    return [
        Line(
            row.candidate.user.full_name or row.candidate.user.email,
            row.candidate.user.email,
            row.candidate.external_id,
        )
        for row in assigned.order_by("candidate__user__email")
    ]


def _levels(sat: Sequence[Line]) -> tuple[Part, ...]:
    names = [(level.value, str(level.label)) for level in reversed(RiskLevel)]
    return _parts([line.risk_level or NOT_WATCHED for line in sat], [*names, (NOT_WATCHED, _("not watched"))])


def _outcomes(sat: Sequence[Line]) -> tuple[Part, ...]:
    names = [(one.value, str(one.label)) for one in ReviewDecision.Outcome]
    return _parts([line.outcome or NOT_WATCHED for line in sat], [*names, (NOT_WATCHED, _("not decided yet"))])


def _parts(found: Sequence[str], names: Iterable[tuple[str, str]]) -> tuple[Part, ...]:
    return tuple(Part(name, label, found.count(name), len(found)) for name, label in names)


def _kinds(exam: Exam) -> tuple[KindLine, ...]:
    rows: Any = SuspiciousActivity.objects.filter(counting(), session__exam=exam).order_by()
    sessions = dict(rows.values_list("kind").annotate(Count("session", distinct=True)))
    blind = Q(session__review__stage__in=ReviewCase.BLIND)
    judged = rows.annotate(verdict=Case(When(blind, then=None), default=latest_verdict(activity=OuterRef("pk"))))
    found: dict[str, dict[str | None, int]] = {}
    for kind, verdict, count in judged.values_list("kind", "verdict").annotate(count=Count("pk")):
        found.setdefault(kind, {})[verdict] = count
    verdicts = ReviewDecision.Verdict
    lines = [
        KindLine(
            kind,
            kind_label(kind),
            sum(counts.values()),
            sessions[kind],
            *(counts.get(one, 0) for one in (verdicts.CONFIRMED, verdicts.DISMISSED, verdicts.ESCALATED)),
        )
        for kind, counts in found.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.activities, line.label)))


def _reviewers(exam: Exam) -> tuple[ReviewerLine, ...]:
    # What a new policy took over was decided once.
    decided = _told().filter(session__exam=exam, carried_from__isnull=True).order_by()
    counts = decided.values("reviewer").annotate(all=Count("pk"), activities=Count("activity"))
    by_reviewer = {row["reviewer"]: row for row in counts}
    people = User.objects.in_bulk(list(by_reviewer))
    lines = [
        ReviewerLine(_name(people[pk]), row["activities"], row["all"] - row["activities"])
        for pk, row in by_reviewer.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.activities - line.sessions, line.reviewer)))


def _told() -> QuerySet[ReviewDecision]:
    """Return all decisions but those on sessions under blind review: whoever looks anew may read this as well."""
    return ReviewDecision.objects.exclude(session__review__stage__in=ReviewCase.BLIND)


def _name(user: User) -> str:
    return user.full_name or user.email
