"""What came of a session, as its candidate is told: the outcome that holds, and the activities that counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exams.models import ExamSession
from monitoring.models import ReviewDecision, SuspiciousActivity
from monitoring.selectors import latest_verdict

SENTENCES: dict[str, Any] = {
    ReviewDecision.Outcome.CLEAR: gettext_lazy("This session was reviewed, and there is nothing to object to."),
    ReviewDecision.Outcome.CONCERN: gettext_lazy("This session was reviewed, and it gives cause for concern."),
    ReviewDecision.Outcome.VIOLATION: gettext_lazy("This session was reviewed, and the rules were broken."),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome in a word (None: not decided), in a sentence and with its reason; ``activities`` confirmed."""

    outcome: str | None
    sentence: str
    reason: str
    decided_at: datetime | None
    activities: tuple[SuspiciousActivity, ...]

    @property
    def decided(self) -> bool:
        """Whether a human has decided."""
        return self.outcome is not None

    @property
    def label(self) -> str:
        """The outcome in words; empty if nobody has decided."""
        return str(ReviewDecision.Outcome(self.outcome).label) if self.outcome is not None else ""


def outcome_of(session: ExamSession) -> Outcome:
    """Return what was decided last; what was handed on to somebody else is not decided yet."""
    decision = session.decisions.filter(activity__isnull=True).order_by("decided_at", "pk").last()
    if decision is None or decision.verdict == ReviewDecision.Outcome.ESCALATED:
        return Outcome(None, _waiting(session, decision), "", None, ())
    sentence = str(SENTENCES[decision.verdict])
    return Outcome(decision.verdict, sentence, decision.reason, decision.decided_at, confirmed_activities(session))


def confirmed_activities(session: ExamSession) -> tuple[SuspiciousActivity, ...]:
    """Return the activities of the assessment that counts which a human confirmed, in order of time."""
    current = SuspiciousActivity.objects.filter(assessment__session=session, assessment__is_current=True)
    judged = current.annotate(verdict=latest_verdict(activity=OuterRef("pk")))
    return tuple(judged.filter(verdict=ReviewDecision.Verdict.CONFIRMED).order_by("started_at", "kind"))


def _waiting(session: ExamSession, decision: ReviewDecision | None) -> str:
    if decision is not None:
        return _("This session was handed on to somebody else, who has not decided yet.")
    if session.is_open:
        return _("This session has not ended, so nothing is decided.")
    return _("Nobody has decided yet. No score fails a candidate by itself.")
