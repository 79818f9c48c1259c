"""Writing down who looked at whose picture."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request

from accounts.addresses import client_address
from accounts.permissions import signed_in
from exams.models import ExamSession
from monitoring.models import Evidence
from monitoring.picture_models import PictureAccess

ONCE_PER = timedelta(minutes=5)
"""A page that is drawn again, or a sound that is played in pieces, is one look."""


LIVE_ONCE_PER = timedelta(minutes=10)
"""Whoever sits before a live wall looks at the same people again and again."""


def note_look(
    request: HttpRequest | Request,
    session: ExamSession,
    *,
    what: PictureAccess.What,
    way: PictureAccess.Way = PictureAccess.Way.CONSOLE,
    evidence_id: uuid.UUID | None = None,
    sha256: str = "",
) -> None:
    """Write down that the caller is shown something of a session's candidate, once per five minutes and thing."""
    look = {
        "user": signed_in(request),
        "session": session,
        "what": what,
        "way": way,
        "evidence_id": evidence_id,
        "sha256": sha256,
        "ip_address": client_address(request),
    }
    if PictureAccess.objects.filter(**_same(look), at__gte=timezone.now() - ONCE_PER).exists():
        return
    PictureAccess.objects.create(**look, subject_id=session.candidate.user_id)


def _same(look: dict[str, object]) -> dict[str, object]:
    return {f"{name}__isnull" if value is None else name: value is None or value for name, value in look.items()}


def note_evidence(
    request: HttpRequest | Request,
    session: ExamSession,
    evidence: Evidence,
    *,
    way: PictureAccess.Way = PictureAccess.Way.CONSOLE,
) -> None:
    """Write down that the caller is shown the kept picture or sound of an activity of the session."""
    is_sound = evidence.media_type.startswith("audio/")
    what = PictureAccess.What.SOUND if is_sound else PictureAccess.What.PICTURE
    note_look(request, session, what=what, way=way, evidence_id=evidence.pk, sha256=evidence.sha256)


def note_live_looks(request: HttpRequest, subjects: Mapping[uuid.UUID, uuid.UUID]) -> None:
    """Write down that the caller is shown live pictures, once per ten minutes and session, in two queries at most.

    ``subjects`` tells whose session each is: session → user.
    """
    if not subjects:
        return
    of_caller = PictureAccess.objects.filter(user=signed_in(request), at__gte=timezone.now() - LIVE_ONCE_PER)
    noted = set(of_caller.filter(what=PictureAccess.What.LIVE).order_by().values_list("session", flat=True))
    look: dict[str, Any] = {
        "user": signed_in(request),
        "what": PictureAccess.What.LIVE,
        "way": PictureAccess.Way.CONSOLE,
        "ip_address": client_address(request),
    }
    PictureAccess.objects.bulk_create(
        PictureAccess(session_id=session, subject_id=subject, **look)
        for session, subject in subjects.items()
        if session not in noted
    )
