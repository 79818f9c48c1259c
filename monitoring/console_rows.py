"""What people leave behind in the console beside sessions: open exams, reviews, appeals, looks at pictures, reports."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

from accounts.models import AuditEvent, Candidate, Consent, ConsentText, Role, User
from exams.models import ExamSession, SessionStatus
from monitoring.benchmark_rows import AT_ONCE, DIGEST, Rows
from monitoring.case_models import Appeal, ReviewCase
from monitoring.models import ReviewDecision
from monitoring.picture_models import PictureAccess

WALL = 200
"""So many sessions of the first exam are sat right now."""

LOOKS = 3
"""So often somebody looked at a picture, in each session."""

Stage = ReviewCase.Stage
STAGES = (Stage.SECOND, Stage.APPEAL, Stage.DISAGREEMENT, Stage.DECIDED, Stage.DECIDED)


def add_console_rows(rows: Rows) -> None:
    """Add to the rows what people leave behind, and bring the candidates to as many as there are sessions."""
    mark = rows.exam.code.rpartition("-")[0]
    sessions = ExamSession.objects.filter(exam__code__startswith=mark).select_related("candidate").order_by("pk")
    _open_hall(rows)
    _add_candidates(mark, rows.sizes.sessions - rows.sizes.candidates)
    text = ConsentText.objects.first() or ConsentText.objects.create(
        purpose=ConsentText.Purpose.PROCTORING, title="Consent", text="I agree."
    )
    users = User.objects.filter(email__startswith=mark, candidate__isnull=False)
    _store(Consent(user=user, text=text) for user in users)
    everybody, teacher = list(sessions), rows.people[Role.TEACHER]
    _store(_look(session, teacher) for session in everybody for _number in range(LOOKS))
    _store(AuditEvent(action="face_sign_in", outcome="accepted", actor=user, subject=user) for user in users)
    _store(_report(session, number) for number, session in enumerate(everybody))
    _add_cases(sessions.exclude(status=SessionStatus.ACTIVE).order_by())


def _open_hall(rows: Rows) -> None:
    """Have the last session of as many candidates of the first exam be sat right now, but for the one looked at."""
    others = ExamSession.objects.filter(exam=rows.exam).exclude(candidate__user=rows.people[Role.CANDIDATE])
    last = {session.candidate_id: session.pk for session in others.exclude(status=SessionStatus.ACTIVE)}
    for candidate in others.filter(status=SessionStatus.ACTIVE).values_list("candidate", flat=True):
        last.pop(candidate, None)  # nobody sits an exam twice at once
    chosen = ExamSession.objects.filter(pk__in=list(last.values())[:WALL])
    chosen.update(status=SessionStatus.ACTIVE, ended_at=None)


def _add_candidates(mark: str, wanted: int) -> None:
    users = [User(email=f"{mark}-more-{number:06}@example.com", full_name=f"More {number}") for number in range(wanted)]
    for user in users:
        user.set_unusable_password()
    _store(users)
    _store(Candidate(user=user, external_id=f"{mark}-more-{number}") for number, user in enumerate(users))


def _look(session: ExamSession, by: User) -> PictureAccess:
    return PictureAccess(
        at=session.created_at,
        user=by,
        subject_id=session.candidate.user_id,
        session=session,
        what=PictureAccess.What.PICTURE,
        way=PictureAccess.Way.CONSOLE,
        sha256=DIGEST,
        ip_address="198.18.0.1",
    )


def _report(session: ExamSession, number: int) -> Model:
    # The room of reports stands above this one.
    model: Any = apps.get_model("reports", "SessionReport")
    report: Model = model(
        session=session,
        status=model.Status.READY,
        file=f"reports/{session.pk}/{number}.pdf",
        content_sha256=DIGEST,
        generated_at=session.ended_at or session.created_at,
    )
    return report


def _add_cases(sessions: QuerySet[ExamSession]) -> None:
    """Hand on, or settle, the sessions that have an outcome."""
    outcomes = ReviewDecision.objects.filter(session__in=sessions.values("pk"), activity__isnull=True)
    cases, appeals = [], []
    for outcome, stage in zip(outcomes.order_by("session"), cycle(STAGES), strict=False):
        cases.append(ReviewCase(session_id=outcome.session_id, stage=stage, stage_since=outcome.decided_at))
        if stage == Stage.APPEAL:
            appeals.append(Appeal(session_id=outcome.session_id, text="I read from my own notes.", against=outcome))
    _store(cases)
    _store(appeals)


def _store(rows: Iterable[Model]) -> None:
    made = list(rows)
    if made:
        type(made[0])._default_manager.bulk_create(made, batch_size=AT_ONCE)
