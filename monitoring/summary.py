"""A session as it is shown to people, on the reviewer's page and in the PDF: rows in, frozen data out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from exams.kinds import Severity, kind_label
from exams.models import ExamSession
from monitoring.compared import NOT_COMPARED
from monitoring.explain import duration_text, explanation_of
from monitoring.models import Assessment, Evidence, ReviewDecision, SuspiciousActivity
from monitoring.selectors import seen_decisions
from monitoring.timeline import Bar, Lane, clock
from vision.types import Sense

SENSE_LABELS = {
    Sense.CAMERA: gettext_lazy("Camera picture"),
    Sense.FACES: gettext_lazy("Faces"),
    Sense.HEAD: gettext_lazy("Head direction"),
    Sense.EYES: gettext_lazy("Eye direction"),
    Sense.MOUTH: gettext_lazy("Mouth"),
    Sense.HANDS: gettext_lazy("Hands"),
    Sense.OBJECTS: gettext_lazy("Objects and people"),
    Sense.IDENTITY: gettext_lazy("Whose face it is"),
    Sense.LIVENESS: gettext_lazy("Live picture"),
    Sense.LEVEL: gettext_lazy("Loudness"),
    Sense.SPEECH: gettext_lazy("Speech"),
    Sense.SPEAKERS: gettext_lazy("Voices"),
}
COVERAGE_MEANS = gettext_lazy("Coverage is the share of the session in which a sense could really examine something.")
CONFIDENCE_MEANS = gettext_lazy("Confidence is how sure the detectors were on average, not how likely misconduct is.")
MACHINE_POINTS = gettext_lazy("The machine points, a human decides.")


@dataclass(frozen=True, slots=True)
class SenseCoverage:
    """The share 0..1 of the session that one sense examined (None: switched off by the policy), and a note."""

    sense: str
    label: str
    share: float | None
    note: str

    @property
    def percent(self) -> int:
        """The share in whole percent, never 100 while anything is missing."""
        return int((self.share or 0) * 100 + 1e-6)


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """What one kind adds to the risk score."""

    kind: str
    label: str
    count: int
    weight: float
    raw: float
    cap: float
    points: float

    @property
    def capped(self) -> bool:
        """Whether the kind would have added more without its cap."""
        return self.raw > self.cap


@dataclass(frozen=True, slots=True)
class Decision:
    """One human verdict."""

    verdict: str
    label: str
    reason: str
    reviewer: str
    decided_at: datetime
    carried_over: bool


@dataclass(frozen=True, slots=True)
class EvidencePicture:
    """The kept picture or sound of an activity; ``name`` is its file in the storage."""

    id: UUID
    name: str
    media_type: str
    sha256: str
    captured_at: datetime

    @property
    def is_sound(self) -> bool:
        """Whether it is to be heard."""
        return self.media_type.startswith("audio/")


@dataclass(frozen=True, slots=True)
class Activity:
    """One suspicious activity; offsets and duration in seconds, ``ended_at`` None while it lasts."""

    id: UUID
    kind: str
    label: str
    severity: int
    severity_label: str
    confidence: float
    started_at: datetime
    ended_at: datetime | None
    offset_s: float
    duration_s: float
    explanation: str
    decisions: tuple[Decision, ...]
    evidence: EvidencePicture | None

    @property
    def decision(self) -> Decision | None:
        """The verdict that holds: the latest, and none where that one was taken back."""
        latest = self.decisions[-1] if self.decisions else None
        return None if latest is None or latest.verdict == ReviewDecision.Verdict.WITHDRAWN else latest

    @property
    def dismissed(self) -> bool:
        """Whether the verdict that holds takes the activity out of the reviewed score."""
        return self.decision is not None and self.decision.verdict == ReviewDecision.Verdict.DISMISSED

    @property
    def confidence_percent(self) -> int:
        """The confidence in whole percent."""
        return round(self.confidence * 100)

    @property
    def offset(self) -> str:
        """Time into the session."""
        return clock(self.offset_s)

    @property
    def duration(self) -> str:
        """How long it lasted, in words."""
        return duration_text(self.duration_s)


def coverage_of(assessment: Assessment) -> tuple[SenseCoverage, ...]:
    """Return one row per sense, with a plain note where nothing could be examined."""
    policy, missing = assessment.policy.rules, assessment.missing_detectors
    examined = policy.without(assessment.session.muted).senses
    rows = []
    for sense in Sense:
        share = float(assessment.coverage.get(sense, 0.0)) if sense in examined else None
        note = ""
        if share is None:
            muted = sense in policy.senses
            note = _("Muted for this candidate.") if muted else _("Switched off by the exam's policy.")
        elif share == 0:
            note = _("Not examined at any time.")
            if missing.get(sense) == NOT_COMPARED:
                note += " " + _(NOT_COMPARED)
            elif sense in missing:
                note += " " + _("The detector was missing: %(reason)s") % {"reason": missing[sense]}
        rows.append(SenseCoverage(str(sense), str(SENSE_LABELS[sense]), share, note))
    return tuple(rows)


def score_lines(assessment: Assessment) -> tuple[ScoreLine, ...]:
    """Return the breakdown of the risk score, the heaviest kind first."""
    return tuple(ScoreLine(label=kind_label(line["kind"]), **line) for line in assessment.breakdown)


def activities_of(assessment: Assessment, session: ExamSession) -> tuple[Activity, ...]:
    """Return the activities in order of time; expects them prefetched with evidence and decisions."""
    end = session.ended_at or timezone.now()
    return tuple(activity_of(row, session, end, row.decisions.all()) for row in assessment.activities.all())


def activity_of(
    row: SuspiciousActivity, session: ExamSession, end: datetime, decisions: Iterable[ReviewDecision]
) -> Activity:
    """Return one activity with the decisions on it, in their order; one that goes on lasts until ``end``."""
    evidence = getattr(row, "evidence", None)
    return Activity(
        id=row.pk,
        kind=row.kind,
        label=kind_label(row.kind),
        severity=row.severity,
        severity_label=str(Severity(row.severity).label),
        confidence=row.confidence,
        started_at=row.started_at,
        ended_at=row.ended_at,
        offset_s=offset_in(session, row.started_at),
        duration_s=round(max(0.0, ((row.ended_at or end) - row.started_at).total_seconds()), 3),
        explanation=explanation_of(row),
        decisions=decisions_of(decisions),
        evidence=None if evidence is None else _picture(evidence),
    )


def _picture(evidence: Evidence) -> EvidencePicture:
    return EvidencePicture(
        evidence.pk, evidence.file.name or "", evidence.media_type, evidence.sha256, evidence.captured_at
    )


def decisions_of(rows: Iterable[ReviewDecision]) -> tuple[Decision, ...]:
    """Return decisions in the order in which they were taken."""
    return tuple(
        Decision(
            verdict=row.verdict,
            label=str(row.get_verdict_display()),
            reason=row.reason,
            reviewer=str(row.reviewer),
            decided_at=row.decided_at,
            carried_over=row.carried_from_id is not None,
        )
        for row in rows
    )


def session_decisions(session: ExamSession, *, to: User | None = None) -> tuple[Decision, ...]:
    """Return the verdicts on the session as a whole, of those that ``to`` is shown."""
    rows = (
        seen_decisions(to)
        .filter(session=session, activity__isnull=True)
        .select_related("reviewer")
        .order_by("decided_at")
    )
    return decisions_of(rows)


def offset_in(session: ExamSession, moment: datetime) -> float:
    """Return seconds from the start of the session."""
    start = session.started_at or session.created_at
    return round((moment - start).total_seconds(), 3)


def length_of(session: ExamSession) -> float:
    """Return seconds on the clock from start to end (pauses included) or until now."""
    return max(0.0, offset_in(session, session.ended_at or timezone.now())) if session.started_at else 0.0


def lanes_of(activities: Iterable[Activity], link: str = "") -> tuple[Lane, ...]:
    """Return one lane per kind, the gravest first."""
    activities = tuple(activities)
    kinds = dict.fromkeys(item.kind for item in sorted(activities, key=lambda item: (-item.severity, item.label)))
    return tuple(_lane([item for item in activities if item.kind == kind], link) for kind in kinds)


def _lane(items: list[Activity], link: str) -> Lane:
    return Lane(label=items[0].label, bars=tuple(_bar(item, link) for item in items))


def _bar(item: Activity, link: str) -> Bar:
    title = f"{item.label}, {item.severity_label}, {item.offset}, {item.duration}"
    if item.decision is not None:
        title += f", {item.decision.label}"
    end_s = item.offset_s + item.duration_s
    address = f"{link}{item.id}" if link else ""
    return Bar(item.offset_s, end_s, item.severity, title, address, dismissed=item.dismissed)
