"""Questions to the database that several rooms ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    F,
    FilteredRelation,
    FloatField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import NullIf

from accounts.models import STAFF_ROLES, Role, User
from exams.models import ExamSession, SessionStatus
from exams.selectors import may_manage, own_sessions, sat_by, visible_exams
from monitoring.case_models import ReviewCase
from monitoring.models import Assessment, ReviewDecision, SuspiciousActivity

HOLDING_VERDICTS = tuple(verdict for verdict in ReviewDecision.Verdict if verdict != "withdrawn")
"""The verdicts on an activity that can hold; one that is taken back leaves none."""

SCORES = ("risk_score", "risk_level", "reviewed_risk_score", "trust_score", "compliance_score")


def visible_sessions(user: User) -> QuerySet[ExamSession]:
    """Return the sessions this member of staff may see: all (admin), those of their own or assigned exams (others).

    Who reviews an exam and sat it sees their own session as its candidate alone.
    """
    if user.has_role(Role.ADMIN):
        return ExamSession.objects.all()
    sessions = ExamSession.objects.filter(exam__in=visible_exams(user).order_by().values("pk"))
    return sessions.exclude(pk__in=sat_by(user).order_by().values("pk"))


def reachable_sessions(user: User) -> QuerySet[ExamSession]:
    """Return the sessions this user may see in any role: as staff of the exam, or as the candidate who sits it."""
    if not user.roles & STAFF_ROLES:
        return own_sessions(user)
    if user.has_role(Role.CANDIDATE):
        return visible_sessions(user) | own_sessions(user)
    return visible_sessions(user)


class Viewer:
    """Somebody who looks at sessions, and in which role they look at each; one query for any number of them."""

    def __init__(self, user: User) -> None:
        self.user = user

    @cached_property
    def _exams(self) -> frozenset[UUID]:
        return frozenset(visible_exams(self.user).values_list("pk", flat=True))

    def is_staff_of(self, session: ExamSession) -> bool:
        """Say whether they see this session as staff of its exam, and not only as its candidate.

        Whoever sits a session is nothing but its candidate, unless the exam is theirs to change and to try.
        """
        if self.user.has_role(Role.ADMIN):
            return True
        if session.candidate.user_id == self.user.pk and not may_manage(self.user, session.exam):
            return False
        return bool(self.user.roles & STAFF_ROLES) and session.exam_id in self._exams


def is_staff_of(user: User, session: ExamSession) -> bool:
    """Say whether the user sees this session as staff of its exam, and not only as its candidate."""
    return Viewer(user).is_staff_of(session)


def with_scores(sessions: QuerySet[ExamSession]) -> QuerySet[Any]:
    """Add the scores that count to each session, as ``risk_score`` and so on; None for one that was never watched.

    The reviewed score is None, too, while nobody is to know what others decided.
    """
    current = FilteredRelation("assessments", condition=Q(assessments__is_current=True))
    scores: dict[str, Any] = {name: F(f"current__{name}") for name in SCORES}
    return sessions.annotate(current=current, **scores | {"reviewed_risk_score": reviewed_risk("", "current__")})


def reviewed_risk(session: str, assessment: str) -> Case:
    """Return the reviewed score, None under blind review; the arguments are put before the columns' names."""
    blind = When(**{f"{session}review__stage__in": ReviewCase.BLIND}, then=Value(None))
    return Case(blind, default=F(f"{assessment}reviewed_risk_score"), output_field=FloatField())


def is_blind(session: ExamSession) -> bool:
    """Say whether the session waits for somebody who is not to know what others decided."""
    return ReviewCase.objects.filter(pk=session.pk, stage__in=ReviewCase.BLIND).exists()


def seen_decisions(user: User | None) -> QuerySet[ReviewDecision]:
    """Return the decisions that somebody is shown: all but others' on sessions under blind review; None: all."""
    decisions = ReviewDecision.objects.all()
    if user is None:
        return decisions
    return decisions.filter(Q(reviewer=user) | ~Q(session__review__stage__in=ReviewCase.BLIND))


def counting(activity: str = "") -> Q:
    """Return the condition that an activity is of the assessment that counts; ``activity`` is put before its columns.

    It is told by what counts no more, which is little: to look up the assessment of each activity takes far longer.
    """
    superseded = Assessment.objects.filter(is_current=False).order_by().values("pk")
    return ~Q(**{f"{activity}assessment__in": superseded})


def latest_verdict(*, to: User | None = None, **of: Any) -> Subquery:
    """Return the verdict, or the outcome, that holds: the latest, of those that ``to`` is shown.

    None where the latest one was taken back.
    """
    latest = seen_decisions(to).filter(**of).order_by("-decided_at", "-pk")
    holding = NullIf("verdict", Value(ReviewDecision.Verdict.WITHDRAWN.value))
    return Subquery(latest.annotate(holding=holding).values("holding")[:1])


def latest_outcome(*, to: User) -> Case:
    """Return the outcome of a session as ``to`` is shown it: the latest, and escalated while reviewers disagree."""
    disputed = When(review__stage=ReviewCase.Stage.DISAGREEMENT, then=Value(ReviewDecision.Outcome.ESCALATED))
    return Case(disputed, default=latest_verdict(to=to, session=OuterRef("pk"), activity__isnull=True))


def current_assessment(session: ExamSession, *, to: User | None = None) -> Assessment | None:
    """Return the assessment that counts, with its activities, their evidence and decisions, in six queries at most.

    The decisions are those that ``to`` is shown, and the reviewed score is None for them under blind review.
    """
    decisions = Prefetch("decisions", seen_decisions(to).select_related("reviewer").order_by("decided_at"))
    activities = SuspiciousActivity.objects.select_related("evidence").prefetch_related(decisions)
    assessment: Any = (
        Assessment.objects.filter(session=session, is_current=True)
        .select_related("policy", "session")
        .annotate(shown_reviewed_risk=reviewed_risk("session__", ""))
        .prefetch_related(Prefetch("activities", activities.order_by("started_at", "kind")))
        .first()
    )
    if assessment is not None and to is not None:
        assessment.reviewed_risk_score = assessment.shown_reviewed_risk
    found: Assessment | None = assessment
    return found


Pause = tuple[datetime, datetime | None]
"""Start and end of a pause; None while it lasts."""


def pauses_of(session: ExamSession) -> list[Pause]:
    """Return when the session stood still, oldest first; last of all the time after its end, where that is set."""
    pauses: list[Pause] = []
    for step in session.transitions.order_by("at", "id"):
        before, after = step.from_status == SessionStatus.PAUSED, step.to_status == SessionStatus.PAUSED
        if after and not before:
            pauses.append((step.at, None))
        elif before and not after and pauses:
            pauses[-1] = (pauses[-1][0], step.at)
    if session.deadline_at is not None and session.status != SessionStatus.PAUSED:
        pauses.append((session.deadline_at, None))
    return pauses


def is_within(at: datetime, pauses: Iterable[Pause]) -> bool:
    """Say whether a moment lies in one of the pauses."""
    return any(start <= at and (end is None or at < end) for start, end in pauses)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two activities of one kind, under two policies, that share time."""

    old: SuspiciousActivity
    new: SuspiciousActivity


def overlapping(old: Iterable[SuspiciousActivity], new: Iterable[SuspiciousActivity]) -> list[Overlap]:
    """Pair activities of the same kind whose spans overlap."""
    new = list(new)
    return [Overlap(a, b) for a in old for b in new if a.kind == b.kind and _share_time(a, b)]


def _share_time(a: SuspiciousActivity, b: SuspiciousActivity) -> bool:
    starts_before_b_ends = b.ended_at is None or a.started_at < b.ended_at
    return starts_before_b_ends and (a.ended_at is None or b.started_at < a.ended_at)
