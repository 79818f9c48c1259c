"""The small pictures by which people compare who sat there: of the enrolled face, of the system check, of right now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db.models import F, OuterRef, QuerySet, Subquery

from accounts.enrolled import enrolled_picture, shown_enrolments
from exams.models import ExamSession
from exams.start_pictures import start_picture
from monitoring import glimpses
from vision.types import Sense


class Which(StrEnum):
    """Which of the pictures."""

    ENROLLED = "enrolled"
    START = "start"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class KeptTimes:
    """When the enrolled face and the picture of the system check were taken; None where none may be shown."""

    enrolled_at: datetime | None = None
    start_at: datetime | None = None


def with_kept_times(sessions: QuerySet[ExamSession]) -> QuerySet[Any]:
    """Add to each session what ``kept_times`` reads, within the same query."""
    faces = shown_enrolments().filter(user=OuterRef("candidate__user")).values("enrolled_at")
    return sessions.annotate(face_enrolled_at=Subquery(faces[:1]), start_taken_at=F("start_picture__taken_at"))


def kept_times(session: Any) -> KeptTimes:
    """Return what may be shown of a session that was read by ``with_kept_times``."""
    if not settings.FACE_KEY or _is_thinned_out(session):
        return KeptTimes()
    return KeptTimes(session.face_enrolled_at if _is_compared(session) else None, session.start_taken_at)


def picture_of(session: ExamSession, which: Which) -> bytes | None:
    """Return the JPEG; None where there is none to be shown. Asking for that of now is what makes it be made."""
    if which is Which.NOW:
        return _newest(session)
    if _is_thinned_out(session):
        return None
    if which is Which.START:
        return start_picture(session)
    return enrolled_picture(session.candidate.user_id) if _is_compared(session) else None


def is_live(session: ExamSession) -> bool:
    """Say whether newer pictures may come."""
    return session.is_open and session.source == ExamSession.Source.LIVE


def _newest(session: ExamSession) -> bytes | None:
    if not is_live(session):
        return None
    glimpses.note_watching(session.exam_id)
    held = glimpses.pictures_of([session.pk]).get(session.pk)
    return None if held is None else held.jpeg


def _is_compared(session: ExamSession) -> bool:
    """Say whether this session asks whose face it is; where it does not, the enrolled one is nobody's business."""
    return Sense.IDENTITY in session.rules.senses


def _is_thinned_out(session: ExamSession) -> bool:
    """Say whether the session's pictures are gone, beside which the enrolled face would serve nothing any more."""
    monitor = getattr(session, "monitor", None)
    return monitor is not None and monitor.evidence_removed_at is not None
