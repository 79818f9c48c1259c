"""Who opens a socket, from which page, and in which language they are spoken to."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError
from typing import Any
from urllib.parse import ParseResult, parse_qs, urlparse

from channels.auth import get_user
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.http import parse_cookie
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken

from accounts.models import User
from monitoring.lane import in_thread

BEARER = "bearer"
"""The subprotocol that stands before a token, because browsers let no page set headers of a socket."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


class OriginGuard(OriginValidator):  # type: ignore[misc]  # channels has no types
    """Turns away sockets that a foreign site's page opens.

    Pages of our own hosts and of ``ALLOWED_ORIGINS`` pass, and so does what is no page of a browser and sends no
    origin: it has no cookies that somebody else could make it send, and needs a token or a ticket.
    """

    def __init__(self, application: Any) -> None:
        hosts = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else ())
        super().__init__(application, [*hosts, *settings.CORS_ALLOWED_ORIGINS])

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        """Say whether such a page may open sockets."""
        if parsed_origin is None:
            return True
        try:
            return bool(self.validate_origin(parsed_origin))
        except ValueError:  # a port that is none
            return False


def told(scope: Mapping[str, Any], name: str) -> str:
    """Return a value of the address's query, empty if it is not there."""
    query: dict[str, list[str]] = parse_qs(scope.get("query_string", b"").decode("latin1"))
    return query.get(name, [""])[0]


def token_of(scope: Mapping[str, Any]) -> str:
    """Return the access token that came along: in the address, as a subprotocol or in the usual header."""
    if token := told(scope, "token"):
        return token
    names = list(scope.get("subprotocols", ()))
    if len(names) > 1 and names[0].lower() == BEARER:
        return str(names[1])
    kind, _space, token = header(scope, b"authorization").partition(" ")
    return token.strip() if kind.lower() == BEARER else ""


def subprotocol_of(scope: Mapping[str, Any]) -> str | None:
    """Return which of the offered subprotocols is taken; a browser gives up where it offered some and none is."""
    names = list(scope.get("subprotocols", ()))
    return str(names[0]) if names and names[0].lower() == BEARER else None


def user_by_token(token: str) -> User | None:
    """Return whose access token this is; None if it is not good (any more) or its owner is switched off."""
    reader = JWTAuthentication()
    try:
        user = reader.get_user(reader.get_validated_token(token.encode()))
    except (InvalidToken, AuthenticationFailed, ValueError):
        return None
    return user if isinstance(user, User) else None


async def user_of(scope: Mapping[str, Any]) -> User | None:
    """Return who opens a socket, by token or, from a page of this very server, by the session of the admin."""
    if token := token_of(scope):
        return await in_thread(user_by_token, token)
    return await _user_by_cookie(scope) if _is_own_page(scope) else None


def language_of(scope: Mapping[str, Any], user: User | None) -> str:
    """Return the language that the user chose, else the first of the browser's that is spoken here."""
    if user is not None and user.language:
        return str(user.language)
    for code, _weight in parse_accept_lang_header(header(scope, b"accept-language").lower()):
        try:
            return translation.get_supported_language_variant(code)
        except LookupError:
            continue
    return str(settings.LANGUAGE_CODE)


def header(scope: Mapping[str, Any], name: bytes) -> str:
    """Return a header of the opening call, empty if it is not there."""
    return next((value.decode("latin1") for key, value in scope.get("headers", ()) if key == name), "")


def _is_own_page(scope: Mapping[str, Any]) -> bool:
    origin = header(scope, b"origin")
    return bool(origin) and urlparse(origin).netloc.lower() == header(scope, b"host").lower()


async def _user_by_cookie(scope: Mapping[str, Any]) -> User | None:
    try:
        key = parse_cookie(header(scope, b"cookie")).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    if not key:
        return None
    user = await get_user({"session": SessionStore(key)})
    return user if isinstance(user, User) and user.is_active else None
