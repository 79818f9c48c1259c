"""Who opens a socket, from which page, on what their right to it rests, and in which language they are spoken to."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.cookies import CookieError
from importlib import import_module
from typing import Any
from urllib.parse import ParseResult, parse_qs, urlparse

from channels.auth import get_user
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.http import HttpRequest, parse_cookie
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.addresses import client_address
from accounts.models import User
from accounts.tokens import SIGN_IN, ended_sign_ins
from exams.tickets import is_ours
from monitoring.lane import in_thread

BEARER = "bearer"
"""The subprotocol that stands before a token, because browsers let no page set headers of a socket."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")

door = ThreadPoolExecutor(2, "intake-door")
"""Who comes in is looked up here, so that a crowd at the door is not in the way of those who are in."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What the right to an open socket rests on: a password, a sign-in by token, a session of the admin."""

    password: str = ""
    sign_in: str = ""
    session_key: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who opens a socket, and on what grounds."""

    user: User
    grounds: Grounds


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


def claim_of(scope: Mapping[str, Any]) -> str | None:
    """Return whose access token is shown, empty for a ticket of ours, None for neither; asks no database.

    What is shown may have been used or taken back since.
    """
    if ticket := told(scope, "ticket"):
        return "" if is_ours(ticket) else None
    try:
        token = JWTAuthentication().get_validated_token(token_of(scope).encode())
        return str(token[api_settings.USER_ID_CLAIM])
    except (InvalidToken, KeyError, ValueError):
        return None


def caller_by_token(token: str) -> Caller | None:
    """Return whose access token this is; None if it is not good (any more) or its owner is switched off."""
    reader = JWTAuthentication()
    try:
        read = reader.get_validated_token(token.encode())
        user = reader.get_user(read)
    except (InvalidToken, AuthenticationFailed, ValueError):
        return None
    sign_in = str(read.get(SIGN_IN, ""))
    if not isinstance(user, User) or ended_sign_ins([sign_in]):
        return None
    return Caller(user, Grounds(digest_of(user.password), sign_in))


async def caller_of(scope: Mapping[str, Any]) -> Caller | None:
    """Return who opens a socket, by token or, from a page of this very server, by the session of the admin."""
    if token := token_of(scope):
        return await in_thread(caller_by_token, token, executor=door)
    key = session_key_of(scope)
    user = await _user_of_session(key) if key else None
    return None if user is None else Caller(user, Grounds(session_key=key))


async def still_holds(caller: Caller) -> bool:
    """Say whether what the right to a socket rests on is as it was; that a token has expired changes nothing."""
    if key := caller.grounds.session_key:
        user = await _user_of_session(key)
        return user is not None and user.pk == caller.user.pk
    return await in_thread(_holds, caller)


def _holds(caller: Caller) -> bool:
    user = User.objects.filter(pk=caller.user.pk, is_active=True).first()
    same = user is not None and digest_of(user.password) == caller.grounds.password
    return same and not ended_sign_ins([caller.grounds.sign_in])


def digest_of(password: str) -> str:
    """Return by what tokens know whether a stored password is another one."""
    return str(get_md5_hash_password(password))


def address_of(scope: Mapping[str, Any]) -> str:
    """Return the network address of who opens a socket, as for calls; empty where there is none."""
    request = HttpRequest()
    forwarded = header(scope, b"x-forwarded-for")
    request.META = {"REMOTE_ADDR": (scope.get("client") or [""])[0], "HTTP_X_FORWARDED_FOR": forwarded}
    return client_address(request) or ""


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


def session_key_of(scope: Mapping[str, Any]) -> str:
    """Return the key of the session of the admin, from a page of this very server; empty if there is none."""
    if not _is_own_page(scope):
        return ""
    try:
        return str(parse_cookie(header(scope, b"cookie")).get(settings.SESSION_COOKIE_NAME) or "")
    except CookieError:
        return ""


async def _user_of_session(key: str) -> User | None:
    engine = import_module(settings.SESSION_ENGINE)
    user = await get_user({"session": engine.SessionStore(key)})
    return user if isinstance(user, User) and user.is_active else None
