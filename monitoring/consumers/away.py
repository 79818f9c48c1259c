"""What database, Redis and disk fail with while they are away, and what a socket says then."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError
from django.utils import translation
from django.utils.translation import gettext as _
from redis import RedisError

AWAY = (OSError, OperationalError, InterfaceError, RedisError)
CODE = "storage_unavailable"


def words(language: str) -> str:
    """Return the sentence in this language."""
    with translation.override(language):
        return _("The server cannot store this at present; send it again in a while.")
