"""Candidates of exams in the admin: the list, and their way in and out as CSV."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.admin import ImportExportMixin
from import_export.forms import ImportForm
from import_export.results import Result

from accounts.admin import CandidateAdmin
from accounts.admin_lists import LongListAdmin
from accounts.csv_files import KeptUpload, SafeCSV, UploadGoneError
from accounts.exports import RecordedExport
from accounts.models import Candidate, Role, User
from exams.admin_filters import ExamFilter
from exams.authoring import MAX_CANDIDATES_AT_ONCE
from exams.candidate_rows import COLUMNS, CandidateRows
from exams.models import ExamAssignment, ExamSession
from exams.selectors import managed_exams, visible_exams

MAX_FILE_BYTES = 1024 * 1024


class UploadForm(ImportForm):
    """The file with candidates."""

    def clean_import_file(self) -> Any:
        """Refuse a file that is too big to be a list of people."""
        file = self.cleaned_data["import_file"]
        if file.size > MAX_FILE_BYTES:
            raise forms.ValidationError(_("This file is larger than 1 MB."))
        return file


@admin.register(ExamAssignment)
class ExamAssignmentAdmin(RecordedExport, ImportExportMixin, LongListAdmin):
    """Who may sit which exam, and what is arranged for them; changed on the exam's page or by a file."""

    resource_classes = (CandidateRows,)
    formats = [SafeCSV]
    import_form_class = UploadForm
    import_template_name = "admin/exams/import_candidates.html"
    tmp_storage_class = KeptUpload
    skip_export_form = True
    exported = "candidates"

    list_display = (
        "candidate",
        "email",
        "number",
        "exam_link",
        "extra_minutes",
        "time_factor",
        "break_minutes",
        "muted_names",
    )
    list_select_related = ("exam", "candidate__user")
    list_filter = (("exam", ExamFilter), "extra_minutes", "time_factor", "break_minutes")
    list_per_page = 50
    search_fields = (
        "candidate__user__email",
        "candidate__user__full_name",
        "candidate__external_id",
        "exam__code",
        "exam__title",
    )
    search_help_text = gettext_lazy("Candidate's name, address or number, exam code or title")
    date_hierarchy = "candidate__created_at"
    ordering = ("exam__code", "candidate__user__email")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # The list is broad: columns and filters need the whole width.
        broad = {"is_nav_sidebar_enabled": False, **(extra_context or {})}
        return super().changelist_view(request, broad)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(exam__in=visible_exams(_user(request)).order_by().values("pk"))

    def get_export_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those of the user's own exams, as the list is filtered."""
        rows: QuerySet[Any] = super().get_export_queryset(request)
        return rows.filter(exam__in=managed_exams(_user(request)).order_by().values("pk"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_import_permission(self, request: HttpRequest) -> bool:
        """Teachers and admins, each for their exams."""
        return _authors(request) and _user(request).has_perm("exams.add_examassignment")

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Teachers and admins, each for their exams."""
        return _authors(request) and _user(request).has_perm("exams.change_examassignment")

    def get_import_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say on the page what a file looks like."""
        return {"columns": COLUMNS, "most": MAX_CANDIDATES_AT_ONCE}

    def add_data_read_fail_error_to_form(self, form: forms.Form, e: Exception) -> None:
        """Say what is wrong with the file in words."""
        if not isinstance(e, ValidationError):
            raise e
        form.add_error("import_file", e)

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Import what was confirmed, all of it or nothing."""
        try:
            return cast("HttpResponse", super().process_import(request, **kwargs))
        except UploadGoneError:
            messages.error(request, _("The file waited for too long and was not kept; please send it again."))
            return HttpResponseRedirect(reverse("admin:exams_examassignment_import"))

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        """Take back everything if one row turns out bad after all."""
        return {**super().get_import_data_kwargs(**kwargs), "rollback_on_validation_errors": True}

    def process_result(self, result: Result, request: HttpRequest) -> HttpResponse:
        """Tell what was imported, or that something had changed since the preview."""
        if result.has_errors() or result.has_validation_errors():
            messages.error(request, _("Nothing was imported: the file does not fit any more. Please send it again."))
            return HttpResponseRedirect(reverse("admin:exams_examassignment_import"))
        return cast("HttpResponse", super().process_result(result, request))

    def add_success_message(self, result: Result, request: HttpRequest) -> None:
        """Count the candidates."""
        told = {"new": result.totals["new"], "changed": result.totals["update"]}
        messages.success(request, _("Imported: %(new)d candidates assigned, %(changed)d brought up to date.") % told)

    @admin.display(description=gettext_lazy("e-mail address"), ordering="candidate__user__email")
    def email(self, assignment: ExamAssignment) -> str:
        return assignment.candidate.user.email

    @admin.display(description=gettext_lazy("number"), ordering="candidate__external_id")
    def number(self, assignment: ExamAssignment) -> str:
        return assignment.candidate.external_id or "–"

    @admin.display(description=gettext_lazy("exam"), ordering="exam__code")
    def exam_link(self, assignment: ExamAssignment) -> SafeString:
        address = reverse("admin:exams_exam_change", args=[assignment.exam_id])
        return format_html('<a href="{}">{}</a>', address, assignment.exam.code)

    @admin.display(description=gettext_lazy("muted detectors"))
    def muted_names(self, assignment: ExamAssignment) -> str:
        return ", ".join(assignment.muted) or "–"


class ExamCandidateAdmin(CandidateAdmin):
    """Candidates: who assigns them to exams chooses among all, who reviews sees those of their exams."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Candidate]:
        """Return those that the user may see."""
        candidates, user = super().get_queryset(request), _user(request)
        if user.has_perm("exams.add_examassignment"):
            return candidates
        exams = visible_exams(user).order_by().values("pk")
        assigned, sat = (
            model.objects.filter(exam__in=exams).order_by().values("candidate")
            for model in (ExamAssignment, ExamSession)
        )
        return candidates.filter(Q(pk__in=assigned) | Q(pk__in=sat))


admin.site.unregister(Candidate)
admin.site.register(Candidate, ExamCandidateAdmin)


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _authors(request: HttpRequest) -> bool:
    user = _user(request)
    return user.has_role(Role.ADMIN) or user.has_role(Role.TEACHER)
