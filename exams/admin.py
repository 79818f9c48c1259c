"""Exams with their problems, rules and candidates."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import Count, Field, IntegerField, Max, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from exams.models import Exam, ExamAssignment, ExamSession, Problem, ProctoringPolicy
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


class AssignmentInline(admin.TabularInline):
    """Who may sit the exam."""

    model = ExamAssignment
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
    list_filter = ("opens_at", "requires_check")
    search_fields = ("code", "title", "owner__email", "owner__full_name")
    filter_horizontal = ("reviewers",)
    inlines = (ProblemInline, PolicyInline, AssignmentInline)
    fieldsets = (
        (None, {"fields": ("code", "title", "instructions")}),
        (_("When"), {"fields": (("opens_at", "closes_at"), "duration_minutes", "requires_check")}),
        (_("Who"), {"fields": ("owner", "reviewers")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Exam]:
        return visible_exams(cast("User", request.user), super().get_queryset(request)).annotate(
            problem_total=_count(Problem),
            candidate_total=_count(ExamAssignment),
            session_total=_count(ExamSession),
            newest_version=_newest_version(),
        )

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


def visible_exams(user: User, exams: QuerySet[Exam]) -> QuerySet[Exam]:
    """Return those of the exams that this member of staff may see."""
    if user.is_superuser:
        return exams
    reviewed = Exam.reviewers.through.objects.filter(user=user).values("exam")
    return exams.filter(Q(owner=user) | Q(pk__in=reviewed))


def _owns(request: HttpRequest, exam: Exam | None) -> bool:
    user = cast("User", request.user)
    return exam is None or user.is_superuser or exam.owner_id == user.pk


def _count(model: type[Model]) -> Coalesce:
    # A subquery each: counting over three joins at once would multiply the rows.
    rows = model._default_manager.filter(exam=OuterRef("pk")).order_by().values("exam").annotate(n=Count("pk"))
    return Coalesce(Subquery(rows.values("n"), output_field=IntegerField()), 0)


def _newest_version() -> Subquery:
    rows = ProctoringPolicy.objects.filter(exam=OuterRef("pk")).order_by().values("exam").annotate(n=Max("version"))
    return Subquery(rows.values("n"))
