"""Addresses of pictures and sound that work for one person and a few minutes only.

A seal is Django's signature over who and what, with the time. Its clock ticks in steps of ``STEP_S``: within a step a
person gets the same address, so that the browser may keep the picture, and it works for ``LIFE_S`` from the step's
beginning, which is five to ten minutes.
"""

from __future__ import annotations

import time

from django.core import signing
from django.urls import reverse

from accounts.models import User
from exams.models import ExamSession
from monitoring.identity_pictures import Which
from monitoring.models import Evidence

STEP_S, LIFE_S = 300, 600
ADDRESS, IDENTITY_ADDRESS = "admin:monitoring_evidence_picture", "admin:exams_examsession_identity"
PARAMETER = "seal"


class _Sealer(signing.TimestampSigner):
    """Signs with the beginning of the running step instead of the second."""

    def __init__(self, at: float) -> None:
        super().__init__(salt="monitoring.picture_links")
        self.at = at

    def timestamp(self) -> str:
        return signing.b62_encode(int(self.at // STEP_S) * STEP_S)


def address_of(evidence: Evidence, user: User, *, at: float | None = None) -> str:
    """Return the address at which this person, and nobody else, may fetch the evidence for the next minutes."""
    return f"{reverse(ADDRESS, args=[evidence.pk])}?{PARAMETER}={_seal(_name(evidence, user), at)}"


def is_sealed(evidence: Evidence, user: User, seal: str) -> bool:
    """Say whether the seal was made for this person and this evidence, and still holds."""
    return _holds(_name(evidence, user), seal)


def identity_address_of(session: ExamSession, which: Which, user: User, *, at: float | None = None) -> str:
    """Return the address at which this person, and nobody else, may fetch the picture for the next minutes."""
    address = reverse(IDENTITY_ADDRESS, args=[session.pk, which.value])
    return f"{address}?{PARAMETER}={_seal(_identity_name(session, which, user), at)}"


def is_identity_sealed(session: ExamSession, which: Which, user: User, seal: str) -> bool:
    """Say whether the seal was made for this person and this picture, and still holds."""
    return _holds(_identity_name(session, which, user), seal)


def _seal(named: str, at: float | None) -> str:
    return _Sealer(time.time() if at is None else at).sign(named)[len(named) + 1 :]


def _holds(named: str, seal: str) -> bool:
    try:
        signing.TimestampSigner(salt="monitoring.picture_links").unsign(f"{named}:{seal}", LIFE_S)
    except signing.BadSignature:
        return False
    return True


def _name(evidence: Evidence, user: User) -> str:
    return f"{evidence.pk}:{user.pk}"


def _identity_name(session: ExamSession, which: Which, user: User) -> str:
    return f"{session.pk}:{which.value}:{user.pk}"
