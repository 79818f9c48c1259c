"""What the tests of faces share: a user with a face, and whatever is sent to sign them in."""

from __future__ import annotations

import base64
from typing import Any

from accounts.consents import current_text, give_consent
from accounts.face import enrol_face
from accounts.models import AuditEvent, FaceEnrolment, User
from accounts.tests.client import client_of
from vision.tests.heads import TO_HIS_LEFT, TO_HIS_RIGHT, straight_jpeg, turned_jpeg

MY_FACE = "/api/v1/auth/me/face"
SIGN_IN = "/api/v1/auth/login/face"
CHALLENGE = "/api/v1/auth/login/face/challenge"
PASSWORD = "a-long-password"


def make_person(email: str = "ada@example.com", *, consent: bool = True) -> User:
    """Make a user who agreed to the use of their face."""
    user = User.objects.create_user(email, PASSWORD, full_name="Ada Rahman")
    if consent:
        give_consent(user=user, purpose="face", version=current_text("face").version)
    return user


def make_enrolled(email: str = "ada@example.com", picture: bytes | None = None) -> User:
    """Make a user with an enrolled face."""
    user = make_person(email)
    enrol_face(user=user, picture=picture or straight_jpeg(), actor=user, ip_address="127.0.0.1")
    return user


def text(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def ask(email: str = "ada@example.com", **extra: Any) -> dict[str, Any]:
    """Ask for a challenge."""
    answer: Any = client_of().post(CHALLENGE, {"email": email}, **extra)
    assert answer.status_code == 200, answer.json()
    challenge: dict[str, Any] = answer.json()
    return challenge


def turned_as_asked(challenge: dict[str, Any]) -> bytes:
    return turned_jpeg(TO_HIS_LEFT if challenge["turn"] == "left" else TO_HIS_RIGHT)


def send(challenge: dict[str, Any], front: bytes, turned: bytes, email: str = "ada@example.com", **extra: Any) -> Any:
    """Try to sign in with these two pictures."""
    body = {"email": email, "challenge": challenge["challenge"], "pictures": [text(front), text(turned)]}
    return client_of().post(SIGN_IN, body, **extra)


def sign_in(email: str = "ada@example.com") -> Any:
    """Try to sign in as the man whose pictures these are, doing all as asked."""
    challenge = ask(email)
    return send(challenge, straight_jpeg(), turned_as_asked(challenge), email)


def last_attempt() -> AuditEvent:
    return AuditEvent.objects.filter(action="face_sign_in").latest("pk")


def give_somebody_elses_face(user: User) -> None:
    """Let the enrolled face be one that nobody in these pictures has."""
    from accounts.face_crypto import open_embedding, seal_embedding

    row = FaceEnrolment.objects.get(user=user)
    face = open_embedding(user_id=user.pk, sealed=row.embedding)
    FaceEnrolment.objects.filter(user=user).update(embedding=seal_embedding(user_id=user.pk, embedding=face[::-1]))
