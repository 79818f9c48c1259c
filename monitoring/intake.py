"""Taking a candidate's picture in: cheap guards, the queue, and a word to the workers. Nothing is decoded here."""

from __future__ import annotations

import time

from exams.models import ExamSession, SessionStatus
from monitoring import queue, services
from monitoring.frame_store import StoredFrame, frame_store
from monitoring.models import Observation

CLOCK_SKEW_S = 60.0
"""How far a picture's time may lie before the session's start or ahead of this server's clock."""


class IntakeRefused(ValueError):
    """A picture that is not taken; the message says why, and the session is unharmed."""


def take_frame(*, session: ExamSession, seq: int, captured_at: float, data: bytes) -> None:
    """Store one encoded picture and have it analysed; when this returns, the picture may be acknowledged.

    ``captured_at`` is seconds since 1970. A number that was analysed already is acknowledged again and not stored.
    Raises ``IntakeRefused`` when the session is not active, the numbers make no sense or the bytes are no picture that
    may be decoded.
    """
    from vision.decoding import PictureError, sniff

    session.refresh_from_db(fields=["status", "started_at"])
    if session.status != SessionStatus.ACTIVE or session.started_at is None:
        raise IntakeRefused(f"This session is {session.get_status_display()}, so no pictures are taken.")
    if not 0 <= seq < 2**53:
        raise IntakeRefused("seq must be a whole number from 0 to 2^53.")
    # A time in the future would make all that comes before it too late to count.
    if not session.started_at.timestamp() - CLOCK_SKEW_S <= captured_at <= time.time() + CLOCK_SKEW_S:
        raise IntakeRefused("captured_at must lie between the start of the session and now.")
    try:
        sniff(data)
    except PictureError as error:
        raise IntakeRefused(str(error)) from error
    if Observation.objects.filter(session=session, stream="frame", seq=seq).exists():
        return
    skipped = frame_store().put(session.pk, StoredFrame(seq=seq, captured_at=captured_at, data=data))
    services.count_frames(session_id=session.pk, total=1, skipped=skipped)
    queue.send(queue.ANALYZE, session.pk)
