"""A verdict given or taken back, and one verdict with one reason on several activities: decisions, never edits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from monitoring.cases import ReviewRefused, lock_case
from monitoring.models import ReviewDecision, SuspiciousActivity
from monitoring.review import decide_activity
from monitoring.selectors import seen_decisions

MOST_AT_ONCE = 500


@transaction.atomic
def decide_activities(
    *, activities: Collection[SuspiciousActivity], verdict: str, reason: str, reviewer: User, seen_stage: str = ""
) -> list[ReviewDecision]:
    """Write down the same verdict on each of these activities of one session, or on none; raises ``ReviewRefused``."""
    if not activities:
        raise ReviewRefused(_("Choose the activities that this is about."))
    if len(activities) > MOST_AT_ONCE:
        raise ReviewRefused(_("At most %(count)d activities are decided at once.") % {"count": MOST_AT_ONCE})
    if len({activity.session_id for activity in activities}) > 1:
        raise ReviewRefused(_("Choose the activities of one session."))
    by: dict[str, Any] = {"verdict": verdict, "reason": reason, "reviewer": reviewer, "seen_stage": seen_stage}
    return [
        decide_activity(activity=activity, **by, score=number == len(activities))
        for number, activity in enumerate(activities, start=1)
    ]


def judge_activity(
    *, activity: SuspiciousActivity, verdict: str, reason: str, reviewer: User, seen_stage: str = ""
) -> ReviewDecision:
    """Give a verdict, or take back the one that holds where that is what is asked; raises ``ReviewRefused``."""
    if verdict == ReviewDecision.Verdict.WITHDRAWN:
        return take_back(activity=activity, reason=reason, reviewer=reviewer, seen_stage=seen_stage)
    return decide_activity(activity=activity, verdict=verdict, reason=reason, reviewer=reviewer, seen_stage=seen_stage)


@transaction.atomic
def take_back(*, activity: SuspiciousActivity, reason: str, reviewer: User, seen_stage: str = "") -> ReviewDecision:
    """Leave the activity undecided again, by a decision that says so; what was decided before stays on record.

    Raises ``ReviewRefused``, with the status of a conflict where there is no verdict to take back.
    """
    lock_case(activity.session_id)  # of two who take one verdict back, one does
    latest = seen_decisions(reviewer).filter(activity=activity).order_by("decided_at", "pk").last()
    if latest is None or latest.verdict == ReviewDecision.Verdict.WITHDRAWN:
        raise ReviewRefused(_("There is no verdict to take back."), code="wrong_state", status=409)
    verdict = ReviewDecision.Verdict.WITHDRAWN
    return decide_activity(activity=activity, verdict=verdict, reason=reason, reviewer=reviewer, seen_stage=seen_stage)
