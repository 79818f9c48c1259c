"""What is kept of a face at the beginning of a session; imported by ``exams.models``, which Django reads."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class StartPicture(models.Model):
    """What the candidate looked like at the system check: a small picture of the head, encrypted."""

    session = models.OneToOneField(
        "exams.ExamSession",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="start_picture",
        verbose_name=_("session"),
    )
    picture = models.BinaryField(_("picture, encrypted"))
    taken_at = models.DateTimeField(_("taken"), default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("picture of the system check")
        verbose_name_plural = _("pictures of the system check")

    def __str__(self) -> str:
        return str(self.session)
