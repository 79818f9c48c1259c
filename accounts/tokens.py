"""The tokens of API clients: made at sign-in, exchanged for fresh ones, taken back at sign-out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import BlacklistMixin
from rest_framework_simplejwt.tokens import RefreshToken as BaseRefreshToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.errors import Refused
from accounts.models import User

SIGN_IN = "sign_in"
"""The claim that names the sign-in from which a token comes, however often it was exchanged since."""


class TokenRefused(Refused):
    """A refresh token that is not, or no longer, good for anything."""

    code = "token_not_valid"
    status = 401

    def __init__(self) -> None:
        super().__init__(_("This token is not valid any more; sign in again."))


class RefreshToken(BaseRefreshToken):
    """A refresh token that is written down only once it is used up, so that no table holds one that works."""

    @classmethod
    def for_user(cls, user: Any) -> Any:
        """Return a token of this user, the first of a new sign-in."""
        token = super(BlacklistMixin, cls).for_user(user)
        token[SIGN_IN] = uuid4().hex
        return token


class _SignedRefreshToken(RefreshToken):
    """A token of ours that has not expired, used up or not."""

    def check_blacklist(self) -> None:
        return


@dataclass(frozen=True)
class Tokens:
    """What a client gets: one token to call with, one to exchange."""

    access: str
    refresh: str
    expires_in: int
    """Seconds that the access token lives."""


def issue_tokens(*, user: User, sign_in: str = "") -> Tokens:
    """Make tokens of this user, of a new sign-in unless one is named."""
    refresh = RefreshToken.for_user(user)
    if sign_in:
        refresh[SIGN_IN] = sign_in
    lifetime = api_settings.ACCESS_TOKEN_LIFETIME
    return Tokens(str(refresh.access_token), str(refresh), int(lifetime.total_seconds()))


@transaction.atomic
def rotate_tokens(*, refresh: str) -> Tokens:
    """Exchange a refresh token, which is used up by that, for new tokens; raises ``TokenRefused``."""
    try:
        token = RefreshToken(refresh)  # type: ignore[arg-type]  # the library's annotation forgets the encoded form
        user = User.objects.get(pk=token[api_settings.USER_ID_CLAIM])
    except (TokenError, KeyError, User.DoesNotExist) as error:
        raise TokenRefused from error
    unchanged = token.get(api_settings.REVOKE_TOKEN_CLAIM) == get_md5_hash_password(user.password)
    if not user.is_active or not unchanged or not _use_up(token):
        raise TokenRefused
    return issue_tokens(user=user, sign_in=token.get(SIGN_IN, ""))


@transaction.atomic
def take_back_token(*, refresh: str) -> None:
    """Make the refresh token useless, if it still is of use, and end its sign-in, on which open sockets rest.

    Raises ``TokenRefused`` for what never was one of ours.
    """
    try:
        token = _SignedRefreshToken(refresh)  # type: ignore[arg-type]
        if _use_up(token):
            _end_sign_in(token)
    except ExpiredTokenError:
        return
    except TokenError as error:
        raise TokenRefused from error


def _use_up(token: BaseRefreshToken) -> bool:
    """Write the token down as used; False where somebody was faster."""
    pair: Any = token.blacklist()  # the library's annotation forgets the second half
    return bool(pair[1])


def ended_sign_ins(sign_ins: Collection[str]) -> set[str]:
    """Return which of these sign-ins have been ended by signing out."""
    ended = OutstandingToken.objects.filter(jti__in=[sign_in for sign_in in sign_ins if sign_in])
    return set(ended.values_list("jti", flat=True))


def _end_sign_in(token: BaseRefreshToken) -> None:
    """Write down that the sign-in is over, until none of its tokens can be alive any more."""
    if sign_in := token.get(SIGN_IN, ""):
        used_up = OutstandingToken.objects.get(jti=token[api_settings.JTI_CLAIM])
        about = {"user": used_up.user, "token": "", "expires_at": used_up.expires_at, "created_at": timezone.now()}
        OutstandingToken.objects.get_or_create(jti=sign_in, defaults=about)


def forget_expired_tokens() -> int:
    """Delete used-up tokens that would have expired by now; returns how many."""
    return OutstandingToken.objects.filter(expires_at__lt=timezone.now()).delete()[0]
