"""Fields of accounts that several calls take."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

MAX_PASSWORD = 1000
MAX_PICTURE_BYTES = 10 * 1024 * 1024


class EmailField(serializers.EmailField):
    """An address, in small letters, since that is how addresses are told apart."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 254, **options})

    def to_internal_value(self, data: Any) -> str:
        """Return the address in small letters."""
        return super().to_internal_value(data).lower()


class PasswordField(serializers.CharField):
    """A password, taken to the letter and never answered."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **{
                "write_only": True,
                "trim_whitespace": False,
                "max_length": MAX_PASSWORD,
                "style": {"input_type": "password"},
                **options,
            }
        )


@extend_schema_field({"type": "string", "description": "An uploaded file, or base64, or a data: URL."})
class PictureField(serializers.Field):
    """A picture as bytes: an uploaded file, base64 or a ``data:`` URL. What is in them is not looked at here."""

    default_error_messages = {
        "invalid": _("Send a picture as a file, or its bytes in base64."),
        "empty": _("This picture is empty."),
        "too_large": _("This picture is too large."),
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"write_only": True, **options})

    def to_internal_value(self, data: Any) -> bytes:
        """Return the bytes."""
        if isinstance(data, UploadedFile):
            if data.size and data.size > MAX_PICTURE_BYTES:
                self.fail("too_large")
            picture: bytes = data.read()
        elif isinstance(data, str):
            picture = self._decoded(data)
        else:
            self.fail("invalid")
        if not picture:
            self.fail("empty")
        if len(picture) > MAX_PICTURE_BYTES:
            self.fail("too_large")
        return picture

    def to_representation(self, value: Any) -> Any:
        """Nothing: pictures are taken, never given back."""
        return None

    def _decoded(self, text: str) -> bytes:
        if text.startswith("data:"):
            text = text.partition(",")[2]
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            return self.fail("invalid")


class _YesNoField(forms.TypedChoiceField):
    def __init__(self, **options: Any) -> None:
        words = {"true": True, "false": False}
        choices = [(word, word) for word in words]
        super().__init__(choices=choices, coerce=words.__getitem__, empty_value=None, **options)

    def to_python(self, value: Any) -> str:
        """Return the word in small letters."""
        return str(super().to_python(value)).lower()


class YesNoFilter(filters.BooleanFilter):
    """``true`` or ``false``; the filter it derives from takes any other word for no filter at all."""

    field_class = _YesNoField

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"widget": forms.TextInput, **options})


def plain_input(data: Any, *, structured: frozenset[str] = frozenset()) -> Any:
    """Return a form's fields as if they had come as JSON; those named ``structured`` hold JSON as text."""
    if not isinstance(data, QueryDict):
        return data
    fields: dict[str, Any] = data.dict()
    for name in structured & fields.keys():
        fields[name] = _of_json(fields[name])
    return fields


def _of_json(text: Any) -> Any:
    """Return what the text means, or the text itself, which its field will refuse."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # half characters, no numbers
    except (TypeError, ValueError, RecursionError):
        return text
    return value
