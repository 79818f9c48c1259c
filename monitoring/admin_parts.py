"""What the console's lists share: badges, filters, and rows that nobody can touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet, TextChoices
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin_lists import LongListAdmin
from accounts.models import Role
from exams.kinds import Kind, RiskLevel, Severity, kind_label
from exams.models import ExamSession
from monitoring.admin_views import staff_user
from monitoring.models import ReviewDecision
from monitoring.selectors import visible_sessions

HIDDEN = frozenset({"decisions", "notes", "review", "appeal", "against", "reviewed_risk_score"})
SHOWN_KINDS = 3
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


def found_text(breakdown: Sequence[Mapping[str, Any]]) -> str | SafeString:
    """Return the heaviest kinds of a breakdown and how often each was found, or a dash for none."""
    if not breakdown:
        return "–"
    shown = format_html_join(
        ", ",
        '<span class="nowrap">{} ×{}</span>',
        ((kind_label(line["kind"]), line["count"]) for line in breakdown[:SHOWN_KINDS]),
    )
    more = len(breakdown) - SHOWN_KINDS
    return format_html("{}, +{}", shown, more) if more > 0 else shown


class ReadOnlyAdmin(LongListAdmin):
    """Rows of the sessions that the user may see; nobody adds, changes or deletes them here, superusers included."""

    session_lookup = "session__in"

    class Media:
        css = {"all": ("monitoring/console.css", "monitoring/queue.css")}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        user = staff_user(request)
        if user.has_role(Role.ADMIN):
            return rows  # without a look at the sessions, which would keep the database from reading them in order
        return rows.filter(**{self.session_lookup: visible_sessions(user)})

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # These lists are broad: columns and filters need the whole width.
        return super().changelist_view(request, {"is_nav_sidebar_enabled": False, **(extra_context or {})})

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        # Under blind review nobody must find out by filters in the address what the columns do not show.
        return lookup.partition("__")[0] not in HIDDEN and super().lookup_allowed(lookup, value, request)

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

    @admin.display(description=_("session"), ordering="session__created_at")
    def session_link(self, row: Any) -> SafeString:
        return session_link(row.session)


def session_link(session: ExamSession, anchor: str = "") -> SafeString:
    """Return a link to the page of a session."""
    address = reverse("admin:exams_examsession_change", args=[session.pk])
    return format_html('<a href="{}{}">{}</a>', address, anchor, session)
