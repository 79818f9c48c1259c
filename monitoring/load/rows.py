"""A hall of candidates in a database of its own: ``python -m monitoring.load.rows COUNT``, written out as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

HOLDS_ASIDE = {"hold": 1, "of": 1, "hold_s": 0.0, "release_s": 0.0, "cooldown_s": 0.0}


@dataclass(frozen=True, slots=True)
class Hall:
    """The paths of the candidates' sockets and of a reviewer's, all with tokens, and the sessions' ids likewise."""

    candidates: list[str]
    sessions: list[str]
    review: str


def make_hall(count: int, *, title: str = "Load") -> Hall:
    """Bring the database up to date, and make an exam that so many candidates have begun to sit.

    Its policy sets the holds of the rules aside: an activity begins with the first picture that shows it, so that what
    is measured is the way to the reviewer and not the patience of the rules. Silences are switched off.
    """
    from django.core.management import call_command
    from django.utils import timezone
    from rest_framework_simplejwt.tokens import AccessToken

    from accounts.models import Role
    from accounts.services import ensure_candidates, ensure_user
    from exams.lifecycle import move_session
    from exams.models import SessionStatus
    from exams.services import add_policy_version, create_exam, create_session

    call_command("migrate", verbosity=0)
    owner, _new = ensure_user(email=f"{title.lower()}-teacher@example.com", role=Role.TEACHER)
    exam = create_exam(title=title, owner=owner, duration_minutes=24 * 60)
    add_policy_version(exam=exam, settings=policy(), note="holds set aside")
    names = {f"{title.lower()}-{number}@example.com": "" for number in range(count)}
    began, paths, sessions = timezone.now() - timedelta(minutes=1), [], []
    for candidate in ensure_candidates(names=names).values():
        session = create_session(exam=exam, candidate=candidate, created_at=began)
        move_session(session=session, to=SessionStatus.ACTIVE, at=began)
        token = AccessToken.for_user(candidate.user)
        paths.append(f"/ws/proctoring/{session.pk}/?token={token}")
        sessions.append(str(session.pk))
    return Hall(paths, sessions, f"/ws/review/{exam.pk}/?token={AccessToken.for_user(owner)}")


def policy() -> dict[str, Any]:
    """Return the settings of the hall's policy."""
    from exams.kinds import DEFAULT_RULES, Kind

    kinds: dict[str, Any] = {str(kind): HOLDS_ASIDE for kind, rule in DEFAULT_RULES.items() if not rule.instant}
    return {"kinds": kinds | {str(kind): {"enabled": False} for kind in (Kind.CAMERA_SILENT, Kind.NETWORK_GAP)}}


def main() -> None:
    """Make a hall and write it out."""
    import django

    django.setup()
    hall = make_hall(int(sys.argv[1]))
    sys.stdout.write(json.dumps({"candidates": hall.candidates, "sessions": hall.sessions, "review": hall.review}))


if __name__ == "__main__":
    main()
