"""A candidate's answers: every version is kept, the last one of each problem becomes final."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Length
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.models import User
from exams.models import CodeSubmission, ExamSession, Problem, SessionStatus

MAX_CODE_LENGTH = 200_000
"""Characters of one version."""

MAX_VERSIONS = 500
"""Of one problem in one session."""

MAX_TOTAL_LENGTH = 20_000_000
"""Characters of all versions of a session together."""


class SubmissionRefused(Refused):
    """An answer that is not taken; the message says why."""

    code = "wrong_state"


@transaction.atomic
def submit_code(
    *, session: ExamSession, problem: Problem, language: str, code: str, by: User
) -> tuple[CodeSubmission, bool]:
    """Keep one more version of the answer and return it, and whether it is new: the same text twice is one version.

    Only ``by`` the candidate, while the clock runs; raises ``SubmissionRefused``.
    """
    # The lock gives versions their order, and keeps an end of the session from overtaking the answer.
    locked = ExamSession.objects.select_for_update().get(pk=session.pk)
    _check_may_submit(locked, problem, by)
    newest = CodeSubmission.objects.filter(session=locked, problem=problem).order_by("-version").first()
    content: Mapping[str, Any] = {"language": language, "sha256": sha256(code.encode()).hexdigest()}
    if newest is not None and all(getattr(newest, name) == value for name, value in content.items()):
        return newest, False
    version = newest.version + 1 if newest else 1
    _check_room(locked, version, code)
    return CodeSubmission.objects.create(session=locked, problem=problem, version=version, code=code, **content), True


def _check_may_submit(session: ExamSession, problem: Problem, by: User) -> None:
    if session.candidate.user_id != by.pk:
        raise SubmissionRefused(_("Only the candidate of a session submits its answers."), code="not_yours", status=403)
    if problem.exam_id != session.exam_id:
        raise SubmissionRefused(_("This problem does not belong to the exam of the session."), status=400)
    if session.status == SessionStatus.PAUSED:
        raise SubmissionRefused(_("The session is paused; resume it, then submit."))
    if not session.is_open:
        raise SubmissionRefused(_("The session is over; what was submitted before its end counts."))
    if session.status != SessionStatus.ACTIVE:
        raise SubmissionRefused(_("The session has not begun yet; begin it, then submit."))
    if session.deadline_at is not None and timezone.now() >= session.deadline_at:
        raise SubmissionRefused(_("Time is up; what was submitted before the deadline counts."), code="time_up")


def _check_room(session: ExamSession, version: int, code: str) -> None:
    """Refuse more than anybody writes in one sitting: every version is kept, and the disk is everybody's."""
    if version > MAX_VERSIONS:
        message = _("There are %(count)d versions of this answer already; no more are kept. The last one counts.")
        raise SubmissionRefused(message % {"count": MAX_VERSIONS}, code="too_many_versions")
    kept = CodeSubmission.objects.filter(session=session)
    # Adding up reads every version, which is not worth it while even the longest would fit.
    if (kept.count() + 1) * MAX_CODE_LENGTH <= MAX_TOTAL_LENGTH:
        return
    length = kept.aggregate(total=Sum(Length("code")))["total"] or 0
    if length + len(code) > MAX_TOTAL_LENGTH:
        message = _("The answers of this session are larger than what is kept of one; no more are taken.")
        raise SubmissionRefused(message, code="too_large", status=413)


@transaction.atomic
def finalise_submissions(*, session: ExamSession) -> int:
    """Mark the last version of each problem as final, and no other; returns how many there are.

    Call it where the session ends, in the transaction that holds its row, so that no later version can slip in.
    """
    answers = CodeSubmission.objects.filter(session=session)
    last = dict(answers.order_by("version").values_list("problem_id", "pk")).values()
    answers.filter(is_final=True).exclude(pk__in=last).update(is_final=False)
    answers.filter(pk__in=last, is_final=False).update(is_final=True)
    return len(last)
