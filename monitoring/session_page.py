"""Everything that the session page of the reviewer's console shows, in a number of queries that never grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from exams.kinds import Kind, kind_label
from exams.lifecycle import is_overdue
from exams.models import ExamSession
from exams.policy import Policy
from monitoring import session_strips, summary
from monitoring.activity_cards import CardMaker, Note, note_of, shown_pictures
from monitoring.case_models import ReviewCase
from monitoring.cases import why_not
from monitoring.explain import duration_text
from monitoring.identity_pictures import Which, is_live, kept_times, picture_of
from monitoring.models import Assessment, MonitoringLog, ReviewDecision, ReviewerNote
from monitoring.note_row import NOTE_LENGTH
from monitoring.review_queue import stages_for
from monitoring.selectors import is_staff_of
from monitoring.session_faces import NEWEST, NEWEST_ALT, NEWEST_GONE, Faces, faces_of
from monitoring.session_record import Recorded
from monitoring.silence import is_connected
from monitoring.timeline import clock, draw

SHOWN_LOGS = 200
DECIDE, WRITE_NOTES = "monitoring.add_reviewdecision", "monitoring.add_reviewernote"
SEE_ANSWERS = "exams.view_codesubmission"

VERDICT_BUTTONS = (
    (ReviewDecision.Verdict.CONFIRMED, gettext_lazy("Confirm"), "c"),
    (ReviewDecision.Verdict.DISMISSED, gettext_lazy("Dismiss"), "d"),
    (ReviewDecision.Verdict.ESCALATED, gettext_lazy("Escalate"), "e"),
)
OUTCOME_BUTTONS = (
    (ReviewDecision.Outcome.CLEAR, gettext_lazy("Clear: nothing to object to"), ""),
    (ReviewDecision.Outcome.CONCERN, gettext_lazy("Concern"), ""),
    (ReviewDecision.Outcome.VIOLATION, gettext_lazy("Violation"), ""),
    (ReviewDecision.Outcome.ESCALATED, gettext_lazy("Escalate"), ""),
)

BUTTON = (
    '<button type="submit" name="verdict" value="{0}" class="decide-{0}" data-key="{2}">{1} <kbd>{2}</kbd></button>'
)


def session_context(user: User, session: ExamSession, *, done: str = "") -> dict[str, Any]:
    """Return what the session page shows; ``done`` is the stage in which the reader has just decided its outcome."""
    recorded = Recorded.of(session, user)
    outcome = summary.decisions_of(recorded.decisions[None])
    context: dict[str, Any] = {
        "session": session,
        "monitor": getattr(session, "monitor", None),
        "assessment": recorded.assessment,
        "duration": duration_text(session.duration.total_seconds()),
        "session_decisions": outcome,
        "transitions": recorded.steps,
        "verdicts": VERDICT_BUTTONS,
        "verdict_buttons": format_html_join(
            " ", BUTTON, ((value, label, key) for value, label, key in VERDICT_BUTTONS)
        ),
        "can_note": user.has_perm(WRITE_NOTES),
        "can_see_answers": user.has_perm(SEE_ANSWERS),
        "note_length": NOTE_LENGTH,
        "connected": _connected(session),
        "coverage_means": summary.COVERAGE_MEANS,
        "confidence_means": summary.CONFIDENCE_MEANS,
        "machine_points": summary.MACHINE_POINTS,
        **_lost(user, recorded),
        **_logs(recorded),
        **_turn(user, recorded, outcome),
        "next_tab": _next_tab(user, done),
    }
    if recorded.assessment is None:
        return context | {"notes": _notes(recorded.notes, ())}
    return context | _judged(recorded, recorded.assessment)


def _turn(user: User, recorded: Recorded, decisions: Sequence[summary.Decision]) -> dict[str, Any]:
    """Say whose turn it is: the stage, who has taken it, why the reader may not decide, and the appeal."""
    case = recorded.case
    refusal = why_not(case, user) if case is not None else ""
    stages = ReviewCase.Stage
    stage = case.stage if case is not None else stages.DECIDED if decisions else stages.FIRST
    return {
        "case": case,
        "stage": stage,
        # Where reviewers disagree, the latest word is not the outcome.
        "session_decision": decisions[-1] if decisions and stage != stages.DISAGREEMENT else None,
        "blind": recorded.is_blind,
        "appeal": getattr(recorded.session, "appeal", None),
        "held": case is not None and case.is_held(),
        "why_not": refusal,
        "can_decide": user.has_perm(DECIDE) and not refusal,
        "outcomes": OUTCOME_BUTTONS[:-1] if case is not None and case.is_last else OUTCOME_BUTTONS,
        "leanings": ReviewCase.Leaning.choices,
    }


def _next_tab(user: User, done: str) -> str:
    """Return in which part of the queue somebody goes on who has just decided; empty for all others."""
    if done not in ReviewCase.Stage.values or not user.has_perm(DECIDE):
        return ""
    return done if done in stages_for(user) else str(ReviewCase.Stage.FIRST)


def _judged(recorded: Recorded, assessment: Assessment) -> dict[str, Any]:
    session = recorded.session
    policy: Policy = assessment.policy.rules.without(session.muted)
    end = session.ended_at or timezone.now()
    items = [summary.activity_of(row, session, end, recorded.decisions[row.pk]) for row in recorded.rows]
    notes = _notes(recorded.notes, items)
    maker = CardMaker(assessment, policy)
    cards = [
        maker.card(item, row.detail, (note for note in notes if note.activity_id == item.id))
        for item, row in zip(items, recorded.rows, strict=True)
    ]
    observed = session_strips.observed_in(session, policy.thresholds)
    pictures = shown_pictures(cards)
    coverage = summary.coverage_of(assessment)
    timeline = recorded.timeline(policy, items, observed, link="#activity-")
    return {
        "activities": cards,
        "kinds": sorted({(card.item.kind, card.item.label) for card in cards}, key=lambda kind: kind[1]),
        "notes": notes,
        "undecided": sum(item.decision is None for item in items),
        "pictures": len(pictures),
        "faces": _faces(session, policy, items, observed),
        "newest": {"says": NEWEST, "gone": NEWEST_GONE, "alt": NEWEST_ALT},
        "coverage": coverage,
        "unexamined": _unexamined(coverage),
        "breakdown": summary.score_lines(assessment),
        # Every text inside was escaped when it was drawn.
        "timeline": mark_safe(draw(timeline, description=_describe(items))),  # noqa: S308
        "policy_version": _("version %(version)d") % {"version": assessment.policy.version},
        "length_s": f"{timeline.duration_s:.3f}",
    }


def _faces(
    session: ExamSession, policy: Policy, items: Sequence[summary.Activity], observed: session_strips.Observed
) -> Faces:
    # Asking for it has it made from now on, so that the page soon has one where there is none yet.
    glimpsed = picture_of(session, Which.NOW) is not None
    return faces_of(
        session,
        policy,
        kept=kept_times(session),
        items=items,
        moments=observed.moments,
        live=is_live(session),
        glimpsed=glimpsed,
    )


def _unexamined(rows: Sequence[summary.SenseCoverage]) -> list[tuple[str, str]]:
    """Return why senses saw nothing, each reason once, with all that it holds for."""
    labels: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            labels.setdefault(row.note, []).append(row.label)
    return [(note, ", ".join(told)) for note, told in labels.items()]


def _describe(activities: Sequence[summary.Activity]) -> str:
    return _("Suspicious activities over time: %(count)d") % {"count": len(activities)}


def _notes(rows: Sequence[ReviewerNote], items: Sequence[summary.Activity]) -> list[Note]:
    labels = {item.id: item.label for item in items}
    return [note_of(row, labels.get(row.activity_id, "") if row.activity_id else "") for row in rows]


def _lost(user: User, recorded: Recorded) -> dict[str, Any]:
    """Say how much time the candidate lost with the connection, as ``lost_time.lost_seconds`` counts it."""
    session = recorded.session
    lost_s = sum(
        (row.ended_at - row.started_at).total_seconds()
        for row in recorded.silences
        if row.kind == Kind.NETWORK_GAP and row.ended_at is not None and row.given_back_at is None
    )
    return {
        "lost": duration_text(lost_s) if lost_s else "",
        "can_give_back": bool(lost_s) and session.is_open and is_staff_of(user, session),
        "is_overdue": is_overdue(session, timezone.now()),
    }


def _logs(recorded: Recorded) -> dict[str, Any]:
    sources = {source.value: str(source.label) for source in MonitoringLog.Source}
    shown = [
        {
            "source": sources.get(log.source, log.source),
            "reason": log.detail.get("reason", "") if isinstance(log.detail, dict) else "",
            "offset": clock(summary.offset_in(recorded.session, log.occurred_at)),
            "label": kind_label(log.event_type),
        }
        for log in recorded.logs[:SHOWN_LOGS]
    ]
    return {"logs": shown, "more_logs": len(recorded.logs) > SHOWN_LOGS}


def _connected(session: ExamSession) -> bool | None:
    """Say whether the candidate's side is there; None where nobody is expected."""
    monitor = getattr(session, "monitor", None)
    live = session.is_open and session.source == ExamSession.Source.LIVE
    return is_connected(monitor) if monitor is not None and live else None
