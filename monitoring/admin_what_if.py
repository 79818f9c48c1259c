"""Policies in the console: their versions, and what another one would make of sessions that were held already."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from exams.admin_filters import ExamFilter
from exams.models import Exam, ProctoringPolicy
from exams.policy import Policy
from exams.policy_changes import changes_between, settings_of
from exams.policy_form import PolicyForm
from exams.selectors import may_manage, visible_exams
from exams.services import add_policy_version
from monitoring.admin_parts import ReadOnlyAdmin, percent
from monitoring.admin_views import staff_user
from monitoring.evaluation.figures import FEWEST, Rate
from monitoring.what_if import LONGEST_S, MOST_SESSIONS, WhatIf, try_policy

SAVE = "exams.add_proctoringpolicy"


@require_http_methods(["GET", "HEAD", "POST"])
def what_if(request: HttpRequest, exam_id: uuid.UUID) -> HttpResponse:
    """Let who may change an exam try a policy on its past sessions, and save it as the next version."""
    user = staff_user(request)
    exam = get_object_or_404(visible_exams(user), pk=exam_id)
    if not (may_manage(user, exam) and user.has_perm(SAVE)):
        raise PermissionDenied
    newest = exam.current_policy
    base, shown = (newest.version, newest.rules) if newest else (0, Policy())
    form = PolicyForm(shown, base, request.POST if request.method == "POST" else None)
    result: WhatIf | None = None
    if form.is_bound and form.is_valid():
        if form.cleaned_data["base"] != base:
            form.add_error(None, _("Version %(n)d has been saved in the meantime; open this page anew.") % {"n": base})
        elif "save" in request.POST:
            return _save(request, exam, form)
        else:
            result = _try_once(user, exam, form)
    return TemplateResponse(request, "admin/monitoring/what_if.html", _context(request, exam, form, result))


def _try_once(user: User, exam: Exam, form: PolicyForm) -> WhatIf | None:
    """Try the policy, one trial per person at a time: each may keep a thread of the server busy for a while."""
    running = f"what-if:{user.pk}"
    if not cache.add(running, 1, timeout=LONGEST_S + 5):
        form.add_error(None, _("A trial of yours is still running; wait for it and try again."))
        return None
    try:
        return try_policy(exam=exam, policy=form.policy)
    finally:
        cache.delete(running)


def _save(request: HttpRequest, exam: Exam, form: PolicyForm) -> HttpResponse:
    policy, new = add_policy_version(exam=exam, settings=settings_of(form.policy), note=form.cleaned_data["note"])
    if new:
        said = _("Version %(n)d is saved and holds for sessions from now on. Those before keep theirs until re-scored.")
        messages.success(request, said % {"n": policy.version})
    else:
        messages.info(request, _("Nothing is different from version %(n)d, so none was added.") % {"n": policy.version})
    return HttpResponseRedirect(reverse("admin:exams_proctoringpolicy_what_if", args=[exam.pk]))


def _context(request: HttpRequest, exam: Exam, form: PolicyForm, result: WhatIf | None) -> dict[str, Any]:
    return {
        **admin.site.each_context(request),
        "title": _("What if the policy were another?"),
        "is_nav_sidebar_enabled": False,
        "exam": exam,
        "form": form,
        "base": form.initial["base"],
        "next_version": form.initial["base"] + 1,
        "result": result,
        "most": MOST_SESSIONS,
        "longest_s": round(LONGEST_S),
        **(_told(form, result) if result else {}),
    }


def _told(form: PolicyForm, result: WhatIf) -> dict[str, Any]:
    activities, sessions = result.activities, result.sessions
    return {
        "changes": changes_between(form.shown, form.policy),
        "few": FEWEST,
        "agreement": [
            (
                _("Activities: verdicts confirmed and dismissed"),
                [
                    (_("precision"), rate_told(activities.before.precision), rate_told(activities.after.precision)),
                    (_("recall"), rate_told(activities.before.recall), rate_told(activities.after.recall)),
                ],
            ),
            (
                _("Sessions: Medium or High against concern, violation and clear"),
                [
                    (_("precision"), rate_told(sessions.before.precision), rate_told(sessions.after.precision)),
                    (_("recall"), rate_told(sessions.before.recall), rate_told(sessions.after.recall)),
                ],
            ),
        ],
    }


def rate_told(rate: Rate) -> Mapping[str, Any]:
    """Return a share as the page shows it: in percent, of how many, its interval, and whether that says much."""
    ends = rate.interval
    return {
        "share": percent(rate.share),
        "count": _("%(hits)d of %(n)d") % {"hits": rate.hits, "n": rate.n},
        "interval": f"{ends[0]:.0%}–{ends[1]:.0%}".replace("%–", "–").replace("%", " %") if ends else "",
        "is_enough": rate.is_enough,
    }


@admin.register(ProctoringPolicy)
class PolicyAdmin(ReadOnlyAdmin):
    """Every version of every exam's policy; none is ever changed."""

    list_display = ("version_shown", "exam", "note", "sessions", "created_at", "try_another")
    list_display_links = ("version_shown",)
    list_select_related = ("exam",)
    list_filter = (("exam", ExamFilter), "created_at")
    search_fields = ("exam__code", "exam__title", "note")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "exam", "-version")
    fields = ("exam", "version", "note", "created_at", "changes", "document")
    readonly_fields = ("changes", "document")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The versions of exams that the user may see."""
        rows = admin.ModelAdmin.get_queryset(self, request)
        exams = visible_exams(staff_user(request)).order_by().values("pk")
        seen: QuerySet[Any] = rows.filter(exam__in=exams).annotate(session_total=Count("sessions"))
        return seen

    def get_urls(self) -> list[URLPattern]:
        """Add the page on which a policy is tried."""
        view = self.admin_site.admin_view(what_if)
        return [path("<uuid:exam_id>/what-if/", view, name="exams_proctoringpolicy_what_if"), *super().get_urls()]

    @admin.display(description=gettext_lazy("version"), ordering="version")
    def version_shown(self, policy: Any) -> str:
        return f"v{policy.version}"

    @admin.display(description=gettext_lazy("sessions"), ordering="session_total")
    def sessions(self, policy: Any) -> int:
        return int(policy.session_total)

    @admin.display(description=gettext_lazy("what if"))
    def try_another(self, policy: Any) -> SafeString:
        address = reverse("admin:exams_proctoringpolicy_what_if", args=[policy.exam_id])
        return format_html('<a href="{}">{}</a>', address, _("Try another"))

    @admin.display(description=gettext_lazy("changes from the version before"))
    def changes(self, policy: Any) -> str | SafeString:
        before = policy.exam.policies.filter(version__lt=policy.version).order_by("-version").first()
        lines = changes_between(before.rules if before else Policy(), policy.rules)
        rows = ((line.name, json.dumps(line.before), json.dumps(line.after)) for line in lines)
        return format_html_join("", "<div><code>{}</code>: {} → {}</div>", rows) or "–"

    @admin.display(description=gettext_lazy("settings"))
    def document(self, policy: Any) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(policy.settings, indent=2, ensure_ascii=False))
