"""What humans decide about activities and sessions."""

from django.db import transaction

from accounts.models import User
from exams.models import ExamSession
from monitoring.models import Assessment, ReviewDecision, SessionMonitor, SuspiciousActivity
from monitoring.store import write_scores


class ReviewRefused(ValueError):
    """A decision that cannot be taken; the message says why."""


@transaction.atomic
def decide_activity(*, activity: SuspiciousActivity, verdict: str, reason: str, reviewer: User) -> ReviewDecision:
    """Write down a verdict on one activity and bring the reviewed score up to it; the machine's score stays."""
    decision = _decide(session=activity.session, activity=activity, verdict=verdict, reason=reason, reviewer=reviewer)
    # The monitor's row is the lock under which scores are written, one at a time.
    SessionMonitor.objects.select_for_update().filter(pk=activity.session_id).first()
    assessment = Assessment.objects.select_related("policy").get(pk=activity.assessment_id)
    write_scores(assessment, assessment.policy.rules)
    return decision


def decide_session(*, session: ExamSession, verdict: str, reason: str, reviewer: User) -> ReviewDecision:
    """Write down a verdict on the whole session."""
    return _decide(session=session, activity=None, verdict=verdict, reason=reason, reviewer=reviewer)


def _decide(
    *, session: ExamSession, activity: SuspiciousActivity | None, verdict: str, reason: str, reviewer: User
) -> ReviewDecision:
    if verdict not in ReviewDecision.Verdict.values:
        raise ReviewRefused(f"A verdict is one of {', '.join(ReviewDecision.Verdict.values)}.")
    if not reason.strip():
        raise ReviewRefused("A decision needs a reason.")
    return ReviewDecision.objects.create(
        session=session, activity=activity, verdict=verdict, reason=reason.strip()[:1000], reviewer=reviewer
    )
