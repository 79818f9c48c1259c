"""The rows of one session, each kind of row read once, and the session over time that they make up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from accounts.models import User
from exams.models import ExamSession, SessionTransition
from exams.policy import Policy
from monitoring import session_strips, summary
from monitoring.case_models import ReviewCase
from monitoring.heard_time import sound_from
from monitoring.models import Assessment, MonitoringLog, ReviewDecision, ReviewerNote, Silence, SuspiciousActivity
from monitoring.selectors import seen_decisions
from monitoring.timeline import Timeline, examined_stretches

DRAWN_LOGS = 2000


@dataclass
class Recorded:
    """The rows of one session that a reader is shown, each kind of row read once; None as the reader is shown all."""

    session: ExamSession
    user: User | None
    case: ReviewCase | None = None
    assessment: Assessment | None = None
    decisions: dict[UUID | None, list[ReviewDecision]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, session: ExamSession, user: User | None) -> Recorded:
        """Read whose turn it is, what is judged and what was decided, as far as the reader is to know."""
        case: ReviewCase | None = None if user is None else getattr(session, "review", None)
        assessment: Any = Assessment.objects.filter(session=session, is_current=True).select_related("policy").first()
        recorded = cls(session, user, case, assessment)
        if assessment is not None:
            assessment.session = session
            if recorded.is_blind:
                assessment.reviewed_risk_score = None
        shown = seen_decisions(user).filter(session=session).select_related("reviewer")
        for decision in shown.order_by("decided_at", "pk"):
            recorded.decisions[decision.activity_id].append(decision)
        return recorded

    @property
    def is_blind(self) -> bool:
        """Whether others' decisions and notes are hidden."""
        return self.user is not None and self.case is not None and self.case.is_blind

    @cached_property
    def rows(self) -> list[SuspiciousActivity]:
        """The activities of the assessment that counts, with their evidence, in order of time."""
        if self.assessment is None:
            return []
        rows = SuspiciousActivity.objects.filter(assessment=self.assessment).select_related("evidence")
        return list(rows.order_by("started_at", "kind"))

    @cached_property
    def logs(self) -> list[MonitoringLog]:
        """What was reported and stands, the earliest first."""
        rows = MonitoringLog.objects.filter(session=self.session, clearing__isnull=True)
        return list(rows.order_by("occurred_at", "id")[:DRAWN_LOGS])

    @cached_property
    def silences(self) -> list[Silence]:
        """When the camera or the whole connection was silent."""
        return list(Silence.objects.filter(session=self.session).order_by("started_at"))

    @cached_property
    def steps(self) -> list[SessionTransition]:
        """The steps in the session's life."""
        return list(self.session.transitions.select_related("by").order_by("at", "id"))

    @cached_property
    def notes(self) -> list[ReviewerNote]:
        """What reviewers wrote, in order of time in the session; under blind review what the reader wrote."""
        notes = ReviewerNote.objects.filter(session=self.session).select_related("author")
        return list(notes.filter(author=self.user) if self.is_blind else notes)

    def timeline(
        self, policy: Policy, items: Sequence[summary.Activity], observed: session_strips.Observed, *, link: str = ""
    ) -> Timeline:
        """Return the session over time; ``link`` is put before an activity's id to make the address of its bar."""
        session, length = self.session, summary.length_of(self.session)
        seen = ((moment.at, moment.examined) for moment in observed.moments)
        presence = session_strips.presence_strip(observed.moments, max_gap_s=policy.max_gap_s, end_s=length)
        line = session_strips.connection_strip(session, self.silences, self.steps, end_s=length)
        events = session_strips.events_strip(session, self.logs, length_s=length)
        marks = session_strips.marks_strip(session, self.notes, items, self.logs)
        return Timeline(
            duration_s=length,
            examined=examined_stretches(seen, max_gap_s=policy.max_gap_s, end_s=length),
            lanes=summary.lanes_of(items, link),
            sound=sound_from(observed.heard, policy),
            above=(presence, line),
            below=(events, marks),
        )
