"""What happens to every request before a view sees it."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _

from proctoring.errors import answer_error, too_large

Handler = Callable[[HttpRequest], HttpResponse]
API = "/api/"
LENGTH_DIGITS = 15


def api_guard(get_response: Handler) -> Handler:
    """Make the trailing slash of API addresses optional, keep answers out of caches, refuse the unreadable."""

    def handle(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API):
            return get_response(request)
        refusal = _unreadable(request)
        if refusal is not None:
            return refusal
        request.path_info = request.path_info.rstrip("/")
        response = get_response(request)
        response.setdefault("Cache-Control", "private, no-store")  # nearly every answer is about people
        return response

    return handle


def _unreadable(request: HttpRequest) -> HttpResponse | None:
    try:
        request.get_host()
    except DisallowedHost:
        return answer_error(400, "invalid_host", _("This server does not answer to that name."))
    if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
        return answer_error(400, "invalid", _("An address must not contain a null character."))
    if "HTTP_TRANSFER_ENCODING" in request.META:
        # Its length would be known only when all of it had been taken.
        return answer_error(400, "length_required", _("Send the length of the body (Content-Length), not chunks."))
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        return answer_error(400, "invalid", _("This request cannot be understood."))
    if len(length) > LENGTH_DIGITS or int(length) > settings.MAX_REQUEST_BYTES:
        return too_large()
    return None


def chosen_language(get_response: Handler) -> Handler:
    """Speak the language that a signed-in user chose, rather than the one their browser asks for."""

    def handle(request: HttpRequest) -> HttpResponse:
        # Only a session's user: looking at it costs a query, which API clients with tokens need not pay.
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            language = getattr(request.user, "language", "")
            if language:
                translation.activate(language)
                request.LANGUAGE_CODE = language
        return get_response(request)

    return handle
