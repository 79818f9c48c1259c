"""What the reviewer's console shows and does beyond lists: the session page, evidence pictures, decisions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.errors import Refused
from accounts.models import User
from exams.models import ExamSession
from monitoring import summary
from monitoring.explain import duration_text
from monitoring.lost_time import give_back_time, lost_seconds
from monitoring.models import Assessment, Evidence, MonitoringLog, ReviewDecision, SuspiciousActivity
from monitoring.review import REASON_LENGTH, ReviewRefused, decide_activity, decide_session
from monitoring.selectors import current_assessment, is_staff_of, visible_sessions
from monitoring.silence import is_connected
from monitoring.store import SOUND_FORMS
from monitoring.timeline import clock, draw

SHOWN_LOGS = 200
SOUND_TYPES = frozenset(media_type for _ending, media_type in SOUND_FORMS.values())
SERVED_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"}) | SOUND_TYPES
DECIDE = "monitoring.add_reviewdecision"


def staff_user(request: HttpRequest) -> User:
    """Return who asks; admin views are only reached signed in."""
    return cast("User", request.user)


class DecisionForm(forms.Form):
    """A verdict on one activity or, without one, the outcome of the session, with its reason."""

    activity = forms.UUIDField(required=False)
    verdict = forms.ChoiceField(choices=ReviewDecision.Verdict.choices, required=False)
    outcome = forms.ChoiceField(choices=ReviewDecision.Outcome.choices, required=False)
    reason = forms.CharField(max_length=REASON_LENGTH)

    def clean(self) -> dict[str, Any]:
        """Ask for the verdict where an activity is judged, for the outcome where a session is."""
        cleaned = super().clean() or {}
        needed = "verdict" if cleaned.get("activity") else "outcome"
        if not cleaned.get(needed):
            self.add_error(needed, self.fields[needed].error_messages["required"])
        return cleaned


def session_context(user: User, session: ExamSession) -> dict[str, Any]:
    """Return what the session page shows; the number of queries does not grow with the session."""
    assessment = current_assessment(session)
    decisions = summary.session_decisions(session)
    lost_s = lost_seconds(session)
    context: dict[str, Any] = {
        "session": session,
        "monitor": getattr(session, "monitor", None),
        "assessment": assessment,
        "duration": duration_text(session.duration.total_seconds()),
        "session_decisions": decisions,
        "session_decision": decisions[-1] if decisions else None,
        "transitions": session.transitions.select_related("by"),
        "verdicts": _VERDICT_BUTTONS,
        "outcomes": _OUTCOME_BUTTONS,
        "can_decide": user.has_perm(DECIDE),
        "connected": _connected(session),
        "lost": duration_text(lost_s) if lost_s else "",
        "can_give_back": bool(lost_s) and session.is_open and is_staff_of(user, session),
        "coverage_means": summary.COVERAGE_MEANS,
        "confidence_means": summary.CONFIDENCE_MEANS,
        "machine_points": summary.MACHINE_POINTS,
        **_logs(session),
    }
    if assessment is not None:
        context |= _judged(assessment, session)
    return context


_VERDICT_BUTTONS = (
    (ReviewDecision.Verdict.CONFIRMED, gettext_lazy("Confirm")),
    (ReviewDecision.Verdict.DISMISSED, gettext_lazy("Dismiss")),
    (ReviewDecision.Verdict.ESCALATED, gettext_lazy("Escalate")),
)
_OUTCOME_BUTTONS = (
    (ReviewDecision.Outcome.CLEAR, gettext_lazy("Nothing to object to")),
    (ReviewDecision.Outcome.CONCERN, gettext_lazy("Concern")),
    (ReviewDecision.Outcome.VIOLATION, gettext_lazy("Violation")),
    (ReviewDecision.Outcome.ESCALATED, gettext_lazy("Escalate")),
)


def _judged(assessment: Assessment, session: ExamSession) -> dict[str, Any]:
    activities = summary.activities_of(assessment, session)
    timeline = summary.timeline_of(session, assessment.policy.rules, activities, link="#activity-")
    return {
        "activities": activities,
        "undecided": sum(item.decision is None for item in activities),
        "coverage": summary.coverage_of(assessment),
        "breakdown": summary.score_lines(assessment),
        # Every text inside was escaped when it was drawn.
        "timeline": mark_safe(draw(timeline, description=_describe(activities))),  # noqa: S308
    }


def _describe(activities: Sequence[summary.Activity]) -> str:
    return _("Suspicious activities over time: %(count)d") % {"count": len(activities)}


def _logs(session: ExamSession) -> dict[str, Any]:
    logs = list(MonitoringLog.objects.filter(session=session, clearing__isnull=True)[: SHOWN_LOGS + 1])
    shown = [
        {
            "row": log,
            "offset": clock(summary.offset_in(session, log.occurred_at)),
            "label": summary.kind_label(log.event_type),
        }
        for log in logs[:SHOWN_LOGS]
    ]
    return {"logs": shown, "more_logs": len(logs) > SHOWN_LOGS}


def _connected(session: ExamSession) -> bool | None:
    """Say whether the candidate's side is there; None where nobody is expected."""
    monitor = getattr(session, "monitor", None)
    live = session.is_open and session.source == ExamSession.Source.LIVE
    return is_connected(monitor) if monitor is not None and live else None


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
        subject = decision.activity.label if decision.activity else _("The session")
        messages.success(request, _("%(subject)s: %(verdict)s.") % {"subject": subject, "verdict": _verdict(decision)})
    return _back(session, form.cleaned_data["activity"] or "")


def _verdict(decision: ReviewDecision) -> str:
    return str(decision.get_verdict_display())


def _decide(user: User, session: ExamSession, told: Mapping[str, Any]) -> ReviewDecision:
    reason = told["reason"]
    if told["activity"] is None:
        return decide_session(session=session, outcome=told["outcome"], reason=reason, reviewer=user)
    activity = get_object_or_404(SuspiciousActivity, pk=told["activity"], session=session)
    return decide_activity(activity=activity, verdict=told["verdict"], reason=reason, reviewer=user)


def _back(session: ExamSession, activity_id: uuid.UUID | str) -> HttpResponseRedirect:
    address = reverse("admin:exams_examsession_change", args=[session.pk])
    try:
        anchor = f"#activity-{uuid.UUID(str(activity_id))}"
    except ValueError:
        anchor = ""
    return HttpResponseRedirect(address + anchor)


@require_safe
def evidence_picture(request: HttpRequest, evidence_id: uuid.UUID) -> HttpResponseBase:
    """Serve picture or sound to those who may see its session; others learn nothing, not even that it exists."""
    user = staff_user(request)
    if not user.has_perm("monitoring.view_evidence"):
        raise Http404
    found = Evidence.objects.filter(activity__session__in=visible_sessions(user))
    evidence = get_object_or_404(found, pk=evidence_id)
    if evidence.media_type not in SERVED_TYPES:
        raise Http404
    etag = f'"{evidence.sha256}"'
    response = get_conditional_response(request, etag=etag) or _picture_response(evidence)
    # A browser may keep the picture but has to ask each time, so that what was deleted here is gone there too.
    response["Cache-Control"], response["ETag"] = "private, no-cache", etag
    return response


def _picture_response(evidence: Evidence) -> HttpResponseBase:
    try:
        file = evidence.file.open("rb")
    except FileNotFoundError as error:
        raise Http404(_("The picture is no longer there.")) from error
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return FileResponse(file, content_type=evidence.media_type, headers=headers)
