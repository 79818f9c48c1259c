"""Who looked at whose picture; imported by ``monitoring.models``, which Django reads."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AppendOnly
from exams.models import ExamSession

WHAT = ["picture", "sound", "report", "identity", "live"]


class PictureAccess(AppendOnly):
    """That somebody was shown the picture or sound of a person, or a report that holds them; append-only.

    It outlives what was looked at: evidence is named by its id and SHA-256, not by a foreign key, and when a session is
    erased or an account goes, the row stays.
    """

    class What(models.TextChoices):
        """What was shown."""

        PICTURE = "picture", _("picture")
        SOUND = "sound", _("sound")
        REPORT = "report", _("PDF report")
        IDENTITY = "identity", _("identity picture")
        LIVE = "live", _("live picture")

    class Way(models.TextChoices):
        """Through which address."""

        CONSOLE = "console", _("console")
        API = "api", _("interface for programs")

    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("who")
    )
    subject = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("whose")
    )
    session = models.ForeignKey(
        ExamSession, on_delete=models.SET_NULL, null=True, related_name="picture_accesses", verbose_name=_("session")
    )
    what = models.CharField(_("what"), max_length=8, choices=What.choices)
    way = models.CharField(_("way"), max_length=8, choices=Way.choices)
    evidence_id = models.UUIDField(_("evidence"), null=True, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    ip_address = models.GenericIPAddressField(_("address"), null=True, blank=True)

    class Meta:
        verbose_name = _("picture access")
        verbose_name_plural = _("picture access log")
        ordering = ("-at", "-id")
        constraints = (
            models.CheckConstraint(condition=Q(what__in=WHAT), name="access_what_known"),
            models.CheckConstraint(condition=Q(way__in=["console", "api"]), name="access_way_known"),
        )
        indexes = (models.Index(fields=["user", "at"], name="access_of_user"),)

    def __str__(self) -> str:
        return f"{self.user} · {self.get_what_display()} · {self.at:%Y-%m-%d %H:%M}"
