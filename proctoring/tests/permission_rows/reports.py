"""Who may have a session's report made, and read it."""

from __future__ import annotations

from django.core.files.base import ContentFile
from django.utils import timezone

from proctoring.tests.permission_rows.row import Cell, Row
from reports.models import SessionReport

STAFF_OWN, STAFF_OTHERS = "401 403 403 200 404 200 200", "401 403 403 404 200 404 200"


def report_is_there(cell: Cell) -> bool:
    """Keep some PDF as the report of the place's ended session."""
    file = ContentFile(b"%PDF-1.7\n%%EOF\n", name="report.pdf")
    ready = SessionReport.Status.READY
    SessionReport.objects.create(
        session=cell.place.ended, status=ready, file=file, generated_at=timezone.now(), content_sha256="0" * 64
    )
    return True


def asked_for(cell: Cell) -> bool:
    """The report of the place's ended session, and no other, is to be made for whoever calls."""
    reports = SessionReport.objects.values_list("session", "status", "requested_by")
    return list(reports) == [(cell.place.ended.pk, "pending", cell.caller)]


ROWS = [
    Row(
        "POST /api/v1/sessions/{id}/report",
        "401 403 403 202 404 202 202",
        "401 403 403 404 202 404 202",
        at={"id": "ended"},
        holds=asked_for,
    ),
    Row("GET /api/v1/sessions/{id}/report", STAFF_OWN, STAFF_OTHERS, at={"id": "ended"}, given=report_is_there),
    Row("GET /api/v1/sessions/{id}/report.pdf", STAFF_OWN, STAFF_OTHERS, at={"id": "ended"}, given=report_is_there),
    Row("GET /api/v1/sessions/{id}/report.json", STAFF_OWN, STAFF_OTHERS, at={"id": "ended"}),
]
