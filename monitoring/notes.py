"""What reviewers write down beside a session: notes, which decide nothing and are never changed."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.models import User
from exams.models import ExamSession
from monitoring.models import ReviewerNote, SuspiciousActivity
from monitoring.note_row import NOTE_LENGTH


class NoteRefused(Refused):
    """A note that is not taken; the message says why."""

    code, status = "note_refused", 400


def add_note(
    *, session: ExamSession, author: User, text: str, at_s: float, activity: SuspiciousActivity | None = None
) -> ReviewerNote:
    """Keep a note at ``at_s`` seconds into the session, on one of its activities or on none; raises ``NoteRefused``."""
    text = text.strip()
    if not text:
        raise NoteRefused(_("A note needs a text."))
    if len(text) > NOTE_LENGTH:
        raise NoteRefused(_("A note has at most %(length)d letters.") % {"length": NOTE_LENGTH})
    if session.candidate.user_id == author.pk:
        raise NoteRefused(_("Nobody writes notes on their own session."), code="own_session", status=403)
    if activity is not None and activity.session_id != session.pk:
        raise NoteRefused(_("This activity belongs to another session."))
    return ReviewerNote.objects.create(
        session=session, activity=activity, author=author, text=text, at_s=max(0.0, at_s)
    )
