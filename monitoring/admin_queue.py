"""The review queue in the console: what waits, who has what, taking the next; and the candidates' appeals."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from exams.models import ExamSession
from monitoring import reading
from monitoring import review_queue as queue
from monitoring.admin_parts import ReadOnlyAdmin, WatchedAdmin
from monitoring.admin_views import staff_user
from monitoring.case_models import Appeal, ReviewCase
from monitoring.cases import CLAIM_LASTS, ReviewRefused, claim_session, release_session
from monitoring.selectors import visible_sessions
from monitoring.session_page import DECIDE

PER_PAGE = 50
MINE = "mine"
TABS: dict[str, Any] = {
    ReviewCase.Stage.FIRST: gettext_lazy("To review"),
    ReviewCase.Stage.SECOND: gettext_lazy("Second review"),
    ReviewCase.Stage.APPEAL: gettext_lazy("Appeals"),
    ReviewCase.Stage.DISAGREEMENT: gettext_lazy("Disagreements"),
    MINE: gettext_lazy("Taken by me"),
}
CLAIM, NEXT, RELEASE = "claim", "next", "release"


class QueueForm(forms.Form):
    """What to do: take one session or the next of a tab, or give one back."""

    action = forms.ChoiceField(choices=[(name, name) for name in (CLAIM, NEXT, RELEASE)])
    session = forms.UUIDField(required=False)
    tab = forms.ChoiceField(choices=[(stage.value, stage.value) for stage in queue.STAGES], required=False)

    def clean(self) -> dict[str, Any]:
        """Ask for the tab where the next is taken, for the session otherwise."""
        cleaned = super().clean() or {}
        needed = "tab" if cleaned.get("action") == NEXT else "session"
        if not cleaned.get(needed):
            self.add_error(needed, self.fields[needed].error_messages["required"])
        return cleaned


@require_http_methods(["GET", "HEAD", "POST"])
def queue_view(request: HttpRequest) -> HttpResponse:
    """Show what waits for whoever looks, or take and give back sessions."""
    user = staff_user(request)
    if not user.has_perm(DECIDE):
        raise PermissionDenied
    if request.method == "POST":
        return _act(request, user)
    return TemplateResponse(request, "admin/monitoring/queue.html", _context(request, user))


def _act(request: HttpRequest, user: User) -> HttpResponse:
    form = QueueForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was done: this request cannot be understood."))
        return _to_queue("")
    asked = form.cleaned_data
    try:
        if asked["action"] == NEXT:
            return _take_next(request, user, asked["tab"])
        session = get_object_or_404(visible_sessions(user).select_related("candidate", "exam"), pk=asked["session"])
        if asked["action"] == RELEASE:
            release_session(session=session, by=user)
            messages.success(request, _("Given back."))
            return _to_queue(MINE)
        claim_session(session=session, reviewer=user)
    except ReviewRefused as refused:
        messages.error(request, str(refused))
        return _to_queue(asked["tab"])
    return _to_session(session)


def _take_next(request: HttpRequest, user: User, tab: str) -> HttpResponse:
    session = queue.claim_next(stage=tab, reviewer=user)
    if session is None:
        messages.info(request, _("Nothing waits here that you could take."))
        return _to_queue(tab)
    return _to_session(session)


def _to_queue(tab: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:monitoring_queue") + (f"?tab={tab}" if tab else ""))


def _to_session(session: ExamSession) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:exams_examsession_change", args=[session.pk]))


def _context(request: HttpRequest, user: User) -> dict[str, Any]:
    stages = queue.stages_for(user)
    tab = request.GET.get("tab", "")
    tab = tab if tab in (*stages, MINE) else str(queue.STAGES[0])
    counts = {**queue.count_waiting(user), MINE: queue.held_sessions(user).count()}
    sessions = queue.held_sessions(user) if tab == MINE else queue.waiting_sessions(user, tab)
    page: Page[Any] = Paginator(queue.put_in_order(sessions, tab), PER_PAGE).get_page(request.GET.get("page"))
    return {
        **admin.site.each_context(request),
        "title": _("Review queue"),
        "opts": ReviewCase._meta,
        "is_nav_sidebar_enabled": False,
        "tab": tab,
        "tabs": [{"name": name, "label": TABS[name], "count": counts[name]} for name in (*stages, MINE)],
        "page": page,
        "total": counts[tab],
        "is_ranked": tab not in (ReviewCase.Stage.APPEAL, MINE),
        "rows": queue.rows_of(user, list(page.object_list)),
        "lasts": int(CLAIM_LASTS.total_seconds() // 60),
        "at_most": queue.AT_MOST,
        "unseen_points": queue.UNSEEN_POINTS,
        "minutes": (reading.MINUTES_PER_SESSION, reading.MINUTES_PER_ACTIVITY),
    }


@admin.register(ReviewCase)
class ReviewCaseAdmin(ReadOnlyAdmin):
    """The queue stands where the list of cases would: a case has no page of its own but the session's."""

    def get_urls(self) -> list[URLPattern]:
        return [path("queue/", self.admin_site.admin_view(queue_view), name="monitoring_queue"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:monitoring_queue"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        case = self.get_object(request, object_id)
        return HttpResponseRedirect(
            reverse("admin:monitoring_queue")
            if case is None
            else reverse("admin:exams_examsession_change", args=[case.pk])
        )


@admin.register(Appeal)
class AppealAdmin(WatchedAdmin):
    """What candidates said against outcomes; the outcome itself is not shown, as whoever decides is not to know it."""

    list_display = ("sent_at", "session_link", "state", "decided_at")
    list_display_links = ("sent_at",)
    list_filter = ("state", "sent_at")
    search_fields = ("session__candidate__user__full_name", "session__candidate__user__email", "session__exam__code")
    ordering = ("-sent_at",)
    fields = ("session_link", "text", "sent_at", "state", "decided_at")
    readonly_fields = ("session_link",)
