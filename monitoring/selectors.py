"""Questions to the database that several rooms ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet

from accounts.models import User
from exams.models import ExamSession
from monitoring.models import Assessment, ReviewDecision, SuspiciousActivity


def visible_sessions(user: User) -> QuerySet[ExamSession]:
    """Return the sessions this member of staff may see: all (admin), those of their own or assigned exams (others)."""
    sessions = ExamSession.objects.all()
    if user.is_superuser:
        return sessions
    own, assigned = sessions.filter(exam__owner=user), sessions.filter(exam__reviewers=user)
    return sessions.filter(pk__in=own.order_by().values("pk").union(assigned.order_by().values("pk")))


def current_assessment(session: ExamSession) -> Assessment | None:
    """Return the assessment that counts, with its activities, their evidence and decisions, in six queries at most."""
    decisions = Prefetch("decisions", ReviewDecision.objects.select_related("reviewer").order_by("decided_at"))
    activities = SuspiciousActivity.objects.select_related("evidence").prefetch_related(decisions)
    return (
        Assessment.objects.filter(session=session, is_current=True)
        .select_related("policy")
        .prefetch_related(Prefetch("activities", activities.order_by("started_at", "kind")))
        .first()
    )


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
