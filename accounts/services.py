"""What can be done with users and candidates."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.audit import record_audit
from accounts.errors import Refused
from accounts.models import Candidate, User
from accounts.roles import STAFF_ROLES, Role


@transaction.atomic
def ensure_user(*, email: str, role: Role, password: str | None = None, full_name: str = "") -> tuple[User, bool]:
    """Return the user of this address in this role, made if missing, and whether it was made.

    An existing user keeps password and name, and gains the role.
    """
    user = User.objects.filter(email=email.lower()).first()
    created = user is None
    if user is None:
        user = User.objects.create_user(email, password, full_name=full_name)
    set_role(user=user, role=role)
    return user, created


@transaction.atomic
def set_role(*, user: User, role: Role) -> None:
    """Add the role; staff roles open the admin, admins are superusers, and a candidate gets a candidate's record."""
    group, _created = Group.objects.get_or_create(name=role)
    user.groups.add(group)
    user.is_staff = user.is_staff or role in STAFF_ROLES
    user.is_superuser = user.is_superuser or role is Role.ADMIN
    user.save(update_fields=["is_staff", "is_superuser"])
    user.__dict__.pop("roles", None)  # they may have been read before
    if role is Role.CANDIDATE:
        Candidate.objects.get_or_create(user=user)


def ensure_candidate(*, email: str, full_name: str = "") -> Candidate:
    """Return the candidate of this address, made if missing."""
    user, _created = ensure_user(email=email, role=Role.CANDIDATE, full_name=full_name)
    return user.candidate


@transaction.atomic
def ensure_candidates(*, names: Mapping[str, str]) -> dict[str, Candidate]:
    """Do as ``ensure_candidate`` for many at once: address → name given, address in small letters → candidate returned.

    However many are new, a handful of queries make them. Raises ``IntegrityError`` if somebody else makes one of them
    at this moment.
    """
    people = {email.lower(): name for email, name in names.items()}
    known = set(User.objects.filter(email__in=people).values_list("email", flat=True))
    _make_candidates([User(email=email, full_name=name) for email, name in people.items() if email not in known])
    with_role = Candidate.objects.filter(user__email__in=people, user__groups__name=Role.CANDIDATE)
    candidates = {candidate.user.email: candidate for candidate in with_role.select_related("user")}
    return candidates | {email: ensure_candidate(email=email) for email in known - candidates.keys()}


def _make_candidates(users: list[User]) -> None:
    group, _created = Group.objects.get_or_create(name=Role.CANDIDATE)
    for user in users:
        user.set_unusable_password()
    User.objects.bulk_create(users)
    User.groups.through.objects.bulk_create(User.groups.through(user=user, group=group) for user in users)
    Candidate.objects.bulk_create(Candidate(user=user) for user in users)


@transaction.atomic
def set_roles(*, user: User, roles: Collection[str], by: User | None, ip_address: str | None = None) -> None:
    """Give the user exactly these roles; a candidate's record stays when the role goes.

    Raises ``Refused`` where admins would take the role from themselves, or where no admin would be left.
    """
    hold_admins()
    user = User.objects.get(pk=user.pk)
    before, after = user.roles, frozenset(roles)
    if before == after:
        return
    if Role.ADMIN in before - after:
        _refuse_to_lose_admin(user, by)
    _write_roles(user, after)
    _record("roles_changed", user, by, ip_address, {"added": sorted(after - before), "removed": sorted(before - after)})


@transaction.atomic
def set_active(*, user: User, active: bool, by: User | None, ip_address: str | None = None) -> None:
    """Switch the account on or off; who is switched off has no working token or session from then on.

    Raises ``Refused`` where users would switch themselves off, or the last admin.
    """
    hold_admins()
    user = User.objects.get(pk=user.pk)
    if user.is_active == active:
        return
    if not active:
        if by is not None and by.pk == user.pk:
            raise Refused(_("You cannot switch off your own account; ask another admin."), code="own_account")
        if user.has_role(Role.ADMIN):
            _refuse_to_lose_admin(user, by)
    user.is_active = active
    user.save(update_fields=["is_active"])
    _record("activated" if active else "deactivated", user, by, ip_address, {})


def store_user(user: User, fields: Collection[str] | None = None) -> None:
    """Insert the user, or update these fields; raises ``ValidationError`` at the field where the address is taken."""
    taken = User.objects.filter(email=user.email.lower()).exclude(pk=user.pk)
    try:
        if not taken.exists():
            with transaction.atomic():
                user.save(update_fields=fields)
            return
    except IntegrityError:  # somebody was faster
        if not taken.exists():
            raise
    raise ValidationError({"email": [_("There is already an account with this e-mail address.")]})


def change_profile(*, user: User, **changes: Any) -> None:
    """Change what users may change about themselves: ``full_name`` and ``language``."""
    for name, value in changes.items():
        setattr(user, name, value)
    user.save(update_fields=list(changes))


def hold_admins() -> None:
    """Let one change of roles wait for another, so that two of them cannot remove the last two admins."""
    Group.objects.get_or_create(name=Role.ADMIN)
    Group.objects.select_for_update().get(name=Role.ADMIN)


def admins() -> QuerySet[User]:
    """Return who may do everything and can sign in."""
    return User.objects.filter(Q(is_superuser=True) | Q(groups__name=Role.ADMIN), is_active=True).distinct()


def _refuse_to_lose_admin(user: User, by: User | None) -> None:
    if by is not None and by.pk == user.pk:
        raise Refused(_("You cannot take the role of admin from yourself; ask another admin."), code="own_role")
    if not admins().exclude(pk=user.pk).exists():
        raise Refused(_("This is the last admin; make somebody else an admin first."), code="last_admin")


def _write_roles(user: User, roles: Collection[str]) -> None:
    user.groups.remove(*Group.objects.filter(name__in=set(Role) - set(roles)))
    user.is_staff = bool(STAFF_ROLES & set(roles))
    user.is_superuser = Role.ADMIN in roles
    user.save(update_fields=["is_staff", "is_superuser"])
    for role in Role:
        if role in roles:
            set_role(user=user, role=role)


def _record(action: str, user: User, by: User | None, ip_address: str | None, detail: dict[str, list[str]]) -> None:
    record_audit(action=action, actor=by, subject=user, ip_address=ip_address, detail=detail)
