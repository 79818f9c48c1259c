"""People who review, a session with something to judge, and the ways that lead into each stage of its review."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from accounts.models import Role, User
from exams.models import Exam, ExamSession
from monitoring.appeals import appeal_session
from monitoring.models import SuspiciousActivity
from monitoring.review import decide_activity, decide_session
from monitoring.tests.factories import end_session, facts, make_candidate, make_exam, make_session, make_user, watch

FIRSTS_WORDS = "Words of the first reviewer."


@dataclass(frozen=True)
class Desk:
    """An exam's people: its teacher, three reviewers, an admin, and a reviewer of other exams."""

    exam: Exam
    teacher: User
    first: User
    second: User
    third: User
    admin: User
    stranger: User


def make_desk() -> Desk:
    """Make an exam and its people."""
    teacher = make_user(Role.TEACHER, full_name="Teacher One")
    exam = make_exam(teacher)
    names = ("Reviewer One", "Reviewer Two", "Reviewer Three")
    first, second, third = (make_user(Role.REVIEWER, full_name=name) for name in names)
    exam.reviewers.add(first, second, third)
    admin, stranger = make_user(Role.ADMIN, full_name="Admin One"), make_user(Role.REVIEWER)
    return Desk(exam, teacher, first, second, third, admin, stranger)


def picture() -> bytes:
    """Return a small JPEG."""
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 150)).save(data, "JPEG")
    return data.getvalue()


def ended_session(exam: Exam, *, away_s: int = 6, name: str = "") -> ExamSession:
    """Make a session that ended after a minute, whose candidate was away for some seconds: one activity, if any."""
    session = make_session(exam, make_candidate(full_name=name))
    seen = [facts(at, faces=0 if at < away_s else 1, objects={}) for at in range(12)]
    watch(session, *seen, pictures={one.seq: picture for one in seen})
    end_session(session, 60)
    session.refresh_from_db()
    return session


def activity_of(session: ExamSession) -> SuspiciousActivity:
    """Return the session's one activity."""
    return session.activities.get()


def hand_on(session: ExamSession, by: User, *, leaning: str = "violation") -> None:
    """Have a reviewer dismiss the activity and hand the session on."""
    decide_activity(activity=activity_of(session), verdict="dismissed", reason=FIRSTS_WORDS, reviewer=by)
    decide_session(session=session, outcome="escalated", reason=FIRSTS_WORDS, reviewer=by, leaning=leaning)


def convict(session: ExamSession, by: User, *, outcome: str = "violation", verdict: str = "confirmed") -> None:
    """Have a reviewer confirm the activity and decide against the candidate."""
    decide_activity(activity=activity_of(session), verdict=verdict, reason=FIRSTS_WORDS, reviewer=by)
    decide_session(session=session, outcome=outcome, reason=FIRSTS_WORDS, reviewer=by)


def convict_and_appeal(session: ExamSession, by: User) -> None:
    """Have a reviewer dismiss the activity, decide against the candidate all the same, and the candidate appeal."""
    convict(session, by, verdict="dismissed")
    appeal_session(session=session, text="I was there all the time.")
