"""Reports in the reviewer's console: opening one, making one again, and the link on the session page."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from exams.models import Exam, ExamSession
from monitoring.admin import SessionAdmin
from monitoring.admin_parts import WatchedAdmin
from monitoring.admin_views import staff_user
from monitoring.picture_access import note_look
from monitoring.picture_models import PictureAccess
from monitoring.selectors import is_blind, visible_sessions
from reports.admin_exam import ReportedExamAdmin
from reports.exports import record_report
from reports.models import SessionReport
from reports.services import is_older
from reports.tasks import request_report

VIEW, MAKE = "reports.view_sessionreport", "reports.add_sessionreport"


@require_safe
def open_report(request: HttpRequest, session_id: uuid.UUID) -> HttpResponseBase:
    """Serve the PDF; while it is being made, a page that looks again, and after a failure one that says why."""
    user = staff_user(request)
    if not user.has_perm(VIEW):
        raise Http404
    session = get_object_or_404(visible_sessions(user).select_related("candidate__user", "exam"), pk=session_id)
    report = get_object_or_404(SessionReport, session=session)
    if is_blind(session):
        messages.error(
            request,
            _("Somebody looks at this session who is not to know what was decided; its report opens afterwards."),
        )
        return HttpResponseRedirect(reverse("admin:exams_examsession_change", args=[session.pk]))
    previous = request.GET.get("previous") == "1" and report.file
    if report.status == SessionReport.Status.READY or previous:
        response = _serve(report)
        note_look(request, session, what=PictureAccess.What.REPORT, sha256=report.content_sha256)
        record_report(request, session, form="pdf")
        return response
    context = {**admin.site.each_context(request), "title": _("Report"), "session": session, "report": report}
    return TemplateResponse(request, "admin/reports/waiting.html", context)


def _serve(report: SessionReport) -> HttpResponseBase:
    try:
        file = report.file.open("rb")
    except FileNotFoundError as error:
        raise Http404(_("The file is no longer there.")) from error
    headers = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
    name = str(report.file.name).rpartition("/")[2]
    return FileResponse(file, content_type="application/pdf", filename=name, headers=headers)


@require_POST
def make_again(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Have the PDF made from the session as it is now, then wait for it."""
    user = staff_user(request)
    if not user.has_perm(MAKE):
        raise PermissionDenied
    session = get_object_or_404(visible_sessions(user), pk=session_id)
    request_report(session=session, requested_by=user)
    return HttpResponseRedirect(reverse("admin:reports_sessionreport_open", args=[session.pk]))


@admin.register(SessionReport)
class SessionReportAdmin(WatchedAdmin):
    """The PDFs, newest first."""

    list_display = ("opened", "status", "session_link", "generated_at", "requested_by")
    list_select_related = ("session__candidate__user", "session__exam", "requested_by")
    list_filter = ("status", "generated_at")
    search_fields = ("session__candidate__user__full_name", "session__candidate__user__email", "session__exam__code")
    exclude = ("file",)
    readonly_fields = ("opened",)

    def get_urls(self) -> list[URLPattern]:
        view, make = self.admin_site.admin_view(open_report, cacheable=True), self.admin_site.admin_view(make_again)
        own = [
            path("<uuid:session_id>/pdf/", view, name="reports_sessionreport_open"),
            path("<uuid:session_id>/make/", make, name="reports_sessionreport_make"),
        ]
        return own + super().get_urls()

    @admin.display(description=_("PDF"))
    def opened(self, report: Any) -> str | SafeString:
        if not report.file:
            return "–"
        address = reverse("admin:reports_sessionreport_open", args=[report.session_id])
        return format_html('<a href="{}" target="_blank" rel="noopener">{}</a>', address, _("Open the PDF"))


class ReportedSessionAdmin(SessionAdmin):
    """Sessions with their reports: this room stands above monitoring, so it adds itself there."""

    page_template = "admin/reports/session.html"
    page_related = (*SessionAdmin.page_related, "report")
    actions = ("make_reports_again",)

    def has_report_permission(self, request: HttpRequest) -> bool:
        """Say whether the user may have PDFs made."""
        return staff_user(request).has_perm(MAKE)

    @admin.action(description=_("Make PDF reports again"), permissions=["report"])
    def make_reports_again(self, request: HttpRequest, queryset: QuerySet[ExamSession]) -> None:
        sessions = ExamSession.objects.filter(pk__in=[session.pk for session in queryset])
        for session in sessions:
            request_report(session=session, requested_by=staff_user(request))
        text = ngettext("%(n)d report is being made.", "%(n)d reports are being made.", len(sessions))
        messages.success(request, text % {"n": len(sessions)})

    def page_context(self, request: HttpRequest, session: ExamSession) -> dict[str, Any]:
        context = super().page_context(request, session)
        report, user, blind = getattr(session, "report", None), staff_user(request), context["blind"]
        return {
            **context,
            "report": report if user.has_perm(VIEW) and not blind else None,
            "report_is_old": report is not None
            and is_older(report, context["assessment"], context["session_decisions"]),
            "can_make_report": user.has_perm(MAKE) and not blind,
        }


admin.site.unregister((ExamSession, Exam))
admin.site.register(ExamSession, ReportedSessionAdmin)
admin.site.register(Exam, ReportedExamAdmin)
