"""Tokens of API clients; who signs in is answered in the language they chose."""

from __future__ import annotations

from typing import Any

from django.utils import translation
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.models import User


class TokenAuthentication(JWTAuthentication):
    """``Authorization: Bearer <access token>``."""

    def authenticate(self, request: Request) -> Any:
        """Return user and token; the user's chosen language, if any, goes before what the browser asks for."""
        found = super().authenticate(request)
        if found is not None and isinstance(found[0], User) and found[0].language:
            translation.activate(found[0].language)
        return found
