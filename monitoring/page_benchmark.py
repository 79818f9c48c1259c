"""What the session page of a long exam with much to look at costs the server, in a database that is left as it was."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Candidate, Role
from accounts.services import ensure_candidate, ensure_user
from exams.kinds import Kind
from exams.lifecycle import move_session
from exams.models import Exam, ExamSession, SessionStatus
from exams.services import create_exam, create_session
from monitoring.api_benchmark import WARM_UP, Times, as_deployed
from monitoring.models import Assessment, MonitoringLog, Observation, SuspiciousActivity
from monitoring.services import open_monitor
from vision.types import Camera, Condition, Face, Head, Heard, Level
from vision.types import Observation as Facts

Figures = dict[str, Any]
PICTURES_EVERY_S, SOUND_EVERY_S, EVENTS_EVERY_S = 1, 5, 30
KINDS = (Kind.LOOKING_AWAY, Kind.NO_FACE, Kind.MULTIPLE_FACES, Kind.PHONE, Kind.SPEECH, Kind.TAB_SWITCH)
AT_ONCE = 500


def benchmark_page(*, observations: int, activities: int, calls: int, say: Callable[[str], None]) -> Figures:
    """Measure the page of one session with so many observations and activities; its rows are taken back.

    Wall-clock and CPU times of whole answers in milliseconds, as a reviewer of the exam gets them.
    """
    with as_deployed(), transaction.atomic():
        try:
            say("rows")
            session, client = _make_session(observations, activities)
            address = reverse("admin:exams_examsession_change", args=[session.pk])
            say("page")
            return {"observations": observations, "activities": activities, **_measure(client, address, calls)}
        finally:
            transaction.set_rollback(True)


def _measure(client: Client, address: str, calls: int) -> Figures:
    for _call in range(WARM_UP):
        answer = client.get(address)
    if answer.status_code != 200:
        raise RuntimeError(f"The session page answers {answer.status_code}.")
    with CaptureQueriesContext(connection) as queries:
        client.get(address)
    asked, times = len(queries), Times()
    for _call in range(calls):
        times.measure(lambda: client.get(address))
    return {"queries": asked, "page_bytes": len(answer.content), **times.figures()}


def _make_session(observations: int, activities: int) -> tuple[ExamSession, Client]:
    """Make a session that has just been watched, and a reviewer who is signed in."""
    name = secrets.token_hex(8)
    reviewer, owner = (
        ensure_user(email=f"{role}-{name}@example.com", role=role)[0] for role in (Role.REVIEWER, Role.TEACHER)
    )
    exam = create_exam(owner=owner, code=name, title=name)
    exam.reviewers.add(reviewer)
    candidate = ensure_candidate(email=f"candidate-{name}@example.com", full_name="")
    session = make_watched_session(exam, candidate, observations, activities, length_s=observations)
    client = Client()
    client.force_login(reviewer)
    return session, client


def make_watched_session(
    exam: Exam, candidate: Candidate, observations: int, activities: int, *, length_s: int
) -> ExamSession:
    """Make a session that began so long ago, with observations at an exam's pace and activities evenly over it."""
    began = timezone.now() - timedelta(seconds=length_s)
    session = create_session(exam=exam, candidate=candidate, created_at=began)
    session = move_session(session=session, to=SessionStatus.ACTIVE, at=began)
    open_monitor(session=session)
    _observe(session, observations)
    _find(session, length_s, activities)
    return session


def _observe(session: ExamSession, count: int) -> None:
    """Five pictures to one chunk of sound, as they come in at an exam's pace."""
    sounds = count // (SOUND_EVERY_S + 1)
    face = Facts(
        seq=0,
        captured_at=0.0,
        camera=Camera(Condition.OK, 0.5, 0.2, 300.0),
        faces=(Face(box=(0.4, 0.2, 0.2, 0.3), score=0.95),),
        head=Head(yaw=3.0, pitch=2.0, roll=0.0),
    ).to_facts()
    empty = face | {"faces": []}
    level = Level(rms=-40.0, loudest=-30.0, floor=-60.0, clipped=0.0, curve=(-40.0,) * SOUND_EVERY_S)
    heard = Heard(seq=0, captured_at=0.0, duration_s=SOUND_EVERY_S, level=level, speech=()).to_facts()
    began = session.started_at or session.created_at

    def row(stream: str, seq: int, every_s: int, facts: Figures) -> Observation:
        at = began + timedelta(seconds=seq * every_s)
        return Observation(session=session, stream=stream, seq=seq, captured_at=at, usable=True, facts=facts)

    rows = [row("frame", seq, PICTURES_EVERY_S, empty if seq % 60 > 55 else face) for seq in range(count - sounds)]
    rows += [row("audio", seq, SOUND_EVERY_S, heard) for seq in range(sounds)]
    Observation.objects.bulk_create(rows, batch_size=AT_ONCE)


def _find(session: ExamSession, length_s: int, count: int) -> None:
    assessment, began = Assessment.objects.get(session=session), session.started_at or session.created_at
    apart = timedelta(seconds=length_s / max(count, 1))
    detail = {"positives": 6, "examined": 7, "degrees": 31, "direction": "left", "by": "head", "faces": 2}
    SuspiciousActivity.objects.bulk_create(
        SuspiciousActivity(
            assessment=assessment,
            session=session,
            kind=KINDS[number % len(KINDS)],
            severity=1 + number % 3,
            confidence=0.9,
            started_at=began + number * apart,
            ended_at=began + (number + 0.4) * apart,
            detail=detail,
        )
        for number in range(count)
    )
    MonitoringLog.objects.bulk_create(
        MonitoringLog(
            session=session, event_type=Kind.PASTE, source="browser", occurred_at=began + timedelta(seconds=at)
        )
        for at in range(0, length_s, EVENTS_EVERY_S)
    )
