"""Errors that the REST framework has no class for."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException


class Conflict(APIException):
    """The state of things does not allow it."""

    status_code = 409
    default_code = "conflict"


class Busy(APIException):
    """Right now it cannot be done; a moment later it may."""

    status_code = 503
    default_code = "busy"
    default_detail = _("This cannot be done right now; please try again in a moment.")
    wait = 2


class Unavailable(Busy):
    """Redis, the disk or the broker is away."""

    default_code = "storage_unavailable"


class TooLarge(APIException):
    """More than is taken at once."""

    status_code = 413
    default_code = "too_large"
    default_detail = _("This is larger than what is taken at once.")
