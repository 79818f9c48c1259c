"""Making the report of a session and keeping the newest one."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from exams.models import ExamSession
from monitoring.models import Assessment, ReviewDecision
from monitoring.summary import Decision
from reports import pdf
from reports.context import ReportContext, build_context
from reports.models import SessionReport

logger = logging.getLogger(__name__)

FILE = SessionReport._meta.get_field("file")
OVERDUE = timedelta(minutes=1)
AT_ONCE = 100
RELATED = ("exam", "candidate__user", "policy", "monitor")


def render_pdf(session: ExamSession, *, language: str = "") -> bytes:
    """Return the report as it would be now, without keeping it; in the site's language unless another is named."""
    return pdf.render(build_context(session, language=language), generated_at=timezone.now(), language=language)


def mark_requested(*, session: ExamSession, requested_by: User | None = None) -> SessionReport:
    """Write down that a report was asked for; until it is there, the one before it stays."""
    return _mark(session.pk, status=SessionReport.Status.PENDING, requested_by=requested_by)


def pending_report(session: ExamSession) -> SessionReport | None:
    """Return the row of a report that is being made, locked; None where none is, or the message about it was lost."""
    recent = SessionReport.objects.filter(session=session, status=SessionReport.Status.PENDING)
    return recent.filter(requested_at__gt=timezone.now() - OVERDUE).select_for_update().first()


def is_outdated(report: SessionReport) -> bool:
    """Say whether the session was judged again, by the machine or by a human, after its report was made."""
    made_at = report.generated_at
    if made_at is None:
        return False
    judged = Assessment.objects.filter(session=report.session_id, is_current=True, computed_at__gt=made_at)
    decided = ReviewDecision.objects.filter(session=report.session_id, activity__isnull=True, decided_at__gt=made_at)
    return judged.exists() or decided.exists()


def is_older(report: SessionReport, judged: Assessment | None, decided: Iterable[Decision]) -> bool:
    """Say what ``is_outdated`` says, from the current assessment and the decisions on the session as they were read."""
    made_at = report.generated_at
    if made_at is None:
        return False
    was_judged = judged is not None and judged.computed_at > made_at
    return was_judged or any(decision.decided_at > made_at for decision in decided)


def sessions_without_report() -> list[uuid.UUID]:
    """Return closed sessions whose report was never asked for, or was and did not come for a while."""
    long_ago = timezone.now() - OVERDUE
    closed = ExamSession.objects.filter(monitor__finished_at__lt=long_ago)
    never, overdue = Q(report__isnull=True), Q(report__status="pending", report__requested_at__lt=long_ago)
    return list(closed.filter(never | overdue).values_list("pk", flat=True)[:AT_ONCE])


def make_report(*, session: ExamSession, requested_by: User | None = None, language: str = "") -> SessionReport:
    """Make the report and keep it in place of the one before; a failure is written down and the old file stays.

    It is in the site's language unless another is named. Where its row goes meanwhile, a face or pictures went that it
    may show, and it is made anew.
    """
    report = None
    while report is None:
        report = _make(session.pk, requested_by, language)
    return report


def _make(session_id: uuid.UUID, requested_by: User | None, language: str) -> SessionReport | None:
    session = ExamSession.objects.select_related(*RELATED).get(pk=session_id)
    row = SessionReport.objects.get_or_create(session=session)[0]
    made_at = timezone.now()
    try:
        context = build_context(session, language=language)
        content = pdf.render(context, generated_at=made_at, language=language)
        new_name = _store(session, context, content, made_at)
    except Exception as error:
        logger.exception("report of session %s failed", session.pk)
        reason = f"{type(error).__name__}: {error}"[:500]
        return _mark(session.pk, status=SessionReport.Status.FAILED, error=reason, requested_by=requested_by)
    report = None
    try:
        report = _replace(row.pk, new_name, context.content_sha256(), made_at, requested_by)
    finally:
        if report is None:
            FILE.storage.delete(new_name)
    return report


def _store(session: ExamSession, context: ReportContext, content: bytes, made_at: datetime) -> str:
    """Put the file beside the one before and return its name."""
    name = f"{context.exam_code}-{made_at:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}.pdf"
    return FILE.storage.save(FILE.generate_filename(SessionReport(session=session), name), ContentFile(content))


@transaction.atomic
def _replace(
    row_id: uuid.UUID, new_name: str, content_sha256: str, made_at: datetime, requested_by: User | None
) -> SessionReport | None:
    """Point the row to the new file and delete the old one when that is certain; None where the row is gone."""
    report = SessionReport.objects.select_for_update().filter(pk=row_id).first()
    if report is None:
        return None
    old_name, storage = report.file.name, report.file.storage
    report.file.name, report.content_sha256, report.generated_at = new_name, content_sha256, made_at
    report.status, report.error = SessionReport.Status.READY, ""
    report.requested_by = requested_by or report.requested_by
    report.save()
    if old_name and old_name != new_name:
        transaction.on_commit(lambda: storage.delete(old_name))
    return report


@transaction.atomic
def _mark(session_id: uuid.UUID, *, status: str, error: str = "", requested_by: User | None = None) -> SessionReport:
    SessionReport.objects.get_or_create(session_id=session_id)
    report = SessionReport.objects.select_for_update().get(session_id=session_id)
    report.status, report.error, report.requested_at = status, error, timezone.now()
    report.requested_by = requested_by or report.requested_by
    report.save()
    return report
