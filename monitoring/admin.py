"""The reviewer's console: sessions by risk, and everything that was recorded, to look at but not to touch."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import F, FilteredRelation, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from exams.admin_filters import ExamFilter
from exams.kinds import RiskLevel, kind_label
from exams.models import ExamSession
from monitoring import admin_queue, admin_views, admin_what_if, session_page, session_views  # noqa: F401
from monitoring.admin_parts import (
    KindFilter,
    OutcomeFilter,
    ReadOnlyAdmin,
    RiskLevelFilter,
    VerdictFilter,
    WatchedAdmin,
    badge,
    found_text,
    percent,
    session_link,
    severity_badge,
    verdict_text,
)
from monitoring.admin_pictures import SOUND_TYPES, evidence_picture, identity_urls
from monitoring.admin_views import DONE, staff_user
from monitoring.admin_wall import wall_urls
from monitoring.answer_versions import answer_counts
from monitoring.explain import explanation_of
from monitoring.identity_pictures import with_kept_times
from monitoring.models import Assessment, Evidence, MonitoringLog, Observation, ReviewDecision, SuspiciousActivity
from monitoring.result_rows import ResultsExport
from monitoring.selectors import latest_outcome, latest_verdict, reviewed_risk, seen_decisions, visible_sessions
from vision.types import Sense


@admin.register(ExamSession)
class SessionAdmin(ResultsExport, ReadOnlyAdmin):
    """Sessions, the riskiest first; the page of one is the reviewer's desk."""

    session_lookup = "pk__in"
    page_template = "admin/monitoring/session.html"
    page_related: tuple[str, ...] = (
        "candidate__user",
        "exam__owner",
        "policy",
        "monitor",
        "review__holder",
        "appeal",
    )
    list_display = (
        "who",
        "exam_code",
        "risk",
        "activities",
        "trust",
        "compliance",
        "faces",
        "verdict",
        "state",
        "when",
    )
    list_display_links = ("who",)
    list_filter = (
        RiskLevelFilter,
        OutcomeFilter,
        "status",
        ("exam", ExamFilter),
        "source",
        "created_at",
    )
    list_per_page = 50
    list_select_related = ("candidate__user", "exam")
    search_fields = (
        "candidate__user__full_name",
        "candidate__user__email",
        "candidate__external_id",
        "exam__code",
        "recording_name",
    )
    search_help_text = _("Candidate's name, address or number, exam code, recording")

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [F("risk_score").desc(nulls_last=True), "-created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        shown = ("risk_score", "risk_level", "trust_score", "compliance_score", "breakdown", "coverage")
        current = FilteredRelation("assessments", condition=Q(assessments__is_current=True))
        columns: dict[str, Any] = {name: F(f"current__{name}") for name in shown}
        columns["verdict"] = latest_outcome(to=staff_user(request))
        sessions: QuerySet[Any] = super().get_queryset(request).annotate(current=current).annotate(**columns)
        return sessions

    @admin.display(description=_("candidate"), ordering="candidate__user__full_name")
    def who(self, session: Any) -> SafeString:
        user = session.candidate.user
        return format_html('{}<br><small class="quiet">{}</small>', user.full_name or user.email, user.email)

    @admin.display(description=_("exam"), ordering="exam__code")
    def exam_code(self, session: Any) -> SafeString:
        return format_html('<span title="{}">{}</span>', session.exam.title, session.exam.code)

    @admin.display(description=_("risk"), ordering="risk_score")
    def risk(self, session: Any) -> str | SafeString:
        if session.risk_level is None:
            return "–"
        label = f"{RiskLevel(session.risk_level).label} {session.risk_score:g}"
        return badge(label, f"level-{session.risk_level.lower()}")

    @admin.display(description=_("activities"))
    def activities(self, session: Any) -> str | SafeString:
        return found_text(session.breakdown or [])

    @admin.display(description=_("trust"), ordering="trust_score")
    def trust(self, session: Any) -> str:
        return "–" if session.trust_score is None else f"{session.trust_score:g}"

    @admin.display(description=_("compliance"), ordering="compliance_score")
    def compliance(self, session: Any) -> str:
        return percent(None if session.compliance_score is None else session.compliance_score / 100)

    @admin.display(description=_("coverage of faces"))
    def faces(self, session: Any) -> str:
        return percent((session.coverage or {}).get(str(Sense.FACES)))

    @admin.display(description=_("outcome"), ordering="verdict")
    def verdict(self, session: Any) -> str | SafeString:
        return verdict_text(session.verdict)

    @admin.display(description=_("status"), ordering="status")
    def state(self, session: Any) -> SafeString:
        source = session.get_source_display()
        return format_html('{}<br><small class="quiet">{}</small>', session.get_status_display(), source)

    @admin.display(description=_("began"), ordering="started_at")
    def when(self, session: Any) -> SafeString:
        began = timezone.localtime(session.started_at or session.created_at)
        return format_html('{}<br><small class="quiet">{}</small>', f"{began:%Y-%m-%d}", f"{began:%H:%M}")

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(admin_views.decide)
        give_back = self.admin_site.admin_view(admin_views.give_back)
        decide_many = self.admin_site.admin_view(session_views.decide_many)
        note, answers = (self.admin_site.admin_view(view) for view in (session_views.note, session_views.answers))
        own = [
            *identity_urls(self.admin_site),
            path("<uuid:session_id>/decide/", decide, name="exams_examsession_decide"),
            path("<uuid:session_id>/decide-many/", decide_many, name="exams_examsession_decide_many"),
            path("<uuid:session_id>/note/", note, name="exams_examsession_note"),
            path("<uuid:session_id>/answers/", answers, name="exams_examsession_answers"),
            path("<uuid:session_id>/give-back/", give_back, name="exams_examsession_give_back"),
        ]
        return own + wall_urls(self.admin_site) + super().get_urls()

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the session; one that the user may not see does not exist for them."""
        session = self.get_object(request, object_id)
        if session is None or not self.has_view_permission(request, session):
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": str(session.candidate),
            "is_nav_sidebar_enabled": False,
            **self.page_context(request, session),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.page_template, context)

    def page_context(self, request: HttpRequest, session: ExamSession) -> dict[str, Any]:
        """Return what the page shows; apps above add their own."""
        return session_page.session_context(staff_user(request), session, done=request.GET.get(DONE, ""))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> ExamSession | None:
        found = with_kept_times(visible_sessions(staff_user(request))).select_related(*self.page_related)
        found = found.defer("monitor__state", "monitor__memory", "monitor__sound_memory").annotate(**answer_counts())
        try:
            session: ExamSession | None = found.filter(pk=object_id).first()
        except (ValidationError, ValueError):
            return None
        return session


@admin.register(SuspiciousActivity)
class ActivityAdmin(WatchedAdmin):
    """Suspicious activities of the assessments that count."""

    list_display = (
        "what",
        "severity_shown",
        "session_link",
        "started_at",
        "confidence_shown",
        "verdict",
        "explained",
    )
    list_filter = (
        KindFilter,
        "severity",
        ("assessment__risk_level", admin.ChoicesFieldListFilter),
        VerdictFilter,
        "started_at",
    )
    date_hierarchy = "started_at"
    search_fields = ("session__candidate__user__full_name", "session__candidate__user__email", "session__exam__code")
    ordering = ("-started_at",)
    fields = (
        "session_link",
        "kind",
        "severity",
        "confidence",
        "started_at",
        "ended_at",
        "explained",
        "detail",
        "assessment",
    )
    readonly_fields = ("session_link", "explained")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).filter(assessment__is_current=True)
        activities: QuerySet[Any] = rows.annotate(
            verdict=latest_verdict(to=staff_user(request), activity=OuterRef("pk"))
        )
        return activities

    @admin.display(description=_("kind"), ordering="kind")
    def what(self, activity: Any) -> SafeString:
        address = reverse("admin:exams_examsession_change", args=[activity.session_id])
        return format_html('<a href="{}#activity-{}">{}</a>', address, activity.pk, activity.label)

    @admin.display(description=_("severity"), ordering="severity")
    def severity_shown(self, activity: Any) -> SafeString:
        return severity_badge(activity.severity)

    @admin.display(description=_("explanation"))
    def explained(self, activity: Any) -> str:
        return explanation_of(activity)

    @admin.display(description=_("confidence"), ordering="confidence")
    def confidence_shown(self, activity: Any) -> str:
        return f"{activity.confidence:.0%}"

    @admin.display(description=_("verdict"), ordering="verdict")
    def verdict(self, activity: Any) -> str | SafeString:
        return verdict_text(activity.verdict)


@admin.register(Evidence)
class EvidenceAdmin(WatchedAdmin):
    """Kept pictures; this admin is also the only way to them."""

    session_lookup = "activity__session__in"
    list_display = ("picture", "activity_kind", "session_link", "captured_at", "sha256")
    list_select_related = ("activity__session__candidate__user", "activity__session__exam")
    list_filter = ("captured_at",)
    date_hierarchy = "captured_at"
    search_fields = ("sha256", "activity__session__candidate__user__full_name", "activity__session__exam__code")
    list_per_page = 30
    ordering = ("-captured_at",)
    fields = ("picture", "activity_kind", "session_link", "captured_at", "media_type", "sha256", "seq", "numbers")
    readonly_fields = ("picture", "activity_kind", "session_link")

    def get_urls(self) -> list[URLPattern]:
        # Not the admin's never_cache: the view says itself what a browser may keep.
        picture = self.admin_site.admin_view(evidence_picture, cacheable=True)
        own = [path("<uuid:evidence_id>/picture/", picture, name="monitoring_evidence_picture")]
        return own + super().get_urls()

    @admin.display(description=_("picture"))
    def picture(self, evidence: Any) -> SafeString:
        address = reverse("admin:monitoring_evidence_picture", args=[evidence.pk])
        if evidence.media_type in SOUND_TYPES:
            player = '<audio controls preload="none" src="{0}" aria-label="{1}"></audio>'
            return format_html(player, address, evidence.activity.label)
        return format_html(
            '<a href="{0}"><img class="thumb" src="{0}" alt="{1}" loading="lazy"></a>', address, evidence.activity.label
        )

    @admin.display(description=_("kind"), ordering="activity__kind")
    def activity_kind(self, evidence: Any) -> str:
        return str(evidence.activity.label)

    @admin.display(description=_("session"))
    def session_link(self, evidence: Any) -> SafeString:
        return session_link(evidence.activity.session, f"#activity-{evidence.activity_id}")


@admin.register(Observation)
class ObservationAdmin(WatchedAdmin):
    """The facts of single moments."""

    list_display = ("seq", "stream", "captured_at", "usable", "session_link")
    list_filter = ("stream", "usable")
    list_display_links = ("seq",)
    search_fields = ("session__candidate__user__email", "session__exam__code")
    ordering = ("-id",)


@admin.register(MonitoringLog)
class MonitoringLogAdmin(WatchedAdmin):
    """What was reported by browsers, clients, proctors and the server."""

    list_display = ("event", "severity_shown", "source", "occurred_at", "received_at", "session_link")
    list_display_links = ("event",)
    list_filter = ("source", "severity", "occurred_at")
    date_hierarchy = "occurred_at"
    search_fields = ("event_type", "session__candidate__user__email", "session__exam__code")
    ordering = ("-occurred_at", "-id")

    @admin.display(description=_("event"), ordering="event_type")
    def event(self, log: Any) -> str:
        return kind_label(log.event_type)

    @admin.display(description=_("severity"), ordering="severity")
    def severity_shown(self, log: Any) -> SafeString:
        return severity_badge(log.severity)


@admin.register(Assessment)
class AssessmentAdmin(WatchedAdmin):
    """Scores of sessions, under each policy version they were judged by."""

    list_display = (
        "session_link",
        "version",
        "is_current",
        "risk",
        "reviewed_risk",
        "trust_score",
        "computed_at",
    )
    list_display_links = ("version",)
    exclude = ("reviewed_risk_score",)
    readonly_fields = ("reviewed_risk",)
    list_select_related = ("session__candidate__user", "session__exam", "policy")
    list_filter = ("is_current", "risk_level")
    date_hierarchy = "computed_at"
    search_fields = ("session__candidate__user__email", "session__exam__code")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        shown: QuerySet[Any] = super().get_queryset(request).annotate(shown_risk=reviewed_risk("session__", ""))
        return shown

    @admin.display(description=_("risk score without dismissed activities"), ordering="shown_risk")
    def reviewed_risk(self, assessment: Any) -> str:
        return "–" if assessment.shown_risk is None else f"{assessment.shown_risk:g}"

    @admin.display(description=_("policy version"), ordering="policy__version")
    def version(self, assessment: Any) -> str:
        return f"v{assessment.policy.version}"

    @admin.display(description=_("risk"), ordering="risk_score")
    def risk(self, assessment: Any) -> SafeString:
        label = f"{RiskLevel(assessment.risk_level).label} {assessment.risk_score:g}"
        return badge(label, f"level-{assessment.risk_level.lower()}")


@admin.register(ReviewDecision)
class ReviewDecisionAdmin(WatchedAdmin):
    """Verdicts of humans, but for what others decided on sessions under blind review."""

    list_display = ("verdict_shown", "subject", "reason", "reviewer", "decided_at", "session_link")
    list_display_links = ("verdict_shown",)
    list_select_related = ("session__candidate__user", "session__exam", "activity", "reviewer")
    list_filter = ("verdict", "decided_at")
    date_hierarchy = "decided_at"
    search_fields = ("reason", "reviewer__email", "session__candidate__user__email", "session__exam__code")
    ordering = ("-decided_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(pk__in=seen_decisions(staff_user(request)).values("pk"))

    @admin.display(description=_("verdict"), ordering="verdict")
    def verdict_shown(self, decision: Any) -> str | SafeString:
        return verdict_text(decision.verdict)

    @admin.display(description=_("about"))
    def subject(self, decision: Any) -> str:
        return str(decision.activity.label if decision.activity else _("the session"))
