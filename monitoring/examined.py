"""What was seen at once: waiting for the row that the workers write, and saying what one picture showed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections

from exams.models import ExamSession
from exams.policy import Policy
from monitoring.cues import examined_senses, read_cues, wanted_facts
from monitoring.frame_store import Stream
from monitoring.models import Observation, SuspiciousActivity
from monitoring.rules import FOLLOWED
from monitoring.sound_cues import examined_sound, heard_moments, wanted_sound
from vision.types import SOUND_SENSES, Heard, Sense
from vision.types import Observation as Facts

FIRST_LOOK_S, LATER_LOOKS_S = 0.05, 0.25
MOST_WAITING = 4
"""So many calls of one session wait at once in one process; each holds a thread and asks the database all the time."""

UNREADABLE, NO_DETECTOR = "unreadable", "no_detector"

_waiting: Counter[UUID] = Counter()
_waiting_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Seen:
    """What one picture showed; it accuses nobody, since an activity needs several.

    ``events`` are the kinds to which it says yes, ``reason`` why it could not be examined (dark, blurred, covered,
    unreadable, no_detector), ``not_examined`` the senses of the policy that had no answer.
    """

    seq: int
    examined: bool
    events: list[str]
    usable: bool | None
    reason: str | None
    not_examined: list[str]
    facts: Mapping[str, Any]


def wait_for(*, session: ExamSession, stream: Stream, seq: int, longest_s: float | None = None) -> Observation | None:
    """Return the row of one picture or chunk once the workers have written it; None if that takes too long.

    Where too many calls of the session wait already, this one does not.
    """
    with place_to_wait(session.pk) as has_place:
        return _look_for(session, stream, seq, longest_s if has_place else 0.0)


@contextmanager
def place_to_wait(session_id: UUID) -> Iterator[bool]:
    """Count one more call of the session that waits; gives whether there was still a place for it."""
    with _waiting_lock:
        _waiting[session_id] += 1
        has_place = _waiting[session_id] <= MOST_WAITING
    try:
        yield has_place
    finally:
        with _waiting_lock:
            _waiting[session_id] -= 1
            if not _waiting[session_id]:
                del _waiting[session_id]


def _look_for(session: ExamSession, stream: Stream, seq: int, longest_s: float | None) -> Observation | None:
    deadline = time.monotonic() + (settings.FRAME_WAIT_S if longest_s is None else longest_s)
    pause = FIRST_LOOK_S
    while True:
        row = Observation.objects.filter(session=session, stream=stream, seq=seq).first()
        if row is not None or time.monotonic() >= deadline:
            return row
        close_old_connections()  # back to the pool: a few who wait must not hold all there are
        time.sleep(pause)
        pause = min(LATER_LOOKS_S, pause * 1.5)


def seen_in(row: Observation, policy: Policy) -> Seen:
    """Read the row of one picture."""
    wanted = [sense for sense in policy.senses if sense not in SOUND_SENSES]
    if row.usable is False and not row.facts:
        return Seen(row.seq, False, ["INVALID_IMAGE"], False, UNREADABLE, wanted, {})
    facts = Facts.from_facts(row.facts, seq=row.seq, captured_at=row.captured_at.timestamp())
    facts = wanted_facts(facts, policy)
    missing = [sense for sense in wanted if sense not in examined_senses(facts)]
    cues = read_cues(facts, policy)
    events = [str(kind) for kind, cue in cues.items() if cue.value and kind not in FOLLOWED]
    # That a picture is bright enough is seen of every picture; it says nothing of the candidate.
    looked = set(wanted) - set(missing) - {Sense.CAMERA} or wanted == [Sense.CAMERA]
    reason = None if looked else _reason(facts)
    return Seen(row.seq, bool(looked), events, row.usable, reason, missing, facts.to_facts())


def heard_in(row: Observation, policy: Policy) -> tuple[list[str], list[str]]:
    """Read the row of a chunk of sound: the kinds to which any second of it says yes, and the senses without answer."""
    wanted = [sense for sense in policy.senses if sense in SOUND_SENSES]
    if not row.usable:
        return ["INVALID_AUDIO"], wanted
    heard = Heard.from_facts(row.facts, seq=row.seq, captured_at=row.captured_at.timestamp())
    cues = [item for moment in heard_moments(heard, policy) for item in moment.cues.items()]
    events = dict.fromkeys(str(kind) for kind, cue in cues if cue.value)
    return list(events), [sense for sense in wanted if sense not in examined_sound(wanted_sound(heard, policy))]


def _reason(facts: Facts) -> str:
    return NO_DETECTOR if facts.camera is None or facts.usable else str(facts.camera.condition)


def open_activities(session: ExamSession) -> Sequence[SuspiciousActivity]:
    """Return what is going on in the session by now, under the rules that count."""
    activities = SuspiciousActivity.objects.filter(session=session, assessment__is_current=True)
    return list(activities.filter(ended_at__isnull=True).order_by("started_at", "kind"))
