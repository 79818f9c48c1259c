"""A session in numbers: how long it took, what was seen and reported, how much was examined, what it adds up to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from accounts.models import User
from exams.clock import assignment_of, time_of
from exams.kinds import CandidateSees, Kind, kind_label
from exams.models import ExamSession
from monitoring import summary
from monitoring.models import Assessment, MonitoringLog, SessionMonitor
from monitoring.selectors import SCORES, current_assessment

FRAMES = {"total": "received", "analysed": "analysed", "skipped": "skipped", "unusable": "unusable", "lost": "lost"}


@dataclass(frozen=True, slots=True)
class Told:
    """What of the machine's result somebody is told: scores, and what they are made of."""

    scores: bool
    breakdown: bool


EVERYTHING = Told(scores=True, breakdown=True)
NOTHING = Told(scores=False, breakdown=False)


def told_to_candidate(session: ExamSession) -> Told:
    """Return what the candidate is told: nothing before the end, then what the exam's settings allow."""
    return NOTHING if session.is_open else allowed_to_candidate(session)


def allowed_to_candidate(session: ExamSession) -> Told:
    """Return what the exam's settings allow a candidate to be told."""
    sees = session.exam.candidate_sees
    return Told(scores=sees != CandidateSees.NOTHING, breakdown=sees == CandidateSees.BREAKDOWN)


def told_logs(logs: QuerySet[MonitoringLog]) -> QuerySet[MonitoringLog]:
    """Leave out what a candidate is not told of: what the proctor wrote down, but for messages to them."""
    return logs.exclude(~Q(event_type=Kind.PROCTOR_MESSAGE), source=MonitoringLog.Source.PROCTOR)


def scores_of(assessment: Assessment | None, told: Told, *, to_staff: bool) -> dict[str, Any]:
    """Return the scores and their breakdown; None where they are not told or nothing was watched."""
    shown = assessment if told.scores else None
    scores = {name: getattr(shown, name, None) for name in SCORES}
    if not to_staff:
        scores["reviewed_risk_score"] = None
    return scores | {"breakdown": breakdown_of(shown) if shown is not None and told.breakdown else None}


def breakdown_of(assessment: Assessment) -> list[dict[str, Any]]:
    """Return what each kind adds to the risk score, with its name in words."""
    return [{**line, "label": kind_label(line["kind"])} for line in assessment.breakdown]


def summarise(session: ExamSession, told: Told, *, to: User, to_staff: bool) -> dict[str, Any]:
    """Return the session in numbers; activities are left out where the breakdown is not told."""
    assessment = current_assessment(session, to=to)
    activities = summary.activities_of(assessment, session) if assessment is not None and told.breakdown else ()
    return {
        "durations": _durations(session),
        "frames": _frames(session),
        "coverage": [] if assessment is None else [_coverage(row) for row in summary.coverage_of(assessment)],
        "muted": session.muted,
        "events": _events(session, to_staff=to_staff),
        "scores": scores_of(assessment, told, to_staff=to_staff),
        "activities_by_kind": _by_kind(activities),
        "timeline": [_entry(item) for item in activities],
        "steps": _steps(session),
    }


def _durations(session: ExamSession) -> dict[str, float]:
    time = time_of(session, arranged=assignment_of(session))
    total = summary.length_of(session)
    return {
        "total_s": round(total, 3),
        "active_s": round(time.used_s, 3),
        "paused_s": round(max(0.0, total - time.used_s), 3),
        "breaks_s": round(session.break_seconds, 3),
        "allowed_s": round(time.allowed_s, 3),
    }


def _frames(session: ExamSession) -> dict[str, int]:
    monitor = SessionMonitor.objects.filter(pk=session.pk).first()
    return {name: getattr(monitor, f"frames_{counter}", 0) for name, counter in FRAMES.items()}


def _coverage(row: summary.SenseCoverage) -> dict[str, Any]:
    return {"sense": row.sense, "label": row.label, "share": row.share, "note": row.note}


def _events(session: ExamSession, *, to_staff: bool) -> list[dict[str, Any]]:
    logs = MonitoringLog.objects.filter(session=session, clearing__isnull=True).order_by()
    if not to_staff:
        logs = told_logs(logs)
    counts = logs.values_list("event_type").annotate(count=Count("pk")).order_by("-count", "event_type")
    return [{"event_type": name, "label": kind_label(name), "count": count} for name, count in counts]


def _by_kind(activities: tuple[summary.Activity, ...]) -> list[dict[str, Any]]:
    kinds = sorted({(item.kind, item.label) for item in activities})
    return [{"kind": kind, "label": label, **_sum([a for a in activities if a.kind == kind])} for kind, label in kinds]


def _sum(activities: list[summary.Activity]) -> dict[str, Any]:
    return {"count": len(activities), "duration_s": round(sum(item.duration_s for item in activities), 3)}


def _entry(item: summary.Activity) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind,
        "label": item.label,
        "severity": item.severity,
        "confidence": item.confidence,
        "started_at": item.started_at,
        "ended_at": item.ended_at,
        "offset_s": item.offset_s,
        "duration_s": item.duration_s,
        "explanation": item.explanation,
        "verdict": item.decision.verdict if item.decision else None,
    }


def _steps(session: ExamSession) -> list[dict[str, str | datetime]]:
    steps = session.transitions.order_by("id").values_list("from_status", "to_status", "at")
    return [{"from_status": before, "to_status": after, "at": at} for before, after, at in steps]
