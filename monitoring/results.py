"""A session's result for machines: frames, coverage, activities and scores as JSON-serialisable data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from exams.models import ExamSession
from monitoring.models import SessionMonitor, SuspiciousActivity
from monitoring.selectors import current_assessment


def session_result(session: ExamSession) -> dict[str, Any]:
    """Return what the machine found; times are seconds into the session. Raises ``ValueError`` if never watched."""
    assessment = current_assessment(session)
    if assessment is None:
        raise ValueError("This session was never watched.")
    monitor = SessionMonitor.objects.get(session=session)
    return {
        "session": str(session.pk),
        "exam": session.exam.code,
        "candidate": session.candidate.user.email,
        "policy_version": assessment.policy.version,
        "frames": {
            "total": monitor.frames_received,
            "analysed": monitor.frames_analysed,
            "skipped": monitor.frames_skipped,
            "unusable": monitor.frames_unusable,
            "lost": monitor.frames_lost,
        },
        "coverage": assessment.coverage,
        "activities": [_activity(activity, session) for activity in assessment.activities.all()],
        "risk_score": assessment.risk_score,
        "risk_level": assessment.risk_level,
        "reviewed_risk_score": assessment.reviewed_risk_score,
        "trust_score": assessment.trust_score,
        "compliance_score": assessment.compliance_score,
        "breakdown": assessment.breakdown,
    }


def _activity(activity: SuspiciousActivity, session: ExamSession) -> dict[str, Any]:
    evidence = getattr(activity, "evidence", None)
    return {
        "kind": activity.kind,
        "started_s": _seconds(activity.started_at, session),
        "ended_s": _seconds(activity.ended_at, session),
        "severity": activity.severity,
        "confidence": activity.confidence,
        "explanation": activity.explanation,
        "evidence": {"file": evidence.file.name, "sha256": evidence.sha256} if evidence else None,
    }


def _seconds(time: datetime | None, session: ExamSession) -> float | None:
    if time is None or session.started_at is None:
        return None
    return round((time - session.started_at).total_seconds(), 3)
