"""A hall of sessions, ended and going on, for looking at the console by hand and for its pictures in the docs.

What their cameras showed is told as facts, so that a hall takes seconds; rules, scores and reviews are the program's.
Every picture is made of those that come with the ultralytics package.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.utils import timezone

from accounts.models import User
from accounts.services import ensure_candidate
from exams.lifecycle import move_session
from exams.models import Exam, ExamSession, SessionStatus
from exams.services import create_session
from monitoring import observing, presence, services, sounds
from monitoring.appeals import appeal_session
from monitoring.models import ReviewDecision
from monitoring.notes import add_note
from monitoring.review import decide_activity, decide_session
from monitoring.tests.factories import facts
from monitoring.tests.pictures import sound
from vision.demo import Kind
from vision.types import Condition, Heard, Level, Observation, Speech

MINUTES = 30
CALM_EVERY_S, BUSY_EVERY_S, SOUND_S = 5, 1, 10


@dataclass(frozen=True)
class Shown:
    """What a stretch of pictures shows: a scene, and facts that differ from those of somebody who sits and writes."""

    scene: Kind = "present"
    facts: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, scene: Kind, **differ: Any) -> Shown:
        """Make one."""
        return cls(scene, tuple(differ.items()))


SHOWS = {
    "gone": Shown.of("empty", faces=0, objects={}),
    "two": Shown.of("two_people", faces=2),
    "away": Shown.of("present", yaw=38.0),
    "phone": Shown.of("present", objects={"cell phone": 0.83}),
    "book": Shown.of("present", objects={"book": 0.7}),
    "dark": Shown.of("present", condition=Condition.DARK),
}
REPORTS = {
    "tab": "TAB_SWITCH",
    "paste": "PASTE",
    "blur": "WINDOW_BLUR",
    "screen": "FULLSCREEN_EXIT",
    "net": "NETWORK_GAP",
}
HEARD = {"speech", "noise"}
STORIES: tuple[str, ...] = (
    "",
    "away",
    "tab tab paste",
    "phone",
    "two",
    "speech",
    "away away gone",
    "two phone tab",
    "dark",
    "paste blur screen",
    "book away speech",
    "gone gone two tab tab paste phone",
    "noise speech net",
    "",
    "away tab",
)


@dataclass(frozen=True)
class Staff:
    """Who works in the hall."""

    teacher: User
    reviewers: Sequence[User]


def make_hall(exam: Exam, staff: Staff, *, ended: int, going_on: int) -> list[ExamSession]:
    """Fill an exam with sessions and let reviewers decide on some; returns those that go on."""
    now, chance = timezone.now(), random.Random(exam.code)
    done = []
    for number in range(ended):
        began = now - timedelta(hours=3 + number * 2, minutes=chance.randint(0, 50))
        session = _sit(exam, f"{number + 1:03d}", began, STORIES[number % len(STORIES)], chance)
        move_session(session=session, to=SessionStatus.SUBMITTED, at=began + timedelta(minutes=MINUTES))
        services.finish_monitoring(session_id=session.pk)
        done.append(ExamSession.objects.get(pk=session.pk))
    _review(done[::-1], staff)
    numbers = range(ended, ended + going_on)
    sat = [
        _sit(exam, f"{number + 1:03d}", now - timedelta(minutes=MINUTES), STORIES[number % len(STORIES)], chance)
        for number in numbers
    ]
    presence.seen(*(session.pk for session in sat))
    return sat


def _sit(exam: Exam, number: str, began: datetime, story: str, chance: random.Random) -> ExamSession:
    candidate = ensure_candidate(email=f"{exam.code}-{number}@example.com", full_name=f"Candidate {number}")
    exam.assignments.get_or_create(candidate=candidate)
    session = create_session(exam=exam, candidate=candidate, created_at=began)
    session = move_session(session=session, to=SessionStatus.ACTIVE, at=began)
    services.open_monitor(session=session)
    words = story.split()
    parts = dict(zip(sorted(chance.sample(range(1, MINUTES - 1), len(words))), words, strict=True))
    shown = list(_seen(began, parts, chance))
    pictures = {one.seq: (lambda scene=scene: scene_jpeg(scene)) for one, scene in shown}
    batch = observing.Batch(facts=[one for one, _scene in shown], pictures=pictures)
    observing.record_observations(batches={session.pk: batch})
    _report(session, began, parts)
    _hear(session, began, parts, chance)
    return ExamSession.objects.get(pk=session.pk)


def _seen(began: datetime, parts: dict[int, str], chance: random.Random) -> Iterator[tuple[Observation, Kind]]:
    """Give what each picture shows; an event of so many minutes after the beginning lasts up to half a minute."""
    for minute in range(MINUTES - 1):
        shown = SHOWS.get(parts.get(minute, ""))
        until = chance.randint(8, 30) if shown else 0
        for second in [*range(until), *range(until, 60, CALM_EVERY_S)]:
            now = shown if shown and second < until else Shown()
            at = minute * 60 + second
            seen = facts(at, **({"objects": {}} | dict(now.facts)))
            yield replace(seen, captured_at=began.timestamp() + at), now.scene


def _report(session: ExamSession, began: datetime, parts: dict[int, str]) -> None:
    told = [
        services.Report(REPORTS[word], began + timedelta(minutes=minute, seconds=20), seq=minute)
        for minute, word in parts.items()
        if word in REPORTS
    ]
    if told:
        services.record_events(session_id=session.pk, reports=told, source="browser")


def _hear(session: ExamSession, began: datetime, parts: dict[int, str], chance: random.Random) -> None:
    if not HEARD & set(parts.values()):
        return
    chunks = []
    for at in range(0, (MINUTES - 1) * 60, SOUND_S):
        word = parts.get(at // 60, "") if at % 60 < 20 else ""
        db = -8.0 if word == "noise" else -28.0 if word == "speech" else -52.0
        curve = tuple(db + chance.uniform(-3, 3) for _ in range(SOUND_S))
        spoken = (Speech(0.5, SOUND_S - 0.5, 0.94),) if word == "speech" else ()
        heard = Heard(at, began.timestamp() + at, SOUND_S, Level(db, max(curve), min(curve), 0.0, curve), spoken)
        chunks.append(sounds.Sound(at, heard.captured_at, heard, tone))
    sounds.record_sounds(session_id=session.pk, batch=sounds.SoundBatch(chunks))


def _review(sessions: Iterable[ExamSession], staff: Staff) -> None:
    """Decide on the oldest, as reviewers do: a few go on to somebody else, and two candidates appeal."""
    first, second = staff.reviewers[:2]
    appeals = 0
    for number, session in enumerate(list(sessions)[: len(STORIES)]):
        activities = list(session.activities.filter(assessment__is_current=True))
        for place, activity in enumerate(activities):
            verdict = ReviewDecision.Verdict.DISMISSED if place % 3 else ReviewDecision.Verdict.CONFIRMED
            decide_activity(activity=activity, verdict=verdict, reason="Looked at the picture.", reviewer=first)
        if not activities:
            decide_session(session=session, outcome="clear", reason="Nothing happened.", reviewer=first)
        elif number % 3 == 0:
            add_note(session=session, author=first, text="See the timeline here.", at_s=300)
            decide_session(session=session, outcome="escalated", reason="Not sure.", reviewer=first, leaning="concern")
        else:
            decide_session(session=session, outcome="concern", reason="It was seen clearly.", reviewer=second)
            if appeals < 2:
                appeal_session(session=session, text="I dropped my pen and picked it up. Nobody was with me.")
                appeals += 1


@cache
def scene_jpeg(scene: Kind) -> bytes:
    """Return a camera's picture of a scene of the demonstration."""
    from vision.decoding import downscale, encode_jpeg
    from vision.demo import SCENES, package_picture

    name, (x, y, width, height) = SCENES[scene]
    return encode_jpeg(downscale(package_picture(name)[y : y + height, x : x + width], 640))


@cache
def tone() -> bytes:
    """Return a chunk of sound."""
    return sound("wav", "pcm_s16le", 2.0, 16_000)
