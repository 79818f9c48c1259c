"""Exams with their problems, rules and candidates."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import Field, Model, QuerySet
from django.db.models.functions import Length
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin_lists import LongListAdmin
from accounts.models import User
from exams import admin_candidates  # noqa: F401  it registers itself
from exams.admin_copy import copy_view
from exams.admin_filters import ExamFilter
from exams.models import CodeSubmission, Exam, ExamAssignment, Problem, ProctoringPolicy
from exams.selectors import visible_exams, visible_submissions, with_counts
from exams.services import add_policy_version


class ProblemInline(admin.TabularInline):
    """The tasks."""

    model = Problem
    extra = 0
    fields = ("number", "title", "points", "statement")
    formfield_overrides = {
        models.TextField: {"widget": forms.Textarea(attrs={"rows": 3, "cols": 38})},
        models.CharField: {"widget": forms.TextInput(attrs={"size": 26})},
    }


class PolicyForm(forms.ModelForm):
    """A new version of the rules; what it does not say stays as in the default policy."""

    class Meta:
        model = ProctoringPolicy
        fields = ("settings", "note")
        widgets = {"settings": forms.Textarea(attrs={"rows": 8, "cols": 60, "spellcheck": "false"})}

    def clean_settings(self) -> Any:
        """An empty field is an empty table."""
        return {} if self.cleaned_data["settings"] is None else self.cleaned_data["settings"]

    def has_changed(self) -> bool:
        """A version that was asked for is kept even if it says no more than the default policy."""
        return self.instance.created_at is None or super().has_changed()


class PolicyInline(admin.StackedInline):
    """The versions of the rules, newest first; existing ones stay, since past decisions rest on them."""

    model = ProctoringPolicy
    form = PolicyForm
    extra = 0
    fields = ("version", "settings", "note", "created_at")
    readonly_fields = ("version", "created_at")
    ordering = ("-version",)
    verbose_name = _("policy version")
    verbose_name_plural = _("proctoring policy (a change is a new version)")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class AssignmentForm(forms.ModelForm):
    """A candidate and what is arranged for them."""

    class Meta:
        model = ExamAssignment
        fields = ("candidate", "extra_minutes", "time_factor", "break_minutes", "muted")
        widgets = {
            "time_factor": forms.NumberInput(attrs={"class": "vIntegerField", "step": "any"}),
            "muted": forms.TextInput(attrs={"size": 14, "spellcheck": "false"}),
        }

    def clean_muted(self) -> Any:
        """An empty field mutes nothing."""
        return self.cleaned_data["muted"] or []


class AssignmentInline(admin.TabularInline):
    """Who may sit the exam."""

    model = ExamAssignment
    form = AssignmentForm
    extra = 0
    autocomplete_fields = ("candidate",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExamAssignment]:
        return super().get_queryset(request).select_related("candidate__user", "exam")


@admin.register(Exam)
class ExamAdmin(admin.ModelAdmin):
    """Exams: teachers see and change their own, reviewers see those assigned to them, admins all."""

    list_display = (
        "code",
        "title",
        "owner",
        "opens_at",
        "closes_at",
        "problem_count",
        "candidate_count",
        "session_count",
        "version",
    )
    list_select_related = ("owner",)
    list_filter = ("opens_at", "closes_at", "requires_check", "open_to_all", "candidate_sees")
    search_fields = ("code", "title", "owner__email", "owner__full_name")
    search_help_text = _("Code, title, teacher's name or address")
    date_hierarchy = "created_at"
    filter_horizontal = ("reviewers",)
    inlines = (ProblemInline, PolicyInline, AssignmentInline)
    fieldsets = (
        (None, {"fields": ("code", "title", "instructions")}),
        (_("When"), {"fields": (("opens_at", "closes_at"), "duration_minutes", "max_attempts", "requires_check")}),
        (_("Who"), {"fields": ("owner", "reviewers", "open_to_all")}),
        (_("When watching"), {"fields": ("mail_when_high",)}),
        (_("Afterwards"), {"fields": ("candidate_sees", "appeal_days")}),
    )

    def get_urls(self) -> list[URLPattern]:
        copy = self.admin_site.admin_view(copy_view)
        return [path("<uuid:exam_id>/copy/", copy, name="exams_exam_copy"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Exam]:
        return with_counts(visible_exams(cast("User", request.user), super().get_queryset(request)))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # The list is broad: columns and filters need the whole width.
        return super().changelist_view(request, {"is_nav_sidebar_enabled": False, **(extra_context or {})})

    def has_change_permission(self, request: HttpRequest, obj: Exam | None = None) -> bool:
        return super().has_change_permission(request, obj) and _owns(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Exam | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _owns(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Exam | None = None) -> tuple[str, ...]:
        return () if cast("User", request.user).is_superuser else ("owner",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk, **super().get_changeform_initial_data(request)}

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in ("owner", "reviewers"):
            kwargs["queryset"] = User.objects.filter(is_staff=True, is_active=True)
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in ("owner", "reviewers") and field is not None:
            # People are made, changed and removed on their own page, not in passing.
            for may in ("add", "change", "delete", "view"):
                setattr(field.widget, f"can_{may}_related", False)
        return field

    def save_model(self, request: HttpRequest, obj: Exam, form: ModelForm, change: bool) -> None:
        if obj.owner_id is None:
            obj.owner = cast("User", request.user)
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if form.instance.current_policy is None:
            add_policy_version(exam=form.instance, settings={}, note="default policy")

    @admin.display(description=_("problems"), ordering="problem_total")
    def problem_count(self, exam: Any) -> int:
        return int(exam.problem_total)

    @admin.display(description=_("candidates"), ordering="candidate_total")
    def candidate_count(self, exam: Any) -> int:
        return int(exam.candidate_total)

    @admin.display(description=_("sessions"), ordering="session_total")
    def session_count(self, exam: Any) -> int:
        return int(exam.session_total)

    @admin.display(description=_("policy"), ordering="newest_version")
    def version(self, exam: Any) -> str:
        return f"v{exam.newest_version}" if exam.newest_version else "–"


@admin.register(CodeSubmission)
class CodeSubmissionAdmin(LongListAdmin):
    """Answers of candidates, to look at but not to touch."""

    list_display = ("problem_title", "version", "is_final", "language", "characters", "candidate", "submitted_at")
    list_display_links = ("problem_title", "version")
    list_select_related = ("problem", "session__exam", "session__candidate__user")
    list_filter = ("is_final", ("session__exam", ExamFilter), "submitted_at")
    list_per_page = 50
    search_fields = (
        "session__candidate__user__full_name",
        "session__candidate__user__email",
        "session__candidate__external_id",
        "session__exam__code",
        "problem__title",
        "sha256",
    )
    search_help_text = _("Candidate's name, address or number, exam code, problem, SHA-256")
    date_hierarchy = "submitted_at"
    ordering = ("-submitted_at", "pk")
    fields = ("candidate", "problem_title", "version", "is_final", "language", "submitted_at", "sha256", "text")
    readonly_fields = ("candidate", "problem_title", "text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = visible_submissions(cast("User", request.user), super().get_queryset(request))
        # The list shows how long an answer is, which the database says without sending it.
        answers: QuerySet[Any] = rows.annotate(length=Length("code")).defer("code")
        return answers

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description=_("problem"), ordering="problem__number")
    def problem_title(self, submission: Any) -> str:
        return f"{submission.session.exam.code} · {submission.problem}"

    @admin.display(description=_("characters"), ordering="length")
    def characters(self, submission: Any) -> int:
        return int(submission.length)

    @admin.display(description=_("candidate"), ordering="session__candidate__user__email")
    def candidate(self, submission: Any) -> SafeString:
        address = reverse("admin:exams_examsession_change", args=[submission.session_id])
        return format_html('<a href="{}">{}</a>', address, submission.session.candidate)

    @admin.display(description=_("code"))
    def text(self, submission: Any) -> SafeString:
        return format_html("<pre>{}</pre>", submission.code)


def _owns(request: HttpRequest, exam: Exam | None) -> bool:
    user = cast("User", request.user)
    return exam is None or user.is_superuser or exam.owner_id == user.pk
