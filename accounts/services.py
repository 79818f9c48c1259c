"""What can be done with users and candidates."""

from django.contrib.auth.models import Group
from django.db import transaction

from accounts.models import Candidate, User
from accounts.roles import STAFF_ROLES, Role


@transaction.atomic
def ensure_user(*, email: str, role: Role, password: str | None = None, full_name: str = "") -> tuple[User, bool]:
    """Return the user of this address in this role, made if missing, and whether it was made.

    An existing user keeps password and name, and gains the role.
    """
    user = User.objects.filter(email__iexact=email).first()
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
    if role is Role.CANDIDATE:
        Candidate.objects.get_or_create(user=user)


def ensure_candidate(*, email: str, full_name: str = "") -> Candidate:
    """Return the candidate of this address, made if missing."""
    user, _created = ensure_user(email=email, role=Role.CANDIDATE, full_name=full_name)
    return user.candidate
