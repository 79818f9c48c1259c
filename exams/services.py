"""What can be done with exams and sessions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.models import Candidate, User
from exams.lifecycle import check_consent, check_window
from exams.models import OPEN_STATUSES, Exam, ExamSession, ProctoringPolicy
from exams.policy import parse_policy


class SessionRefused(Refused):
    """A session that may not be made; the message says why."""

    code = "session_refused"


@transaction.atomic
def add_policy_version(*, exam: Exam, settings: Mapping[str, Any], note: str = "") -> tuple[ProctoringPolicy, bool]:
    """Return the exam's policy with these settings, added as the next version unless the newest says the same."""
    Exam.objects.select_for_update().get(pk=exam.pk)  # one at a time, so that no two become the same version
    newest = exam.current_policy
    if newest is not None and newest.rules == parse_policy(settings):
        return newest, False
    version = newest.version + 1 if newest else 1
    return ProctoringPolicy.objects.create(exam=exam, version=version, settings=dict(settings), note=note), True


@transaction.atomic
def create_exam(*, title: str, owner: User, code: str = "", **fields: Any) -> Exam:
    """Make an exam together with version 1 of its policy, the default one; without a code it gets one by its title."""
    exam = Exam(code=code or _free_code(title), title=title, owner=owner, **fields)
    exam.full_clean()
    try:
        with transaction.atomic():
            exam.save(force_insert=True)
    except IntegrityError as error:  # somebody else took the code between the look and the writing
        if code:
            raise ValidationError({"code": _("An exam with this code exists already.")}) from error
        return create_exam(title=title, owner=owner, code=_free_code(title), **fields)
    add_policy_version(exam=exam, settings={}, note="default policy")
    return exam


def _free_code(title: str) -> str:
    word = slugify(title)[:40].strip("-") or "exam"
    if not Exam.objects.filter(code=word).exists():
        return word
    # Chance instead of counting on: two exams of one title, made at the same moment, do not meet.
    return f"{word}-{get_random_string(6, 'abcdefghjkmnpqrstuvwxyz23456789')}"


@transaction.atomic
def create_session(
    *,
    exam: Exam,
    candidate: Candidate,
    source: ExamSession.Source = ExamSession.Source.LIVE,
    recording_name: str = "",
    created_at: datetime | None = None,
) -> ExamSession:
    """Make a session under the exam's newest policy; raises ``SessionRefused`` while another live one is open.

    What is muted for the candidate now stays muted in this session.
    """
    # Not every database knows a conditional unique constraint: the candidate's row is the lock.
    Candidate.objects.select_for_update().get(pk=candidate.pk)
    if source == ExamSession.Source.LIVE:
        _check_none_open(exam, candidate)
    policy = exam.current_policy
    if policy is None:
        policy, _created = add_policy_version(exam=exam, settings={}, note="default policy")
    arranged = exam.assignments.filter(candidate=candidate).first()
    return ExamSession.objects.create(
        exam=exam,
        candidate=candidate,
        policy=policy,
        source=source,
        recording_name=recording_name[:255],
        created_at=created_at or timezone.now(),
        muted=arranged.muted if arranged else [],
    )


def _check_none_open(exam: Exam, candidate: Candidate) -> None:
    live = ExamSession.objects.filter(exam=exam, candidate=candidate, source=ExamSession.Source.LIVE)
    other = live.filter(status__in=OPEN_STATUSES).values_list("pk", flat=True).first()
    if other is not None:
        raise SessionRefused(
            _("Session %(id)s of this exam is still open; go on with that one.") % {"id": other}, code="already_open"
        )


@transaction.atomic
def open_session(*, exam: Exam, candidate: Candidate, now: datetime | None = None) -> ExamSession:
    """Make a live session as a candidate, or staff for them, asks for it.

    Refuses, in words: another one that is open, a stranger to the exam, the wrong time, too many sittings, no consent.
    """
    now = now or timezone.now()
    Candidate.objects.select_for_update().get(pk=candidate.pk)
    _check_none_open(exam, candidate)
    if not exam.open_to_all and not exam.assignments.filter(candidate=candidate).exists():
        raise SessionRefused(_("This candidate is not assigned to the exam."), code="not_assigned")
    check_window(exam, now)
    _check_attempts(exam, candidate)
    check_consent(candidate.user)
    return create_session(exam=exam, candidate=candidate, created_at=now)


def _check_attempts(exam: Exam, candidate: Candidate) -> None:
    """Refuse one sitting too many; what was never begun was no sitting."""
    sat = ExamSession.objects.filter(
        exam=exam, candidate=candidate, source=ExamSession.Source.LIVE, started_at__isnull=False
    )
    if exam.max_attempts is not None and sat.count() >= exam.max_attempts:
        raise SessionRefused(
            _("This exam may be sat %(count)d times, and it was.") % {"count": exam.max_attempts},
            code="no_attempts_left",
        )
