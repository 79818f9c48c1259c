"""Signing in with a password."""

from __future__ import annotations

from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.lockout import LockedOut, is_marked_locked, note_sign_in
from accounts.models import User
from accounts.tokens import Tokens, issue_tokens


class SignInRefused(Refused):
    """Unknown, wrong and switched off are one answer, so that nobody learns who has an account."""

    code = "wrong_credentials"
    status = 401

    def __init__(self) -> None:
        super().__init__(_("There is no active account with this address and password."))


def sign_in(*, request: HttpRequest, email: str, password: str) -> tuple[User, Tokens]:
    """Sign in with address and password; raises ``SignInRefused`` or ``LockedOut``."""
    user = _who_is(request, email, password)
    if user is None:
        raise SignInRefused
    note_sign_in(request=request, user=user)
    return user, issue_tokens(user=user)


def change_password(*, request: HttpRequest, user: User, current: str, new: str) -> Tokens:
    """Replace the password, which ends every older token, and return new ones.

    A wrong current one counts as a failed sign-in: a stolen token must not serve to guess the password.
    Raises ``ValidationError`` or ``LockedOut``.
    """
    known = _who_is(request, user.email, current)
    if known is None or known.pk != user.pk:
        raise ValidationError({"current": [_("This is not your current password.")]})
    note_sign_in(request=request, user=known)
    check_new_password(new, user=known, field="new")
    known.set_password(new)
    known.save(update_fields=["password"])
    return issue_tokens(user=known)


def check_new_password(password: str, *, user: User, field: str) -> None:
    """Raise ``ValidationError`` at the field for a password that is easy to guess."""
    try:
        validate_password(password, user=user)
    except ValidationError as error:
        raise ValidationError({field: error.messages}) from error


def _who_is(request: HttpRequest, email: str, password: str) -> User | None:
    user = authenticate(request, username=email.strip().lower(), password=password)
    if user is None and is_marked_locked(request):
        raise LockedOut
    return user if isinstance(user, User) else None
