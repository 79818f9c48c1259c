"""A client of the interface, signed in with a real token."""

from __future__ import annotations

from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User


def client_of(user: User | None = None, language: str = "") -> APIClient:
    """Return a client that signs in as this user (nobody without one) and asks for a language if one is given."""
    client = APIClient(raise_request_exception=True)
    if user is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")
    if language:
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    return client
