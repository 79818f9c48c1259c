"""Signing in by face: a challenge to turn the head to one side, two pictures, one decision, one line for the record.

Unknown addresses, switched-off accounts, users without a face and wrong faces all cost the same work and get the same
answer. What is wrong with a picture is said to everybody alike and costs neither the challenge nor an attempt.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, NoReturn

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.addresses import client_address
from accounts.audit import record_audit
from accounts.errors import Refused
from accounts.face_crypto import UnreadableFace, open_embedding
from accounts.face_pictures import Check, UnfitFace, portray_pictures, require_faces
from accounts.lockout import LockedOut, count_failure, note_sign_in, refuse_if_locked_out
from accounts.models import FaceChallenge, FaceEnrolment, User
from accounts.tokens import Tokens, issue_tokens
from vision.analyzers import identity
from vision.analyzers.identity import Embedding, Portrait, Side

ACTION = "face_sign_in"
CHALLENGE_S = 120
LIVE_CHALLENGES = 5
TURNED_ALLOWANCE = 0.08
"""A turned head is this much further from the enrolled, frontal one: of 43 pairs of real pictures two were beyond."""


class FaceRefused(Refused):
    """Wrong face, wrong address, no face enrolled, switched off: one answer."""

    code = "wrong_credentials"
    status = 401

    def __init__(self) -> None:
        super().__init__(_("This face does not sign in to this account. Try again, or use your password."))


class ChallengeGone(Refused):
    """A challenge that was used, has expired, or never was one for this address."""

    code = "challenge_expired"

    def __init__(self) -> None:
        super().__init__(_("This challenge was used or has expired: ask for a new one."))


class ChallengeNeeded(Refused):
    """One picture alone does not sign anybody in here."""

    code = "challenge_needed"
    status = 400

    def __init__(self) -> None:
        super().__init__(
            _("One picture is not enough here: ask for a challenge (auth/login/face/challenge) and send two.")
        )


class Reason(StrEnum):
    """Why it was decided as it was, for staff only."""

    MATCH = "match"
    UNKNOWN_ADDRESS = "unknown_address"
    INACTIVE = "inactive"
    NOT_ENROLLED = "not_enrolled"
    OTHER_MODEL = "enrolled_with_another_model"
    UNREADABLE = "enrolled_under_another_key"
    DIFFERENT_FACE = "different_face"
    DIFFERENT_FACE_TURNED = "different_face_turned"
    TWO_PEOPLE = "two_people"
    FLAT = "flat"


@dataclass
class Attempt:
    """One attempt to sign in and what was measured, as the record shows it."""

    request: HttpRequest
    email: str
    user: User | None = None
    measured: dict[str, Any] = field(default_factory=dict)

    def record(self, outcome: str, reason: str) -> None:
        """Write the attempt down."""
        record_audit(
            action=ACTION,
            outcome=outcome,
            actor=self.user if outcome == "signed_in" else None,
            subject=self.user,
            ip_address=client_address(self.request),
            detail={"email": self.email, "reason": reason, **self.measured},
        )


@transaction.atomic
def issue_challenge(*, email: str, ip_address: str | None) -> FaceChallenge:
    """Ask whoever signs in to turn the head to a side they cannot foresee; no account needs to exist.

    Old ones are cleared away, and of one address's challenges to one account only the newest few stay.
    """
    email, now = _normal(email), timezone.now()
    FaceChallenge.objects.filter(expires_at__lte=now).delete()
    challenge = FaceChallenge.objects.create(
        email=email,
        turn=secrets.choice(FaceChallenge.Turn.values),
        ip_address=ip_address,
        expires_at=now + timedelta(seconds=CHALLENGE_S),
    )
    live = FaceChallenge.objects.filter(email=email, ip_address=ip_address).order_by("-expires_at")
    surplus = list(live.values_list("pk", flat=True)[LIVE_CHALLENGES:])
    FaceChallenge.objects.filter(pk__in=surplus).delete()
    return challenge


def sign_in_by_face(
    *, request: HttpRequest, email: str, challenge_id: uuid.UUID, front: bytes, turned: bytes
) -> tuple[User, Tokens]:
    """Sign in with a picture from the front and one with the head turned as the challenge asked.

    A picture that will not do leaves the challenge as it is; one comparison uses it up. Raises ``Refused``.
    """
    attempt = _begin(request, email)
    challenge = FaceChallenge.objects.filter(
        pk=challenge_id, email=attempt.email, expires_at__gt=timezone.now()
    ).first()
    if challenge is None:
        attempt.record("refused", "challenge_expired")
        raise ChallengeGone
    side = Side(challenge.turn)
    attempt.measured["asked"] = side.value

    def check(portraits: Sequence[Portrait]) -> None:
        identity.require_frontal(portraits[0])
        identity.require_turned(portraits[0], portraits[1], side)

    portraits = _portray(attempt, [front, turned], check)
    if not FaceChallenge.objects.filter(pk=challenge.pk).delete()[0]:
        attempt.record("refused", "challenge_expired")
        raise ChallengeGone
    return _decide(attempt, portraits)


def sign_in_by_one_picture(*, request: HttpRequest, email: str, picture: bytes) -> tuple[User, Tokens]:
    """Sign in with one picture, where the deployment allows it; a photo of the person will do as well."""
    if not settings.FACE_SINGLE_PICTURE_LOGIN:
        raise ChallengeNeeded
    attempt = _begin(request, email)
    return _decide(attempt, _portray(attempt, [picture], lambda portraits: identity.require_frontal(portraits[0])))


def _normal(email: str) -> str:
    return email.strip().lower()


def _begin(request: HttpRequest, email: str) -> Attempt:
    require_faces()
    attempt = Attempt(request, _normal(email))
    attempt.user = User.objects.filter(email=attempt.email).first()
    try:
        refuse_if_locked_out(request=request, email=attempt.email)
    except LockedOut:
        attempt.record("locked_out", "locked_out")
        raise
    return attempt


def _portray(attempt: Attempt, pictures: Sequence[bytes], check: Check) -> list[Portrait]:
    try:
        return portray_pictures(pictures, check)
    except UnfitFace as unfit:
        attempt.measured |= unfit.measured
        attempt.record("unfit", unfit.code)
        raise


def _decide(attempt: Attempt, portraits: Sequence[Portrait]) -> tuple[User, Tokens]:
    """Compare with the enrolled face; everything is measured in every case, so that no answer is quicker."""
    enrolled, reason = _enrolled(attempt.user)
    measured = _measure(enrolled, portraits)
    attempt.measured |= measured if reason is Reason.MATCH else _without_distances(measured)
    if reason is Reason.MATCH:
        reason = _judge(measured)
    if reason is not Reason.MATCH or attempt.user is None:
        _refuse(attempt, reason)
    attempt.record("signed_in", reason)
    note_sign_in(request=attempt.request, user=attempt.user)
    return attempt.user, issue_tokens(user=attempt.user)


def _refuse(attempt: Attempt, reason: Reason) -> NoReturn:
    attempt.record("refused", reason)
    count_failure(request=attempt.request, email=attempt.email)
    raise FaceRefused


def _enrolled(user: User | None) -> tuple[Embedding, Reason]:
    """Return the enrolled embedding and ``MATCH``, or one that is nobody's and why there is none to compare with."""
    nobody = identity.NOBODY
    enrolment = FaceEnrolment.objects.filter(user=user).defer("picture").first() if user is not None else None
    if user is None:
        return nobody, Reason.UNKNOWN_ADDRESS
    if not user.is_active:
        return nobody, Reason.INACTIVE
    if enrolment is None:
        return nobody, Reason.NOT_ENROLLED
    if enrolment.model != identity.MODEL:
        return nobody, Reason.OTHER_MODEL
    try:
        return open_embedding(user_id=user.pk, sealed=enrolment.embedding), Reason.MATCH
    except UnreadableFace:
        return nobody, Reason.UNREADABLE


def _measure(enrolled: Embedding, portraits: Sequence[Portrait]) -> dict[str, Any]:
    """Return every number that the decision rests on, with its limit, rounded as the record shows it."""
    front, *others = portraits
    limit = settings.FACE_MAX_DISTANCE
    measured: dict[str, Any] = {
        "distance": round(identity.distance(enrolled, front.embedding), 3),
        "max_distance": limit,
        "yaw": round(front.head.yaw, 1),
    }
    for turned in others:
        relief = identity.relief(front, turned)
        measured |= {
            "turned_distance": round(identity.distance(enrolled, turned.embedding), 3),
            "between_distance": round(identity.distance(front.embedding, turned.embedding), 3),
            "max_turned_distance": round(limit + TURNED_ALLOWANCE, 3),
            "turned_yaw": round(turned.head.yaw, 1),
            "parallax": round(relief.parallax, 3),
            "min_parallax": identity.SOLID_PARALLAX,
            "width": round(relief.width, 3),
            "min_width": identity.SOLID_WIDTH,
        }
    return measured


def _without_distances(measured: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was measured against nobody."""
    return {name: value for name, value in measured.items() if name not in {"distance", "turned_distance"}}


def _judge(measured: dict[str, Any]) -> Reason:
    if measured["distance"] > measured["max_distance"]:
        return Reason.DIFFERENT_FACE
    if "turned_distance" not in measured:
        return Reason.MATCH
    if measured["turned_distance"] > measured["max_turned_distance"]:
        return Reason.DIFFERENT_FACE_TURNED
    if measured["between_distance"] > measured["max_turned_distance"]:
        return Reason.TWO_PEOPLE
    if measured["parallax"] < measured["min_parallax"] or measured["width"] < measured["min_width"]:
        return Reason.FLAT
    return Reason.MATCH
