"""How users come to be: by themselves as candidates, or made by an admin in any role."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from accounts.audit import record_audit
from accounts.consents import give_consent
from accounts.face import ExaminedFace, examine_face, store_face
from accounts.models import Candidate, User
from accounts.roles import Role
from accounts.services import set_active, set_role, set_roles, store_user


def register_candidate(
    *,
    email: str,
    password: str,
    full_name: str,
    language: str = "",
    external_id: str = "",
    consents: Sequence[tuple[str, int]] = (),
    face: bytes | None = None,
    ip_address: str | None = None,
) -> User:
    """Make a user who is a candidate and nothing more, or nobody at all.

    ``consents``: purpose and version. Raises ``ValidationError`` for an address or number that is taken, ``Refused``
    for an outdated text or a picture that cannot be used.
    """
    user = _new_user(email, password, full_name=full_name, language=language)
    examined = _examined(face)
    with transaction.atomic():
        if external_id:
            _hold_numbers()
        store_user(user)
        set_role(user=user, role=Role.CANDIDATE)
        _store_number(user.candidate, external_id)
        for purpose, version in consents:
            give_consent(user=user, purpose=purpose, version=version)
        if examined is not None:
            store_face(user=user, face=examined, actor=user, ip_address=ip_address)
        record_audit(action="registered", actor=user, subject=user, ip_address=ip_address)
    return user


def add_user(
    *,
    email: str,
    roles: Collection[str],
    by: User | None,
    password: str | None = None,
    ip_address: str | None = None,
    **profile: Any,
) -> User:
    """Make a user in these roles; without a password they cannot sign in by one until it is set.

    ``profile``: ``full_name``, ``language``, ``is_active``. Raises ``ValidationError`` for a taken address.
    """
    user = _new_user(email, password, **profile)
    with transaction.atomic():
        store_user(user)
        record_audit(action="user_added", actor=by, subject=user, ip_address=ip_address)
        set_roles(user=user, roles=roles, by=by, ip_address=ip_address)
    return user


def change_user(*, user: User, by: User | None, changes: dict[str, Any], ip_address: str | None = None) -> None:
    """Change any of ``email``, ``full_name``, ``language``, ``password``, ``is_active`` and ``roles``.

    Raises ``ValidationError`` for a taken address, ``Refused`` for a change that would leave nobody in charge.
    """
    profile = {name: value for name, value in changes.items() if name not in {"password", "is_active", "roles"}}
    if "password" in changes:
        user.set_password(changes["password"])  # slow on purpose, so before the transaction
    with transaction.atomic():
        if "roles" in changes:
            set_roles(user=user, roles=changes["roles"], by=by, ip_address=ip_address)
        if "is_active" in changes:
            set_active(user=user, active=changes["is_active"], by=by, ip_address=ip_address)
        if "password" in changes:
            user.save(update_fields=["password"])
            record_audit(action="password_set", actor=by, subject=user, ip_address=ip_address)
        for name, value in profile.items():
            setattr(user, name, value)
        if profile:
            store_user(user, fields=list(profile))


def _new_user(email: str, password: str | None, **fields: Any) -> User:
    """Return a user who is not stored yet; the password's hash is slow on purpose, so no transaction waits for it."""
    user = User(email=email, **fields)
    user.set_password(password)
    return user


def _examined(face: bytes | None) -> ExaminedFace | None:
    """Look at the picture, if there is one; models take their time, so no transaction waits for them."""
    return None if face is None else examine_face([face])


def _hold_numbers() -> None:
    """Let one new number wait for another where the database has no constraint that keeps them apart (MariaDB)."""
    if not connection.features.supports_partial_indexes:
        Group.objects.select_for_update().get(name=Role.CANDIDATE)


def _store_number(candidate: Candidate, external_id: str) -> None:
    if not external_id:
        return
    candidate.external_id = external_id
    try:
        with transaction.atomic():
            _refuse_taken_number(candidate)
            candidate.save(update_fields=["external_id"])
    except IntegrityError as error:  # somebody was faster
        raise _number_taken() from error


def _refuse_taken_number(candidate: Candidate) -> None:
    if Candidate.objects.filter(external_id=candidate.external_id).exclude(pk=candidate.pk).exists():
        raise _number_taken()


def _number_taken() -> ValidationError:
    return ValidationError({"external_id": [_("There is already an account with this number.")]})
