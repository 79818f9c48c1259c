"""Writing what the rules said into rows: activities, evidence and scores. Callers hold the session's monitor row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from exams.policy import Policy
from monitoring import scoring
from monitoring.explain import explain
from monitoring.models import Assessment, Evidence, ReviewDecision, SuspiciousActivity
from monitoring.rules import Change, State, reached

SPAN_FIELDS = ("kind", "severity", "started_at", "ended_at")
JPEG = b"\xff\xd8\xff"
SOUND_FORMS = {
    "WAV": ("wav", "audio/wav"),
    "FLAC": ("flac", "audio/flac"),
    "WEBM": ("webm", "audio/webm"),
    "OGG": ("ogg", "audio/ogg"),
    "MP3": ("mp3", "audio/mpeg"),
}
Exhibit = Callable[[], bytes]
"""Gives the encoded picture or sound of one moment, when it is wanted."""


def moment_of(seconds: float) -> datetime:
    """Return seconds since 1970 as an aware time."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def write_changes(
    assessment: Assessment, changes: Iterable[Change], policy: Policy, pictures: Mapping[int, Exhibit]
) -> list[SuspiciousActivity]:
    """Bring activities and evidence up to the changes; of several changes to one span only the last is written."""
    last: dict[tuple[str, float], Change] = {}
    best: dict[tuple[str, float], int] = {}
    for change in changes:
        last[change.kind, change.started_at] = change
        if change.best:
            best[change.kind, change.started_at] = change.seq
    return [
        _write_activity(assessment, change, policy, best.get(span), pictures)
        for span, change in sorted(last.items(), key=lambda item: item[0][1])
    ]


def _write_activity(
    assessment: Assessment, change: Change, policy: Policy, seq: int | None, pictures: Mapping[int, Exhibit]
) -> SuspiciousActivity:
    duration = None if change.ended_at is None else change.ended_at - change.started_at
    activity, is_new = SuspiciousActivity.objects.update_or_create(
        assessment=assessment,
        kind=change.kind,
        started_at=moment_of(change.started_at),
        defaults={
            "session_id": assessment.session_id,
            "severity": change.detail.get("severity", policy.rule(change.kind).severity),
            "confidence": change.confidence,
            "ended_at": None if change.ended_at is None else moment_of(change.ended_at),
            "explanation": explain(
                change.kind,
                change.detail,
                positives=change.positives,
                examined=change.examined,
                duration_s=duration,
            ),
            "detail": {**change.detail, "positives": change.positives, "examined": change.examined},
        },
    )
    activity.newly_written = is_new
    if seq is not None and seq in pictures:
        _keep_evidence(activity, change, seq, pictures[seq]())
    return activity


def _keep_evidence(activity: SuspiciousActivity, change: Change, seq: int, data: bytes) -> None:
    evidence = Evidence.objects.filter(activity=activity).first() or Evidence(activity=activity)
    old_name = evidence.file.name or ""
    evidence.seq, evidence.captured_at = seq, moment_of(change.best_at)
    evidence.sha256, evidence.numbers = hashlib.sha256(data).hexdigest(), dict(change.detail)
    ending, evidence.media_type = _form_of(data)
    evidence.file.save(f"{activity.kind.lower()}-{seq}.{ending}", ContentFile(data), save=False)
    try:
        evidence.save()
    except BaseException:
        evidence.file.storage.delete(str(evidence.file.name))
        raise
    if old_name and old_name != evidence.file.name:
        storage = evidence.file.storage
        transaction.on_commit(lambda: delete_unused(storage, old_name))


def _form_of(data: bytes) -> tuple[str, str]:
    """Return the ending of a file's name and the media type; what is no sound is a JPEG, as we make them."""
    from vision.sound import SoundError, sniff_sound

    if data.startswith(JPEG):
        return "jpg", "image/jpeg"
    try:
        return SOUND_FORMS[sniff_sound(data).format]
    except SoundError:
        return "jpg", "image/jpeg"


def delete_unused(storage: Any, name: str) -> None:
    """Delete a picture's file unless other evidence still shows it."""
    if not Evidence.objects.filter(file=name).exists():
        storage.delete(name)


def write_state(assessment: Assessment, policy: Policy, state: State, *, duration_s: float) -> None:
    """Note how much was observed by now, and score."""
    assessment.observed, assessment.observed_until = state["observed"], reached(state) or 0.0
    assessment.coverage = scoring.coverage(state["observed"], duration_s=duration_s, senses=policy.senses)
    write_scores(assessment, policy)


def write_scores(assessment: Assessment, policy: Policy) -> None:
    """Score the assessment from its rows; the reviewed score leaves dismissed activities out."""
    rows = SuspiciousActivity.objects.filter(assessment=assessment).values_list("pk", *SPAN_FIELDS)
    spans = {pk: _span(*told) for pk, *told in rows}
    dismissed = dismissed_activities(assessment) if spans else set()
    observed_s, until = scoring.observed_seconds(assessment.observed), assessment.observed_until
    scores = scoring.assess(list(spans.values()), policy, observed_s=observed_s, until=until)
    kept = [span for pk, span in spans.items() if pk not in dismissed]
    assessment.risk_score, assessment.risk_level = scores.risk_score, scores.risk_level
    assessment.trust_score, assessment.compliance_score = scores.trust_score, scores.compliance_score
    assessment.breakdown = scores.lines()
    assessment.reviewed_risk_score = scoring.assess(kept, policy, observed_s=observed_s, until=until).risk_score
    assessment.computed_at = timezone.now()
    assessment.save()


def dismissed_activities(assessment: Assessment) -> set[Any]:
    """Return the ids of activities whose latest decision dismisses them."""
    decisions = ReviewDecision.objects.filter(activity__assessment=assessment).order_by("decided_at")
    latest = dict(decisions.values_list("activity_id", "verdict"))
    return {pk for pk, verdict in latest.items() if verdict == ReviewDecision.Verdict.DISMISSED}


def _span(kind: str, severity: int, started_at: datetime, ended_at: datetime | None) -> scoring.Span:
    return scoring.Span(kind, severity, started_at.timestamp(), None if ended_at is None else ended_at.timestamp())
