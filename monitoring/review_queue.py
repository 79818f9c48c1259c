"""What waits for a reviewer, in which order, and taking the next."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, FilteredRelation, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Role, User
from exams.kinds import RiskLevel
from exams.models import CLOSED_STATUSES, ExamSession
from exams.selectors import may_manage
from monitoring.case_models import ReviewCase
from monitoring.cases import ReviewRefused, claim_session
from monitoring.models import Assessment, ReviewDecision, SuspiciousActivity
from monitoring.reading import minutes_to_read
from monitoring.selectors import visible_sessions
from vision.types import Sense

Stage = ReviewCase.Stage
STAGES = (Stage.FIRST, Stage.SECOND, Stage.APPEAL, Stage.DISAGREEMENT)

UNSEEN_POINTS = 5.0
AT_MOST = 2000
"""So many sessions of a stage are put in order, the riskiest of them; the others come up as these are decided."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What makes a session worth reading: points of risk, activities, their confidence summed, the share unseen."""

    risk: float
    activities: int = 0
    confidence: float = 0.0
    unseen: float = 0.0

    @property
    def doubt(self) -> float:
        """How unsure the machine is, in points: what its confidence lacks, and what it could not see."""
        return max(0.0, self.activities - self.confidence) + UNSEEN_POINTS * self.unseen

    @property
    def minutes(self) -> float:
        """How long it takes to read, roughly."""
        return minutes_to_read(sessions=1, activities=self.activities)

    @property
    def worth(self) -> float:
        """Points of risk and doubt that are settled in a minute of reading; the highest comes first."""
        return (self.risk + self.doubt) / self.minutes


@dataclass(frozen=True, slots=True)
class Waiting:
    """A session that waits, and how it stands to whoever looks: ``free``, ``mine``, ``taken`` or ``took_part``."""

    session: ExamSession
    reading: Reading
    case: ReviewCase | None
    standing: str
    level: RiskLevel | None
    """``None`` of a session that nobody watched."""
    found: Sequence[Mapping[str, Any]] = ()
    """The kinds that make up the risk, the heaviest first."""
    may_free: bool = False
    """Whether who looks may give it back for whoever has taken it."""

    @property
    def since(self) -> datetime | None:
        """Since when it waits."""
        first = self.case is None or self.case.stage == Stage.FIRST
        return self.session.ended_at if first or self.case is None else self.case.stage_since


def stages_for(user: User) -> tuple[str, ...]:
    """Return the stages that somebody takes sessions of; disagreements are for admins."""
    return STAGES if user.has_role(Role.ADMIN) else STAGES[:-1]


def waiting_sessions(user: User, stage: str) -> QuerySet[ExamSession]:
    """Return the sessions of the user's exams that wait in a stage, but for the user's own sittings.

    Nobody is asked for a first look at a session that was never watched; once it is in somebody's hands it goes all the
    way that others go.
    """
    sessions = visible_sessions(user).filter(status__in=CLOSED_STATUSES).exclude(candidate__user=user)
    if stage != Stage.FIRST:
        return sessions.filter(review__stage=stage)
    outcomes = ReviewDecision.objects.filter(session=OuterRef("pk"), activity__isnull=True)
    untouched = Q(review__isnull=True) | Q(review__stage=Stage.FIRST)
    return sessions.filter(untouched, ~Exists(outcomes), assessments__is_current=True)


def held_sessions(user: User) -> QuerySet[ExamSession]:
    """Return the sessions that the user has taken."""
    return visible_sessions(user).filter(review__holder=user, review__held_until__gt=timezone.now())


def count_waiting(user: User) -> dict[str, int]:
    """Return how many sessions wait in each stage of the user's."""
    return {str(stage): waiting_sessions(user, stage).count() for stage in stages_for(user)}


def put_in_order(sessions: QuerySet[ExamSession], stage: str) -> list[tuple[uuid.UUID, Reading]]:
    """Return the sessions' keys with what they are worth, the worthiest first; appeals by how long they have waited."""
    first_come = stage == Stage.APPEAL
    current = FilteredRelation("assessments", condition=Q(assessments__is_current=True))
    riskiest = F("current__risk_score").desc(nulls_last=True)
    rows = sessions.annotate(current=current).order_by("review__stage_since" if first_come else riskiest, "pk")
    told = rows.values_list("pk", "current__risk_score", "current__coverage")
    # Counted for the riskiest alone, and not for all that they are put in order with.
    found = SuspiciousActivity.objects.filter(assessment=OuterRef("current__pk")).order_by().values("assessment")
    number = Subquery(found.annotate(n=Count("pk")).values("n"))
    confidence = Subquery(found.annotate(sure=Sum("confidence")).values("sure"))
    counted = told.annotate(n=number, sure=confidence)[:AT_MOST]
    readings = [(session, _reading(*found)) for session, *found in counted]
    return readings if first_come else sorted(readings, key=lambda row: (-row[1].worth, str(row[0])))


def _reading(
    risk: float | None, coverage: Mapping[str, Any] | None, activities: int | None, sure: float | None
) -> Reading:
    if risk is None:  # nobody watched it, so that nothing of it was seen
        return Reading(0.0, unseen=1.0)
    return Reading(risk, activities or 0, sure or 0.0, unseen_share(coverage or {}))


def unseen_share(coverage: Mapping[str, Any]) -> float:
    """Return the share of a session in which faces could not be looked for; none where nobody was to look."""
    seen = coverage.get(str(Sense.FACES))
    return 0.0 if seen is None else min(1.0, max(0.0, 1.0 - float(seen)))


def rows_of(user: User, ordered: Sequence[tuple[uuid.UUID, Reading]]) -> list[Waiting]:
    """Return the sessions of one page in their order, in three queries."""
    keys, now = [key for key, _reading in ordered], timezone.now()
    related = ("candidate__user", "exam", "review__holder", "appeal")
    sessions = ExamSession.objects.select_related(*related).in_bulk(keys)
    current = Assessment.objects.filter(is_current=True, session__in=keys).order_by()
    told = {key: more for key, *more in current.values_list("session", "risk_level", "breakdown")}
    took_part = set(_took_part(user).filter(session__in=keys).values_list("session", flat=True))
    rows = []
    for key, reading in ordered:
        session = sessions[key]
        case: ReviewCase | None = getattr(session, "review", None)
        standing, (level, found) = _standing(case, user, key in took_part, now), told.get(key, (None, ()))
        free = may_manage(user, session.exam)
        rows.append(Waiting(session, reading, case, standing, RiskLevel(level) if level else None, found, free))
    return rows


def _standing(case: ReviewCase | None, user: User, took_part: bool, now: datetime) -> str:
    if case is not None and case.is_held(now=now):
        return "mine" if case.holder_id == user.pk else "taken"
    return "took_part" if took_part else "free"


def _took_part(user: User) -> QuerySet[ReviewDecision]:
    """Return the user's decisions from before a stage in which somebody else is to decide."""
    decided = ReviewDecision.objects.filter(reviewer=user, decided_at__lte=F("session__review__stage_since"))
    return decided.exclude(session__review__stage=Stage.FIRST)


def claim_next(*, stage: str, reviewer: User) -> ExamSession | None:
    """Take the session of a stage that comes first of those nobody has taken; None where there is none left.

    Raises ``ReviewRefused`` where the stage is not for the reviewer.
    """
    if stage not in stages_for(reviewer):
        raise ReviewRefused(_("An admin decides where reviewers disagree."), code="admin_decides", status=403)
    held = Q(review__holder__isnull=False, review__held_until__gt=timezone.now())
    free = waiting_sessions(reviewer, stage).exclude(held)
    free = free.exclude(pk__in=_took_part(reviewer).order_by().values("session"))
    for key, _reading in put_in_order(free, stage):
        session = ExamSession.objects.select_related("candidate", "exam").get(pk=key)
        try:
            claim_session(session=session, reviewer=reviewer)
        except ReviewRefused:  # somebody was faster
            continue
        return session
    return None
