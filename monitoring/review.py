"""What humans decide about activities and sessions."""

from __future__ import annotations

from django.db import models, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from exams.models import ExamSession
from monitoring import cases
from monitoring.case_models import ReviewCase
from monitoring.cases import ReviewRefused
from monitoring.models import Assessment, ReviewDecision, SessionMonitor, SuspiciousActivity
from monitoring.store import write_scores

REASON_LENGTH = 1000


@transaction.atomic
def decide_activity(
    *, activity: SuspiciousActivity, verdict: str, reason: str, reviewer: User, seen_stage: str = "", score: bool = True
) -> ReviewDecision:
    """Write down a verdict on one activity and bring the reviewed score up to it; the machine's score stays.

    Of several on one session only the last need ``score``. Raises ``ReviewRefused``, with the status of a conflict for
    an activity of an assessment that no longer counts and for a session that is no longer at the stage which the
    reviewer saw, if they say which.
    """
    reason = _checked(verdict, ReviewDecision.Verdict, reason)
    case = cases.lock_case(activity.session_id)
    # The monitor's row is the lock under which scores are written and assessments change, one at a time.
    SessionMonitor.objects.select_for_update().filter(pk=activity.session_id).first()
    assessment = Assessment.objects.select_related("policy", "session__candidate").get(pk=activity.assessment_id)
    cases.refuse_own(assessment.session, reviewer)
    cases.admit(case, reviewer, seen_stage=seen_stage)
    if not assessment.is_current:
        raise ReviewRefused(
            _("This session was judged again under another policy; decide on the activities found then."),
            code="superseded",
            status=409,
        )
    decision = ReviewDecision.objects.create(
        session=assessment.session, activity=activity, verdict=verdict, reason=reason, reviewer=reviewer
    )
    if score:
        write_scores(assessment, assessment.policy.rules.without(assessment.session.muted))
    return decision


@transaction.atomic
def decide_session(
    *, session: ExamSession, outcome: str, reason: str, reviewer: User, leaning: str = "", seen_stage: str = ""
) -> ReviewDecision:
    """Write down what comes of a session; raises ``ReviewRefused``, with the status of a conflict while it is open.

    An escalated session goes to a second reviewer; ``leaning`` is what the first would have decided, so that it shows
    whether the two agree. Where they do not, an admin decides.
    """
    reason = _checked(outcome, ReviewDecision.Outcome, reason)
    _check_leaning(outcome, leaning)
    case = cases.lock_case(session.pk)
    # Whoever asks may have read it while it was open.
    session = ExamSession.objects.select_related("candidate").get(pk=session.pk)
    cases.refuse_own(session, reviewer)
    if session.is_open:
        raise ReviewRefused(
            _("This session is still open; decide on its outcome when it has ended."), code="wrong_state", status=409
        )
    cases.admit(case, reviewer, seen_stage=seen_stage)
    cases.refuse_handing_on(case, outcome)
    decision = ReviewDecision.objects.create(
        session=session, activity=None, verdict=outcome, reason=reason, reviewer=reviewer
    )
    cases.advance(case, decision, leaning=leaning)
    return decision


def _check_leaning(outcome: str, leaning: str) -> None:
    if leaning and outcome != ReviewDecision.Outcome.ESCALATED:
        raise ReviewRefused(_("Only who escalates says what they lean to; everybody else decides."))
    if leaning and leaning not in ReviewCase.Leaning.values:
        choices = ", ".join(ReviewCase.Leaning.values)
        raise ReviewRefused(_("A leaning is one of %(choices)s.") % {"choices": choices})


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
