"""Users sign in with their e-mail address; a candidate is a user who sits exams."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, Group, PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.roles import STAFF_ROLES, Role

LANGUAGES = [("en", "English"), ("bn", "বাংলা")]


class UserManager(BaseUserManager["User"]):
    """Makes and finds users; their addresses are stored and compared in small letters."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make a user; without a password they cannot sign in with one."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make a user who may do everything."""
        user = self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})
        user.groups.add(Group.objects.get_or_create(name=Role.ADMIN)[0])
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        """Find the user that signs in with this address."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """Anyone who signs in. What they may do comes from their groups, the roles."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), max_length=254, unique=True)
    full_name = models.CharField(_("full name"), max_length=200, blank=True)
    language = models.CharField(
        _("language"),
        max_length=5,
        choices=LANGUAGES,
        blank=True,
        help_text=_("Empty: as the browser asks."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("may open the admin"), default=False)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ("email",)
        constraints = (models.UniqueConstraint(Lower("email"), name="user_email_unique"),)

    def __str__(self) -> str:
        return self.full_name or self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the user, the address in small letters."""
        self.email = self.email.lower()
        super().save(*args, **kwargs)

    @cached_property
    def roles(self) -> frozenset[str]:
        """The user's roles, read once; a superuser counts as admin."""
        names = {group.name for group in self.groups.all()} & set(Role.values)  # as lists prefetch them
        return frozenset(names | ({Role.ADMIN} if self.is_superuser else set()))

    def has_role(self, role: Role) -> bool:
        """Say whether the user has this role."""
        return role in self.roles


class Candidate(models.Model):
    """A person who sits exams."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="candidate", verbose_name=_("user"))
    external_id = models.CharField(
        _("number at the institution"), max_length=64, blank=True, help_text=_("For example the matriculation number.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("candidate")
        verbose_name_plural = _("candidates")
        ordering = ("user__email",)
        constraints = (
            models.UniqueConstraint(
                fields=["external_id"], condition=~Q(external_id=""), name="candidate_external_id_unique"
            ),
        )

    def __str__(self) -> str:
        return str(self.user)


class AppendOnly(models.Model):
    """A row that is written once."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new row; a stored one never changes."""
        if not self._state.adding:
            raise ValidationError(_("What was recorded is never changed."))
        super().save(*args, **kwargs)


class ConsentText(AppendOnly):
    """One version of what people are asked to agree to; the newest of each purpose is the one that counts."""

    class Purpose(models.TextChoices):
        PROCTORING = "proctoring", _("Proctoring")
        FACE = "face", _("Recognition by face")

    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose.choices)
    version = models.PositiveIntegerField(_("version"))
    title = models.CharField(_("title"), max_length=200)
    text = models.TextField(_("text"))
    title_bn = models.CharField(_("title in Bangla"), max_length=200)
    text_bn = models.TextField(_("text in Bangla"))
    in_exams = models.BooleanField(
        _("says that the face is compared during exams"),
        default=False,
        help_text=_("Recognition by face only. Without it the face is used for signing in and compared in no exam."),
    )
    keeps_picture = models.BooleanField(
        _("says that an identity picture is kept"),
        default=False,
        help_text=_(
            "A small picture of the head: of the enrolled face (recognition by face), of the system check "
            "(proctoring). Without it none is kept."
        ),
    )
    published_at = models.DateTimeField(_("published"), default=timezone.now)

    class Meta:
        verbose_name = _("consent text")
        verbose_name_plural = _("consent texts")
        ordering = ("purpose", "-version")
        constraints = (
            models.UniqueConstraint(fields=["purpose", "version"], name="consent_text_version_once"),
            models.CheckConstraint(condition=Q(version__gte=1), name="consent_text_version_from_one"),
        )

    def __str__(self) -> str:
        return f"{self.title} v{self.version}"


class Consent(models.Model):
    """That a user agreed to one version of a text, and when they took it back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="consents", verbose_name=_("user"))
    text = models.ForeignKey(ConsentText, on_delete=models.PROTECT, related_name="consents", verbose_name=_("text"))
    given_at = models.DateTimeField(_("given"), default=timezone.now)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering = ("-given_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | Q(withdrawn_at__gte=models.F("given_at")),
                name="consent_withdrawn_after_given",
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} · {self.text}"


class FaceEnrolment(models.Model):
    """An enrolled face: what it looks like to the machine and, where the user agreed to it, to people; encrypted."""

    user = models.OneToOneField(
        User, on_delete=models.CASCADE, primary_key=True, related_name="face", verbose_name=_("user")
    )
    embedding = models.BinaryField(_("embedding, encrypted"))
    picture = models.BinaryField(_("picture, encrypted"), null=True)
    model = models.CharField(_("model"), max_length=64)
    quality = models.JSONField(_("quality"), default=dict)
    enrolled_at = models.DateTimeField(_("enrolled"), default=timezone.now)

    class Meta:
        verbose_name = _("enrolled face")
        verbose_name_plural = _("enrolled faces")

    def __str__(self) -> str:
        return str(self.user)


class FaceChallenge(models.Model):
    """What somebody who signs in by face is asked to do; used once, and kept for a minute or two."""

    class Turn(models.TextChoices):
        LEFT = "left", _("left")
        RIGHT = "right", _("right")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), max_length=254)
    turn = models.CharField(_("turn"), max_length=5, choices=Turn.choices)
    ip_address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), db_index=True)

    class Meta:
        verbose_name = _("face challenge")
        verbose_name_plural = _("face challenges")

    def __str__(self) -> str:
        return f"{self.email} · {self.turn}"


class AuditEvent(AppendOnly):
    """Who did what to whom, for the record: sign-ins by face, changed roles, cleared logs, exports."""

    class Action(models.TextChoices):
        """What is written down."""

        REGISTERED = "registered", _("registered")
        USER_ADDED = "user_added", _("user added")
        ROLES_CHANGED = "roles_changed", _("roles changed")
        ACTIVATED = "activated", _("account activated")
        DEACTIVATED = "deactivated", _("account deactivated")
        PASSWORD_SET = "password_set", _("password set")
        CONSENT_TEXT_PUBLISHED = "consent_text_published", _("consent text published")
        FACE_ENROLLED = "face_enrolled", _("face enrolled")
        FACE_REMOVED = "face_removed", _("face removed")
        FACE_SIGN_IN = "face_sign_in", _("sign-in by face")
        LOGS_CLEARED = "logs_cleared", _("logs set aside")
        EXPORTED = "exported", _("exported")

    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    action = models.CharField(_("action"), max_length=40, choices=Action.choices, db_index=True)
    outcome = models.CharField(_("outcome"), max_length=40, blank=True)
    actor = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    subject = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("about")
    )
    ip_address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit log")
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.outcome}".strip()


__all__ = [
    "LANGUAGES",
    "STAFF_ROLES",
    "AppendOnly",
    "AuditEvent",
    "Candidate",
    "Consent",
    "ConsentText",
    "FaceChallenge",
    "FaceEnrolment",
    "Role",
    "User",
    "UserManager",
]
