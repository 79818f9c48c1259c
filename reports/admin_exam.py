"""The report of a whole exam in the console: for who runs the exam, as PDF and as a table."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.exports import record_export
from exams.admin import ExamAdmin
from exams.models import Exam
from exams.selectors import managed_exams
from monitoring.admin_views import staff_user
from reports.exam_report import exam_file

VIEW = "reports.view_sessionreport"
FORMS = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}


@require_safe
def open_exam_report(request: HttpRequest, exam_id: uuid.UUID, form: str) -> HttpResponse:
    """Serve the report as it is now, in the reader's language; an exam that is not theirs to run does not exist."""
    user = staff_user(request)
    exams = managed_exams(user) if user.has_perm(VIEW) else Exam.objects.none()
    exam = get_object_or_404(exams, pk=exam_id)
    content, rows = exam_file(exam, form, language=get_language() or "")
    record_export(request, what="exam_report", form=form, rows=rows, exam=exam.code)
    headers = {
        "Content-Disposition": f'{"attachment" if form == "csv" else "inline"}; filename="{exam.code}.{form}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(content, content_type=FORMS[form], headers=headers)


class ReportedExamAdmin(ExamAdmin):
    """Exams with their reports: this room stands above exams, so it adds itself there."""

    list_display: Any = (*ExamAdmin.list_display, "report")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # A reviewer sees the exam, but not who else decided what in it.
        user = staff_user(request)
        theirs = managed_exams(user) if user.has_perm(VIEW) else Exam.objects.none()
        return super().get_queryset(request).annotate(has_report=Exists(theirs.filter(pk=OuterRef("pk"))))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(open_exam_report)
        own = [
            path(f"<uuid:exam_id>/report.{form}", view, {"form": form}, name=f"exams_exam_report_{form}")
            for form in FORMS
        ]
        return own + super().get_urls()

    @admin.display(description=_("report"))
    def report(self, exam: Any) -> str | SafeString:
        if not exam.has_report:
            return "–"
        label = _("Report of %(exam)s") % {"exam": exam.code}
        return format_html_join(
            " ",
            '<a href="{}" aria-label="{}, {}">{}</a>',
            (
                (reverse(f"admin:exams_exam_report_{form}", args=[exam.pk]), label, form.upper(), form.upper())
                for form in FORMS
            ),
        )
