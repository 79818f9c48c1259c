"""Who may call what about accounts."""

from __future__ import annotations

from uuid import UUID

from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from accounts.consents import current_text
from accounts.models import Consent, Role, User
from accounts.tokens import RefreshToken
from proctoring.tests.permission_rows.row import Cell, Row, keys
from proctoring.tests.world import PASSWORD

NEW_PASSWORD = "staple-battery-horse"
SIGNED_IN = "401 200 200 200 200 200 200"
ADMIN = "401 403 403 403 403 403 200"


def refresh_token(cell: Cell) -> dict[str, str]:
    """A refresh token of the place's candidate, whoever sends it."""
    return {"refresh": str(RefreshToken.for_user(cell.place.candidate_user))}


def used_up(cell: Cell) -> bool:
    """Exactly one token, of the place's candidate, works no more."""
    owners = BlacklistedToken.objects.values_list("token__user", flat=True)
    return list(owners) == [cell.place.candidate_user.pk]


def renamed(who: UUID | None) -> bool:
    """This user, and nobody else, has the new name."""
    return list(User.objects.filter(full_name="Renamed").values_list("pk", flat=True)) == [who]


def registered(cell: Cell) -> bool:
    """There is a new candidate, who is nothing else."""
    return [user.roles for user in User.objects.filter(email="new@example.com")] == [{Role.CANDIDATE}]


def added(cell: Cell) -> bool:
    """There is a new teacher."""
    return [user.roles for user in User.objects.filter(email="new@example.com")] == [{Role.TEACHER}]


def agreed(cell: Cell) -> bool:
    """Whoever calls, and nobody else, agreed to recognition by face."""
    return [consent.user for consent in Consent.objects.filter(text__purpose="face", withdrawn_at=None)] == [cell.user]


def new_password_works(cell: Cell) -> bool:
    """The new password is that of whoever calls, and of nobody else."""
    return [user for user in User.objects.order_by("pk") if user.check_password(NEW_PASSWORD)] == [cell.user]


ROWS = [
    Row(
        "POST /api/v1/auth/register",
        "201 201 201 201 201 201 201",
        "201 201 201 201 201 201 201",
        sends={"email": "new@example.com", "password": NEW_PASSWORD, "full_name": "New", "roles": ["admin"]},
        holds=registered,
    ),
    Row(
        "POST /api/v1/auth/login",
        "200 200 200 200 200 200 200",
        "200 200 200 200 200 200 200",
        sends=lambda cell: {"email": cell.place.candidate_user.email, "password": PASSWORD},
        holds=lambda cell: cell.now("candidate_user").last_login is not None,
    ),
    Row(
        "POST /api/v1/auth/refresh",
        "200 200 200 200 200 200 200",
        "200 200 200 200 200 200 200",
        sends=refresh_token,
        holds=used_up,
    ),
    Row(
        "POST /api/v1/auth/logout",
        "204 204 204 204 204 204 204",
        "204 204 204 204 204 204 204",
        sends=refresh_token,
        holds=used_up,
    ),
    # About oneself there is no other's: both columns say the same.
    Row("GET /api/v1/auth/me", SIGNED_IN, SIGNED_IN),
    Row(
        "PATCH /api/v1/auth/me",
        "401 200 200 200 200 200 200",
        "401 200 200 200 200 200 200",
        sends={"full_name": "Renamed", "roles": ["admin"], "is_staff": True},
        holds=lambda cell: renamed(cell.caller),
    ),
    Row(
        "POST /api/v1/auth/password",
        "401 200 200 200 200 200 200",
        "401 200 200 200 200 200 200",
        sends={"current": PASSWORD, "new": NEW_PASSWORD},
        holds=new_password_works,
    ),
    Row("GET /api/v1/auth/me/consents", SIGNED_IN, SIGNED_IN),
    Row(
        "POST /api/v1/auth/me/consents",
        "401 200 200 200 200 200 200",
        "401 200 200 200 200 200 200",
        sends=lambda cell: {"purpose": "face", "version": current_text("face").version, "agree": True},
        holds=agreed,
    ),
    Row(
        "GET /api/v1/admin/users",
        ADMIN,
        ADMIN,
        lists=lambda place: keys(place.teacher, place.candidate_user, place.assistant),
    ),
    Row(
        "POST /api/v1/admin/users",
        "401 403 403 403 403 403 201",
        "401 403 403 403 403 403 201",
        sends={"email": "new@example.com", "roles": ["teacher"]},
        holds=added,
    ),
    Row("GET /api/v1/admin/users/{id}", ADMIN, ADMIN, at={"id": "teacher"}),
    Row(
        "PATCH /api/v1/admin/users/{id}",
        "401 403 403 403 403 403 200",
        "401 403 403 403 403 403 200",
        at={"id": "teacher"},
        sends={"full_name": "Renamed", "roles": ["reviewer"]},
        holds=lambda cell: renamed(cell.place.teacher.pk) and cell.now("teacher").roles == {Role.REVIEWER},
    ),
]
