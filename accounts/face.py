"""Enrolling a face and taking it back. What is kept, numbers and one small picture of the head, is encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record_audit
from accounts.consents import Purpose, has_consent, may_keep_picture
from accounts.errors import Refused
from accounts.face_crypto import UnreadableFace, seal_again, seal_embedding, seal_picture
from accounts.face_pictures import require_faces, take_pictures
from accounts.models import FaceEnrolment, User
from vision.analyzers import identity
from vision.analyzers.identity import Embedding, Portrait

MOST_PICTURES = 5


@dataclass(frozen=True, eq=False)
class ExaminedFace:
    """A face that may be enrolled: its (128,) embedding, how good the pictures were, and the head as a small JPEG."""

    embedding: Embedding
    quality: dict[str, Any]
    picture: bytes = field(repr=False)


def enrol_face(
    *,
    user: User,
    picture: bytes,
    more: Sequence[bytes] = (),
    actor: User | None,
    ip_address: str | None,
) -> FaceEnrolment:
    """Enrol the one face in these encoded pictures in place of an earlier one; raises ``Refused``.

    Runs models, so never call it inside a transaction: there, ``store_face`` what ``examine_face`` returned before.
    """
    _require_consent(user)
    face = examine_face((picture, *more))
    return store_face(user=user, face=face, actor=actor, ip_address=ip_address)


def examine_face(pictures: Sequence[bytes]) -> ExaminedFace:
    """Look at one to five encoded pictures of one person, each with one clear face that looks straight ahead.

    Touches no row. Raises ``Refused`` with what to do better.
    """
    require_faces()
    taken = take_pictures(pictures, _require_all_frontal)
    portraits = [one.portrait for one in taken]
    embeddings = [portrait.embedding for portrait in portraits]
    if any(identity.distance(a, b) > settings.FACE_MAX_DISTANCE for a, b in combinations(embeddings, 2)):
        raise Refused(_("These pictures do not show the same person."), code="different_people", status=422)
    worst = min(portraits, key=lambda portrait: portrait.height_px)
    best = max(taken, key=lambda one: one.portrait.height_px)
    return ExaminedFace(
        identity.mean_of(embeddings), {**worst.measured(), "pictures": len(portraits)}, picture=best.head()
    )


@transaction.atomic
def store_face(*, user: User, face: ExaminedFace, actor: User | None, ip_address: str | None) -> FaceEnrolment:
    """Keep the face, encrypted, in place of an earlier one; raises ``Refused`` without consent.

    The picture is kept only where the text that the user agreed to says so.
    """
    User.objects.select_for_update().get(pk=user.pk)  # consent may be withdrawn at the same time
    _require_consent(user)
    keeps = may_keep_picture(user=user, purpose=Purpose.FACE)
    enrolment, created = FaceEnrolment.objects.update_or_create(
        user=user,
        defaults={
            "embedding": seal_embedding(user_id=user.pk, embedding=face.embedding),
            "picture": seal_picture(owner_id=user.pk, picture=face.picture) if keeps else None,
            "model": identity.MODEL,
            "quality": face.quality,
            "enrolled_at": timezone.now(),
        },
    )
    record_audit(
        action="face_enrolled",
        outcome="new" if created else "replaced",
        actor=actor,
        subject=user,
        ip_address=ip_address,
        detail={"model": identity.MODEL, **face.quality},
    )
    return enrolment


@transaction.atomic
def remove_face(*, user: User, actor: User | None, ip_address: str | None) -> bool:
    """Delete what is kept of the user's face at once; returns whether there was anything."""
    removed, _rows = FaceEnrolment.objects.filter(user=user).delete()
    if removed:
        record_audit(action="face_removed", outcome="removed", actor=actor, subject=user, ip_address=ip_address)
    return bool(removed)


def seal_faces_again() -> tuple[int, int]:
    """Encrypt every face under the current key; returns how many were, and how many could not be read.

    Faces that cannot be read stay as they are: their owners must enrol again.
    """
    sealed = unreadable = 0
    for user_id in list(FaceEnrolment.objects.values_list("pk", flat=True)):
        with transaction.atomic():
            row = FaceEnrolment.objects.select_for_update().filter(pk=user_id).first()
            if row is None:
                continue
            try:
                row.embedding = seal_again(row.embedding)
                row.picture = None if row.picture is None else seal_again(row.picture)
            except UnreadableFace:
                unreadable += 1
                continue
            row.save(update_fields=["embedding", "picture"])
            sealed += 1
    return sealed, unreadable


def _require_all_frontal(portraits: Sequence[Portrait]) -> None:
    for portrait in portraits:
        identity.require_frontal(portrait)


def _require_consent(user: User) -> None:
    if not has_consent(user=user, purpose=Purpose.FACE):
        raise Refused(
            _("Agree to the use of your face first (auth/me/consents, purpose “face”)."), code="consent_required"
        )
