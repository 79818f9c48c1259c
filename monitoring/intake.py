"""Taking a candidate's picture in: cheap guards, the queue, and a word to the workers. Nothing is decoded here."""

from __future__ import annotations

from exams.models import ExamSession, SessionStatus
from monitoring import queue, services
from monitoring.frame_store import StoredFrame, frame_store


class IntakeRefused(ValueError):
    """A picture that is not taken; the message says why, and the session is unharmed."""


def take_frame(*, session: ExamSession, seq: int, captured_at: float, data: bytes) -> None:
    """Store one encoded picture and have it analysed; when this returns, the picture may be acknowledged.

    ``captured_at`` is seconds since 1970. Raises ``IntakeRefused`` when the session is not active or the bytes are
    no picture that may be decoded.
    """
    from vision.decoding import PictureError, sniff

    if session.status != SessionStatus.ACTIVE:
        raise IntakeRefused(f"This session is {session.get_status_display()}, so no pictures are taken.")
    if not 0 <= seq < 2**53 or not 0 <= captured_at < 4_102_444_800:
        raise IntakeRefused("seq and captured_at must be sensible numbers.")
    try:
        sniff(data)
    except PictureError as error:
        raise IntakeRefused(str(error)) from error
    skipped = frame_store().put(session.pk, StoredFrame(seq=seq, captured_at=captured_at, data=data))
    services.count_frames(session_id=session.pk, total=1, skipped=skipped)
    queue.send(queue.ANALYZE, session.pk)
