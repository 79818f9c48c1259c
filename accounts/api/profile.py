"""One's own profile and password."""

from __future__ import annotations

from typing import Any

from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.answers import PROFILE, TOKENS, ProfileSerializer, TokensSerializer, answer_tokens
from accounts.api.auth import plain_request
from accounts.api.fields import PasswordField
from accounts.models import User
from accounts.openapi import describe
from accounts.permissions import signed_in
from accounts.services import change_profile
from accounts.sign_in import change_password


class ProfileView(generics.GenericAPIView):
    """``auth/me``."""

    serializer_class = ProfileSerializer

    def get_object(self) -> User:
        """Return whoever calls."""
        return signed_in(self.request)

    @describe("Show my profile", tag="accounts", answer=ProfileSerializer, gets=PROFILE)
    def get(self, request: Request) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    @describe(
        "Change my name or language",
        tag="accounts",
        says="Only the full name and the language can be changed; whatever else is sent is left alone.",
        request=ProfileSerializer,
        sends={"full_name": "Candidate One", "language": "bn"},
        answer=ProfileSerializer,
        gets=PROFILE,
    )
    def patch(self, request: Request) -> Response:
        user = self.get_object()
        given = self.get_serializer(user, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        change_profile(user=user, **given.validated_data)
        return Response(self.get_serializer(user).data)


class ChangePasswordSerializer(serializers.Serializer):
    """The password there is, and the one to come."""

    current = PasswordField()
    new = PasswordField()


class PasswordView(APIView):
    """``auth/password``."""

    throttle_scope = "sign_in"

    @describe(
        "Change my password",
        tag="accounts",
        says="Ends every older token and answers new ones. A wrong current password counts as a failed sign-in.",
        request=ChangePasswordSerializer,
        sends={"current": "correct-horse-battery", "new": "staple-battery-horse"},
        answer=TokensSerializer,
        gets=TOKENS,
    )
    def post(self, request: Request) -> Response:
        given = ChangePasswordSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        words: dict[str, Any] = given.validated_data
        tokens = change_password(request=plain_request(request), user=signed_in(request), **words)
        return answer_tokens(tokens)
