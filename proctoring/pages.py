"""The description of the interface and its two pages, all from this server."""

from __future__ import annotations

import functools
from typing import Any

from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring import asyncapi
from proctoring import __version__

# Both pages write their styles themselves; Redoc searches in a worker made from a blob.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


class SchemaView(SpectacularAPIView):
    """The OpenAPI document, as YAML or (``Accept: application/json``) JSON."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the document in the caller's language."""
        return Response(_document(translation.get_language() or "en"))


class SocketSchemaView(APIView):
    """The AsyncAPI document of the sockets."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """Return the document."""
        return Response(asyncapi.document(__version__))


class _Guarded:
    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().finalize_response(*args, **kwargs)  # type: ignore[misc]
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response


class SwaggerView(_Guarded, SpectacularSwaggerSplitView):
    """Swagger UI."""


class RedocView(_Guarded, SpectacularRedocView):
    """ReDoc."""


@functools.lru_cache(maxsize=4)
def _document(language: str) -> dict[str, Any]:
    """Return the document, which is the same until the next start and takes a while to make."""
    with translation.override(language):
        document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return document
