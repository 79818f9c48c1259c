"""The OpenAPI description: what every call has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiExample, OpenApiResponse

from accounts.openapi import ErrorSerializer
from proctoring.errors import TYPES

ERRORS = {
    400: ("invalid", "Some of what was sent cannot be used."),
    401: ("not_authenticated", "Authentication credentials were not provided."),
    403: ("permission_denied", "You do not have permission to perform this action."),
    404: ("not_found", "Not found."),
    406: ("not_acceptable", "Could not satisfy the request Accept header."),
    409: ("wrong_state", "This session is submitted, so this cannot be done."),
    413: ("too_large", "This is larger than what is taken at once."),
    415: ("unsupported_media_type", "This is not a picture that can be read."),
    422: ("not_readable", "This cannot be understood."),
    429: ("throttled", "Too many requests; try again in 20 seconds."),
    503: ("busy", "This cannot be done right now; please try again in a moment."),
}
PREFIX = "/api/v1"


class TokenScheme(SimpleJWTScheme):
    """Access tokens: put in by hand, or had from the login as OAuth2 says."""

    target_class = "accounts.authentication.TokenAuthentication"
    name = ["bearer", "password"]  # type: ignore[assignment]  # a list where there are several

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        """Return both ways to the same token."""
        flow = {"tokenUrl": f"{PREFIX}/auth/login", "refreshUrl": f"{PREFIX}/auth/refresh", "scopes": {}}
        by_hand = super().get_security_definition(auto_schema)  # type: ignore[no-untyped-call]
        return [by_hand, {"type": "oauth2", "flows": {"password": flow}}]


class Schema(AutoSchema):
    """Adds the error answers, which are the same everywhere, to every call."""

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        """Return what the call answers, and the errors that it may answer as well, always as JSON."""
        answer: Callable[..., dict[str, Any]] = self._get_response_for_code
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        errors = {
            str(status): answer(_error(status), str(status), ["application/json"], direction)
            for status in self._errors()
        }
        return dict(sorted((errors | bodies).items()))

    def _errors(self) -> list[int]:
        if not self.path.startswith(PREFIX):  # the service's own addresses ask for nothing
            return [400, 406]
        unsent = set() if self.method in ("POST", "PUT", "PATCH") else {413, 415, 422}
        return [status for status in ERRORS if status not in unsent]


def _error(status: int) -> OpenApiResponse:
    code, detail = ERRORS[status]
    example = {"type": TYPES[status], "code": code, "detail": detail}
    return OpenApiResponse(
        ErrorSerializer,
        description=detail,
        examples=[OpenApiExample(code, value=example, response_only=True, status_codes=[str(status)])],
    )


VERBS = {"get": "get", "post": "create", "put": "replace", "patch": "update", "delete": "delete"}


def name_operations(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Name every call after its address: ``sessions_begin``, ``exams_list``, ``exams_problems_create``."""
    for path, methods in result["paths"].items():
        parts = [part.replace("-", "_").replace(".", "_") for part in path.removeprefix(PREFIX).split("/")]
        words = [part for part in parts if part and not part.startswith("{")] or ["about"]
        for method, operation in methods.items():
            verb = "list" if _is_list(operation) else VERBS[method]
            acts = len(methods) == 1 and method == "post"  # an address that is only posted to is a verb already
            operation["operationId"] = "_".join(words if acts else [*words, verb])
    return result


def _is_list(operation: dict[str, Any]) -> bool:
    return any(parameter["name"] == "page" for parameter in operation.get("parameters", ()))
