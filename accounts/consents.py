"""What people agreed to, and that they can take it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record_audit
from accounts.errors import Refused
from accounts.models import Consent, ConsentText, FaceEnrolment, User

Purpose = ConsentText.Purpose


class OutdatedText(Refused):
    """Agreement to a text that is not, or no longer, the one that counts."""

    code = "outdated_text"

    def __init__(self, current: ConsentText) -> None:
        super().__init__(
            _("Version %(version)d of this text is the current one: read it, then agree to that version.")
            % {"version": current.version}
        )


@dataclass(frozen=True)
class ConsentState:
    """The current text of one purpose, and since when the user has agreed to it, if they have."""

    text: ConsentText
    agreed_at: datetime | None


def current_text(purpose: str) -> ConsentText:
    """Return the newest version."""
    return ConsentText.objects.filter(purpose=purpose).latest("version")


def has_consent(*, user: User, purpose: str) -> bool:
    """Say whether the user has agreed to the current version and not taken it back; one query."""
    newest = ConsentText.objects.filter(purpose=purpose).order_by("-version").values("pk")[:1]
    return Consent.objects.filter(user=user, text=newest, withdrawn_at=None).exists()


def may_keep_picture(*, user: User, purpose: str) -> bool:
    """Say whether the user agreed to the current version, not taken back, and it says that a picture is kept."""
    newest = ConsentText.objects.filter(purpose=purpose).order_by("-version").values("pk")[:1]
    return Consent.objects.filter(user=user, text=newest, text__keeps_picture=True, withdrawn_at=None).exists()


def consent_states(*, user: User) -> list[ConsentState]:
    """Return the state of every purpose, in their order."""
    given: Mapping[int, datetime] = dict(user.consents.filter(withdrawn_at=None).values_list("text_id", "given_at"))
    texts = [current_text(purpose) for purpose in Purpose.values]
    return [ConsentState(text, given.get(text.pk)) for text in texts]


@transaction.atomic
def give_consent(*, user: User, purpose: str, version: int) -> Consent:
    """Record that the user agrees to the current version; a repetition changes nothing. Raises ``OutdatedText``."""
    _hold(user)
    text = current_text(purpose)
    if text.version != version:
        raise OutdatedText(text)
    standing = Consent.objects.filter(user=user, text=text, withdrawn_at=None).first()
    return standing or Consent.objects.create(user=user, text=text)


@transaction.atomic
def withdraw_consent(*, user: User, purpose: str, ip_address: str | None = None) -> int:
    """Take back what the user agreed to, in every version; returns how many consents ended.

    Without consent to it, the enrolled face is deleted at once.
    """
    _hold(user)
    standing = Consent.objects.filter(user=user, text__purpose=purpose, withdrawn_at=None)
    ended = standing.update(withdrawn_at=Greatest(Value(timezone.now()), F("given_at")))
    if purpose == Purpose.FACE:
        removed, _rows = FaceEnrolment.objects.filter(user=user).delete()
        if removed:
            record_audit(
                action="face_removed", outcome="consent_withdrawn", actor=user, subject=user, ip_address=ip_address
            )
    return ended


@transaction.atomic
def publish_text(*, text: ConsentText, by: User, ip_address: str | None = None) -> ConsentText:
    """Store an unsaved text as the next version of its purpose, which everybody is asked to agree to anew."""
    versions = ConsentText.objects.select_for_update().filter(purpose=text.purpose).values_list("version", flat=True)
    text.version = max(versions, default=0) + 1
    text.save()
    detail = {"purpose": text.purpose, "version": text.version}
    record_audit(action="consent_text_published", actor=by, ip_address=ip_address, detail=detail)
    return text


def _hold(user: User) -> None:
    """Let one change of a user's consents wait for another."""
    User.objects.select_for_update().get(pk=user.pk)
