"""Proctoring a recorded exam: every picture of a recording takes the road that a live one takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from django.utils import timezone

from accounts.models import Candidate
from exams.lifecycle import move_session
from exams.models import Exam, ExamSession, SessionStatus
from exams.services import create_session
from monitoring import observing, services
from monitoring.analysis import BATCH, analyze_frames
from monitoring.compared import not_compared, with_faces
from monitoring.models import MonitoringLog, SessionMonitor
from monitoring.sounds import Sound, SoundBatch, record_sounds
from monitoring.store import Exhibit, moment_of
from vision.recorded_sound import RecordedSound
from vision.recording import Gap, RecordedFrame, Recording, open_recording
from vision.sound import RATE, as_wav
from vision.types import Due, Frame, Memory, SoundChunk

ALIVE = timedelta(minutes=5)
Progress = Callable[[int, int | None], None]
"""Told how many pictures are done, and of how many if that is known."""


@dataclass(slots=True)
class Timings:
    """Where the time went, in milliseconds over the whole replay: decoding the recording, the senses (also by stage),
    writing what they found, and of that encoding evidence pictures, and all that has to do with sound; and how many
    seconds of it were watched."""

    decoding: float = 0.0
    vision: float = 0.0
    recording: float = 0.0
    evidence: float = 0.0
    hearing: float = 0.0
    watched_s: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replayed session and what the replay cost."""

    session: ExamSession
    timings_ms: Timings


def replay_recording(
    *,
    path: Path,
    exam: Exam,
    candidate: Candidate,
    fps: float = 1.0,
    start_at: datetime | None = None,
    enrolled: tuple[float, ...] = (),
    progress: Progress = lambda done, total: None,
) -> Replayed:
    """Watch a recording as if it were live and close the session; memory does not grow with its length.

    ``start_at`` is when the sitting began (default: so that it ends now). ``enrolled`` is the face to compare with, as
    ``replay_faces.face_in_files`` returns it; without it the candidate's own, where it may be used.

    Raises ``RecordingError`` before anything
    is written if the recording cannot be used. A replay that is broken off leaves a terminated session, never an
    open one.
    """
    with open_recording(path) as recording:
        start = start_at or timezone.now().replace(microsecond=0) - timedelta(seconds=recording.duration_s or 0)
        session = create_session(
            exam=exam,
            candidate=candidate,
            source=ExamSession.Source.RECORDING,
            recording_name=printable(recording.name),
            created_at=start,
        )
        session = move_session(session=session, to=SessionStatus.ACTIVE, at=start, reason="replay")
        services.open_monitor(session=session)
        _hold(session)
        timings = Timings()
        try:
            _Eye(session, recording, start.timestamp(), fps, enrolled, timings).watch(progress)
        except BaseException as error:
            reason = f"replay broken off: {type(error).__name__}"
            _close(session, SessionStatus.TERMINATED, start + timedelta(seconds=timings.watched_s), reason)
            raise
    end = start + timedelta(seconds=max(timings.watched_s, recording.duration_s or 0))
    session = _close(session, SessionStatus.SUBMITTED, end, "end of the recording")
    return Replayed(session=session, timings_ms=timings)


def printable(name: str) -> str:
    """Return a file's name as text that can be stored and shown, whatever bytes it was made of."""
    return name.encode("utf-8", "replace").decode()


def _close(session: ExamSession, to: SessionStatus, at: datetime, reason: str) -> ExamSession:
    session = move_session(session=session, to=to, at=at, reason=reason)
    services.finish_monitoring(session_id=session.pk)
    return session


class _Eye:
    """Looks at a recording, with an ear beside it."""

    def __init__(
        self,
        session: ExamSession,
        recording: Recording,
        start: float,
        fps: float,
        enrolled: tuple[float, ...],
        timings: Timings,
    ) -> None:
        self._session, self._recording, self._start, self._fps = session, recording, start, fps
        self._enrolled, self._timings, self._memory = enrolled, timings, Memory()

    def watch(self, progress: Progress) -> None:
        """Look at all of it."""
        from vision.loading import warm_up

        # Models that only an empty seat needs would otherwise show as growing memory in the middle of a recording.
        warm_up(self._session.rules.due().senses)
        session, start, fps, timings, numbers, done = self._session, self._start, self._fps, self._timings, count(), 0
        total, ear = self._recording.expected_frames(fps), _Ear(session, self._recording, start, timings)
        for batch, gaps in _batches(_timed(self._recording.frames(fps), timings)):
            self._look([Frame(next(numbers), start + item.offset_s, item.rgb) for item in batch])
            for gap in gaps:
                _log_gap(session, gap, start)
            ends = [item.offset_s + 1 / fps for item in batch] + [gap.end_s for gap in gaps]
            timings.watched_s, done = max([timings.watched_s, *ends]), done + len(batch)
            ear.listen(timings.watched_s)
            _hold(session)
            progress(done, total)
        ear.listen(math.inf)

    def _look(self, frames: list[Frame]) -> None:
        due, timings, began = self._due(), self._timings, time.perf_counter()
        facts, pictures, self._memory = analyze_frames(frames, due=due, memory=self._memory)
        seen = time.perf_counter()
        timed = {seq: _timed_picture(picture, timings) for seq, picture in pictures.items()}
        batch = observing.Batch(facts=facts, pictures=timed, memory=self._memory, missing=not_compared(due))
        observing.record_observations(batches={self._session.pk: batch})
        timings.vision += (seen - began) * 1000
        timings.recording += (time.perf_counter() - seen) * 1000
        for one in facts:
            for stage, spent in one.timings_ms.items():
                timings.stages[stage] = timings.stages.get(stage, 0.0) + spent

    def _due(self) -> Due:
        due = self._session.rules.due()
        if self._enrolled:
            return replace(due, enrolled=self._enrolled)
        return with_faces({self._session.pk: due})[self._session.pk]


class _Ear:
    """Listens to a recording beside its pictures."""

    def __init__(self, session: ExamSession, recording: Recording, start: float, timings: Timings) -> None:
        self._session, self._start, self._timings = session, start, timings
        self._due, self._memory = session.rules.due(), Memory()
        self._chunks = recording.sounds() if session.rules.listens else iter(())
        self._next, self._numbers = next(self._chunks, None), count()

    def listen(self, until_s: float) -> None:
        """Examine what was to be heard until then."""
        sounds, began = [], time.perf_counter()
        while self._next is not None and self._next.offset_s < until_s:
            sounds.append(self._hear(self._next))
            if len(sounds) == BATCH:
                self._record(sounds)
                sounds = []
            self._next = next(self._chunks, None)
        self._record(sounds)
        self._timings.hearing += (time.perf_counter() - began) * 1000

    def _hear(self, item: RecordedSound) -> Sound:
        from vision.hearing import listen

        chunk = SoundChunk(next(self._numbers), self._start + item.offset_s, item.samples, RATE)
        heard, self._memory = listen(chunk, self._due, self._memory)
        return Sound(chunk.seq, chunk.captured_at, heard, lambda: as_wav(item.samples, RATE))

    def _record(self, sounds: list[Sound]) -> None:
        if sounds:
            record_sounds(session_id=self._session.pk, batch=SoundBatch(sounds, self._memory))


def _hold(session: ExamSession) -> None:
    """Say that this replay is alive; see ``terminate_dead_replays``."""
    until = timezone.now() + ALIVE
    SessionMonitor.objects.filter(pk=session.pk).update(claim=session.pk, claimed_until=until)


def terminate_dead_replays() -> int:
    """Close replays whose process died without a word, as of the last picture they saw; returns how many."""
    dead = SessionMonitor.objects.filter(
        session__source=ExamSession.Source.RECORDING,
        session__status=SessionStatus.ACTIVE,
        claimed_until__lt=timezone.now(),
    )
    monitors = list(dead.select_related("session"))
    for monitor in monitors:
        last = monitor.last_frame_at or monitor.session.started_at or timezone.now()
        _close(monitor.session, SessionStatus.TERMINATED, last, "the replay's process died")
    return len(monitors)


def _timed_picture(picture: Exhibit, timings: Timings) -> Exhibit:
    def encode() -> bytes:
        began = time.perf_counter()
        data = picture()
        timings.evidence += (time.perf_counter() - began) * 1000
        return data

    return encode


def _log_gap(session: ExamSession, gap: Gap, start: float) -> None:
    services.record_event(
        session_id=session.pk,
        event_type="RECORDING_GAP",
        source=MonitoringLog.Source.SERVER,
        occurred_at=moment_of(start + gap.start_s),
        detail={"duration_s": round(gap.end_s - gap.start_s, 3), "reason": gap.reason},
    )


def _timed(items: Iterator[RecordedFrame | Gap], timings: Timings) -> Iterator[RecordedFrame | Gap]:
    while True:
        began = time.perf_counter()
        item = next(items, None)
        timings.decoding += (time.perf_counter() - began) * 1000
        if item is None:
            return
        yield item


def _batches(items: Iterator[RecordedFrame | Gap]) -> Iterator[tuple[list[RecordedFrame], list[Gap]]]:
    """Group pictures for one transaction each; a gap ends its group, so that order is kept."""
    batch: list[RecordedFrame] = []
    for item in items:
        if isinstance(item, Gap):
            yield batch, [item]
            batch = []
        else:
            batch.append(item)
            if len(batch) == BATCH:
                yield batch, []
                batch = []
    if batch:
        yield batch, []
