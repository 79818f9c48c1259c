"""What the reviewer's console does beyond lists: evidence pictures, decisions, time given back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.errors import Refused
from accounts.models import User
from exams.models import ExamSession
from monitoring.case_models import ReviewCase
from monitoring.cases import ReviewRefused
from monitoring.lost_time import give_back_time
from monitoring.models import ReviewDecision, SuspiciousActivity
from monitoring.review import REASON_LENGTH, decide_session
from monitoring.review_many import judge_activity
from monitoring.selectors import is_staff_of, visible_sessions
from monitoring.session_page import DECIDE

DONE = "done"
"""In the address of a session's page: the stage in which the reader has just decided its outcome."""


def staff_user(request: HttpRequest) -> User:
    """Return who asks; admin views are only reached signed in."""
    return cast("User", request.user)


class DecisionForm(forms.Form):
    """A verdict on one activity or, without one, the outcome of the session, with its reason."""

    activity = forms.UUIDField(required=False)
    verdict = forms.ChoiceField(choices=ReviewDecision.Verdict.choices, required=False)
    outcome = forms.ChoiceField(choices=ReviewDecision.Outcome.choices, required=False)
    leaning = forms.ChoiceField(choices=ReviewCase.Leaning.choices, required=False)
    stage = forms.ChoiceField(choices=ReviewCase.Stage.choices, required=False)
    reason = forms.CharField(max_length=REASON_LENGTH)

    def clean(self) -> dict[str, Any]:
        """Ask for the verdict where an activity is judged, for the outcome where a session is."""
        cleaned = super().clean() or {}
        needed = "verdict" if cleaned.get("activity") else "outcome"
        if not cleaned.get(needed):
            self.add_error(needed, self.fields[needed].error_messages["required"])
        return cleaned


@require_POST
def give_back(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Give back the time for which the session's connection was lost, then go back to the page."""
    user = staff_user(request)
    session = get_object_or_404(visible_sessions(user), pk=session_id)
    if not is_staff_of(user, session):
        raise PermissionDenied
    before = session.extended_minutes
    try:
        session = give_back_time(session=session, by=user)
    except Refused as error:
        messages.error(request, str(error))
    else:
        minutes = session.extended_minutes - before
        messages.success(request, _("Time given back: %(minutes)d min.") % {"minutes": minutes})
    return _back(session, "")


@require_POST
def decide(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Write down a verdict on an activity or the outcome of the session, then go back to the page."""
    user = staff_user(request)
    if not user.has_perm(DECIDE):
        raise PermissionDenied
    session = get_object_or_404(visible_sessions(user), pk=session_id)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, _("Nothing was decided: a decision needs a choice and a reason of up to 1,000 letters.")
        )
        return _back(session, form.data.get("activity", ""))
    try:
        decision = _decide(user, session, form.cleaned_data)
    except ReviewRefused as error:
        messages.error(request, str(error))
    else:
        subject = decision.activity.label if decision.activity else _("Outcome of the session")
        messages.success(request, _("%(subject)s: %(verdict)s.") % {"subject": subject, "verdict": _verdict(decision)})
        if decision.activity is None:
            stage = form.cleaned_data["stage"] or ReviewCase.Stage.FIRST
            return HttpResponseRedirect(f"{_address(session)}?{DONE}={stage}")
    return _back(session, form.cleaned_data["activity"] or "")


def _verdict(decision: ReviewDecision) -> str:
    return str(decision.get_verdict_display())


def _decide(user: User, session: ExamSession, told: Mapping[str, Any]) -> ReviewDecision:
    by: dict[str, Any] = {"reason": told["reason"], "reviewer": user, "seen_stage": told["stage"]}
    if told["activity"] is None:
        # Only who escalates leans: the choice may have been made before the button.
        leaning = told["leaning"] if told["outcome"] == ReviewDecision.Outcome.ESCALATED else ""
        return decide_session(session=session, outcome=told["outcome"], leaning=leaning, **by)
    activity = get_object_or_404(SuspiciousActivity, pk=told["activity"], session=session)
    return judge_activity(activity=activity, verdict=told["verdict"], **by)


def _back(session: ExamSession, activity_id: uuid.UUID | str) -> HttpResponseRedirect:
    try:
        anchor = f"#activity-{uuid.UUID(str(activity_id))}"
    except ValueError:
        anchor = ""
    return HttpResponseRedirect(_address(session) + anchor)


def _address(session: ExamSession) -> str:
    return reverse("admin:exams_examsession_change", args=[session.pk])
