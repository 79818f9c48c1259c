"""Taking in what a candidate's side sends: cheap guards, the queues, and a word to the workers. Nothing is decoded."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NoReturn

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.errors import Refused
from exams.models import ExamSession, SessionStatus
from monitoring import queue, services
from monitoring.frame_store import QueueFull, StoredFrame, Stream, frame_store
from monitoring.kept_events import record_bounded
from monitoring.models import Observation
from monitoring.thinned import count_thinned

logger = logging.getLogger(__name__)

CLOCK_SKEW_S = 60.0
"""How far a picture's time may lie before the session's start or ahead of this server's clock."""

LATE_S = 5.0
"""What is captured so shortly after the end is taken: a client hears of the end, and of more time, a little late."""

LARGEST_SEQ = 2**53 - 1
MAX_PICTURE_BYTES = 8 * 1024**2
MAX_SOUND_BYTES = 4 * 1024**2
STORE_AWAY = "storage_unavailable"
NO_FRAME, BAD_IMAGE, BAD_AUDIO = "NO_FRAME_RECEIVED", "INVALID_IMAGE", "INVALID_AUDIO"

PICTURE_TYPES = {
    "JPEG": ("image/jpeg", "image/jpg", "image/pjpeg"),
    "MPO": ("image/jpeg", "image/jpg", "image/mpo"),
    "PNG": ("image/png", "image/x-png"),
    "WEBP": ("image/webp",),
}
SOUND_TYPES = {
    "WAV": ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"),
    "FLAC": ("audio/flac", "audio/x-flac"),
    "OGG": ("audio/ogg", "audio/opus", "audio/vorbis", "application/ogg"),
    "WEBM": ("audio/webm", "video/webm", "audio/x-matroska"),
    "MP3": ("audio/mpeg", "audio/mp3"),
}
# What a sender says who does not know, or does not say.
UNTOLD_TYPES = ("", "application/octet-stream")


class IntakeRefused(Refused):
    """What is not taken; the message says why, and the session is unharmed."""

    code, status = "intake_refused", 400


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the analysis of a session is: pictures that wait, and from 0 (idle) to 10 (pictures are thinned)."""

    waiting: int
    load: int


def take_frame(*, session: ExamSession, seq: int, captured_at: float, data: bytes, media_type: str = "") -> None:
    """Store one encoded picture and have it analysed; when this returns, the picture may be acknowledged.

    ``captured_at`` is seconds since 1970. A number that was analysed already is acknowledged again and not stored.
    Raises ``IntakeRefused`` when the session is not active, the numbers make no sense or the bytes are no picture that
    may be decoded, or not what ``media_type`` says; what is wrong with the bytes is logged.
    """
    check_active(session)
    check_numbers(session.started_at, seq, captured_at, until=session.deadline_at)
    check_picture(session, data, media_type)
    if is_known(session.pk, "frame", seq):
        return
    thinned = store(session.pk, StoredFrame(seq=seq, captured_at=captured_at, data=data))
    if thinned is not None:
        services.count_frames(session_id=session.pk, total=1)
    if thinned:
        count_thinned(session_id=session.pk)
    ask_for_analysis(session.pk)


def take_sound(*, session: ExamSession, seq: int, captured_at: float, data: bytes, media_type: str = "") -> None:
    """Store one chunk of sound and have it looked at; like ``take_frame``, with a numbering of its own.

    Raises ``IntakeRefused`` also while too much sound waits already: the chunk is not stored and may be sent again.
    """
    check_active(session)
    check_numbers(session.started_at, seq, captured_at, until=session.deadline_at)
    check_sound(session, data, media_type)
    if is_known(session.pk, "audio", seq):
        return
    services.open_monitor(session=session)
    store(session.pk, StoredFrame(seq=seq, captured_at=captured_at, data=data, stream="audio"))
    ask_for_analysis(session.pk, stream="audio")


def store(session_id: uuid.UUID, item: StoredFrame) -> int | None:
    """Store what has been checked; the answer is that of ``FrameStore.put``. Asks no database.

    Raises ``IntakeRefused`` while too much sound waits, or where nothing can be stored at present.
    """
    # A time in the future would make all that comes before it too late to count.
    item = replace(item, captured_at=min(item.captured_at, time.time()))
    try:
        return frame_store().put(session_id, item)
    except QueueFull as error:
        message = _("Too much sound is waiting to be examined; send this chunk again in a while.")
        raise IntakeRefused(message, code="queue_full", status=429) from error
    except OSError as error:
        logger.warning("Nothing can be stored: %s", error)
        message = _("The server cannot store this at present; send it again in a while.")
        raise IntakeRefused(message, code=STORE_AWAY, status=503) from error


def ask_for_analysis(*session_ids: uuid.UUID, stream: Stream = "frame") -> None:
    """Have what waits in one of the queues of each session examined."""
    queue.send(queue.TASK_OF[stream], *session_ids)


def take_events(*, session: ExamSession, reports: Sequence[services.Report], source: str) -> services.Recorded:
    """Write down what the candidate's side reports; raises ``IntakeRefused`` unless the session is on or paused.

    And ``TooManyEvents`` where no more is kept of the session.
    """
    session.refresh_from_db(fields=["status", "started_at"])
    if session.status not in (SessionStatus.ACTIVE, SessionStatus.PAUSED):
        _refuse_state(session.status, _("This session is %(status)s, so no events are taken."))
    return record_bounded(session=session, reports=reports, source=source)


def load_of(session: ExamSession) -> Load:
    """Return how much waits, so that a sender can slow down."""
    return loads_at([session.pk])[session.pk]


def loads_at(session_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Load]:
    """Return how much waits, by the sessions' ids."""
    length = max(1, settings.FRAME_QUEUE_LENGTH)
    counts = frame_store().count(session_ids, "frame")
    return {session_id: Load(waiting, min(10, round(10 * waiting / length))) for session_id, waiting in counts.items()}


def refuse_nothing(*, session: ExamSession, stream: Stream) -> NoReturn:
    """Say, and for pictures log, that a call came without what it should bring."""
    check_active(session)
    if stream == "audio":
        raise IntakeRefused(_("No sound came with this request."), code="no_sound")
    services.record_refusal(session_id=session.pk, event_type=NO_FRAME, detail={})
    raise IntakeRefused(_("No picture came with this request."), code=NO_FRAME)


def refuse_type(*, session: ExamSession, stream: Stream) -> NoReturn:
    """Say and log that what came does not even claim to be a picture or sound that is taken."""
    check_active(session)
    event = BAD_IMAGE if stream == "frame" else BAD_AUDIO
    services.record_refusal(session_id=session.pk, event_type=event, detail={"reason": "type"})
    _refuse_unsupported(stream, "")


def check_active(session: ExamSession) -> None:
    """Raise ``IntakeRefused`` unless the session, as it is by now, is active."""
    session.refresh_from_db(fields=["status", "started_at", "deadline_at"])
    check_state(session.status, session.started_at)


def check_state(status: str, started_at: datetime | None) -> None:
    """Raise ``IntakeRefused`` unless this is the state of an active session."""
    if status != SessionStatus.ACTIVE or started_at is None:
        _refuse_state(status, _("This session is %(status)s, so no pictures and no sound are taken."))


def check_picture(session: ExamSession, data: bytes, media_type: str = "") -> None:
    """Raise ``IntakeRefused``, and log it, unless the bytes begin like a picture that may be decoded."""
    if fault := fault_of("frame", data, media_type):
        refuse_fault(session.pk, "frame", fault, media_type)


def check_sound(session: ExamSession, data: bytes, media_type: str = "") -> None:
    """Raise ``IntakeRefused``, and log it, unless the bytes begin like sound that may be decoded."""
    if fault := fault_of("audio", data, media_type):
        refuse_fault(session.pk, "audio", fault, media_type)


def fault_of(stream: Stream, data: bytes, media_type: str = "") -> str:
    """Return in a word what is wrong with what was sent, as far as its beginning tells; empty if nothing. Pure."""
    from vision.decoding import PictureError, PictureFault, sniff
    from vision.sound import SoundError, sniff_sound

    if stream == "frame" and len(data) > MAX_PICTURE_BYTES:
        return str(PictureFault.TOO_LARGE)
    try:
        found = sniff(data).format if stream == "frame" else sniff_sound(data).format
    except (PictureError, SoundError) as error:
        return str(error.fault)
    types = PICTURE_TYPES if stream == "frame" else SOUND_TYPES
    if found not in types:
        return str(PictureFault.UNKNOWN)
    return "" if _is_so(media_type, types[found]) else "type"


def refuse_fault(session_id: uuid.UUID, stream: Stream, fault: str, media_type: str = "") -> NoReturn:
    """Log what is wrong and raise ``IntakeRefused`` for it."""
    event = BAD_IMAGE if stream == "frame" else BAD_AUDIO
    services.record_refusal(session_id=session_id, event_type=event, detail={"reason": fault})
    raise_fault(stream, fault, media_type)


def check_numbers(started_at: datetime | None, seq: int, captured_at: float, *, until: datetime | None = None) -> None:
    """Raise ``IntakeRefused`` for a number or a time (seconds since 1970) that cannot be right, or past ``until``."""
    if not 0 <= seq <= LARGEST_SEQ:
        raise IntakeRefused(_("seq must be a whole number from 0 to 2^53."), code="bad_seq")
    started = started_at.timestamp() if started_at else 0.0
    if not started - CLOCK_SKEW_S <= captured_at <= time.time() + CLOCK_SKEW_S:
        message = _("captured_at must lie between the start of the session and now.")
        raise IntakeRefused(message, code="bad_captured_at")
    if until is not None and captured_at > until.timestamp() + LATE_S:
        raise IntakeRefused(_("Time is up; nobody is watched after the end."), code="time_up")


def is_known(session_id: uuid.UUID, stream: Stream, seq: int) -> bool:
    """Say whether the number was examined already."""
    return Observation.objects.filter(session=session_id, stream=stream, seq=seq).exists()


def _is_so(media_type: str, allowed: Collection[str]) -> bool:
    return media_type in UNTOLD_TYPES or media_type in allowed


def _refuse_state(status: str, message: str) -> NoReturn:
    raise IntakeRefused(message % {"status": SessionStatus(status).label}, code="wrong_state", status=409)


def _refuse_unsupported(stream: Stream, media_type: str) -> NoReturn:
    kind = "picture" if stream == "frame" else "sound"
    if media_type in UNTOLD_TYPES:
        message = (
            _("This is not a picture that is taken here: JPEG, PNG or WebP.")
            if stream == "frame"
            else _("This is not sound that is taken here: WAV, FLAC, WebM, Ogg, MP3, or raw samples as audio/L16.")
        )
    else:
        message = _("What was sent is not what its type says: %(type)s.") % {"type": media_type[:100]}
    raise IntakeRefused(message, code=f"unsupported_{kind}", status=415)


def raise_fault(stream: Stream, fault: str, media_type: str = "") -> NoReturn:
    """Raise ``IntakeRefused`` for a fault of ``fault_of``."""
    if fault in ("unknown", "type"):
        _refuse_unsupported(stream, media_type if fault == "type" else "")
    if fault in ("too_large", "too_long"):
        raise IntakeRefused(_largest(stream, fault), code="too_large", status=413)
    messages = {
        ("frame", "empty"): _("The picture is empty."),
        ("frame", "too_small"): _("The picture is too small to examine: it needs 32 pixels on each side."),
        ("frame", "damaged"): _("The beginning of the picture is damaged or cut off."),
        ("audio", "empty"): _("The sound is empty."),
        ("audio", "damaged"): _("The beginning of the sound is damaged, cut off, or says what cannot be."),
    }
    kind = "picture" if stream == "frame" else "sound"
    raise IntakeRefused(messages[stream, fault], code=f"{fault}_{kind}")


def _largest(stream: Stream, fault: str) -> str:
    from vision import decoding, sound

    if fault == "too_long":
        return _("The sound is longer than %(seconds)d seconds.") % {"seconds": sound.LONGEST_S}
    if stream == "audio":
        return _("The sound is larger than %(size)d MB.") % {"size": MAX_SOUND_BYTES // 1024**2}
    limits = {
        "size": MAX_PICTURE_BYTES // 1024**2,
        "pixels": decoding.MAX_PIXELS // 1024**2,
        "side": decoding.MAX_SIDE,
    }
    return _("The picture is larger than %(size)d MB, %(pixels)d megapixels or %(side)d pixels on a side.") % limits
