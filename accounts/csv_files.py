"""Tables as CSV that a spreadsheet opens as text, and uploads that wait between preview and confirmation."""

from __future__ import annotations

import csv
import io
from typing import Any

import tablib
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from import_export.formats.base_formats import CSV
from import_export.tmp_storages import CacheStorage

FULL_WIDTH = "\uff1d\uff0b\uff0d\uff20"  # what a spreadsheet in an East Asian language takes for = + - @
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", *FULL_WIDTH)
DELIMITERS = ",;\t"


def as_text(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe before whatever could begin one.

    Numbers stay numbers.
    """
    if isinstance(cell, str) and cell.startswith((*FORMULA_STARTS, "'")):
        return f"'{cell}"
    return cell


def from_text(cell: str) -> str:
    """Return what was meant by a cell of ``as_text``."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*FORMULA_STARTS, "'")) else cell


class Table(tablib.Dataset):
    """Rows that were read from a file, and in ``lines`` which of its lines each of them is."""

    def __init__(self, *rows: Any, **options: Any) -> None:
        super().__init__(*rows, **options)
        self.lines: list[int] = []


class SafeCSV(CSV):
    """CSV in UTF-8 with its mark, as spreadsheets want it; read with commas, semicolons or tabs."""

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> bytes:
        """Return the table as a file."""
        file = io.StringIO(newline="")
        writer = csv.writer(file)
        writer.writerow(as_text(name) for name in dataset.headers)
        writer.writerows([as_text(cell) for cell in row] for row in dataset)
        return file.getvalue().encode("utf-8-sig")

    def create_dataset(self, in_stream: bytes | str, **kwargs: Any) -> tablib.Dataset:
        """Read a file into a ``Table``; lines without any text are left out. Raises ``ValidationError`` in words."""
        try:
            text = in_stream if isinstance(in_stream, str) else in_stream.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValidationError(_("This file is not text in UTF-8; save it as CSV UTF-8.")) from error
        if "\x00" in text:
            raise ValidationError(_("This file is not a text file; save it as CSV UTF-8."))
        # Numbered as a spreadsheet numbers them.
        numbered = enumerate(_lines(text), 1)
        lines = [(number, line) for number, line in numbered if any(cell.strip() for cell in line)]
        if len(lines) < 2:
            raise ValidationError(_("This file holds no line below its headings."))
        headers = [cell.strip().lower() for cell in lines[0][1]]
        dataset = Table(headers=headers)
        for number, line in lines[1:]:
            if any(cell.strip() for cell in line[len(headers) :]):
                told = {"line": number, "cells": len(line), "columns": len(headers)}
                raise ValidationError(_("Line %(line)d has %(cells)d cells under %(columns)d headings.") % told)
            cells = [from_text(cell.strip()) for cell in line[: len(headers)]]
            dataset.append(cells + [""] * (len(headers) - len(cells)))
            dataset.lines.append(number)
        return dataset


def _lines(text: str) -> list[list[str]]:
    heading = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=heading.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise ValidationError(_("This file cannot be read as CSV.")) from error


class UploadGoneError(Exception):
    """A file that was to be imported is not kept any more."""


class KeptUpload(CacheStorage):
    """Keeps an uploaded file in the cache, which all processes share, until it is confirmed or an hour is over."""

    CACHE_LIFETIME = 3600

    def read(self) -> Any:
        """Return the file; raises ``UploadGoneError``."""
        data = super().read()
        if data is None:
            raise UploadGoneError
        return data
