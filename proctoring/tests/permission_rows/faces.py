"""Who may call what about faces. No face is looked at: the test knows one portrait only."""

from __future__ import annotations

import base64

import numpy as np

from accounts.consents import current_text, give_consent
from accounts.face import ExaminedFace, store_face
from accounts.models import AuditEvent, FaceChallenge, FaceEnrolment, User
from proctoring.tests.permission_rows.intake import picture
from proctoring.tests.permission_rows.row import Cell, Row
from vision.analyzers.identity import LENGTH, Portrait
from vision.types import Head

PORTRAIT = Portrait(np.zeros((478, 2)), Head(0.0, 0.0, 0.0), 200.0, 0.8, 0.02, np.full(LENGTH, 0.1))
PICTURE = base64.b64encode(picture()).decode()


def consent(user: User | None) -> bool:
    """Let the user agree to recognition by face; False for nobody."""
    if user is not None:
        give_consent(user=user, purpose="face", version=current_text("face").version)
    return user is not None


def enrol(user: User | None) -> bool:
    """Let the user have an enrolled face; False for nobody."""
    if user is not None:
        consent(user)
        known = ExaminedFace(PORTRAIT.embedding, PORTRAIT.measured(), b"\xff\xd8")
        store_face(user=user, face=known, actor=user, ip_address=None)
    return user is not None


def enrolled() -> list[object]:
    """Whose faces are enrolled."""
    return list(FaceEnrolment.objects.values_list("user", flat=True))


def challenged(cell: Cell) -> bool:
    """There is one challenge, to the place's candidate."""
    return list(FaceChallenge.objects.values_list("email", flat=True)) == [cell.place.candidate_user.email]


def recognised(cell: Cell) -> bool:
    """The place's candidate signed in, which is on record."""
    signed_in = AuditEvent.objects.filter(action="face_sign_in", outcome="signed_in")
    is_there = cell.now("candidate_user").last_login is not None
    return is_there and [event.subject for event in signed_in] == [cell.place.candidate_user]


ROWS = [
    Row(
        "POST /api/v1/auth/login/face/challenge",
        "200 200 200 200 200 200 200",
        "200 200 200 200 200 200 200",
        sends=lambda cell: {"email": cell.place.candidate_user.email},
        holds=challenged,
    ),
    Row(
        "POST /api/v1/auth/login/face",
        "200 200 200 200 200 200 200",
        "200 200 200 200 200 200 200",
        given=lambda cell: enrol(cell.place.candidate_user),
        sends=lambda cell: {"email": cell.place.candidate_user.email, "picture": PICTURE},
        holds=recognised,
    ),
    Row(
        "POST /api/v1/auth/me/face",
        "401 201 201 201 201 201 201",
        "401 201 201 201 201 201 201",
        given=lambda cell: consent(cell.user),
        sends={"face": PICTURE},
        holds=lambda cell: enrolled() == [cell.caller],
    ),
    Row(
        "DELETE /api/v1/auth/me/face",
        "401 204 204 204 204 204 204",
        "401 204 204 204 204 204 204",
        given=lambda cell: enrol(cell.user),
        holds=lambda cell: bool(cell.caller) and enrolled() == [],
    ),
]
