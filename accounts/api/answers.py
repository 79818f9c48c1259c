"""What is said about a user to themselves, and the answer to every kind of sign-in."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.response import Response

from accounts.models import FaceEnrolment, Role, User
from accounts.tokens import Tokens

PROFILE = {
    "id": "6f1c0e0e-6f0e-4c57-9d0c-3a0f5b0c1d2e",
    "email": "candidate@example.com",
    "full_name": "Candidate One",
    "language": "bn",
    "roles": ["candidate"],
    "external_id": "2026-0417",
    "face_enrolled": False,
    "created": "2026-03-02T09:00:00Z",
}
TOKENS = {
    "access": "eyJhbGciOiJIUzI1NiJ9.e30.access",
    "refresh": "eyJhbGciOiJIUzI1NiJ9.e30.refresh",
    "token_type": "bearer",
    "access_token": "eyJhbGciOiJIUzI1NiJ9.e30.access",
    "expires_in": 1800,
}
SIGNED_IN = {**TOKENS, "user": PROFILE}


def sorted_roles(user: User) -> list[str]:
    """Return the user's roles from candidate to admin."""
    return [role for role in Role.values if role in user.roles]


class ProfileSerializer(serializers.ModelSerializer):
    """Oneself. Address, number and roles are changed by the institution."""

    roles = serializers.SerializerMethodField()
    external_id = serializers.SerializerMethodField(help_text="The candidate's number at the institution.")
    face_enrolled = serializers.SerializerMethodField(help_text="Whether signing in by face is possible.")
    created = serializers.DateTimeField(source="date_joined", read_only=True)

    class Meta:
        model = User
        fields = ("id", "email", "full_name", "language", "roles", "external_id", "face_enrolled", "created")
        read_only_fields = ("email",)
        extra_kwargs: ClassVar[dict[str, Any]] = {"language": {"help_text": "Empty: as the browser asks."}}

    def get_roles(self, user: User) -> list[str]:
        return sorted_roles(user)

    def get_external_id(self, user: User) -> str:
        return user.candidate.external_id if hasattr(user, "candidate") else ""

    def get_face_enrolled(self, user: User) -> bool:
        return FaceEnrolment.objects.filter(user=user).exists()


class TokensSerializer(serializers.Serializer):
    """Tokens: ``access`` to call with, ``refresh`` to exchange once for new ones."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField()
    access_token = serializers.CharField(help_text="The same as access, for OAuth2 clients.")
    expires_in = serializers.IntegerField(help_text="Seconds that the access token lives.")


class SignedInSerializer(TokensSerializer):
    """Tokens, and whose they are."""

    user = ProfileSerializer()


def answer_tokens(tokens: Tokens, *, user: User | None = None, status: int = 200) -> Response:
    """Answer tokens, with the user's profile where one is given; no cache may keep them."""
    body: dict[str, Any] = {
        "access": tokens.access,
        "refresh": tokens.refresh,
        "token_type": "bearer",
        "access_token": tokens.access,
        "expires_in": tokens.expires_in,
    }
    if user is not None:
        body["user"] = ProfileSerializer(user).data
    return Response(body, status=status, headers={"Cache-Control": "no-store"})
