"""Who may call: by role here; which rows, by the selectors of each app."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import Role, User


def signed_in(request: Request | HttpRequest) -> User:
    """Return the user who calls; only behind a permission that lets nobody else through."""
    user = request.user
    if not isinstance(user, User):  # pragma: no cover  permissions were forgotten on a view
        raise TypeError("This view needs a signed-in user.")
    return user


class HasRole(BasePermission):
    """Lets through who has one of ``roles``; an admin always passes where staff does."""

    roles: ClassVar[frozenset[str]] = frozenset()

    def has_permission(self, request: Request, view: Any) -> bool:
        """Say whether the caller has one of the roles."""
        return isinstance(request.user, User) and bool(request.user.roles & self.roles)


class IsAdmin(HasRole):
    """Admins."""

    roles = frozenset({Role.ADMIN})


class IsTeacher(HasRole):
    """Teachers, within their own exams, and admins."""

    roles = frozenset({Role.TEACHER, Role.ADMIN})


class IsStaff(HasRole):
    """Reviewers, teachers and admins, each within their exams."""

    roles = frozenset({Role.REVIEWER, Role.TEACHER, Role.ADMIN})


class IsCandidate(HasRole):
    """Candidates."""

    roles = frozenset({Role.CANDIDATE})
