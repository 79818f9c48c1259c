"""What humans decide about activities and sessions."""

from __future__ import annotations

from django.db import models, transaction
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.models import User
from exams.models import ExamSession
from monitoring.models import Assessment, ReviewDecision, SessionMonitor, SuspiciousActivity
from monitoring.store import write_scores

REASON_LENGTH = 1000


class ReviewRefused(Refused):
    """A decision that cannot be taken; the message says why."""

    code, status = "review_refused", 400


@transaction.atomic
def decide_activity(*, activity: SuspiciousActivity, verdict: str, reason: str, reviewer: User) -> ReviewDecision:
    """Write down a verdict on one activity and bring the reviewed score up to it; the machine's score stays.

    Raises ``ReviewRefused``, with the status of a conflict for an activity of an assessment that no longer counts.
    """
    reason = _checked(verdict, ReviewDecision.Verdict, reason)
    # The monitor's row is the lock under which scores are written and assessments change, one at a time.
    SessionMonitor.objects.select_for_update().filter(pk=activity.session_id).first()
    assessment = Assessment.objects.select_related("policy", "session__candidate").get(pk=activity.assessment_id)
    _refuse_own(assessment.session, reviewer)
    if not assessment.is_current:
        raise ReviewRefused(
            _("This session was judged again under another policy; decide on the activities found then."),
            code="superseded",
            status=409,
        )
    decision = ReviewDecision.objects.create(
        session=assessment.session, activity=activity, verdict=verdict, reason=reason, reviewer=reviewer
    )
    write_scores(assessment, assessment.policy.rules.without(assessment.session.muted))
    return decision


@transaction.atomic
def decide_session(*, session: ExamSession, outcome: str, reason: str, reviewer: User) -> ReviewDecision:
    """Write down what comes of a session; raises ``ReviewRefused``, with the status of a conflict while it is open."""
    reason = _checked(outcome, ReviewDecision.Outcome, reason)
    # Whoever asks may have read it while it was open.
    session = ExamSession.objects.select_related("candidate").get(pk=session.pk)
    _refuse_own(session, reviewer)
    if session.is_open:
        raise ReviewRefused(
            _("This session is still open; decide on its outcome when it has ended."), code="wrong_state", status=409
        )
    return ReviewDecision.objects.create(
        session=session, activity=None, verdict=outcome, reason=reason, reviewer=reviewer
    )


def _refuse_own(session: ExamSession, reviewer: User) -> None:
    if session.candidate.user_id == reviewer.pk:
        raise ReviewRefused(
            _("Nobody decides on their own session; ask another reviewer."), code="own_session", status=403
        )


def _checked(choice: str, choices: type[models.TextChoices], reason: str) -> str:
    """Return the reason without the space around it; refuse it if it is empty or too long, and unknown choices."""
    if choice not in choices.values:
        raise ReviewRefused(_("A decision is one of %(choices)s.") % {"choices": ", ".join(choices.values)})
    reason = reason.strip()
    if not reason:
        raise ReviewRefused(_("A decision needs a reason."))
    if len(reason) > REASON_LENGTH:
        raise ReviewRefused(_("A reason has at most %(length)d letters.") % {"length": REASON_LENGTH})
    return reason
