"""What the session page does beyond single decisions: many at once, notes, and the answers version by version."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.errors import Refused
from exams.models import ExamSession
from monitoring import answer_versions
from monitoring.admin_views import staff_user
from monitoring.case_models import ReviewCase
from monitoring.models import ReviewDecision, SuspiciousActivity
from monitoring.note_row import NOTE_LENGTH
from monitoring.notes import add_note
from monitoring.review import REASON_LENGTH
from monitoring.review_many import decide_activities
from monitoring.selectors import visible_sessions
from monitoring.session_page import DECIDE, SEE_ANSWERS, WRITE_NOTES


class ManyForm(forms.Form):
    """One verdict with one reason on the activities chosen."""

    activities = forms.TypedMultipleChoiceField(coerce=uuid.UUID)
    verdict = forms.ChoiceField(
        choices=[choice for choice in ReviewDecision.Verdict.choices if choice[0] != ReviewDecision.Verdict.WITHDRAWN]
    )
    reason = forms.CharField(max_length=REASON_LENGTH)
    stage = forms.ChoiceField(choices=ReviewCase.Stage.choices, required=False)

    def __init__(self, *args: Any, session: ExamSession, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = SuspiciousActivity.objects.filter(session=session).values_list("pk", flat=True)
        self.fields["activities"].choices = [(str(pk), str(pk)) for pk in found]  # type: ignore[attr-defined]


class ClockField(forms.CharField):
    """Time into the session as ``m:ss`` or ``h:mm:ss``, or in seconds; empty for its beginning."""

    def clean(self, value: Any) -> float:
        """Return seconds."""
        text = str(super().clean(value) or "0")
        parts = text.split(":")
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            numbers = [-1.0]
        if len(parts) > 3 or not all(0 <= number < 1_000_000 for number in numbers):
            raise forms.ValidationError(gettext_lazy("Say the time as minutes and seconds, such as 12:30."))
        return sum(number * factor for number, factor in zip(reversed(numbers), (1.0, 60.0, 3600.0), strict=False))


class NoteForm(forms.Form):
    """What was noted, when in the session, and on which activity if on any."""

    text = forms.CharField(max_length=NOTE_LENGTH)
    at = ClockField(required=False)
    activity = forms.UUIDField(required=False)


@require_POST
def decide_many(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Write down one verdict on all activities chosen, then go back to the page; on none of them if one is refused."""
    user = staff_user(request)
    if not user.has_perm(DECIDE):
        raise PermissionDenied
    session = get_object_or_404(visible_sessions(user), pk=session_id)
    form = ManyForm(request.POST, session=session)
    if not form.is_valid():
        messages.error(
            request, _("Nothing was decided: choose activities, a verdict and a reason of up to 1,000 letters.")
        )
        return _back(session, "activities-title")
    told = form.cleaned_data
    rows = SuspiciousActivity.objects.filter(session=session, pk__in=told["activities"]).order_by("started_at", "kind")
    by: dict[str, Any] = {"reason": told["reason"], "reviewer": user, "seen_stage": told["stage"]}
    try:
        made = decide_activities(activities=list(rows), verdict=told["verdict"], **by)
    except Refused as error:
        messages.error(request, str(error))
    else:
        label = ReviewDecision.Verdict(told["verdict"]).label
        text = ngettext("%(count)d activity: %(verdict)s.", "%(count)d activities: %(verdict)s.", len(made))
        messages.success(request, text % {"count": len(made), "verdict": label})
    return _back(session, "activities-title")


@require_POST
def note(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Keep a note at a moment of the session, then go back to where it was written."""
    user = staff_user(request)
    if not user.has_perm(WRITE_NOTES):
        raise PermissionDenied
    session = get_object_or_404(visible_sessions(user).select_related("candidate"), pk=session_id)
    form = NoteForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, _("Nothing was noted: a note needs a text of up to 1,000 letters and a time such as 12:30.")
        )
        return _back(session, "notes-title")
    told = form.cleaned_data
    activity = None
    if told["activity"] is not None:
        activity = get_object_or_404(SuspiciousActivity, pk=told["activity"], session=session)
    try:
        add_note(session=session, author=user, text=told["text"], at_s=told["at"], activity=activity)
    except Refused as error:
        messages.error(request, str(error))
        return _back(session, "notes-title")
    messages.success(request, _("Noted."))
    return _back(session, f"activity-{activity.pk}" if activity else "notes-title")


@require_safe
def answers(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Show the answers of a session, and what changed between two versions of one of them."""
    user = staff_user(request)
    if not user.has_perm(SEE_ANSWERS):
        raise PermissionDenied
    session = get_object_or_404(visible_sessions(user).select_related("candidate__user", "exam"), pk=session_id)
    kept = answer_versions.answers_of(session)
    context = {
        **admin.site.each_context(request),
        "opts": ExamSession._meta,
        "is_nav_sidebar_enabled": False,
        "title": _("Answers"),
        "session": session,
        "answers": kept,
        **(_compared(request, session, kept) if kept else {}),
    }
    return TemplateResponse(request, "admin/monitoring/answers.html", context)


def _compared(request: HttpRequest, session: ExamSession, kept: list[answer_versions.Answer]) -> dict[str, Any]:
    """Return the answer that was asked for and its comparison; without a choice, of its last two versions."""
    asked = request.GET.get("problem", "")
    answer = next((one for one in kept if str(one.problem_id) == asked), None if asked else kept[0])
    if answer is None:
        raise Http404
    newest = answer.versions[-1].number
    new = _version(answer, request.GET.get("to"), newest)
    old = _version(answer, request.GET.get("from"), max(new.number - 1, 1)) if new.number > 1 or newest > 1 else new
    text = answer_versions.code_of(session, new.id)
    if old.id == new.id:
        return {"answer": answer, "old": None, "new": new, "groups": answer_versions.whole(text)}
    before = answer_versions.code_of(session, old.id)
    too_long = answer_versions.is_too_long(before, text)
    groups = answer_versions.whole(text) if too_long else answer_versions.compare(before, text)
    return {"answer": answer, "old": old, "new": new, "groups": groups, "too_long": too_long}


def _version(answer: answer_versions.Answer, asked: str | None, usual: int) -> answer_versions.Version:
    wanted = usual if asked is None else int(asked) if len(asked) < 9 and asked.isascii() and asked.isdigit() else 0
    found = next((one for one in answer.versions if one.number == wanted), None)
    if found is None:
        raise Http404
    return found


def _back(session: ExamSession, anchor: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:exams_examsession_change", args=[session.pk]) + f"#{anchor}")
