"""One shape for every error: ``{"type", "code", "detail", "fields"?}``, whatever raised it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from kombu.exceptions import OperationalError as BrokerError
from redis import RedisError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from accounts.errors import Refused
from exams.policy import PolicyError
from monitoring.frame_store import StoreUnavailable
from proctoring.exceptions import Busy, Conflict, TooLarge, Unavailable

logger = logging.getLogger(__name__)

TYPES = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "too_large",
    415: "unsupported",
    422: "invalid",
    429: "throttled",
    500: "server_error",
    503: "unavailable",
}
FORM = "form"
"""The name under which errors stand that belong to no single field."""


def handle_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer what a view raised; None for what is our own mistake, which becomes a plain 500.

    With DEBUG, Django would make a page of such a mistake; programs get the one shape, and the log has the rest.
    """
    if isinstance(error, Refused):
        set_rollback()
        headers = {"WWW-Authenticate": 'Bearer realm="api"'} if error.status == 401 else None
        return Response(_body(error.status, error.code, str(error)), status=error.status, headers=headers)
    error = _as_api_exception(error)
    answer = exception_handler(error, context)
    if answer is None or not isinstance(error, exceptions.APIException):
        if not settings.DEBUG:
            return None
        set_rollback()
        logger.error("a view failed", exc_info=error)
        return Response(_body(500, "server_error", _wrong()), status=500)
    answer.data = _of_api_exception(error)
    return answer


def _as_api_exception(error: Exception) -> Exception:  # noqa: PLR0911  one line per kind of error
    if isinstance(error, PolicyError):
        return exceptions.ValidationError({"settings": [str(error)]})
    if isinstance(error, DjangoValidationError):
        fields = error.message_dict if hasattr(error, "error_dict") else {FORM: error.messages}
        return exceptions.ValidationError({FORM if name == "__all__" else name: said for name, said in fields.items()})
    if isinstance(error, ProtectedError | RestrictedError):
        return Conflict(_("This cannot be deleted, because other records rest on it."), code="in_use")
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, SuspiciousOperation):
        return exceptions.ParseError(_("This request cannot be understood."))
    if isinstance(error, OperationalError):  # a deadlock, a lock that was not had in time, no connection
        logger.error("the database could not answer", exc_info=error)
        return Busy()
    if isinstance(error, StoreUnavailable | RedisError | BrokerError):
        logger.error("the storage could not answer", exc_info=error)
        return Unavailable()
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    return error


def _of_api_exception(error: exceptions.APIException) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        fields: dict[str, list[str]] = {}
        for name, message in _flat(error.detail):
            fields.setdefault(name or FORM, []).append(message)
        return _body(400, "invalid", _("Some of what was sent cannot be used."), fields)
    details = error.detail
    if isinstance(details, dict):  # simplejwt
        code, message = str(details.get("code", error.default_code)), str(details.get("detail", ""))
    else:
        code, message = str(getattr(details, "code", error.default_code)), str(details)
    return _body(error.status_code, code, message)


def _flat(detail: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Give every message with the dotted name of its field: ``events.3.event_type``."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            part = "" if key == "non_field_errors" else str(key)
            yield from _flat(value, f"{name}.{part}".strip("."))
    elif isinstance(detail, list):
        plain = all(not isinstance(item, dict | list) for item in detail)
        for number, item in enumerate(detail):
            yield from _flat(item, name if plain else f"{name}.{number}".strip("."))
    else:
        yield name, str(detail)


def _body(status: int, code: str, detail: str, fields: dict[str, list[str]] | None = None) -> dict[str, Any]:
    return {"type": TYPES.get(status, "error"), "code": code, "detail": detail} | ({"fields": fields} if fields else {})


def answer_error(status: int, code: str, detail: str) -> JsonResponse:
    """Return an error in the one shape, for what is refused before a view is reached."""
    return JsonResponse(_body(status, code, detail), status=status)


def too_large() -> JsonResponse:
    """Return the refusal of what is over the limit, before a view is reached."""
    return answer_error(413, "too_large", _("This is larger than what is taken at once."))


def _for_people(request: HttpRequest) -> bool:
    """Say whether a page is due: in the admin, and where a browser asks for one; programs get the one shape."""
    if request.path == "/api" or request.path.startswith("/api/"):
        return False
    return request.path.startswith("/admin") or "text/html" in request.headers.get("Accept", "")


def _wrong() -> str:
    return _("Something went wrong here; it has been written down.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400."""
    if _for_people(request):
        return defaults.bad_request(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return too_large()
    return answer_error(400, "invalid", _("This request cannot be understood."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403."""
    if _for_people(request):
        return defaults.permission_denied(request, exception)
    return answer_error(403, "permission_denied", _("You may not do this."))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404."""
    if _for_people(request):
        return defaults.page_not_found(request, exception)
    return answer_error(404, "not_found", _("There is nothing at this address."))


@csrf_exempt
def no_such_call(request: HttpRequest, *_more: str) -> HttpResponse:
    """404 under ``/api/`` as a view, so that it is the same with DEBUG, where Django would show a page."""
    return answer_error(404, "not_found", _("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    """500; what happened stands in the log and nowhere else."""
    if _for_people(request):
        return defaults.server_error(request)
    return answer_error(500, "server_error", _wrong())
