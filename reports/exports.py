"""Writing down who took the report of a session away."""

from __future__ import annotations

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.exports import record_export
from exams.models import ExamSession


def record_report(request: HttpRequest | Request, session: ExamSession, *, form: str) -> None:
    """Have the audit log say that the caller was given the report of this session."""
    told = {"session": str(session.pk), "exam": session.exam.code}
    record_export(request, what="session_report", form=form, rows=1, subject=session.candidate.user, **told)
