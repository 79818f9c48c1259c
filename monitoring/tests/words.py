"""Translations for the length of a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.utils.translation import trans_real


def say_in_bangla(monkeypatch: pytest.MonkeyPatch, words: Mapping[str, str]) -> None:
    """Put these translations (message → text) into the Bangla catalogue."""
    catalogue: Any = trans_real.translation("bn")
    for message, text in words.items():
        monkeypatch.setitem(catalogue._catalog._catalogs[0], message, text)
