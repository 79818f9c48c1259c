"""Which session a call is about, and in which role the caller sees it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from accounts.permissions import signed_in
from exams.models import ExamSession
from exams.selectors import own_sessions
from monitoring import presence
from monitoring.selectors import is_staff_of, reachable_sessions

RELATED = ("exam", "policy", "candidate")


@dataclass(frozen=True, slots=True)
class Reached:
    """A session, and whether the caller is staff of its exam or the candidate who sits it."""

    session: ExamSession
    as_staff: bool


def find_own_session(request: Request, pk: UUID) -> ExamSession:
    """Return the caller's own session; one seen as staff answers 403, all others 404.

    A call that does something is a sign of life.
    """
    user = signed_in(request)
    session = own_sessions(user).select_related(*RELATED).filter(pk=pk).first()
    if session is None:
        get_object_or_404(reachable_sessions(user), pk=pk)
        raise PermissionDenied
    if request.method not in SAFE_METHODS:
        presence.seen(session.pk)
    return session


def find_session(request: Request, pk: UUID) -> Reached:
    """Return a session that the caller sees in any role; all others answer 404."""
    user = signed_in(request)
    session = get_object_or_404(reachable_sessions(user).select_related(*RELATED), pk=pk)
    return Reached(session, is_staff_of(user, session))
