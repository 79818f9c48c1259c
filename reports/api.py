"""Reports over the interface: having one made, and getting it as a PDF or as data."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Refused
from accounts.openapi import describe
from exams.models import ExamSession
from monitoring.api.files import FileOrError
from monitoring.api.session_calls import StaffSessionCall
from monitoring.picture_access import note_look
from monitoring.picture_models import PictureAccess
from monitoring.selectors import is_blind
from reports.context import build_context
from reports.document import DOCUMENT_EXAMPLE, ReportDocumentSerializer, document_of
from reports.exports import record_report
from reports.models import SessionReport
from reports.services import RELATED, is_outdated
from reports.tasks import request_report

SESSION = "5b0e7a7c-0f53-4a55-9d0a-6f4b1f7a2c11"
STATUS_EXAMPLE: dict[str, Any] = {
    "session": SESSION,
    "status": "ready",
    "status_label": "ready",
    "requested_at": "2026-03-02T10:02:12Z",
    "requested_by": None,
    "generated_at": "2026-03-02T10:02:15Z",
    "content_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "outdated": False,
    "error": "",
    "url": f"/api/v1/sessions/{SESSION}/report",
    "pdf_url": f"/api/v1/sessions/{SESSION}/report.pdf",
    "json_url": f"/api/v1/sessions/{SESSION}/report.json",
}
PENDING_EXAMPLE = {
    **STATUS_EXAMPLE,
    "status": "pending",
    "status_label": "being made",
    "requested_by": "Rahima Begum",
    "generated_at": None,
    "content_sha256": "",
    "pdf_url": None,
}


class ReportStatusSerializer(serializers.ModelSerializer):
    """Where the report of a session stands, and where it is."""

    status_label = serializers.CharField(source="get_status_display", read_only=True, help_text="The status in words.")
    requested_by = serializers.CharField(
        read_only=True, allow_null=True, help_text="Null: it is made whenever a session closes."
    )
    content_sha256 = serializers.CharField(
        read_only=True, help_text="Of what the newest PDF says, without the time it was made; empty before the first."
    )
    outdated = serializers.SerializerMethodField(help_text="Whether the session was judged again after it was made.")
    error = serializers.CharField(read_only=True, help_text="Why it could not be made.")
    url = serializers.SerializerMethodField(help_text="Here.")
    pdf_url = serializers.SerializerMethodField(help_text="Null until the PDF is ready.")
    json_url = serializers.SerializerMethodField(help_text="What the session has to say at the moment, as data.")

    class Meta:
        model = SessionReport
        fields = tuple(STATUS_EXAMPLE)
        read_only_fields = fields

    def get_outdated(self, report: SessionReport) -> bool:
        """Say whether it is worth making it again."""
        return is_outdated(report)

    def get_url(self, report: SessionReport) -> str:
        """Return the address of this status."""
        return reverse("session-report", args=[report.session_id])

    def get_pdf_url(self, report: SessionReport) -> str | None:
        """Return the address of the PDF, if there is one."""
        ready = report.status == SessionReport.Status.READY
        return reverse("session-report-pdf", args=[report.session_id]) if ready else None

    def get_json_url(self, report: SessionReport) -> str:
        """Return the address of the data."""
        return reverse("session-report-json", args=[report.session_id])


class ReportCall(StaffSessionCall):
    """A call about the report of one session."""

    serializer_class: Any = ReportStatusSerializer

    def find_report(self, session: ExamSession) -> SessionReport:
        """Return the session's report, or answer that it was never asked for."""
        report = SessionReport.objects.select_related("requested_by").filter(session=session.pk).first()
        if report is None:
            raise NotFound(_("No report of this session was asked for yet."), code="no_report")
        return report

    def find_open_to_all(self) -> ExamSession:
        """Return the session unless it is under blind review: its report says what was decided."""
        session = self.find_as_staff()
        if is_blind(session):
            raise Refused(
                _("Somebody looks at this session who is not to know what was decided; its report opens afterwards."),
                code="blind_review",
            )
        return session

    def find_ended(self) -> ExamSession:
        """Return the session if it has ended: before that there is nothing to report."""
        session = self.find_as_staff()
        if session.is_open:
            raise Refused(_("This session is still open; its report is made when it has ended."), code="wrong_state")
        return session


class SessionReportCall(ReportCall):
    """The report of one session."""

    @describe(
        "Have the report made",
        tag="reports",
        answer=ReportStatusSerializer,
        gets=PENDING_EXAMPLE,
        status=202,
        says="A worker makes it from the session as it is now; look at `url` until the status is ready or failed. "
        "Asking again while it is being made changes nothing. The PDF before it stays until the new one is there. "
        "Refused (409, wrong_state) while the session is open.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Ask for the report."""
        session = self.find_ended()
        request_report(session=session, requested_by=self.user, unless_pending=True)
        return Response(ReportStatusSerializer(self.find_report(session)).data, status=202)

    @describe("Look how the report stands", tag="reports", answer=ReportStatusSerializer, gets=STATUS_EXAMPLE)
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the status."""
        return Response(ReportStatusSerializer(self.find_report(self.find_as_staff())).data)


class PdfRenderer(BaseRenderer):
    """Says that PDFs are answered; the file itself is sent as it lies in the storage."""

    media_type, format, charset, render_style = "application/pdf", "pdf", None, "binary"


class SessionReportPdf(ReportCall):
    """The PDF of one session."""

    content_negotiation_class = FileOrError

    @extend_schema(responses={(200, PdfRenderer.media_type): OpenApiTypes.BINARY})
    @describe(
        "Get the report as a PDF",
        tag="reports",
        says="409 (not_ready) while it is being made or (blind_review) while somebody looks at the session who is not "
        "to know what was decided, 404 if it was never asked for or could not be made. The ETag is "
        "the SHA-256 of what it says.",
    )
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        """Return the file."""
        session = self.find_open_to_all()
        report = self.find_report(session)
        if report.status == SessionReport.Status.PENDING:
            raise Refused(_("The report is being made; ask again in a moment."), code="not_ready")
        if report.status == SessionReport.Status.FAILED:
            raise NotFound(_("The report could not be made; ask for it again."), code="report_failed")
        etag = f'"{report.content_sha256}"'
        response = get_conditional_response(cast("HttpRequest", request), etag=etag) or _file_of(report)
        response["Cache-Control"], response["ETag"] = "private, no-store", etag
        api = PictureAccess.Way.API
        note_look(request, session, what=PictureAccess.What.REPORT, way=api, sha256=report.content_sha256)
        if response.status_code == 200:  # who has it already takes nothing away
            record_report(request, session, form="pdf")
        return response


def _file_of(report: SessionReport) -> FileResponse:
    try:
        file = report.file.open("rb")
    except FileNotFoundError as error:
        raise NotFound(_("The file is no longer there; ask for the report again."), code="file_missing") from error
    name = str(report.file.name).rpartition("/")[2]
    headers = {"X-Content-Type-Options": "nosniff"}
    return FileResponse(file, as_attachment=True, filename=name, content_type=PdfRenderer.media_type, headers=headers)


class SessionReportJson(ReportCall):
    """What the report of one session says, as data."""

    serializer_class = ReportDocumentSerializer

    @describe(
        "Get what the report says as data",
        tag="reports",
        answer=ReportDocumentSerializer,
        gets=DOCUMENT_EXAMPLE,
        says="The facts of the PDF, from the session as it is now and in the reader's language; no PDF need have been "
        "made. Pictures are named by their SHA-256. Refused (409, wrong_state) while the session is open, and (409, "
        "blind_review) while somebody looks at it who is not to know what was decided.",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the data."""
        self.find_open_to_all()
        session = ExamSession.objects.select_related(*RELATED).get(pk=self.find_ended().pk)
        headers = {"Cache-Control": "private, no-store"}
        language = get_language() or settings.LANGUAGE_CODE
        context = build_context(session, language=language, pictures=False)
        record_report(request, session, form="json")
        return Response(document_of(context, language=language, generated_at=timezone.now()), headers=headers)
