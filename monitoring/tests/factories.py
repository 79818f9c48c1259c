"""Real rows for tests, made the way the program makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from accounts.consents import current_text, give_consent
from accounts.models import Candidate, ConsentText, Role, User
from accounts.services import ensure_candidate, ensure_user
from exams.lifecycle import move_session
from exams.models import Exam, ExamSession, SessionStatus
from exams.services import create_exam, create_session
from monitoring import observing, services
from monitoring.models import Assessment, SuspiciousActivity
from vision.types import Camera, Condition, Detection, Face, Head, Observation

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_numbers = count(1)


def make_user(role: Role = Role.TEACHER, email: str = "", **fields: Any) -> User:
    """Make a user in a role; the password is `a-long-password`."""
    email = email or f"{role}{next(_numbers)}@example.com"
    return ensure_user(email=email, role=role, password="a-long-password", **fields)[0]


def make_candidate(email: str = "", full_name: str = "") -> Candidate:
    """Make a candidate."""
    return ensure_candidate(email=email or f"candidate{next(_numbers)}@example.com", full_name=full_name)


def agree(candidate: Candidate) -> Candidate:
    """Have the candidate agree to proctoring."""
    version = current_text(ConsentText.Purpose.PROCTORING).version
    give_consent(user=candidate.user, purpose=ConsentText.Purpose.PROCTORING, version=version)
    return candidate


def make_exam(owner: User | None = None, **fields: Any) -> Exam:
    """Make an exam with the default policy."""
    values = {"code": f"exam-{next(_numbers)}", "title": "Algebra"} | fields
    return create_exam(owner=owner or make_user(), **values)


def make_session(
    exam: Exam | None = None, candidate: Candidate | None = None, *, ended_after_s: float | None = None
) -> ExamSession:
    """Make an active, watched session that began at START; ended after so many seconds if asked for.

    Its time is not up yet, so that what is sent to it now counts.
    """
    session = create_session(exam=exam or make_exam(), candidate=candidate or make_candidate(), created_at=START)
    session = move_session(session=session, to=SessionStatus.ACTIVE, at=START)
    session.deadline_at = timezone.now() + timedelta(hours=1)
    session.save(update_fields=["deadline_at"])
    services.open_monitor(session=session)
    if ended_after_s is not None:
        end_session(session, ended_after_s)
        session.refresh_from_db()
    return session


def end_session(session: ExamSession, after_s: float) -> Assessment:
    """Submit the session so many seconds after START and close the books."""
    move_session(session=session, to=SessionStatus.SUBMITTED, at=START + timedelta(seconds=after_s))
    assessment = services.finish_monitoring(session_id=session.pk)
    assert assessment is not None
    return assessment


def two_men_jpeg() -> bytes:
    """Return a camera's picture of two men, whose faces every set of face models finds."""
    from vision.decoding import downscale, encode_jpeg
    from vision.demo import package_picture

    return encode_jpeg(downscale(package_picture("zidane.jpg")[30:630, 440:1240], max_width=640))


FACE = Face(box=(0.4, 0.2, 0.2, 0.3), score=0.95)
CLEAR = Camera(Condition.OK, brightness=0.5, contrast=0.2, sharpness=300.0)


def facts(
    at: float,
    *,
    faces: int | None = 1,
    yaw: float | None = 0.0,
    objects: dict[str, float] | None = None,
    condition: Condition = Condition.OK,
) -> Observation:
    """Return what a frame ``at`` seconds after START showed; its number is the tenth of a second."""
    seen = condition is Condition.OK
    return Observation(
        seq=round(at * 10),
        captured_at=START.timestamp() + at,
        camera=Camera(condition, CLEAR.brightness, CLEAR.contrast, CLEAR.sharpness),
        faces=(FACE,) * faces if seen and faces is not None else None,
        head=Head(yaw=yaw, pitch=0.0, roll=0.0) if seen and faces and yaw is not None else None,
        objects=(
            tuple(Detection(name, score, (0.1, 0.1, 0.3, 0.5)) for name, score in (objects or {}).items())
            if seen and objects is not None
            else None
        ),
    )


def watch(session: ExamSession, *seen: Observation, **fields: Any) -> list[SuspiciousActivity]:
    """Record facts as the analysis would."""
    return observing.record_observations(batches={session.pk: observing.Batch(facts=seen, **fields)})
