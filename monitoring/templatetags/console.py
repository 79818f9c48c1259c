"""What templates of the console share with its lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import template
from django.utils.safestring import SafeString

from monitoring.admin_parts import found_text

register = template.Library()


@register.filter
def found(breakdown: Sequence[Mapping[str, Any]]) -> str | SafeString:
    """Return the heaviest kinds of a breakdown and how often each was found."""
    return found_text(breakdown)
