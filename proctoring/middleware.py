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
# Files of this server and nothing else: no script and no style that stands in a page. Views may say it more exactly.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self'",
        "font-src 'self'",
        # Some browsers do not take 'self' for the sockets of the same host.
        "connect-src 'self'{socket}",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


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


def content_policy(get_response: Handler) -> Handler:
    """Have browsers keep every page to a policy under which text that got into it can run and load nothing."""

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        # Django's own pages about failures, for who develops, have their scripts within.
        is_debug_page = settings.DEBUG and response.status_code in (404, 500)
        if response.get("Content-Type", "").startswith("text/html") and not is_debug_page:
            response.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY.format(socket=_socket(request)))
        return response

    return handle


def _socket(request: HttpRequest) -> str:
    try:
        return f" {'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
    except DisallowedHost:
        return ""


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
