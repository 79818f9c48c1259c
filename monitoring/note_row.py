"""The row of a reviewer's note; other modules have it from ``monitoring.models``."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AppendOnly
from exams.models import ExamSession

NOTE_LENGTH = 1000


class ReviewerNote(AppendOnly):
    """What a reviewer wrote at a moment of a session, on one activity or on none: it decides nothing and stays."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(ExamSession, on_delete=models.CASCADE, related_name="notes", verbose_name=_("session"))
    activity = models.ForeignKey(
        "monitoring.SuspiciousActivity",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="notes",
        verbose_name=_("activity"),
    )
    at_s = models.FloatField(_("seconds into the session"))
    text = models.CharField(_("text"), max_length=NOTE_LENGTH)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, verbose_name=_("author"))
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("reviewer's note")
        verbose_name_plural = _("reviewers' notes")
        ordering = ("at_s", "created_at")
        constraints = (
            models.CheckConstraint(condition=~Q(text=""), name="note_has_a_text"),
            models.CheckConstraint(condition=Q(at_s__gte=0), name="note_not_before_the_start"),
        )
        indexes = (models.Index(fields=["session", "at_s"], name="note_by_time"),)

    def __str__(self) -> str:
        return self.text
