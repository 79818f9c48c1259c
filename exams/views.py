"""The candidate page: one document for everybody, which signs in and does the rest through the interface."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.views.generic import TemplateView, View
from django.views.i18n import set_language

from exams.page_texts import page_texts

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        # Some browsers do not take 'self' for the sockets of the same host.
        "connect-src 'self' {socket}",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
PERMISSIONS_POLICY = "camera=(self), microphone=(self), fullscreen=(self), window-management=(self), geolocation=()"


class CandidatePage(TemplateView):
    """``/exam/`` and ``/exam/<code>/``; the page is the same for every code, so it gives no exam away."""

    template_name = "candidate/page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the sentences of the scripts, in the reader's language."""
        return super().get_context_data(**kwargs) | {
            "texts": page_texts(),
            "code": self.kwargs.get("code", ""),
            "chosen": settings.LANGUAGE_COOKIE_NAME in self.request.COOKIES,
        }

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer the page under a strict policy: only files of this server, no script or style within the page."""
        get_token(request)
        response = super().dispatch(request, *args, **kwargs)
        socket = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.format(socket=socket)
        response["Permissions-Policy"] = PERMISSIONS_POLICY
        response["Cache-Control"] = "private, no-store"
        return response  # type: ignore[return-value]


class LanguageView(View):
    """``/exam/language``: the page in another language."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Remember the language and go back to the page."""
        return set_language(request)
