"""Whose face may be compared during an exam, by machine or by eye: enrolled, and with a consent that says so."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts.face_crypto import UnreadableFace, open_embedding, open_picture
from accounts.models import Consent, ConsentText, FaceEnrolment
from vision.analyzers.identity import MODEL, Embedding

logger = logging.getLogger(__name__)


def faces_for_exams(user_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Embedding]:
    """Return the (128,) embeddings of those of the users whose face may be compared while they sit an exam; one query.

    Left out is who enrolled no face, agreed only to a text that names signing in alone, or withdrew; so is a face of
    another model or under a key that we do not have. What is returned is for the moment and must be kept nowhere.
    """
    if not user_ids or not settings.FACE_KEY:
        return {}
    faces: dict[uuid.UUID, Embedding] = {}
    for user_id, sealed in _comparable().filter(user__in=user_ids).values_list("user_id", "embedding"):
        try:
            faces[user_id] = open_embedding(user_id=user_id, sealed=sealed)
        except UnreadableFace:
            logger.warning("The enrolled face of user %s cannot be read: they must enrol again", user_id)
    return faces


def shown_enrolments() -> QuerySet[FaceEnrolment]:
    """Return the enrolments whose picture reviewers may see: the owner agreed to it and to being compared."""
    about_faces = ConsentText.objects.filter(purpose=ConsentText.Purpose.FACE).order_by("-version")
    agreed = Consent.objects.filter(
        user=OuterRef("user"), text__purpose=ConsentText.Purpose.FACE, text__keeps_picture=True, withdrawn_at=None
    )
    kept = _comparable().annotate(keeps=Subquery(about_faces.values("keeps_picture")[:1]))
    return kept.filter(Exists(agreed), keeps=True, picture__isnull=False)


def enrolled_picture(user_id: uuid.UUID) -> bytes | None:
    """Return the small JPEG of an enrolled head; None where there is none to be seen, or it cannot be read."""
    sealed = shown_enrolments().filter(user=user_id).values_list("picture", flat=True).first()
    if sealed is None or not settings.FACE_KEY:
        return None
    try:
        return open_picture(owner_id=user_id, sealed=sealed)
    except UnreadableFace:
        logger.warning("The enrolled picture of user %s cannot be read: they must enrol again", user_id)
        return None


def _comparable() -> QuerySet[FaceEnrolment]:
    """Enrolments whose owner agreed to be compared; the text that counts now must want it as well."""
    about_faces = ConsentText.objects.filter(purpose=ConsentText.Purpose.FACE).order_by("-version")
    agreed = Consent.objects.filter(
        user=OuterRef("user"), text__purpose=ConsentText.Purpose.FACE, text__in_exams=True, withdrawn_at=None
    )
    wanted = FaceEnrolment.objects.annotate(wanted=Subquery(about_faces.values("in_exams")[:1]))
    return wanted.filter(Exists(agreed), wanted=True, model=MODEL, user__is_active=True)
