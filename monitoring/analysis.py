"""One round of analysis of one session: claim it, look at what waits, record, let go."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from exams.models import ExamSession
from monitoring import services
from monitoring.frame_store import FrameStore, StoredFrame, frame_store
from monitoring.models import SessionMonitor
from monitoring.sounds import examine_sound, record_sounds
from monitoring.store import Picture
from vision.types import Due, Frame, Memory
from vision.types import Observation as Facts

logger = logging.getLogger(__name__)

BATCH = 16
CLAIM_S = 60.0
"""A claim outlives the slowest batch many times over; after that its holder is taken for dead."""


def analyze_frames(
    frames: Iterable[Frame], *, due: Due, memory: Memory
) -> tuple[list[Facts], dict[int, Picture], Memory]:
    """Run the senses over frames in order; returns their facts, their pictures by number, and the memory after."""
    from vision.pipeline import analyze

    facts: list[Facts] = []
    pictures: dict[int, Picture] = {}
    for frame in frames:
        found, memory = analyze(frame, due, memory)
        facts.append(found)
        pictures[frame.seq] = lambda frame=frame: _encode(frame)  # type: ignore[misc]
    return facts, pictures, memory


def _encode(frame: Frame) -> bytes:
    from vision.decoding import encode_jpeg

    return encode_jpeg(frame.rgb)


def analyze_waiting(*, session_id: uuid.UUID, budget_s: float = 20.0) -> int:
    """Analyse what waits in the session's queues, oldest first, for about ``budget_s``; returns how many items.

    Does nothing while another process holds the session. What was recorded is removed from the queue afterwards, so
    a death in between repeats work that changes nothing.
    """
    store, done, deadline = frame_store(), 0, time.monotonic() + budget_s
    with _claim(session_id) as held:
        while held() and time.monotonic() < deadline:
            pictures, sounds = store.take(session_id, BATCH), store.take(session_id, BATCH, "audio")
            if not pictures and not sounds:
                break
            if pictures:
                _analyze_batch(session_id, pictures, store)
            if sounds:
                _hear_batch(session_id, sounds, store)
            done += len(pictures) + len(sounds)
    return done


def _hear_batch(session_id: uuid.UUID, waiting: list[StoredFrame], store: FrameStore) -> None:
    record_sounds(session_id=session_id, sounds=[examine_sound(chunk) for chunk in waiting])
    store.discard(session_id, [item.seq for item in waiting], "audio")  # nobody's voice is kept without need


def _analyze_batch(session_id: uuid.UUID, waiting: list[StoredFrame], store: FrameStore) -> None:
    monitor = SessionMonitor.objects.select_related("session__policy").get(pk=session_id)
    frames, unreadable = _decode(waiting)
    due = monitor.session.rules.due()
    facts, pictures, memory = analyze_frames(frames, due=due, memory=monitor.memory)
    originals = {item.seq: item.data for item in waiting}
    pictures.update({seq: _original(data) for seq, data in originals.items() if data[:2] == b"\xff\xd8"})
    batch = services.Batch(facts=facts, pictures=pictures, memory=memory, unreadable=unreadable)
    services.record_observations(session_id=session_id, batch=batch)
    store.discard(session_id, [item.seq for item in waiting])


def _original(data: bytes) -> Picture:
    """A JPEG that came from the candidate is kept as it came: nothing re-encoded stands between it and the reviewer."""
    return lambda: data


def _decode(waiting: list[StoredFrame]) -> tuple[list[Frame], list[services.Unreadable]]:
    from vision.decoding import PictureError, decode_picture, downscale

    frames, unreadable = [], []
    for item in waiting:
        try:
            rgb = downscale(decode_picture(item.data))
        except PictureError as error:
            unreadable.append(services.Unreadable(item.seq, item.captured_at, str(error)))
        else:
            frames.append(Frame(seq=item.seq, captured_at=item.captured_at, rgb=rgb))
    return frames, unreadable


@contextmanager
def _claim(session_id: uuid.UUID) -> Iterator[Callable[[], bool]]:
    """Hold the session by compare-and-set; an expired claim may be taken over.

    Gives a function that says whether the session is held, and then holds it for longer.
    """
    token = uuid.uuid4()

    def held() -> bool:
        now = timezone.now()
        mine_or_free = Q(claim=token) | Q(claim__isnull=True) | Q(claimed_until__lt=now)
        until = now + timedelta(seconds=CLAIM_S)
        return bool(SessionMonitor.objects.filter(mine_or_free, pk=session_id).update(claim=token, claimed_until=until))

    try:
        yield held
    finally:
        SessionMonitor.objects.filter(pk=session_id, claim=token).update(claim=None, claimed_until=None)


def sessions_to_sweep() -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """Return sessions with anything waiting that nobody holds, and ended ones whose watching was not finished.

    What waits for sessions that are no more is removed on the way.
    """
    store = frame_store()
    waiting = list(store.sessions())
    existing = set(ExamSession.objects.filter(pk__in=waiting).values_list("pk", flat=True))
    for gone in set(waiting) - existing:
        store.clear(gone)
    held = SessionMonitor.objects.filter(pk__in=waiting, claimed_until__gte=timezone.now()).values_list("pk", flat=True)
    known = SessionMonitor.objects.filter(pk__in=waiting).values_list("pk", flat=True)
    to_analyze = sorted(set(known) - set(held), key=str)
    unfinished = SessionMonitor.objects.filter(finished_at__isnull=True, session__ended_at__isnull=False)
    return to_analyze, list(unfinished.values_list("pk", flat=True))


def is_waiting(*, session_id: uuid.UUID) -> bool:
    """Say whether anything waits in the session's queues."""
    return frame_store().waiting(session_id) > 0


def finish_session(*, session_id: uuid.UUID) -> bool:
    """Analyse what still waits, then close the books; returns False while another process still holds the session."""
    analyze_waiting(session_id=session_id)
    if is_waiting(session_id=session_id):
        return False
    services.finish_monitoring(session_id=session_id)
    frame_store().forget(session_id)
    return True
