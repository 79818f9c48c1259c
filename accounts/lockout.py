"""Five failed sign-ins close an account for the address they came from, for a while; django-axes counts them.

Passwords and faces count together. An account that does not exist is counted and closed like any other.
"""

from __future__ import annotations

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import ngettext

from accounts.errors import Refused
from accounts.models import User

MAX_EMAIL = 254


class LockedOut(Refused):
    """Too many failed sign-ins to this account from this address."""

    code = "locked_out"
    status = 429

    def __init__(self) -> None:
        super().__init__(lockout_message())


def lockout_message() -> str:
    """Say that it is closed, and for how long."""
    minutes = round(settings.AXES_COOLOFF_TIME.total_seconds() / 60)
    return ngettext(
        "Too many failed attempts to sign in. Try again in %(minutes)d minute.",
        "Too many failed attempts to sign in. Try again in %(minutes)d minutes.",
        minutes,
    ) % {"minutes": minutes}


def account_name(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """Return the address under which failures are counted: whatever the form calls it, and in small letters."""
    typed = credentials if credentials is not None else getattr(request, "POST", {})
    name = typed.get("username") or typed.get(User.USERNAME_FIELD) or ""
    return str(name).strip().lower()[:MAX_EMAIL]


def refuse_if_locked_out(*, request: HttpRequest, email: str) -> None:
    """Raise ``LockedOut`` while the account is closed for the caller's address."""
    if not AxesProxyHandler.is_allowed(request, {User.USERNAME_FIELD: email}):
        raise LockedOut


def count_failure(*, request: HttpRequest, email: str) -> None:
    """Count a failed sign-in that was not by password; raises ``LockedOut`` when it was the last one allowed."""
    user_login_failed.send(sender=__name__, credentials={User.USERNAME_FIELD: email}, request=request)
    if is_marked_locked(request):
        raise LockedOut


def note_sign_in(*, request: HttpRequest, user: User) -> None:
    """Forget the failures that went before a success, and remember when it was."""
    user_logged_in.send(sender=User, request=request, user=user)


def is_marked_locked(request: HttpRequest) -> bool:
    """Say whether this very request met, or brought about, a closed account."""
    return bool(getattr(request, "axes_locked_out", False))


@receiver(pre_save, sender="axes.AccessAttempt")
def keep_no_typing(instance: Any, **_kwargs: Any) -> None:
    """Leave out what was typed: people type passwords into every field there is."""
    instance.get_data = instance.post_data = ""
