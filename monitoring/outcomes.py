"""What came of a session, as its candidate is told: the outcome that holds, what counted, and the appeal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exams.models import ExamSession
from monitoring.case_models import Appeal, ReviewCase
from monitoring.models import ReviewDecision, SuspiciousActivity
from monitoring.selectors import latest_verdict

SENTENCES: dict[str, Any] = {
    ReviewDecision.Outcome.CLEAR: gettext_lazy("This session was reviewed, and there is nothing to object to."),
    ReviewDecision.Outcome.CONCERN: gettext_lazy("This session was reviewed, and it gives cause for concern."),
    ReviewDecision.Outcome.VIOLATION: gettext_lazy("This session was reviewed, and the rules were broken."),
}
APPEAL_SENTENCES: dict[str, Any] = {
    Appeal.State.OPEN: gettext_lazy(
        "You appealed. Somebody else looks at your session anew, without being told what was decided before."
    ),
    Appeal.State.UPHELD: gettext_lazy("You appealed. Somebody else looked at your session anew: the outcome stays."),
    Appeal.State.CHANGED: gettext_lazy(
        "You appealed. Somebody else looked at your session anew, and changed the outcome."
    ),
}
APPEALABLE = (ReviewDecision.Outcome.CONCERN, ReviewDecision.Outcome.VIOLATION)
UNDECIDED = (ReviewCase.Stage.SECOND, ReviewCase.Stage.DISAGREEMENT)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome that holds (``decision`` None: not decided), in a sentence; ``activities`` confirmed.

    ``appeal``: what the candidate said against it; ``appeal_until``: until when they may, None where they never may.
    """

    decision: ReviewDecision | None
    sentence: str
    activities: tuple[SuspiciousActivity, ...] = ()
    appeal: Appeal | None = None
    appeal_until: datetime | None = None

    @property
    def decided(self) -> bool:
        """Whether a human has decided."""
        return self.decision is not None

    @property
    def outcome(self) -> str | None:
        """The outcome in a word."""
        return self.decision.verdict if self.decision is not None else None

    @property
    def label(self) -> str:
        """The outcome in words; empty if nobody has decided."""
        return str(ReviewDecision.Outcome(self.outcome).label) if self.outcome is not None else ""

    @property
    def reason(self) -> str:
        """Why it was decided so."""
        return self.decision.reason if self.decision is not None else ""

    @property
    def decided_at(self) -> datetime | None:
        """When it was decided."""
        return self.decision.decided_at if self.decision is not None else None

    @property
    def may_appeal(self) -> bool:
        """Whether there is something to appeal against, and time left to do so."""
        return self.appeal_until is not None and timezone.now() <= self.appeal_until


def outcome_of(session: ExamSession) -> Outcome:
    """Return the outcome that holds: while an appeal is open, the one before it with what counted then.

    What was handed on, or what reviewers disagree about, is not decided yet.
    """
    case = ReviewCase.objects.select_related("session__appeal__against").filter(pk=session.pk).first()
    appeal: Appeal | None = getattr(case.session, "appeal", None) if case is not None else None
    if appeal is not None and case is not None and case.stage == ReviewCase.Stage.APPEAL:
        return _decided(session, appeal.against, appeal, confirmed_activities(session, before=appeal.sent_at))
    decision = session.decisions.filter(activity__isnull=True).order_by("decided_at", "pk").last()
    open_still = case is not None and case.stage in UNDECIDED
    if decision is None or open_still or decision.verdict == ReviewDecision.Outcome.ESCALATED:
        return Outcome(None, _waiting(session, decision), appeal=appeal)
    return _decided(session, decision, appeal, confirmed_activities(session))


def _decided(
    session: ExamSession, decision: ReviewDecision, appeal: Appeal | None, counted: tuple[SuspiciousActivity, ...]
) -> Outcome:
    days, until = session.exam.appeal_days, None
    if appeal is None and days and decision.verdict in APPEALABLE:
        until = decision.decided_at + timedelta(days=days)
    return Outcome(decision, str(SENTENCES[decision.verdict]), counted, appeal, until)


def confirmed_activities(session: ExamSession, *, before: datetime | None = None) -> tuple[SuspiciousActivity, ...]:
    """Return the activities of the assessment that counts which a human confirmed, in order of time.

    ``before``: as the verdicts stood then.
    """
    current = SuspiciousActivity.objects.filter(assessment__session=session, assessment__is_current=True)
    of_then: dict[str, Any] = {} if before is None else {"decided_at__lte": before}
    judged = current.annotate(verdict=latest_verdict(activity=OuterRef("pk"), **of_then))
    confirmed = judged.filter(verdict=ReviewDecision.Verdict.CONFIRMED).select_related("evidence")
    return tuple(confirmed.order_by("started_at", "kind"))


def hidden_outcome() -> Outcome:
    """Return what staff are told of a session under blind review."""
    return Outcome(None, _("Somebody looks at this session who is not to know what was decided; neither are you told."))


def _waiting(session: ExamSession, decision: ReviewDecision | None) -> str:
    if decision is not None:
        return _("This session was handed on to somebody else, who has not decided yet.")
    if session.is_open:
        return _("This session has not ended, so nothing is decided.")
    return _("Nobody has decided yet. No score fails a candidate by itself.")
