"""Where the review of a session stands: whose turn it is, who has taken it, and the candidate's appeal."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exams.models import ExamSession

APPEAL_LENGTH = 5000


class ReviewCase(models.Model):
    """One row per session that anybody took or decided on: whose turn it is, and who reads it right now."""

    class Stage(models.TextChoices):
        FIRST = "first", _("first review")
        SECOND = "second", _("second review")
        DISAGREEMENT = "disagreement", _("disagreement")
        DECIDED = "decided", _("decided")
        APPEAL = "appeal", _("appeal")

    class Leaning(models.TextChoices):
        """What somebody who hands a session on would have decided."""

        CLEAR = "clear", _("clear")
        CONCERN = "concern", _("concern")
        VIOLATION = "violation", _("violation")

    BLIND = (Stage.SECOND, Stage.APPEAL)
    """Stages in which nobody is shown what others decided."""

    session = models.OneToOneField(
        ExamSession, on_delete=models.CASCADE, primary_key=True, related_name="review", verbose_name=_("session")
    )
    stage = models.CharField(_("stage"), max_length=12, choices=Stage.choices, default=Stage.FIRST)
    stage_since = models.DateTimeField(_("since"), default=timezone.now)
    settled = models.BooleanField(
        _("settled"), default=False, help_text=_("By an admin or on appeal: only an admin changes the outcome.")
    )
    leaning = models.CharField(
        _("leaning"), max_length=9, choices=Leaning.choices, blank=True, help_text=_("Of whoever handed it on.")
    )
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="held_reviews",
        verbose_name=_("taken by"),
    )
    held_until = models.DateTimeField(_("taken until"), null=True, blank=True)

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("review queue")
        constraints = (
            models.CheckConstraint(
                condition=Q(stage__in=["first", "second", "disagreement", "decided", "appeal"]),
                name="review_stage_known",
            ),
            models.CheckConstraint(
                condition=Q(leaning__in=["", "clear", "concern", "violation"]), name="review_leaning_known"
            ),
            models.CheckConstraint(
                condition=Q(holder__isnull=True) | Q(held_until__isnull=False), name="review_claim_has_an_end"
            ),
        )
        indexes = (models.Index(fields=["stage", "stage_since"], name="review_by_stage"),)

    def __str__(self) -> str:
        return f"{self.session} · {self.get_stage_display()}"

    @property
    def is_blind(self) -> bool:
        """Whether nobody is shown what others decided."""
        return self.stage in self.BLIND

    @property
    def is_last(self) -> bool:
        """Whether it cannot be handed on any further."""
        return self.stage in (self.Stage.DISAGREEMENT, self.Stage.APPEAL)

    def is_held(self, *, now: datetime | None = None) -> bool:
        """Say whether somebody has taken it and their time is not over."""
        return self.holder_id is not None and self.held_until is not None and self.held_until > (now or timezone.now())


class Appeal(models.Model):
    """What a candidate says against the outcome of their session; one for each session."""

    class State(models.TextChoices):
        OPEN = "open", _("not decided yet")
        UPHELD = "upheld", _("the outcome stays")
        CHANGED = "changed", _("the outcome was changed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.OneToOneField(
        ExamSession, on_delete=models.CASCADE, related_name="appeal", verbose_name=_("session")
    )
    text = models.TextField(_("text"), max_length=APPEAL_LENGTH)
    sent_at = models.DateTimeField(_("sent"), default=timezone.now)
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.OPEN)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    against = models.ForeignKey(
        "monitoring.ReviewDecision", on_delete=models.CASCADE, related_name="+", verbose_name=_("outcome appealed")
    )

    class Meta:
        verbose_name = _("appeal")
        verbose_name_plural = _("appeals")
        ordering = ("sent_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(state="open", decided_at__isnull=True)
                | Q(state__in=["upheld", "changed"], decided_at__isnull=False),
                name="appeal_decided_has_a_time",
            ),
            models.CheckConstraint(condition=~Q(text=""), name="appeal_has_a_text"),
        )

    def __str__(self) -> str:
        return f"{self.session} · {self.get_state_display()}"
