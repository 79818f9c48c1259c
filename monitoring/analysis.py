"""One round of analysis of one session: claim it, look at what waits, record, let go."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from exams.models import ExamSession, rules_of
from exams.policy import Thresholds
from monitoring import glimpses, observing, own_voice, queue, services
from monitoring.claims import Claim, ClaimLost, claimed, held_sessions
from monitoring.compared import ENROLLED, not_compared, with_faces
from monitoring.frame_store import STREAMS, StoredFrame, Stream, frame_store
from monitoring.models import SessionMonitor
from monitoring.sounds import Sound, SoundBatch, examine_sound, record_sounds
from monitoring.store import Exhibit
from monitoring.thinned import count_thinned
from monitoring.turns import turn
from vision.types import SOUND_SENSES, Due, Frame, Memory, Sense
from vision.types import Observation as Facts

logger = logging.getLogger(__name__)

BATCH = 24
"""So many items are examined in one round, of all sessions together."""

BUDGET_S = 20.0
"""After so long a task ends; what still waits is for another one."""

MOST_DEATHS = 3
"""When so many processes died over what waits first, it is written down as not examined instead of tried again."""

LARGEST_ADVANCE = 0.75
"""By so much of a rest at most the first one is cut short: nothing dear follows at the heels of a first look."""

FAILED = "analysis failed"
Waiting = dict[uuid.UUID, list[StoredFrame]]
"""What was taken from the queues, by session."""


def analyze_frames(
    frames: Iterable[Frame], *, due: Due, memory: Memory, on_failure: Callable[[Frame], None] | None = None
) -> tuple[list[Facts], dict[int, Exhibit], Memory]:
    """Run the senses over frames in order; returns their facts, their pictures by number, and the memory after.

    A frame over which a model fails is handed to ``on_failure``, from within the exception, and left out; without it
    the exception goes on.
    """
    from vision.pipeline import analyze

    facts: list[Facts] = []
    pictures: dict[int, Exhibit] = {}
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


def analyze_waiting(
    *, session_ids: Sequence[uuid.UUID], budget_s: float = BUDGET_S, streams: Sequence[Stream] = STREAMS
) -> int:
    """Analyse what waits in the queues of some sessions, oldest first, for about ``budget_s``; returns how many items.

    Leaves a stream alone that another process holds. What was recorded is removed from the queue afterwards, so a
    death in between repeats work that changes nothing.
    """
    _warm_up(streams)
    deadline = time.monotonic() + budget_s
    return sum(_analyze_stream(session_ids, stream, deadline) for stream in streams)


def _warm_up(streams: Sequence[Stream]) -> None:
    """Build this thread's models: while anything is held that would take longer than a hold lasts."""
    from vision.loading import warm_up

    try:
        warm_up(frozenset(Sense) if "frame" in streams else SOUND_SENSES)
    except Exception:
        # Each sense says for itself why it cannot work.
        logger.exception("The models could not be built")


def _analyze_stream(session_ids: Sequence[uuid.UUID], stream: Stream, deadline: float) -> int:
    done, waiting = 0, list(session_ids)
    failed: set[uuid.UUID] = set()
    while waiting and time.monotonic() < deadline:
        with claimed(waiting, stream) as claim:
            done += _drain(claim, stream, deadline, failed)
        # Whoever was asked meanwhile found the stream held, so what came in at the very end is looked at once more.
        waiting = _with_any([session for session in claim.deaths if session not in failed], stream)
    return done


def _with_any(session_ids: Sequence[uuid.UUID], stream: Stream) -> list[uuid.UUID]:
    """Return those of the sessions in whose queue anything waits."""
    return [session_id for session_id, waiting in frame_store().count(session_ids, stream).items() if waiting]


def _drain(claim: Claim, stream: Stream, deadline: float, failed: set[uuid.UUID]) -> int:
    """Take turns among the sessions that are held until no more waits than one turn takes; returns how many items.

    Sessions whose findings cannot be recorded are added to ``failed``: the sweep has it tried again.
    """
    store, done, more = frame_store(), 0, True
    examine = {"frame": _examine_pictures, "audio": _examine_sounds}[stream]
    share = max(1, BATCH // max(1, len(claim.deaths)))
    while more and time.monotonic() < deadline:
        # After a death one at a time: what kills stands first then.
        limits = {session: 1 if deaths else share for session, deaths in claim.deaths.items() if session not in failed}
        thinned = store.thinned_of(list(limits)) if stream == "frame" else {}
        waiting = {session: items for session, items in store.take_each(limits, stream).items() if items}
        if not waiting:
            break
        try:
            examined = examine(waiting, thinned, claim)
        except ClaimLost:
            logger.warning("Some of %s were taken over by another process", ", ".join(map(str, waiting)))
            break
        for session in examined:
            claim.note_progress(session)
            done += len(waiting[session])
        _discard({session: waiting[session] for session in examined}, stream, thinned)
        failed |= set(waiting) - set(examined)
        more = any(len(waiting[session]) == limits[session] for session in examined)
    return done


def _discard(examined: Waiting, stream: Stream, thinned: Mapping[uuid.UUID, int]) -> None:
    """Remove what was examined: nothing is kept without need.

    What the store has thinned out since it had ``thinned`` of each may have been in our hands: that is examined.
    """
    numbers = {session_id: [item.seq for item in items] for session_id, items in examined.items()}
    for session_id, removed in frame_store().discard_each(numbers, stream).items():
        gone = len(numbers[session_id]) - removed
        if not gone or stream != "frame":
            continue
        # More may be gone: another process took over, or the store has lost what it had.
        examined_too = min(gone, frame_store().thinned(session_id) - thinned[session_id])
        if examined_too > 0:
            count_thinned(session_id=session_id, examined=examined_too)


def _examine_sounds(waiting: Waiting, _thinned: Mapping[uuid.UUID, int], claim: Claim) -> list[uuid.UUID]:
    names = ("pk", "sound_memory", "session__muted", "session__policy_id", "session__exam_id")
    monitors = list(SessionMonitor.objects.filter(pk__in=waiting).values_list(*names))
    memories = own_voice.with_same_microphone({session_id: memory for session_id, memory, *_policy in monitors})
    watched = glimpses.watched({exam_id for *_rest, exam_id in monitors})
    done = []
    for session_id, _memory, muted, policy_id, exam_id in monitors:
        due, memory = rules_of(policy_id).without(muted).due(), memories[session_id]
        try:
            deadly = claim.deaths[session_id] >= MOST_DEATHS
            chunks, known = own_voice.without_samples(session_id, waiting[session_id], memory, deadly=deadly)
            if chunks:
                batch = _listen(session_id, chunks, claim, due=due, memory=known)
                record_sounds(session_id=session_id, batch=batch)
                if exam_id in watched:
                    glimpses.keep_sound(session_id, [sound.heard for sound in batch.sounds])
            done.append(session_id)
        except Exception:
            logger.exception("What was heard in session %s could not be recorded", session_id)
    return done


def _listen(
    session_id: uuid.UUID, waiting: Sequence[StoredFrame], claim: Claim, *, due: Due, memory: Memory
) -> SoundBatch:
    """Examine a session's sound in order of capture; what has ended several processes is given up."""
    sounds: list[Sound] = []
    for chunk in sorted(waiting, key=lambda chunk: chunk.captured_at):
        claim.step()
        sound = Sound(chunk.seq, chunk.captured_at, reason=FAILED)
        if claim.deaths[session_id] < MOST_DEATHS:
            try:
                sound, memory = examine_sound(chunk, due=due, memory=memory)
            except Exception:
                logger.exception("Chunk %s of session %s could not be examined", chunk.seq, session_id)
        sounds.append(sound)
    return SoundBatch(sounds, memory)


def _examine_pictures(waiting: Waiting, thinned: Mapping[uuid.UUID, int], claim: Claim) -> list[uuid.UUID]:
    names = ("pk", "memory", "thinned_counted", "session__muted", "session__policy_id", ENROLLED, "session__exam_id")
    rules, memories, enrolled, exams = {}, {}, {}, {}
    monitors = SessionMonitor.objects.filter(pk__in=waiting).values_list(*names)
    for session_id, memory, counted, muted, policy_id, owner, exam_id in monitors:
        if thinned[session_id] != counted:
            count_thinned(session_id=session_id)
        rules[session_id], memories[session_id] = rules_of(policy_id).without(muted), memory
        enrolled[session_id], exams[session_id] = owner, exam_id
    watched = glimpses.watched(set(exams.values()))
    dues = {session_id: _apart_from_others(session_id, policy.due()) for session_id, policy in rules.items()}
    dues = with_faces(dues, enrolled)
    claim.step()
    with turn(settings.CLAIM_S / 3):  # what is held must not be taken for a dead one's meanwhile
        batches = {
            session_id: _look_at(
                session_id,
                waiting[session_id],
                claim,
                due=due,
                memory=memories[session_id],
                shown=rules[session_id].thresholds if exams[session_id] in watched else None,
            )
            for session_id, due in dues.items()
        }
    return _record(batches)


def _apart_from_others(session_id: uuid.UUID, due: Due) -> Due:
    """Have what is dear fall due at another time than in most sessions that began at the same moment."""
    return replace(due, first_rest=1 - LARGEST_ADVANCE * (session_id.int % 1000 / 1000))


def _look_at(
    session_id: uuid.UUID,
    waiting: Sequence[StoredFrame],
    claim: Claim,
    *,
    due: Due,
    memory: Memory,
    shown: Thresholds | None,
) -> observing.Batch:
    """Examine a session's pictures; those that have ended several processes are given up.

    The newest is ``shown`` on the wall, where somebody looks at it, with the faces in it that count by these limits.
    """
    lost: list[observing.Unreadable] = []

    def fail(item: StoredFrame | Frame) -> None:
        # One trace tells what is wrong; a model that fails on every picture would fill the log with it.
        logger.error("Picture %s of session %s could not be examined", item.seq, session_id, exc_info=not lost)
        lost.append(observing.Unreadable(item.seq, item.captured_at, FAILED))

    if claim.deaths[session_id] >= MOST_DEATHS:
        for item in waiting:
            logger.error("Picture %s of session %s has ended %s processes", item.seq, session_id, MOST_DEATHS)
            lost.append(observing.Unreadable(item.seq, item.captured_at, FAILED))
        return observing.Batch(facts=[], unreadable=lost)
    from vision.picture_headers import is_plain_jpeg

    frames = glimpses.Passing(_decoded(waiting, claim, lost, fail))
    facts, pictures, memory = analyze_frames(frames, due=due, memory=memory, on_failure=fail)
    if shown is not None:
        glimpses.keep_picture(session_id, frames.last, facts, shown)
    pictures.update({item.seq: _original(item.data) for item in waiting if is_plain_jpeg(item.data)})
    missing = not_compared(due)
    return observing.Batch(facts=facts, pictures=pictures, memory=memory, unreadable=lost, missing=missing)


def _record(batches: dict[uuid.UUID, observing.Batch]) -> list[uuid.UUID]:
    """Record what was found, together or, should that fail, one by one; returns the sessions for which it is done."""
    try:
        observing.record_observations(batches=batches)
        return list(batches)
    except Exception:
        logger.exception("What was found in %s sessions is recorded one by one", len(batches))
    done = []
    for session_id, batch in batches.items():
        try:
            observing.record_observations(batches={session_id: batch})
            done.append(session_id)
        except Exception:
            logger.exception("What was found in session %s could not be recorded", session_id)
    return done


def _original(data: bytes) -> Exhibit:
    """A plain JPEG is kept as it came: nothing re-encoded stands between the candidate's picture and the reviewer."""
    return lambda: data


def _decoded(
    waiting: Sequence[StoredFrame],
    claim: Claim,
    lost: list[observing.Unreadable],
    fail: Callable[[StoredFrame], None],
) -> Iterator[Frame]:
    """Yield pictures as they are wanted, holding the session meanwhile; what cannot be read goes to ``lost``."""
    from vision.decoding import PictureError, decode_picture, downscale

    for item in waiting:
        claim.step()
        try:
            rgb = downscale(decode_picture(item.data))
        except PictureError as error:
            lost.append(observing.Unreadable(item.seq, item.captured_at, str(error)))
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
    store.tidy()
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


def ask_for_waiting(*, session_ids: Sequence[uuid.UUID], streams: Sequence[Stream] = STREAMS) -> None:
    """Have workers take what waits, pictures and sound each on its own."""
    for stream in streams:
        waiting = _with_any(session_ids, stream)
        if waiting:
            queue.send(queue.TASK_OF[stream], *waiting)


def finish_session(*, session_id: uuid.UUID) -> bool:
    """Analyse what still waits, then close the books; returns False while another process still holds the session."""
    analyze_waiting(session_ids=[session_id])
    if frame_store().waiting(session_id):
        return False
    if frame_store().thinned(session_id):
        count_thinned(session_id=session_id)
    services.finish_monitoring(session_id=session_id)
    frame_store().forget(session_id)
    return True
