"""What can be done with exams and sessions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Candidate, User
from exams.models import Exam, ExamSession, ProctoringPolicy
from exams.policy import parse_policy


class SessionRefused(ValueError):
    """A session that may not be made; the message says why."""


@transaction.atomic
def add_policy_version(*, exam: Exam, settings: Mapping[str, Any], note: str = "") -> tuple[ProctoringPolicy, bool]:
    """Return the exam's policy with these settings, added as the next version unless the newest says the same."""
    newest = exam.current_policy
    if newest is not None and newest.rules == parse_policy(settings):
        return newest, False
    version = newest.version + 1 if newest else 1
    return ProctoringPolicy.objects.create(exam=exam, version=version, settings=dict(settings), note=note), True


@transaction.atomic
def create_exam(*, code: str, title: str, owner: User, **fields: Any) -> Exam:
    """Make an exam together with version 1 of its policy, the default one."""
    exam = Exam(code=code, title=title, owner=owner, **fields)
    exam.full_clean()
    exam.save()
    add_policy_version(exam=exam, settings={}, note="default policy")
    return exam


def create_session(
    *,
    exam: Exam,
    candidate: Candidate,
    source: ExamSession.Source = ExamSession.Source.LIVE,
    recording_name: str = "",
    created_at: datetime | None = None,
) -> ExamSession:
    """Make a session under the exam's newest policy; raises ``SessionRefused`` while another live one is open."""
    policy = exam.current_policy
    if policy is None:
        policy, _created = add_policy_version(exam=exam, settings={}, note="default policy")
    try:
        with transaction.atomic():
            return ExamSession.objects.create(
                exam=exam,
                candidate=candidate,
                policy=policy,
                source=source,
                recording_name=recording_name[:255],
                created_at=created_at or timezone.now(),
            )
    except IntegrityError as error:
        raise SessionRefused("This candidate has an open session in this exam already.") from error
