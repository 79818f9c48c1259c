"""Copying an exam in the admin."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from exams.copying import copy_exam
from exams.models import Exam
from exams.selectors import may_manage, visible_exams


class CopyForm(forms.Form):
    """How the copy is called, and who goes with it."""

    title = forms.CharField(
        label=gettext_lazy("Title"), max_length=200, widget=forms.TextInput(attrs={"class": "vTextField"})
    )
    code = forms.SlugField(
        label=gettext_lazy("Code"), max_length=50, required=False, help_text=gettext_lazy("Empty: made from the title.")
    )
    with_candidates = forms.BooleanField(
        label=gettext_lazy("Assign the same candidates, with what is arranged for them"), required=False
    )


@require_http_methods(["GET", "HEAD", "POST"])
def copy_view(request: HttpRequest, exam_id: uuid.UUID) -> HttpResponse:
    """Ask how the copy is called, make it, and lead to its page."""
    user = cast("User", request.user)
    exam = get_object_or_404(visible_exams(user), pk=exam_id)
    if not (may_manage(user, exam) and user.has_perm("exams.add_exam")):
        raise PermissionDenied
    form = CopyForm(request.POST if request.method == "POST" else None, initial={"title": exam.title})
    if form.is_bound and form.is_valid():
        copy = _copy(exam, form)
        if copy is not None:
            messages.success(request, _("This is the copy. Look at when it opens and who may sit it."))
            return HttpResponseRedirect(reverse("admin:exams_exam_change", args=[copy.pk]))
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Copy an exam"),
        "opts": Exam._meta,
        "exam": exam,
        "form": form,
    }
    return TemplateResponse(request, "admin/exams/exam/copy.html", context)


def _copy(exam: Exam, form: CopyForm) -> Exam | None:
    try:
        return copy_exam(exam=exam, owner=exam.owner, **form.cleaned_data)
    except ValidationError as error:  # a code that is taken, or what has become wrong with the exam itself
        known = [name for name in getattr(error, "error_dict", {}) if name in form.fields]
        form.add_error(known[0] if known else None, error.messages)
        return None
