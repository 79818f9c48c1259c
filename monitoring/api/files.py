"""Answering files."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request


class FileOrError(DefaultContentNegotiation):
    """Answers the file, or an error as JSON, whatever the client says it takes."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the renderer of errors."""
        return renderers[0], renderers[0].media_type
