"""What is known of a session: facts, activities, evidence, scores, and what humans decided."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AppendOnly
from exams.kinds import RiskLevel, Severity, kind_label
from exams.models import ExamSession, ProctoringPolicy
from monitoring import case_models, note_row, picture_models, silence_row

# Of this app, each in a file of its own.
Appeal, ReviewCase = case_models.Appeal, case_models.ReviewCase
PictureAccess = picture_models.PictureAccess
ReviewerNote = note_row.ReviewerNote
Silence = silence_row.Silence


class SessionMonitor(models.Model):
    """One row per session: the state of rules and analyzers, counters, and who is analysing it right now."""

    session = models.OneToOneField(
        ExamSession, on_delete=models.CASCADE, primary_key=True, related_name="monitor", verbose_name=_("session")
    )
    state = models.JSONField(default=dict)
    memory = models.JSONField(default=dict)
    sound_memory = models.JSONField(default=dict)
    last_server_seq = models.PositiveBigIntegerField(default=0)
    frames_total = models.PositiveIntegerField(_("frames received"), default=0)
    frames_analysed = models.PositiveIntegerField(_("frames analysed"), default=0)
    frames_skipped = models.PositiveIntegerField(_("frames skipped under load"), default=0)
    frames_unusable = models.PositiveIntegerField(_("frames that could not be examined"), default=0)
    frames_lost = models.PositiveIntegerField(
        _("frames lost before they were examined"), default=0, help_text=_("Known when the watching has finished.")
    )
    thinned_counted = models.PositiveIntegerField(default=0)
    last_frame_at = models.DateTimeField(_("last frame"), null=True, blank=True)
    pictures_at = models.DateTimeField(
        _("pictures last examined"), null=True, blank=True, help_text=_("By the server's clock.")
    )
    last_seen_at = models.DateTimeField(
        _("last sign of life"), null=True, blank=True, help_text=_("By the server's clock.")
    )
    gone_at = models.DateTimeField(_("connection closed"), null=True, blank=True)
    silence_due_at = models.DateTimeField(null=True, blank=True, default=timezone.now, db_index=True)
    high_told_at = models.DateTimeField(_("reviewers told of high risk"), null=True, blank=True)
    mail_due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    mail_tries = models.PositiveSmallIntegerField(default=0)
    mail_to = models.JSONField(default=list)
    finished_at = models.DateTimeField(_("watching finished"), null=True, blank=True, db_index=True)
    evidence_removed_at = models.DateTimeField(_("pictures removed"), null=True, blank=True)
    claim = models.UUIDField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True, db_index=True)
    holders_lost = models.PositiveSmallIntegerField(default=0)
    sound_claim = models.UUIDField(null=True, blank=True)
    sound_claimed_until = models.DateTimeField(null=True, blank=True)
    sound_holders_lost = models.PositiveSmallIntegerField(default=0)

    was_silent = False
    """Not kept: whether the camera was silent at any time; ``services.lock_monitor`` tells."""

    class Meta:
        verbose_name = _("session monitor")
        verbose_name_plural = _("session monitors")
        constraints = (
            models.CheckConstraint(
                condition=Q(claim__isnull=True, claimed_until__isnull=True)
                | Q(claim__isnull=False, claimed_until__isnull=False),
                name="monitor_claim_has_an_end",
            ),
            models.CheckConstraint(
                condition=Q(sound_claim__isnull=True, sound_claimed_until__isnull=True)
                | Q(sound_claim__isnull=False, sound_claimed_until__isnull=False),
                name="monitor_sound_claim_has_an_end",
            ),
        )

    def __str__(self) -> str:
        return str(self.session)

    @property
    def frames_received(self) -> int:
        """How many came in: they are counted every few seconds, and by then some may have been examined already."""
        return max(self.frames_total, self.frames_analysed + self.frames_skipped)


class Observation(AppendOnly):
    """The facts of one frame, kept so that another policy can be applied later without the picture."""

    session = models.ForeignKey(ExamSession, on_delete=models.CASCADE, related_name="observations")
    stream = models.CharField(_("stream"), max_length=8, default="frame")
    seq = models.PositiveBigIntegerField(_("number"))
    captured_at = models.DateTimeField(_("captured"))
    usable = models.BooleanField(_("could be examined"), null=True)
    facts = models.JSONField(_("facts"), default=dict)

    class Meta:
        verbose_name = _("observation")
        verbose_name_plural = _("observations")
        ordering = ("captured_at", "seq")
        constraints = (
            models.UniqueConstraint(fields=["session", "stream", "seq"], name="observation_once"),
            models.CheckConstraint(condition=Q(stream__in=["frame", "audio"]), name="observation_stream_known"),
        )
        indexes = (models.Index(fields=["session", "captured_at"], name="observation_by_time"),)

    def __str__(self) -> str:
        return f"{self.stream} {self.seq}"


class Assessment(models.Model):
    """Activities and scores of a session under one policy version; one of them is the current one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(
        ExamSession, on_delete=models.CASCADE, related_name="assessments", verbose_name=_("session")
    )
    policy = models.ForeignKey(
        ProctoringPolicy, on_delete=models.PROTECT, related_name="assessments", verbose_name=_("policy")
    )
    is_current = models.BooleanField(_("current"), default=True)
    risk_score = models.FloatField(_("risk score"), default=0, db_index=True)
    risk_level = models.CharField(_("risk level"), max_length=6, choices=RiskLevel.choices, default=RiskLevel.LOW)
    reviewed_risk_score = models.FloatField(_("risk score without dismissed activities"), default=0)
    trust_score = models.FloatField(_("trust score"), default=100)
    compliance_score = models.FloatField(_("compliance score"), null=True, blank=True)
    breakdown = models.JSONField(_("breakdown"), default=list)
    observed = models.JSONField(_("seconds observed"), default=dict)
    observed_until = models.FloatField(_("observed until"), default=0)
    coverage = models.JSONField(_("coverage"), default=dict)
    missing_detectors = models.JSONField(
        _("missing detectors"),
        default=dict,
        help_text=_("Senses that could not work where the pictures were analysed."),
    )
    detectors = models.JSONField(
        _("detectors"), default=dict, help_text=_("By sense, the model that last examined it where the work was done.")
    )
    computed_at = models.DateTimeField(_("computed"), default=timezone.now)

    class Meta:
        verbose_name = _("assessment")
        verbose_name_plural = _("assessments")
        ordering = ("-computed_at",)
        constraints = (
            models.UniqueConstraint(fields=["session", "policy"], name="assessment_once_per_policy"),
            models.UniqueConstraint(fields=["session"], condition=Q(is_current=True), name="assessment_one_current"),
            models.CheckConstraint(
                condition=Q(risk_score__gte=0) & Q(reviewed_risk_score__gte=0), name="assessment_risk_not_negative"
            ),
            models.CheckConstraint(condition=Q(trust_score__range=(0, 100)), name="assessment_trust_percent"),
            models.CheckConstraint(
                condition=Q(compliance_score__isnull=True) | Q(compliance_score__range=(0, 100)),
                name="assessment_compliance_percent",
            ),
            models.CheckConstraint(condition=Q(risk_level__in=RiskLevel.values), name="assessment_level_known"),
        )
        indexes = (models.Index(fields=["is_current", "id"], name="assessment_that_counts"),)

    def __str__(self) -> str:
        return f"{self.risk_level} {self.risk_score:g} (policy v{self.policy.version})"


class SuspiciousActivity(models.Model):
    """A span ``[started_at, ended_at)`` in which a rule held; what the reviewer judges."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    assessment = models.ForeignKey(
        Assessment, on_delete=models.CASCADE, related_name="activities", verbose_name=_("assessment")
    )
    session = models.ForeignKey(
        ExamSession, on_delete=models.CASCADE, related_name="activities", verbose_name=_("session")
    )
    kind = models.CharField(_("kind"), max_length=64, db_index=True)
    severity = models.PositiveSmallIntegerField(_("severity"), choices=Severity.choices, default=Severity.LOW)
    confidence = models.FloatField(_("confidence"))
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    explanation = models.CharField(_("explanation"), max_length=500)
    detail = models.JSONField(_("numbers"), default=dict)
    newly_written = False
    """Not kept: whether whoever holds this object has just made its row."""

    class Meta:
        verbose_name = _("suspicious activity")
        verbose_name_plural = _("suspicious activities")
        ordering = ("started_at", "kind")
        constraints = (
            models.CheckConstraint(condition=Q(severity__in=Severity.values), name="activity_severity_known"),
            models.CheckConstraint(condition=Q(confidence__range=(0, 1)), name="activity_confidence_share"),
            models.CheckConstraint(condition=Q(ended_at__gt=F("started_at")), name="activity_is_a_span"),
            models.UniqueConstraint(
                fields=["assessment", "kind"], condition=Q(ended_at__isnull=True), name="activity_one_open_per_kind"
            ),
            models.UniqueConstraint(fields=["assessment", "kind", "started_at"], name="activity_once"),
        )
        indexes = (
            models.Index(fields=["session", "started_at"], name="activity_by_time"),
            models.Index(fields=["session", "assessment"], name="activity_of_assessment"),
            models.Index(fields=["started_at"], name="activity_newest"),
        )

    def __str__(self) -> str:
        return f"{self.label} · {self.started_at:%H:%M:%S}"

    @property
    def label(self) -> str:
        """The kind in words; an unknown kind is its own name."""
        return kind_label(self.kind)


def evidence_path(evidence: Evidence, filename: str) -> str:
    """Keep pictures and sound by session, so that all of one person's lie, and go, together."""
    folder = "audio" if evidence.media_type.startswith("audio/") else "screenshots"
    return f"{folder}/{evidence.activity.session_id}/{filename}"


class Evidence(models.Model):
    """The one kept picture, or sound, behind an activity, with its numbers and SHA-256; a stronger one replaces it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    activity = models.OneToOneField(
        SuspiciousActivity, on_delete=models.CASCADE, related_name="evidence", verbose_name=_("activity")
    )
    file = models.FileField(_("file"), upload_to=evidence_path)
    media_type = models.CharField(_("media type"), max_length=50, default="image/jpeg")
    sha256 = models.CharField("SHA-256", max_length=64)
    captured_at = models.DateTimeField(_("captured"))
    seq = models.PositiveBigIntegerField(_("number"))
    numbers = models.JSONField(_("numbers"), default=dict)

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        constraints = (models.CheckConstraint(condition=Q(sha256__regex="^[0-9a-f]{64}$"), name="evidence_sha256"),)

    def __str__(self) -> str:
        return f"{self.activity} · {self.sha256[:12]}"


class LogClearing(AppendOnly):
    """That an admin set a session's log entries aside: out of lists and scores, kept for the record."""

    session = models.ForeignKey(
        ExamSession, on_delete=models.CASCADE, related_name="clearings", verbose_name=_("session")
    )
    reason = models.CharField(_("reason"), max_length=500)
    cleared_at = models.DateTimeField(_("cleared"), default=timezone.now)
    cleared_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, verbose_name=_("by"))

    class Meta:
        verbose_name = _("clearing of logs")
        verbose_name_plural = _("clearings of logs")
        ordering = ("cleared_at",)
        constraints = (models.CheckConstraint(condition=~Q(reason=""), name="clearing_has_a_reason"),)

    def __str__(self) -> str:
        return f"{self.session} · {self.reason}"


class MonitoringLog(AppendOnly):
    """What the browser, a client, a proctor or the server itself reported; untrusted, append-only."""

    class Source(models.TextChoices):
        BROWSER = "browser", _("browser")
        CLIENT = "client", _("client")
        PROCTOR = "proctor", _("proctor")
        SERVER = "server", _("server")

    session = models.ForeignKey(ExamSession, on_delete=models.CASCADE, related_name="logs", verbose_name=_("session"))
    event_type = models.CharField(_("event"), max_length=64, db_index=True)
    severity = models.PositiveSmallIntegerField(_("severity"), choices=Severity.choices, default=Severity.LOW)
    source = models.CharField(_("source"), max_length=8, choices=Source.choices)
    detail = models.JSONField(_("detail"), default=dict)
    occurred_at = models.DateTimeField(_("occurred"))
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    seq = models.PositiveBigIntegerField(_("number"), null=True, blank=True)
    clearing = models.ForeignKey(
        LogClearing,
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        db_index=False,  # nearly all entries have none, so an index would only lead away from better ones
        related_name="logs",
        verbose_name=_("set aside by"),
    )

    class Meta:
        verbose_name = _("log entry")
        verbose_name_plural = _("log entries")
        ordering = ("occurred_at", "id")
        constraints = (
            models.CheckConstraint(condition=Q(severity__in=Severity.values), name="log_severity_known"),
            models.CheckConstraint(
                condition=Q(source__in=["browser", "client", "proctor", "server"]), name="log_source_known"
            ),
            # A sender that numbers its reports may repeat them; those without a number differ by being null.
            models.UniqueConstraint(fields=["session", "seq"], name="log_once"),
        )
        indexes = (
            models.Index(fields=["session", "clearing", "occurred_at"], name="log_standing_by_time"),
            models.Index(fields=["occurred_at"], name="log_newest"),
        )

    def __str__(self) -> str:
        return f"{self.event_type} · {self.occurred_at:%H:%M:%S}"

    @property
    def is_trusted(self) -> bool:
        """Whether it was not the candidate's side that reported it."""
        return self.source in (self.Source.SERVER, self.Source.PROCTOR)

    @property
    def believed_at(self) -> datetime:
        """When it is taken to have happened: from outside, nobody knows the time before the session or to come."""
        if self.is_trusted:
            return self.occurred_at
        return min(max(self.occurred_at, self.session.started_at or self.occurred_at), self.received_at)


class ReviewDecision(AppendOnly):
    """A human verdict with its reason, on one activity or (without one) on the whole session; append-only."""

    class Verdict(models.TextChoices):
        """On an activity; one that is taken back leaves it undecided, as before anybody decided."""

        CONFIRMED = "confirmed", _("confirmed")
        DISMISSED = "dismissed", _("dismissed")
        ESCALATED = "escalated", _("escalated")
        WITHDRAWN = "withdrawn", _("taken back")

    class Outcome(models.TextChoices):
        """On a session as a whole."""

        CLEAR = "clear", _("clear")
        CONCERN = "concern", _("concern")
        VIOLATION = "violation", _("violation")
        ESCALATED = "escalated", _("escalated")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(
        ExamSession, on_delete=models.CASCADE, related_name="decisions", verbose_name=_("session")
    )
    activity = models.ForeignKey(
        SuspiciousActivity,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="decisions",
        verbose_name=_("activity"),
    )
    # Escalated is in both.
    verdict = models.CharField(_("verdict"), max_length=10, choices=[*Verdict.choices, *Outcome.choices[:-1]])
    reason = models.CharField(_("reason"), max_length=1000)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, verbose_name=_("reviewer"))
    carried_from = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("carried over from")
    )
    decided_at = models.DateTimeField(_("decided"), default=timezone.now)

    class Meta:
        verbose_name = _("review decision")
        verbose_name_plural = _("review decisions")
        ordering = ("decided_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(activity__isnull=False, verdict__in=["confirmed", "dismissed", "escalated", "withdrawn"])
                | Q(activity__isnull=True, verdict__in=["clear", "concern", "violation", "escalated"]),
                name="decision_verdict_known",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="decision_has_a_reason"),
        )

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}: {self.reason}"
