"""Long sessions in a database of their own: ``python -m monitoring.load.long_sessions COUNT``; writes out their ids."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exams.models import ExamSession

LENGTH_S = 2 * 60 * 60
ACTIVITIES = 60


def make_long_sessions(count: int, *, length_s: int = LENGTH_S, activities: int = ACTIVITIES) -> list[str]:
    """Bring the database up to date and make so many sessions, each activity with a picture, no two alike."""
    from django.core.management import call_command

    from accounts.models import Role
    from accounts.services import ensure_candidates, ensure_user
    from exams.services import create_exam
    from monitoring.page_benchmark import SOUND_EVERY_S, make_watched_session

    call_command("migrate", verbosity=0)
    owner, _new = ensure_user(email="reports-teacher@example.com", role=Role.TEACHER)
    exam, pictures = create_exam(title="Reports", owner=owner), _pictures()
    names = {f"reports-{number}@example.com": f"Candidate {number}" for number in range(count)}
    observations = length_s + length_s // SOUND_EVERY_S
    sessions = []
    for candidate in ensure_candidates(names=names).values():
        session = make_watched_session(exam, candidate, observations, activities, length_s=length_s)
        _keep_pictures(session, pictures)
        session.status, session.ended_at = "submitted", session.created_at + timedelta(seconds=length_s)
        session.save(update_fields=["status", "ended_at"])
        sessions.append(str(session.pk))
    return sessions


def _pictures() -> list[bytes]:
    from monitoring.load.pictures import write_story

    with TemporaryDirectory() as folder:
        return [path.read_bytes() for path in sorted(write_story(Path(folder) / "story").iterdir())]


def _keep_pictures(session: ExamSession, pictures: Sequence[bytes]) -> None:
    """Keep a picture for each activity of a session, with its number behind its end: none is the same file twice."""
    from django.core.files.base import ContentFile

    from monitoring.models import Evidence, SuspiciousActivity

    for number, activity in enumerate(SuspiciousActivity.objects.filter(session=session).order_by("started_at")):
        data = pictures[number * 7 % len(pictures)] + f"{activity.pk}".encode()
        Evidence.objects.create(
            activity=activity,
            file=ContentFile(data, name=f"{activity.pk}.jpg"),
            sha256=sha256(data).hexdigest(),
            captured_at=activity.started_at,
            seq=number,
        )


def main() -> None:
    """Make sessions and write out their ids."""
    import django

    django.setup()
    sys.stdout.write(json.dumps(make_long_sessions(int(sys.argv[1]))))


if __name__ == "__main__":
    main()
