"""JSON as the database can keep it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from proctoring.exceptions import TooLarge

MAX_DEPTH = 32
MAX_VALUES = 100_000
MAX_MARKS = 10 * MAX_VALUES
"""Commas and opening brackets, those within text too: read, a body of nothing else takes 25 times its size."""

LARGEST = 2**63 - 1


class StrictJSONParser(BaseParser):
    """Takes JSON without NaN, numbers beyond 64 bits, null and half characters and deep nesting, up to the limit."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the parsed body; raises ``ParseError`` or ``TooLarge``."""
        raw = stream.read(settings.MAX_REQUEST_BYTES + 1)
        if len(raw) > settings.MAX_REQUEST_BYTES:
            raise TooLarge
        if sum(raw.count(mark) for mark in (b",", b"[", b"{")) > MAX_MARKS:
            raise TooLarge
        try:
            text = raw.decode("utf-8-sig")
            value = json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
            _check(value)
        except (ValueError, RecursionError) as error:  # what cannot be decoded, read or encoded again
            raise ParseError(_("This is not JSON that can be read.")) from error
        return value


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _whole(digits: str) -> int:
    number = int(digits)
    if abs(number) > LARGEST:
        raise ValueError(digits)
    return number


def _check(value: Any) -> None:
    """Refuse what no column could keep and what nobody needs."""
    level, seen = [value], 0
    for _depth in range(MAX_DEPTH):
        seen += len(level)
        if seen > MAX_VALUES:
            raise TooLarge
        for text in level:
            if isinstance(text, str):
                _check_text(text)
        inner = (item for outer in level if isinstance(outer, dict | list) for item in _inside(outer))
        level = list(islice(inner, MAX_VALUES + 1))
        if not level:
            return
    raise ParseError(_("This is nested more deeply than anything that is asked for."))


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise ParseError(_("Text must not contain a null character."))
    text.encode("utf-8")  # half characters cannot be


def _inside(outer: dict[str, Any] | list[Any]) -> Iterator[Any]:
    if isinstance(outer, dict):
        yield from outer.keys()
        yield from outer.values()
    else:
        yield from outer
