"""The row of a silence; other modules have it from ``monitoring.models``."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from exams.kinds import Kind
from exams.models import ExamSession


class Silence(models.Model):
    """A span ``[started_at, ended_at)`` in which a running session sent no pictures, or nothing at all."""

    KINDS = (Kind.CAMERA_SILENT, Kind.NETWORK_GAP)

    session = models.ForeignKey(
        ExamSession, on_delete=models.CASCADE, related_name="silences", verbose_name=_("session")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=[(kind.value, kind.label) for kind in KINDS])
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    given_back_at = models.DateTimeField(_("time given back"), null=True, blank=True)

    class Meta:
        verbose_name = _("silence")
        verbose_name_plural = _("silences")
        ordering = ("started_at", "kind")
        constraints = (
            models.CheckConstraint(condition=Q(ended_at__gt=F("started_at")), name="silence_is_a_span"),
            models.CheckConstraint(condition=Q(kind__in=["CAMERA_SILENT", "NETWORK_GAP"]), name="silence_kind_known"),
            models.UniqueConstraint(
                fields=["session", "kind"], condition=Q(ended_at__isnull=True), name="silence_one_open_per_kind"
            ),
            models.UniqueConstraint(fields=["session", "kind", "started_at"], name="silence_once"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.started_at:%H:%M:%S}"
