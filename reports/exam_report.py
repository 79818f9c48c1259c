"""The report of a whole exam, as PDF and as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation

from accounts.csv_files import as_text
from exams.models import Exam
from monitoring import summary
from reports.exam_context import ExamContext, Line, build_exam_context
from reports.pdf import as_pdf

TEMPLATE = "reports/exam.html"
COLUMNS: dict[str, Callable[[Line], Any]] = {
    "candidate": lambda line: line.candidate,
    "email": lambda line: line.email,
    "external_id": lambda line: line.external_id,
    "session": lambda line: line.session,
    "status": lambda line: line.status,
    "started_at": lambda line: line.started_at,
    "ended_at": lambda line: line.ended_at,
    "duration_s": lambda line: None if line.duration_s is None else round(line.duration_s),
    "risk_score": lambda line: line.risk_score,
    "risk_level": lambda line: line.risk_level,
    "reviewed_risk_score": lambda line: line.reviewed_risk_score,
    "trust_score": lambda line: line.trust_score,
    "compliance_score": lambda line: line.compliance_score,
    "faces_coverage": lambda line: line.faces_coverage,
    "activities": lambda line: line.activities if line.session else None,
    "outcome": lambda line: line.outcome,
    "reason": lambda line: line.reason,
    "reviewer": lambda line: line.reviewer,
    "decided_at": lambda line: line.decided_at,
}


def exam_file(exam: Exam, form: str, *, language: str = "") -> tuple[bytes, int]:
    """Return the report, ``form`` being pdf or csv, and of how many sessions and absent candidates it tells.

    The PDF is in the site's language unless another is named, the table always in the site's, and with the mark by
    which spreadsheets take it for UTF-8.
    """
    asked = language if form == "pdf" else ""
    with translation.override(asked or settings.LANGUAGE_CODE), timezone.override(None):
        context = build_exam_context(exam)
        if form == "csv":
            return exam_csv(context).encode("utf-8-sig"), len(context.lines)
        return as_pdf(exam_html(context), pictures={}), len(context.printed)


def exam_html(context: ExamContext) -> str:
    """Return the report as HTML, in the active language."""
    return render_to_string(TEMPLATE, {"report": context, "machine_points": summary.MACHINE_POINTS})


def exam_csv(context: ExamContext) -> str:
    """Return one row for each session and each candidate who did not come; times in ISO 8601, UTC.

    Text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    target = io.StringIO(newline="")
    table = csv.writer(target)
    table.writerow(COLUMNS)
    for line in context.lines:
        table.writerow([_cell(column(line)) for column in COLUMNS.values()])
    return target.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return as_text(value)
