"""What a candidate says against an outcome, and the evidence that they may look at for it."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import Refused
from exams.models import ExamSession
from monitoring import cases
from monitoring.case_models import APPEAL_LENGTH, Appeal
from monitoring.models import Evidence, ReviewDecision
from monitoring.outcomes import APPEALABLE, Outcome, outcome_of


class AppealRefused(Refused):
    """An appeal that cannot be taken; the message says why."""

    code, status = "appeal_refused", 409


@transaction.atomic
def appeal_session(*, session: ExamSession, text: str) -> Appeal:
    """Write an appeal down and have the session wait for somebody who has not decided on it; ``AppealRefused`` else."""
    text = text.strip()
    if not text:
        raise AppealRefused(_("Say what speaks against the outcome."), status=400)
    if len(text) > APPEAL_LENGTH:
        raise AppealRefused(_("An appeal has at most %(length)d letters.") % {"length": APPEAL_LENGTH}, status=400)
    case = cases.lock_case(session.pk)
    appeal = Appeal.objects.create(session=session, text=text, against=_appealable(outcome_of(session)))
    cases.open_appeal(case, at=appeal.sent_at)
    return appeal


def _appealable(told: Outcome) -> ReviewDecision:
    """Return the decision that may be appealed against."""
    if told.appeal is not None:
        raise AppealRefused(
            _("You appealed against this outcome already; it is decided once."), code="already_appealed"
        )
    if told.decision is None:
        raise AppealRefused(_("Nothing is decided yet, so there is nothing to appeal against."), code="wrong_state")
    if told.outcome not in APPEALABLE:
        raise AppealRefused(_("There is nothing to object to in this session, nor to appeal against."), code="clear")
    if told.appeal_until is None:
        raise AppealRefused(_("Outcomes of this exam cannot be appealed against."), code="no_appeals")
    if timezone.now() > told.appeal_until:
        raise AppealRefused(_("The time to appeal is over."), code="too_late")
    return told.decision


def counted_evidence(session: ExamSession, activity_id: uuid.UUID) -> Evidence | None:
    """Return the kept picture or sound of an activity that counted for the outcome; None for all others."""
    counted = (activity for activity in outcome_of(session).activities if activity.pk == activity_id)
    activity = next(counted, None)
    return getattr(activity, "evidence", None)
