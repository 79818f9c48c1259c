"""One round of analysis of one session: claim it, look at what waits, record, let go."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from exams.models import ExamSession
from exams.policy import read_policy
from monitoring import queue, services
from monitoring.claims import Claim, ClaimLost, claimed, held_sessions
from monitoring.frame_store import STREAMS, StoredFrame, Stream, frame_store
from monitoring.models import SessionMonitor
from monitoring.sounds import Sound, examine_sound, record_sounds
from monitoring.store import Picture
from monitoring.thinned import count_thinned
from vision.types import Due, Frame, Memory
from vision.types import Observation as Facts

logger = logging.getLogger(__name__)

BATCH = 16
MOST_DEATHS = 3
"""When so many processes died over what waits first, it is written down as not examined instead of tried again."""

FAILED = "analysis failed"


def analyze_frames(
    frames: Iterable[Frame], *, due: Due, memory: Memory, on_failure: Callable[[Frame], None] | None = None
) -> tuple[list[Facts], dict[int, Picture], Memory]:
    """Run the senses over frames in order; returns their facts, their pictures by number, and the memory after.

    A frame over which a model fails is handed to ``on_failure``, from within the exception, and left out; without it
    the exception goes on.
    """
    from vision.pipeline import analyze

    facts: list[Facts] = []
    pictures: dict[int, Picture] = {}
    for frame in frames:
        try:
            found, memory = analyze(frame, due, memory)
        except Exception:
            if on_failure is None:
                raise
            on_failure(frame)
            continue
        facts.append(found)
        pictures[frame.seq] = lambda frame=frame: _encode(frame)  # type: ignore[misc]
    return facts, pictures, memory


def _encode(frame: Frame) -> bytes:
    from vision.decoding import encode_jpeg

    return encode_jpeg(frame.rgb)


def analyze_waiting(*, session_id: uuid.UUID, budget_s: float = 20.0, streams: Sequence[Stream] = STREAMS) -> int:
    """Analyse what waits in the session's queues, oldest first, for about ``budget_s``; returns how many items.

    Leaves a stream alone that another process holds. What was recorded is removed from the queue afterwards, so a
    death in between repeats work that changes nothing.
    """
    deadline = time.monotonic() + budget_s
    return sum(_analyze_stream(session_id, stream, deadline) for stream in streams)


def _analyze_stream(session_id: uuid.UUID, stream: Stream, deadline: float) -> int:
    store, done = frame_store(), 0
    while time.monotonic() < deadline:
        with claimed(session_id, stream) as claim:
            if claim is None:
                break
            done += _drain(session_id, stream, claim, deadline)
        # Whoever was asked meanwhile found the stream held, so what came in at the very end is looked at once more.
        if not store.waiting(session_id, stream):
            break
    return done


def _drain(session_id: uuid.UUID, stream: Stream, claim: Claim, deadline: float) -> int:
    store, done, deaths = frame_store(), 0, claim.holders_lost()
    examine = {"frame": _examine_pictures, "audio": _examine_sounds}[stream]
    while time.monotonic() < deadline:
        # After a death one at a time: what kills stands first then.
        limit = 1 if deaths else BATCH
        waiting = store.take(session_id, limit, stream)
        if not waiting:
            break
        try:
            examine(session_id, waiting, claim, give_up=deaths >= MOST_DEATHS)
        except ClaimLost:
            logger.warning("Session %s was taken over by another process", session_id)
            break
        if deaths:
            claim.note_progress()
            deaths = 0
        store.discard(session_id, [item.seq for item in waiting], stream)  # nobody's voice is kept without need
        done += len(waiting)
        if len(waiting) < limit:
            break
    return done


def _examine_sounds(session_id: uuid.UUID, waiting: list[StoredFrame], claim: Claim, *, give_up: bool) -> None:
    sounds = []
    for chunk in waiting:
        claim.step()
        sounds.append(Sound(chunk.seq, chunk.captured_at, reason=FAILED) if give_up else _hear(session_id, chunk))
    record_sounds(session_id=session_id, sounds=sounds)


def _hear(session_id: uuid.UUID, chunk: StoredFrame) -> Sound:
    try:
        return examine_sound(chunk)
    except Exception:
        logger.exception("Chunk %s of session %s could not be examined", chunk.seq, session_id)
        return Sound(chunk.seq, chunk.captured_at, reason=FAILED)


def _examine_pictures(session_id: uuid.UUID, waiting: list[StoredFrame], claim: Claim, *, give_up: bool) -> None:
    names = ("memory", "thinned_counted", "session__muted", "session__policy__settings")
    memory, counted, muted, policy = SessionMonitor.objects.values_list(*names).get(pk=session_id)
    if frame_store().thinned(session_id) != counted:
        count_thinned(session_id=session_id)
    lost: list[services.Unreadable] = []

    def fail(item: StoredFrame | Frame) -> None:
        # One trace tells what is wrong; a model that fails on every picture would fill the log with it.
        logger.error("Picture %s of session %s could not be examined", item.seq, session_id, exc_info=not lost)
        lost.append(services.Unreadable(item.seq, item.captured_at, FAILED))

    if give_up:
        for item in waiting:
            logger.error("Picture %s of session %s has ended %s processes", item.seq, session_id, MOST_DEATHS)
            lost.append(services.Unreadable(item.seq, item.captured_at, FAILED))
        batch = services.Batch(facts=[], unreadable=lost)
    else:
        frames = _decoded(waiting, claim, lost, fail)
        due = read_policy(policy).without(muted).due()
        facts, pictures, memory = analyze_frames(frames, due=due, memory=memory, on_failure=fail)
        originals = {item.seq: item.data for item in waiting}
        pictures.update({seq: _original(data) for seq, data in originals.items() if data[:2] == b"\xff\xd8"})
        batch = services.Batch(facts=facts, pictures=pictures, memory=memory, unreadable=lost)
    services.record_observations(session_id=session_id, batch=batch)


def _original(data: bytes) -> Picture:
    """A JPEG that came from the candidate is kept as it came: nothing re-encoded stands between it and the reviewer."""
    return lambda: data


def _decoded(
    waiting: list[StoredFrame],
    claim: Claim,
    lost: list[services.Unreadable],
    fail: Callable[[StoredFrame], None],
) -> Iterator[Frame]:
    """Yield pictures as they are wanted, holding the session meanwhile; what cannot be read goes to ``lost``."""
    from vision.decoding import PictureError, decode_picture, downscale

    for item in waiting:
        claim.step()
        try:
            rgb = downscale(decode_picture(item.data))
        except PictureError as error:
            lost.append(services.Unreadable(item.seq, item.captured_at, str(error)))
        except Exception:  # noqa: BLE001  it is logged there
            fail(item)
        else:
            yield Frame(seq=item.seq, captured_at=item.captured_at, rgb=rgb)


def sessions_to_sweep() -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """Return sessions with anything waiting that nobody holds, and ended ones whose watching was not finished.

    What waits for sessions that are no more is removed on the way.
    """
    store = frame_store()
    waiting = list(store.sessions())
    existing = set(ExamSession.objects.filter(pk__in=waiting).values_list("pk", flat=True))
    for gone in set(waiting) - existing:
        store.clear(gone)
    known = set(SessionMonitor.objects.filter(pk__in=existing).values_list("pk", flat=True))
    free = {stream: known - held_sessions(sorted(known), stream) for stream in STREAMS}
    # Most are held in neither stream; only of the others it matters in which something waits.
    to_analyze = {pk for pk in known if all(pk in free[stream] for stream in STREAMS)}
    to_analyze |= {pk for stream in STREAMS for pk in free[stream] - to_analyze if store.waiting(pk, stream)}
    unfinished = SessionMonitor.objects.filter(finished_at__isnull=True, session__ended_at__isnull=False)
    return sorted(to_analyze, key=str), list(unfinished.values_list("pk", flat=True))


def drop_expired() -> int:
    """Remove pictures and sound of sessions that ended longer than ``FRAME_TTL_S`` ago; returns how many.

    Pictures among them are counted as skipped: something has kept them from being examined all that time.
    """
    store, dropped = frame_store(), 0
    before = timezone.now() - timedelta(seconds=settings.FRAME_TTL_S)
    ended = ExamSession.objects.filter(pk__in=list(store.sessions()), ended_at__lt=before)
    for session_id in ended.values_list("pk", flat=True):
        pictures, everything = store.waiting(session_id, "frame"), store.waiting(session_id)
        logger.error("%s items of session %s were never examined and are given up", everything, session_id)
        count_thinned(session_id=session_id)
        services.count_frames(session_id=session_id, skipped=pictures)
        store.clear(session_id)
        dropped += everything
    return dropped


def is_waiting(*, session_id: uuid.UUID, stream: Stream | None = None) -> bool:
    """Say whether anything waits in the session's queues, or in one of them."""
    return frame_store().waiting(session_id, stream) > 0


def ask_for_waiting(*, session_id: uuid.UUID) -> None:
    """Have workers take what waits, pictures and sound each on its own."""
    for stream in STREAMS:
        if is_waiting(session_id=session_id, stream=stream):
            queue.send(queue.TASK_OF[stream], session_id)


def finish_session(*, session_id: uuid.UUID) -> bool:
    """Analyse what still waits, then close the books; returns False while another process still holds the session."""
    analyze_waiting(session_id=session_id)
    if is_waiting(session_id=session_id):
        return False
    if frame_store().thinned(session_id):
        count_thinned(session_id=session_id)
    services.finish_monitoring(session_id=session_id)
    frame_store().forget(session_id)
    return True
