"""What the life-cycle's news sets in motion here."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from accounts.models import FaceEnrolment
from exams.models import ExamSession
from exams.signals import evidence_removed, session_closed
from reports.models import SessionReport
from reports.tasks import request_report


@receiver(session_closed)
def report_closed_session(session: ExamSession, **_kwargs: Any) -> None:
    """Have the report made as soon as the scores are final."""
    request_report(session=session)


@receiver(evidence_removed)
def delete_report(session: ExamSession, **_kwargs: Any) -> None:
    """Let the report go with the pictures that it shows; it can be made again without them."""
    for report in SessionReport.objects.select_for_update().filter(session=session):
        report.delete()


@receiver(post_delete, sender=FaceEnrolment)
def delete_reports_of_face(instance: FaceEnrolment, **_kwargs: Any) -> None:
    """Let the reports that may show a face go with it; the sweep has them made again without it."""
    reports = SessionReport.objects.select_for_update().filter(session__candidate__user=instance.user_id)
    if instance.picture is None:
        # They may still show a face that was enrolled before this one.
        reports = reports.filter(generated_at__lt=instance.enrolled_at)
    for report in reports:
        report.delete()


@receiver(post_delete, sender=SessionReport)
def delete_pdf(instance: SessionReport, **_kwargs: Any) -> None:
    """Let the file go with its row, once that is certain: it shows pictures of a person."""
    storage, name = instance.file.storage, instance.file.name
    if name:
        transaction.on_commit(lambda: storage.delete(name))
