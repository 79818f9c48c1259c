"""What the console's lists share: badges, filters, and rows that nobody can touch."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet, TextChoices
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from exams.kinds import Kind, RiskLevel, Severity
from exams.models import ExamSession
from monitoring.admin_views import staff_user
from monitoring.models import ReviewDecision
from monitoring.selectors import visible_sessions

VERDICT_LABELS = dict([*ReviewDecision.Verdict.choices, *ReviewDecision.Outcome.choices])


def badge(text: object, tone: str) -> SafeString:
    """Return a coloured badge; its text alone says everything."""
    return format_html('<span class="badge badge-{}">{}</span>', tone, text)


def severity_badge(severity: int) -> SafeString:
    """Return the severity as a badge."""
    return badge(Severity(severity).label, f"severity-{severity}")


def percent(value: float | None) -> str:
    """Return a share 0..1 in whole percent, or a dash for unknown."""
    return "–" if value is None else f"{int(value * 100 + 1e-6)} %"


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows of the sessions that the user may see; nobody adds, changes or deletes them here, superusers included."""

    session_lookup = "session__in"

    class Media:
        css = {"all": ("monitoring/console.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(**{self.session_lookup: visible_sessions(staff_user(request))})

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # These lists are broad: columns and filters need the whole width.
        return super().changelist_view(request, {"is_nav_sidebar_enabled": False, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class RiskLevelFilter(admin.SimpleListFilter):
    """Sessions by the level of the assessment that counts."""

    title = _("risk level")
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[Any, str]]:
        return [(level.value, str(level.label)) for level in reversed(RiskLevel)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(risk_level=self.value()) if self.value() in RiskLevel.values else queryset


class VerdictFilter(admin.SimpleListFilter):
    """Activities by the verdict that holds, or without one."""

    title = _("verdict")
    parameter_name = "verdict"
    choices_of: type[TextChoices] = ReviewDecision.Verdict

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[Any, str]]:
        return [("none", str(_("not decided yet"))), *((one.value, str(one.label)) for one in self.choices_of)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "none":
            return queryset.filter(verdict__isnull=True)
        return queryset.filter(verdict=self.value()) if self.value() else queryset


class OutcomeFilter(VerdictFilter):
    """Sessions by the outcome that holds, or without one."""

    title = _("outcome")
    choices_of = ReviewDecision.Outcome


class KindFilter(admin.SimpleListFilter):
    """Activities by kind, in words."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[Any, str]]:
        return [(kind.value, str(kind.label)) for kind in Kind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


def verdict_text(verdict: str | None) -> str | SafeString:
    """Return a verdict or an outcome as a badge, or a dash."""
    return badge(VERDICT_LABELS[verdict], f"verdict-{verdict}") if verdict else "–"


class WatchedAdmin(ReadOnlyAdmin):
    """Rows that belong to a session, with a way to its page."""

    list_select_related: ClassVar[Any] = ("session__candidate__user", "session__exam")
    list_display_links: Any = None
    show_full_result_count = False

    @admin.display(description=_("session"), ordering="session__created_at")
    def session_link(self, row: Any) -> SafeString:
        return session_link(row.session)


def session_link(session: ExamSession, anchor: str = "") -> SafeString:
    """Return a link to the page of a session."""
    address = reverse("admin:exams_examsession_change", args=[session.pk])
    return format_html('<a href="{}{}">{}</a>', address, anchor, session)
