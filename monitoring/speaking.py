"""Who may have spoken: what was heard, beside what pictures of the same time show of the candidate's mouth.

Pictures and sound come on roads of their own, so they are put together from what is stored once an activity is over,
and again when the session is: by then nothing waits any more. It is told, and counts for nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from exams.kinds import Kind
from exams.policy import Policy
from monitoring.models import Observation
from vision.types import Heard, Sense
from vision.types import Observation as Facts

HEARD_KINDS = (Kind.SPEECH, Kind.BACKGROUND_VOICE, Kind.MULTIPLE_VOICES)
KINDS = (*HEARD_KINDS, Kind.MOUTH_MOVING)

NAMES = frozenset({"mouth", "mouth_pictures", "speech"})
"""What is added to the numbers behind an activity."""

LEAST_PICTURES = 5
"""Of fewer pictures a mouth that looks the same in all may have moved in between."""

LEAST_TURNS, TURNS_EACH = 2, 0.2
"""A mouth that speaks opened and shut so often, and in so large a share of the pictures."""

COVERED = 0.5
"""Of lips that a hand covers so far nothing is known, whatever the mesh draws there."""

MOST_ROWS = 600
LONGEST_CHUNK = timedelta(minutes=1)
LEAST_SHARE = 0.5
LEAST_SPOKEN_S = 1.0


def joined(
    kind: str, session_id: uuid.UUID, started_at: datetime, ended_at: datetime, *, policy: Policy
) -> dict[str, Any]:
    """Return what the other sense says of the time of this activity, ``{}`` where it cannot or must not tell."""
    if kind in HEARD_KINDS and Sense.MOUTH in policy.senses:
        return mouth_told(_openings(session_id, started_at, ended_at))
    if kind == Kind.MOUTH_MOVING and Sense.SPEECH in policy.senses:
        return speech_told(_heard(session_id, started_at, ended_at), started_at.timestamp(), ended_at.timestamp())
    return {}


def mouth_told(openings: Sequence[float]) -> dict[str, Any]:
    """Say whether a mouth that was so far open in each picture moved; a single opening, as in a yawn, tells nothing."""
    from vision.analyzers.mouth import STIR, turns

    if len(openings) < LEAST_PICTURES:
        return {}
    if max(openings) - min(openings) < STIR:
        return {"mouth": "still", "mouth_pictures": len(openings)}
    if turns(openings) >= max(LEAST_TURNS, TURNS_EACH * len(openings)):
        return {"mouth": "moved", "mouth_pictures": len(openings)}
    return {}


def speech_told(chunks: Sequence[Heard], start: float, end: float) -> dict[str, Any]:
    """Say whether speech was heard from start to end, in seconds, if most of that time was listened to."""
    listened = [chunk for chunk in chunks if chunk.speech is not None]
    known_s = sum(_common(chunk.captured_at, chunk.captured_at + chunk.duration_s, start, end) for chunk in listened)
    if known_s <= LEAST_SHARE * (end - start):
        return {}
    spoken_s = sum(
        _common(chunk.captured_at + speech.start_s, chunk.captured_at + speech.end_s, start, end)
        for chunk in listened
        for speech in chunk.speech or ()
    )
    return {"speech": "heard" if spoken_s >= LEAST_SPOKEN_S else "none"}


def _common(first: float, last: float, start: float, end: float) -> float:
    return max(0.0, min(last, end) - max(first, start))


def _openings(session_id: uuid.UUID, started_at: datetime, ended_at: datetime) -> list[float]:
    rows = Observation.objects.filter(session=session_id, stream="frame", captured_at__range=(started_at, ended_at))
    facts = rows.order_by("captured_at", "seq").values_list("facts", flat=True)[:MOST_ROWS]
    return [one["mouth"]["openness"] for one in facts if one.get("mouth") and not _covered(one)]


def _covered(facts: Mapping[str, Any]) -> bool:
    hands = Facts.from_facts({"hands": facts.get("hands")}, seq=0, captured_at=0.0).hands or ()
    return any(hand.on_mouth >= COVERED for hand in hands)


def _heard(session_id: uuid.UUID, started_at: datetime, ended_at: datetime) -> list[Heard]:
    reach = (started_at - LONGEST_CHUNK, ended_at)
    rows = Observation.objects.filter(session=session_id, stream="audio", usable=True, captured_at__range=reach)
    rows = rows.order_by("captured_at", "seq")[:MOST_ROWS]
    return [Heard.from_facts(row.facts, seq=row.seq, captured_at=row.captured_at.timestamp()) for row in rows]
