"""Exams, who may sit them, the rules they run under, and one candidate's one sitting."""

from __future__ import annotations

import uuid
from datetime import timedelta
from functools import cached_property, lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AppendOnly, Candidate
from exams import picture_models
from exams.kinds import CandidateSees, Kind
from exams.policy import MUTED_GROUPS, Policy, PolicyError, parse_policy, read_policy
from vision.types import Sense

# Of this app, in a file of its own.
StartPicture = picture_models.StartPicture


class Exam(models.Model):
    """Something that is sat; ``code`` is its short public name."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.SlugField(_("code"), max_length=50, unique=True)
    title = models.CharField(_("title"), max_length=200)
    instructions = models.TextField(_("instructions"), blank=True)
    opens_at = models.DateTimeField(_("opens"), null=True, blank=True)
    closes_at = models.DateTimeField(_("closes"), null=True, blank=True)
    duration_minutes = models.PositiveSmallIntegerField(
        _("duration in minutes"), default=60, validators=[MinValueValidator(1), MaxValueValidator(24 * 60)]
    )
    requires_check = models.BooleanField(_("begins with a system check"), default=True)
    open_to_all = models.BooleanField(_("open to every candidate"), default=False)
    max_attempts = models.PositiveSmallIntegerField(
        _("sittings allowed"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("Empty: as many as the candidate likes, one at a time."),
    )
    mail_when_high = models.BooleanField(
        _("e-mail when a session turns High"),
        default=False,
        help_text=_("To the teacher and the reviewers, once per session, without a picture."),
    )
    candidate_sees = models.CharField(
        _("candidates see"), max_length=10, choices=CandidateSees.choices, default=CandidateSees.SCORES
    )
    appeal_days = models.PositiveSmallIntegerField(
        _("days to appeal"),
        default=7,
        validators=[MaxValueValidator(365)],
        help_text=_("How long after a decision its candidate may appeal; 0: not at all."),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_exams", verbose_name=_("teacher")
    )
    reviewers = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="reviewed_exams", blank=True, verbose_name=_("reviewers")
    )
    candidates = models.ManyToManyField(
        Candidate, through="ExamAssignment", related_name="exams", verbose_name=_("candidates")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("exam")
        verbose_name_plural = _("exams")
        ordering = ("code",)
        constraints = (
            models.CheckConstraint(condition=Q(closes_at__gt=F("opens_at")), name="exam_closes_after_it_opens"),
            models.CheckConstraint(condition=Q(duration_minutes__range=(1, 24 * 60)), name="exam_duration_sensible"),
            models.CheckConstraint(
                condition=Q(max_attempts__isnull=True) | Q(max_attempts__gte=1), name="exam_attempts_from_one"
            ),
            models.CheckConstraint(condition=Q(candidate_sees__in=CandidateSees.values), name="exam_sees_known"),
        )

    def __str__(self) -> str:
        return f"{self.code} · {self.title}"

    def clean(self) -> None:
        """Refuse a window that is none."""
        if self.opens_at is not None and self.closes_at is not None and self.closes_at <= self.opens_at:
            raise ValidationError({"closes_at": _("An exam closes after it opens.")})

    @property
    def current_policy(self) -> ProctoringPolicy | None:
        """The newest version of the exam's rules."""
        return self.policies.order_by("-version").first()


def check_muted(names: Any) -> None:
    """Refuse what is not a list of senses and kinds that may be muted."""
    allowed = {*map(str, Sense), *map(str, Kind), *MUTED_GROUPS}
    if not isinstance(names, list) or not all(isinstance(name, str) and name in allowed for name in names):
        raise ValidationError(
            _("Muted must be a list of senses or kinds, such as %(example)s."), params={"example": '["gaze"]'}
        )


class ExamAssignment(models.Model):
    """That a candidate may sit an exam, and what is arranged for them."""

    exam = models.ForeignKey(Exam, on_delete=models.CASCADE, related_name="assignments", verbose_name=_("exam"))
    candidate = models.ForeignKey(
        Candidate, on_delete=models.CASCADE, related_name="assignments", verbose_name=_("candidate")
    )
    extra_minutes = models.PositiveSmallIntegerField(
        _("extra minutes"), default=0, validators=[MaxValueValidator(24 * 60)]
    )
    time_factor = models.FloatField(
        _("time factor"),
        default=1.0,
        validators=[MinValueValidator(1.0), MaxValueValidator(5.0)],
        help_text=_("1.5 gives half as much time again."),
    )
    break_minutes = models.PositiveSmallIntegerField(
        _("minutes of breaks"),
        default=0,
        validators=[MaxValueValidator(24 * 60)],
        help_text=_("During a break the clock stops; the candidate may take as many as fit into these minutes."),
    )
    muted = models.JSONField(
        _("muted detectors"),
        default=list,
        blank=True,
        validators=[check_muted],
        help_text=_('Senses or kinds that are not examined for this candidate, such as ["gaze"].'),
    )

    class Meta:
        verbose_name = _("assigned candidate")
        verbose_name_plural = _("assigned candidates")
        ordering = ("exam", "candidate__user__email")
        constraints = (
            models.UniqueConstraint(fields=["exam", "candidate"], name="assignment_once"),
            models.CheckConstraint(condition=Q(time_factor__range=(1, 5)), name="assignment_factor_sensible"),
        )

    def __str__(self) -> str:
        return f"{self.candidate} · {self.exam.code}"


class Problem(models.Model):
    """One task of an exam."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    exam = models.ForeignKey(Exam, on_delete=models.CASCADE, related_name="problems", verbose_name=_("exam"))
    number = models.PositiveSmallIntegerField(_("number"), validators=[MinValueValidator(1)])
    title = models.CharField(_("title"), max_length=200)
    statement = models.TextField(_("statement"), blank=True)
    points = models.PositiveSmallIntegerField(_("points"), default=1)

    class Meta:
        verbose_name = _("problem")
        verbose_name_plural = _("problems")
        ordering = ("exam", "number")
        constraints = (
            models.UniqueConstraint(fields=["exam", "number"], name="problem_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="problem_number_from_one"),
        )

    def __str__(self) -> str:
        return f"{self.number}. {self.title}"


class ProctoringPolicy(models.Model):
    """One version of an exam's rules; never changed, only followed by the next version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    exam = models.ForeignKey(Exam, on_delete=models.CASCADE, related_name="policies", verbose_name=_("exam"))
    version = models.PositiveIntegerField(_("version"), validators=[MinValueValidator(1)])
    settings = models.JSONField(
        _("settings"),
        default=dict,
        blank=True,
        help_text=_("What differs from the default policy; an empty table is the default policy. See docs/rules.md."),
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("proctoring policy")
        verbose_name_plural = _("proctoring policies")
        ordering = ("exam", "-version")
        constraints = (
            models.UniqueConstraint(fields=["exam", "version"], name="policy_version_once"),
            models.CheckConstraint(condition=Q(version__gte=1), name="policy_version_from_one"),
        )

    def __str__(self) -> str:
        return f"{self.exam.code} v{self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new version; an existing one is what past decisions rest on, so it stays."""
        if not self._state.adding:
            raise ValidationError(_("A policy version is never changed; add the next version instead."))
        parse_policy(self.settings)
        if not self.version:
            self.version = (self.exam.policies.aggregate(newest=models.Max("version"))["newest"] or 0) + 1
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Refuse settings that cannot be used, in words."""
        try:
            parse_policy(self.settings)
        except PolicyError as error:
            raise ValidationError({"settings": str(error)}) from error

    @cached_property
    def rules(self) -> Policy:
        """The settings as validated data."""
        return read_policy(self.settings)


@lru_cache(maxsize=1000)
def rules_of(policy_id: uuid.UUID) -> Policy:
    """Return the rules of a policy's version; none is ever changed, so each process reads it once."""
    return ProctoringPolicy.objects.only("settings").get(pk=policy_id).rules


class SessionStatus(models.TextChoices):
    """Where a sitting stands."""

    CREATED = "created", _("created")
    CHECKING_IN = "checking_in", _("checking in")
    ACTIVE = "active", _("active")
    PAUSED = "paused", _("paused")
    SUBMITTED = "submitted", _("submitted")
    TERMINATED = "terminated", _("terminated")
    EXPIRED = "expired", _("expired")


OPEN_STATUSES = (SessionStatus.CREATED, SessionStatus.CHECKING_IN, SessionStatus.ACTIVE, SessionStatus.PAUSED)
CLOSED_STATUSES = (SessionStatus.SUBMITTED, SessionStatus.TERMINATED, SessionStatus.EXPIRED)


class ExamSession(models.Model):
    """One candidate's one sitting, live or replayed from a recording."""

    class Source(models.TextChoices):
        LIVE = "live", _("live")
        RECORDING = "recording", _("recording")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    exam = models.ForeignKey(Exam, on_delete=models.PROTECT, related_name="sessions", verbose_name=_("exam"))
    candidate = models.ForeignKey(
        Candidate, on_delete=models.PROTECT, related_name="sessions", verbose_name=_("candidate")
    )
    policy = models.ForeignKey(
        ProctoringPolicy, on_delete=models.PROTECT, related_name="sessions", verbose_name=_("policy")
    )
    status = models.CharField(_("status"), max_length=12, choices=SessionStatus.choices, default=SessionStatus.CREATED)
    source = models.CharField(_("source"), max_length=10, choices=Source.choices, default=Source.LIVE)
    recording_name = models.CharField(_("recording"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True)
    paused_seconds = models.FloatField(_("seconds paused"), default=0)
    deadline_at = models.DateTimeField(_("deadline"), null=True, blank=True, db_index=True)
    extended_minutes = models.PositiveSmallIntegerField(_("minutes added by staff"), default=0)
    # A candidate's break: it ends by itself when what they have of it is used up.
    pause_ends_at = models.DateTimeField(_("break ends"), null=True, blank=True, db_index=True)
    break_seconds = models.FloatField(_("seconds of breaks taken"), default=0)
    muted = models.JSONField(_("muted detectors"), default=list, blank=True, validators=[check_muted])
    system_check = models.JSONField(_("system check"), default=dict, blank=True)

    class Meta:
        verbose_name = _("exam session")
        verbose_name_plural = _("exam sessions")
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(condition=Q(status__in=SessionStatus.values), name="session_status_known"),
            models.CheckConstraint(condition=Q(ended_at__gte=F("started_at")), name="session_ends_after_it_starts"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=False) | Q(status__in=OPEN_STATUSES), name="session_closed_has_an_end"
            ),
            models.CheckConstraint(
                condition=Q(status=SessionStatus.PAUSED, paused_at__isnull=False)
                | (~Q(status=SessionStatus.PAUSED) & Q(paused_at__isnull=True)),
                name="session_paused_has_a_time",
            ),
            models.CheckConstraint(condition=Q(paused_seconds__gte=0), name="session_pause_not_negative"),
            models.CheckConstraint(condition=Q(break_seconds__gte=0), name="session_break_not_negative"),
            models.CheckConstraint(
                condition=Q(pause_ends_at__isnull=True) | Q(status=SessionStatus.PAUSED),
                name="session_break_is_a_pause",
            ),
            models.UniqueConstraint(
                fields=["exam", "candidate"],
                condition=Q(status__in=OPEN_STATUSES, source="live"),
                name="session_one_open",
            ),
        )
        indexes = (
            models.Index(fields=["created_at"], name="session_newest"),
            # Lists across sessions begin with the keys of an exam's sessions, or with who sat it: no look at the rows.
            models.Index(fields=["exam", "id", "candidate"], name="session_of_exam"),
        )

    def __str__(self) -> str:
        return f"{self.candidate} · {self.exam.code} · {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_open(self) -> bool:
        """Whether the sitting has not ended."""
        return self.status in OPEN_STATUSES

    @cached_property
    def rules(self) -> Policy:
        """The policy of this sitting: its version, less what is muted for this candidate."""
        loaded = self._state.fields_cache.get("policy")
        rules: Policy = rules_of(self.policy_id) if loaded is None else loaded.rules
        return rules.without(self.muted)

    @property
    def duration(self) -> timedelta:
        """Time on the clock until now or the end, pauses left out."""
        if self.started_at is None:
            return timedelta()
        end = self.ended_at or self.paused_at or timezone.now()
        return max(timedelta(), end - self.started_at - timedelta(seconds=self.paused_seconds))


class SessionTransition(models.Model):
    """One step in the life of a session; append-only."""

    session = models.ForeignKey(
        ExamSession, on_delete=models.CASCADE, related_name="transitions", verbose_name=_("session")
    )
    from_status = models.CharField(_("from"), max_length=12, choices=SessionStatus.choices)
    to_status = models.CharField(_("to"), max_length=12, choices=SessionStatus.choices)
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("by")
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("history")
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"


class CodeSubmission(AppendOnly):
    """One version of a candidate's answer to a problem; every version is kept, the last one is final."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(
        ExamSession, on_delete=models.CASCADE, related_name="submissions", verbose_name=_("session")
    )
    problem = models.ForeignKey(
        Problem, on_delete=models.PROTECT, related_name="submissions", verbose_name=_("problem")
    )
    version = models.PositiveIntegerField(_("version"))
    language = models.CharField(_("programming language"), max_length=40)
    code = models.TextField(_("code"))
    sha256 = models.CharField("SHA-256", max_length=64)
    is_final = models.BooleanField(_("final"), default=False)
    submitted_at = models.DateTimeField(_("submitted"), default=timezone.now)

    class Meta:
        verbose_name = _("code submission")
        verbose_name_plural = _("code submissions")
        ordering = ("problem__number", "version")
        constraints = (
            models.UniqueConstraint(fields=["session", "problem", "version"], name="submission_version_once"),
            models.CheckConstraint(condition=Q(version__gte=1), name="submission_version_from_one"),
        )
        indexes = (models.Index(fields=["-submitted_at"], name="submission_by_time"),)

    def __str__(self) -> str:
        return f"{self.problem} v{self.version}"


class SocketTicket(models.Model):
    """The right to open one socket once, within a minute; only its digest is kept."""

    digest = models.CharField(max_length=64, primary_key=True)
    session = models.ForeignKey(ExamSession, on_delete=models.CASCADE, related_name="tickets")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("socket ticket")
        verbose_name_plural = _("socket tickets")
