"""Results of sessions as rows of a file, for teachers and their exams."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from import_export.admin import ExportMixin
from import_export.fields import Field
from import_export.resources import ModelResource

from accounts.csv_files import SafeCSV
from accounts.exports import RecordedExport
from accounts.models import Role
from exams.models import CodeSubmission, ExamSession
from exams.selectors import managed_exams
from monitoring.admin_views import staff_user
from monitoring.selectors import reviewed_risk

COLUMNS = (
    "exam",
    "email",
    "full_name",
    "external_id",
    "session",
    "status",
    "source",
    "started_at",
    "ended_at",
    "minutes",
    "risk_score",
    "risk_level",
    "reviewed_risk_score",
    "trust_score",
    "compliance_score",
    "outcome",
    "answers",
)


class ResultRows(ModelResource):
    """One row per session: who, when, what the machine says of it, and what people decided."""

    exam = Field(attribute="exam__code", column_name="exam")
    email = Field(attribute="candidate__user__email", column_name="email")
    full_name = Field(attribute="candidate__user__full_name", column_name="full_name")
    external_id = Field(attribute="candidate__external_id", column_name="external_id")
    session = Field(attribute="pk", column_name="session")
    started_at = Field(column_name="started_at")
    ended_at = Field(column_name="ended_at")
    minutes = Field(column_name="minutes")
    risk_score = Field(attribute="risk_score", column_name="risk_score")
    risk_level = Field(attribute="risk_level", column_name="risk_level")
    reviewed_risk_score = Field(attribute="reviewed_risk_score", column_name="reviewed_risk_score")
    trust_score = Field(attribute="trust_score", column_name="trust_score")
    compliance_score = Field(attribute="compliance_score", column_name="compliance_score")
    outcome = Field(attribute="verdict", column_name="outcome")
    answers = Field(attribute="answers", column_name="answers")

    class Meta:
        model = ExamSession
        fields = COLUMNS
        export_order = COLUMNS

    def dehydrate_started_at(self, session: ExamSession) -> str:
        """Return the time as ISO 8601."""
        return "" if session.started_at is None else session.started_at.isoformat(timespec="seconds")

    def dehydrate_ended_at(self, session: ExamSession) -> str:
        """Return the time as ISO 8601."""
        return "" if session.ended_at is None else session.ended_at.isoformat(timespec="seconds")

    def dehydrate_minutes(self, session: ExamSession) -> float:
        """Return the time on the clock."""
        return round(session.duration.total_seconds() / 60, 1)


class ResultsExport(RecordedExport, ExportMixin):
    """Adds the way out to the list of sessions: as the list is filtered, the user's own exams only."""

    resource_classes = (ResultRows,)
    formats = [SafeCSV]
    skip_export_form = True
    exported = "results"

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Teachers and admins, each for their exams."""
        user = staff_user(request)
        return bool(user.roles & {Role.TEACHER, Role.ADMIN}) and user.has_perm("exams.change_exam")

    def get_export_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the sessions with what their rows need besides the list's columns."""
        rows: QuerySet[Any] = super().get_export_queryset(request)
        final = CodeSubmission.objects.filter(session=OuterRef("pk"), is_final=True).order_by()
        answers = final.values("session").annotate(n=Count("problem", distinct=True)).values("n")
        own: QuerySet[Any] = rows.filter(exam__in=managed_exams(staff_user(request)).order_by().values("pk"))
        told: QuerySet[Any] = own.annotate(
            reviewed_risk_score=reviewed_risk("", "current__"),
            answers=Coalesce(Subquery(answers, output_field=IntegerField()), 0),
        )
        return told

    def get_export_filename(self, request: HttpRequest, queryset: QuerySet[Any], file_format: Any) -> str:
        """Call the file by what is in it."""
        name: str = super().get_export_filename(request, queryset, file_format)
        return name.replace("ExamSession", "results")
