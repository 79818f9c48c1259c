"""The PDF of a session and what it was made from."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exams.models import ExamSession


def report_path(report: "SessionReport", filename: str) -> str:
    """Keep reports by session."""
    return f"reports/{report.session_id}/{filename}"


class SessionReport(models.Model):
    """The newest PDF of a session; ``content_sha256`` names what it says, without the time it was made."""

    class Status(models.TextChoices):
        PENDING = "pending", _("being made")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.OneToOneField(
        ExamSession, on_delete=models.CASCADE, related_name="report", verbose_name=_("session")
    )
    status = models.CharField(_("status"), max_length=7, choices=Status.choices, default=Status.PENDING)
    file = models.FileField(_("file"), upload_to=report_path, blank=True)
    content_sha256 = models.CharField(_("SHA-256 of the content"), max_length=64, blank=True)
    error = models.CharField(_("error"), max_length=500, blank=True)
    generated_at = models.DateTimeField(_("generated"), null=True, blank=True)
    requested_at = models.DateTimeField(_("requested"), default=timezone.now)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("requested by")
    )

    class Meta:
        verbose_name = _("session report")
        verbose_name_plural = _("session reports")
        ordering = ("-requested_at",)
        constraints = (
            models.CheckConstraint(condition=Q(status__in=["pending", "ready", "failed"]), name="report_status_known"),
            models.CheckConstraint(
                condition=~Q(status="ready") | (~Q(file="") & Q(generated_at__isnull=False)),
                name="report_ready_has_file",
            ),
        )

    def __str__(self) -> str:
        return f"{self.session} · {self.get_status_display()}"
