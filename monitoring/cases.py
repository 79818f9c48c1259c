"""Whose turn it is to review a session: taking it, giving it back, and what comes after a decision."""

from __future__ import annotations

import uuid
from collections import defaultdict
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.errors import Refused
from accounts.models import Role, User
from exams.models import ExamSession
from exams.selectors import may_manage
from monitoring.case_models import Appeal, ReviewCase
from monitoring.models import ReviewDecision

CLAIM_LASTS = timedelta(minutes=30)
"""For how long a session is taken; each decision of its holder begins this time anew."""

Stage = ReviewCase.Stage
Outcome, Verdict = ReviewDecision.Outcome, ReviewDecision.Verdict


class ReviewRefused(Refused):
    """A decision that cannot be taken; the message says why."""

    code, status = "review_refused", 400


def case_of(session_id: uuid.UUID) -> ReviewCase:
    """Return the session's case, made if there is none; what was decided before there were cases counts as decided."""
    case = ReviewCase.objects.select_related("holder").filter(pk=session_id).first()
    if case is not None:
        return case
    decided = ReviewDecision.objects.filter(session=session_id, activity__isnull=True).exists()
    stage = Stage.DECIDED if decided else Stage.FIRST
    return ReviewCase.objects.get_or_create(session_id=session_id, defaults={"stage": stage})[0]


def lock_case(session_id: uuid.UUID) -> ReviewCase:
    """Return the session's case, made if there is none, locked until the transaction ends."""
    return ReviewCase.objects.select_for_update().get(pk=case_of(session_id).pk)


def claim_session(*, session: ExamSession, reviewer: User) -> ReviewCase:
    """Take a session for a while, so that nobody else reads it meanwhile; raises ``ReviewRefused``.

    Of any number who ask at the same time, one gets it: it is taken by compare-and-set.
    """
    _refuse_unfit(session, reviewer)
    case, now = case_of(session.pk), timezone.now()
    _refuse_unready(case, reviewer)
    free = Q(holder__isnull=True) | Q(held_until__lte=now) | Q(holder=reviewer)
    asked = ReviewCase.objects.filter(free, pk=session.pk, stage=case.stage, stage_since=case.stage_since)
    taken = asked.update(holder=reviewer, held_until=now + CLAIM_LASTS)
    case = ReviewCase.objects.select_related("holder").get(pk=session.pk)
    if not taken:
        _refuse_held(case, reviewer)
        raise ReviewRefused(_("Somebody has just decided; look at the session again."), code="wrong_state", status=409)
    return case


def release_session(*, session: ExamSession, by: User) -> None:
    """Give a session back; whoever manages its exam may do so for others. Raises ``ReviewRefused``."""
    cases = ReviewCase.objects.filter(pk=session.pk, holder__isnull=False)
    if not may_manage(by, session.exam):
        cases = cases.filter(holder=by)
    if not cases.update(holder=None, held_until=None):
        raise ReviewRefused(_("You have not taken this session."), code="not_taken", status=409)


def _refuse_unfit(session: ExamSession, reviewer: User) -> None:
    refuse_own(session, reviewer)
    if session.is_open:
        raise ReviewRefused(
            _("This session is still open; it can be taken when it has ended."), code="wrong_state", status=409
        )


def _refuse_unready(case: ReviewCase, reviewer: User) -> None:
    if case.stage == Stage.DECIDED:
        raise ReviewRefused(_("This session is decided; nothing waits here."), code="wrong_state", status=409)
    refuse_unqualified(case, reviewer)


def refuse_own(session: ExamSession, reviewer: User) -> None:
    """Refuse somebody who would decide on their own session."""
    if session.candidate.user_id == reviewer.pk:
        raise ReviewRefused(
            _("Nobody decides on their own session; ask another reviewer."), code="own_session", status=403
        )


def refuse_unqualified(case: ReviewCase, reviewer: User) -> None:
    """Refuse those whose turn it is not: who decided before, and in a disagreement everybody but an admin."""
    if case.stage == Stage.DISAGREEMENT and not reviewer.has_role(Role.ADMIN):
        raise ReviewRefused(
            _("Two reviewers disagree about this session; an admin decides."), code="admin_decides", status=403
        )
    if case.stage not in (Stage.FIRST, Stage.DECIDED) and took_part(case, reviewer):
        raise ReviewRefused(
            _("You decided on this session before; somebody else has to look at it now."), code="took_part", status=403
        )
    if case.stage == Stage.DECIDED and case.settled and not reviewer.has_role(Role.ADMIN):
        raise ReviewRefused(
            _("This session is settled; only an admin changes its outcome."), code="settled", status=403
        )


def took_part(case: ReviewCase, reviewer: User) -> bool:
    """Say whether somebody decided anything about the session before this stage began."""
    decided = ReviewDecision.objects.filter(session=case.session_id, reviewer=reviewer)
    return decided.filter(decided_at__lte=case.stage_since).exists()


def _refuse_held(case: ReviewCase, reviewer: User) -> None:
    if case.is_held() and case.holder_id != reviewer.pk:
        until = date_format(timezone.localtime(case.held_until), "H:i")
        raise ReviewRefused(
            _("%(who)s has taken this session until %(until)s.") % {"who": case.holder, "until": until},
            code="taken",
            status=409,
        )


def why_not(case: ReviewCase, reviewer: User) -> str:
    """Return why somebody may not decide at present, in a sentence; empty where they may."""
    try:
        refuse_unqualified(case, reviewer)
        _refuse_held(case, reviewer)
    except ReviewRefused as refused:
        return str(refused)
    return ""


def admit(case: ReviewCase, reviewer: User, *, seen_stage: str = "") -> None:
    """Let somebody decide, holding the locked case for them where it is theirs or has to be; ``ReviewRefused`` else.

    A second look and an appeal are one person's: who decides first has taken them. ``seen_stage`` is what whoever
    decides had before them: where somebody else has moved the session on since, they look at it again.
    """
    if seen_stage and seen_stage != case.stage:
        raise ReviewRefused(_("Somebody has just decided; look at the session again."), code="wrong_state", status=409)
    refuse_unqualified(case, reviewer)
    _refuse_held(case, reviewer)
    if case.is_blind or case.holder_id == reviewer.pk:
        case.holder, case.held_until = reviewer, timezone.now() + CLAIM_LASTS
        case.save(update_fields=["holder", "held_until"])


def refuse_handing_on(case: ReviewCase, outcome: str) -> None:
    """Refuse to escalate what has been handed on as far as it goes."""
    if outcome == Outcome.ESCALATED and case.is_last:
        raise ReviewRefused(
            _("An appeal and a disagreement are decided, not handed on; give the session back if you cannot."),
            code="wrong_state",
            status=409,
        )


def advance(case: ReviewCase, decision: ReviewDecision, *, leaning: str = "") -> None:
    """Move the locked case on to what follows from an outcome; nobody holds it any longer."""
    if case.stage == Stage.APPEAL:
        _close_appeal(case, decision)
    case.settled |= case.stage in (Stage.APPEAL, Stage.DISAGREEMENT)
    case.stage, before = _next_stage(case, decision), case.stage
    if before != Stage.SECOND:
        case.leaning = leaning
    case.stage_since, case.holder, case.held_until = decision.decided_at, None, None
    case.save()


def _next_stage(case: ReviewCase, decision: ReviewDecision) -> str:
    handed_on = decision.verdict == Outcome.ESCALATED
    if case.stage == Stage.SECOND:
        return Stage.DISAGREEMENT if handed_on or disagrees(case, decision) else Stage.DECIDED
    return Stage.SECOND if handed_on else Stage.DECIDED


def disagrees(case: ReviewCase, decision: ReviewDecision) -> bool:
    """Say whether the second's outcome is not the first's, or an activity was confirmed by one, dismissed by another.

    The first's outcome is what they leaned to when they handed the session on, or decided before that. Who began the
    second look and gave it back had a word on the activities as well.
    """
    rows = ReviewDecision.objects.filter(session=case.session_id).order_by("decided_at", "pk")
    before = rows.filter(activity__isnull=True, decided_at__lte=case.stage_since).exclude(verdict=Outcome.ESCALATED)
    first = case.leaning or before.values_list("verdict", flat=True).last()
    if first and first != decision.verdict:
        return True
    words: defaultdict[uuid.UUID, dict[tuple[bool, uuid.UUID | None], str]] = defaultdict(dict)
    judged = rows.filter(activity__isnull=False).values_list("activity", "reviewer", "decided_at", "verdict")
    for activity, reviewer, decided_at, verdict in judged:
        # The first look is one, whoever took part in it; everybody after that looks for themselves.
        after = decided_at > case.stage_since
        words[activity][after, reviewer if after else None] = verdict
    return any({Verdict.CONFIRMED, Verdict.DISMISSED} <= set(verdicts.values()) for verdicts in words.values())


def _close_appeal(case: ReviewCase, decision: ReviewDecision) -> None:
    appeal = Appeal.objects.select_related("against").get(session=case.session_id)
    stays = decision.verdict == appeal.against.verdict
    appeal.state = Appeal.State.UPHELD if stays else Appeal.State.CHANGED
    appeal.decided_at = decision.decided_at
    appeal.save(update_fields=["state", "decided_at"])


def open_appeal(case: ReviewCase, *, at: datetime) -> None:
    """Have the locked case wait for somebody who decides on the appeal."""
    case.stage, case.stage_since, case.holder, case.held_until = Stage.APPEAL, at, None, None
    case.save()
