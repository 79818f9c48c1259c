"""Writing what the rules said into rows: activities, evidence and scores. Callers hold the session's monitor row."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from exams.policy import Policy
from monitoring import scoring, speaking
from monitoring.bulk import update_each
from monitoring.explain import explain
from monitoring.models import Assessment, Evidence, ReviewDecision, SuspiciousActivity
from monitoring.rules import Change, State, reached

SPAN_FIELDS = ("kind", "severity", "started_at", "ended_at")
Spans = dict[uuid.UUID, tuple[str, int, datetime, datetime | None]]
"""Of each activity of an assessment its ``SPAN_FIELDS``."""

WRITTEN_FIELDS = ("severity", "confidence", "ended_at", "explanation", "detail")
EVIDENCE_FIELDS = ("seq", "captured_at", "sha256", "numbers", "media_type", "file")
SCORED_FIELDS = (
    *("observed", "observed_until", "coverage", "missing_detectors", "detectors", "computed_at"),
    *("risk_score", "risk_level", "reviewed_risk_score", "trust_score", "compliance_score", "breakdown"),
)
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


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture or sound to be kept as the evidence of an activity."""

    activity: SuspiciousActivity
    change: Change
    seq: int
    exhibit: Exhibit


def moment_of(seconds: float) -> datetime:
    """Return seconds since 1970 as an aware time."""
    return datetime.fromtimestamp(seconds, tz=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """What the rules said of one assessment under its policy, with the pictures by number."""

    assessment: Assessment
    changes: Iterable[Change]
    policy: Policy
    pictures: Mapping[int, Exhibit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of each that was told, in their order, and all spans of each assessment by activity."""

    told: Sequence[Told]
    activities: list[list[SuspiciousActivity]]
    spans: dict[uuid.UUID, Spans]


def write_changes(
    assessment: Assessment, changes: Iterable[Change], policy: Policy, pictures: Mapping[int, Exhibit]
) -> list[SuspiciousActivity]:
    """Bring activities and evidence up to the changes; of several changes to one span only the last is written."""
    return write_told([Told(assessment, changes, policy, pictures)]).activities[0]


def write_told(told: Sequence[Told]) -> Written:
    """Do for several assessments what ``write_changes`` does, in as many queries as for one."""
    spans = spans_of([one.assessment for one in told])
    written = Written(told, [], spans)
    kept: list[Kept] = []
    for one in told:
        changed, shown = _activities_of(one, spans[one.assessment.pk])
        written.activities.append(changed)
        kept += shown
    every = [activity for changed in written.activities for activity in changed]
    # First what ends: of each kind one may be open, and the next may have begun in the same round.
    update_each([activity for activity in every if not activity.newly_written], WRITTEN_FIELDS)
    SuspiciousActivity.objects.bulk_create([activity for activity in every if activity.newly_written])
    keep_evidence(kept)
    return written


def spans_of(assessments: Collection[Assessment]) -> dict[uuid.UUID, Spans]:
    """Return of each assessment what scoring needs of its activities."""
    spans: dict[uuid.UUID, Spans] = {assessment.pk: {} for assessment in assessments}
    rows = SuspiciousActivity.objects.filter(assessment__in=list(spans)).order_by()
    for assessment_id, pk, *span in rows.values_list("assessment", "pk", *SPAN_FIELDS):
        spans[assessment_id][pk] = tuple(span)
    return spans


def _activities_of(told: Told, spans: Spans) -> tuple[list[SuspiciousActivity], list[Kept]]:
    """Return the activities as they are to be written, those whose picture is to be kept, and note their spans."""
    last: dict[tuple[str, float], Change] = {}
    best: dict[tuple[str, float], int] = {}
    for change in told.changes:
        last[change.kind, change.started_at] = change
        if change.best:
            best[change.kind, change.started_at] = change.seq
    known = {(kind, started_at): pk for pk, (kind, _severity, started_at, _ended_at) in spans.items()}
    changed, kept = [], []
    for span, change in sorted(last.items(), key=lambda item: item[0][1]):
        activity = _activity_of(told, change, known.get((change.kind, moment_of(change.started_at))))
        spans[activity.pk] = (activity.kind, activity.severity, activity.started_at, activity.ended_at)
        changed.append(activity)
        if (seq := best.get(span)) in told.pictures and seq is not None:
            kept.append(Kept(activity, change, seq, told.pictures[seq]))
    return changed, kept


def _activity_of(told: Told, change: Change, pk: uuid.UUID | None) -> SuspiciousActivity:
    """Return an activity as a change tells it; ``pk`` is that of its row, None where there is none yet."""
    assessment, policy = told.assessment, told.policy
    duration = None if change.ended_at is None else change.ended_at - change.started_at
    detail = {**change.detail, **_beside(assessment, change, policy)}
    counted = {"positives": change.positives, "examined": change.examined}
    activity = SuspiciousActivity(
        assessment=assessment,
        session_id=assessment.session_id,
        kind=change.kind,
        severity=change.detail.get("severity", policy.rule(change.kind).severity),
        confidence=change.confidence,
        started_at=moment_of(change.started_at),
        ended_at=None if change.ended_at is None else moment_of(change.ended_at),
        explanation=explain(change.kind, detail, **counted, duration_s=duration),
        detail={**detail, **counted},
    )
    activity.newly_written = pk is None
    if pk is not None:
        activity.pk, activity._state.adding = pk, False  # noqa: SLF001  as of a row that was read
    return activity


def _beside(assessment: Assessment, change: Change, policy: Policy) -> dict[str, Any]:
    """Return what the pictures beside a voice tell of who spoke, or the sound beside a mouth, once that is over."""
    if change.ended_at is None:
        return {}
    times = moment_of(change.started_at), moment_of(change.ended_at)
    return speaking.joined(change.kind, assessment.session_id, *times, policy=policy)


def tell_again_who_spoke(assessment: Assessment, policy: Policy) -> None:
    """Put sound and pictures together once more: the one may have come long after the other."""
    for activity in SuspiciousActivity.objects.filter(assessment=assessment, kind__in=speaking.KINDS):
        if activity.ended_at is None:
            continue
        times = activity.started_at, activity.ended_at
        detail = {name: value for name, value in activity.detail.items() if name not in speaking.NAMES}
        detail |= speaking.joined(activity.kind, assessment.session_id, *times, policy=policy)
        if detail != activity.detail:
            activity.detail = detail
            activity.explanation = explain(
                activity.kind,
                detail,
                positives=detail["positives"],
                examined=detail["examined"],
                duration_s=(times[1] - times[0]).total_seconds(),
            )
            activity.save(update_fields=["detail", "explanation"])


def keep_evidence(kept: Sequence[Kept]) -> None:
    """Keep the pictures or sounds behind activities; one that is there already gives way."""
    known = [one.activity.pk for one in kept if not one.activity.newly_written]
    rows = {row.activity_id: row for row in Evidence.objects.filter(activity__in=known)} if known else {}
    old_names = [str(row.file.name) for row in rows.values() if row.file.name]
    new: list[Evidence] = []
    try:
        for one in kept:
            evidence = rows.get(one.activity.pk) or Evidence()
            evidence.activity = one.activity
            new.append(evidence)
            _write_file(evidence, one)
        Evidence.objects.bulk_create([evidence for evidence in new if evidence.activity_id not in rows])
        update_each(list(rows.values()), EVIDENCE_FIELDS)
    except BaseException:
        for evidence in new:
            if evidence.file.name and evidence.file.name not in old_names:
                evidence.file.storage.delete(str(evidence.file.name))
        raise
    gone = set(old_names) - {str(evidence.file.name) for evidence in new}
    if gone:
        storage = new[0].file.storage
        transaction.on_commit(lambda: delete_unused(storage, *gone))


def _write_file(evidence: Evidence, kept: Kept) -> None:
    data = kept.exhibit()
    evidence.seq, evidence.captured_at = kept.seq, moment_of(kept.change.best_at)
    evidence.sha256, evidence.numbers = hashlib.sha256(data).hexdigest(), dict(kept.change.detail)
    ending, evidence.media_type = _form_of(data)
    evidence.file.save(f"{kept.activity.kind.lower()}-{kept.seq}.{ending}", ContentFile(data), save=False)


def _form_of(data: bytes) -> tuple[str, str]:
    """Return the ending of a file's name and the media type; what is no sound is a JPEG, as we make them."""
    from vision.sound import SoundError, sniff_sound

    if data.startswith(JPEG):
        return "jpg", "image/jpeg"
    try:
        return SOUND_FORMS[sniff_sound(data).format]
    except SoundError:
        return "jpg", "image/jpeg"


def delete_unused(storage: Any, *names: str) -> None:
    """Delete pictures' files unless other evidence still shows them."""
    used = set(Evidence.objects.filter(file__in=names).values_list("file", flat=True))
    for name in names:
        if name not in used:
            storage.delete(name)


def write_state(assessment: Assessment, policy: Policy, state: State, *, duration_s: float) -> None:
    """Note how much was observed by now, and score."""
    _note_state(assessment, policy, state, duration_s)
    write_scores(assessment, policy)


def write_states(written: Written, states: Sequence[tuple[State, float]]) -> None:
    """Do for several assessments what ``write_state`` does, by what was just written of them; with each its seconds."""
    assessments = [told.assessment for told in written.told]
    dismissed = dismissed_activities([one for one in assessments if written.spans[one.pk]])
    for told, (state, duration_s) in zip(written.told, states, strict=True):
        _note_state(told.assessment, told.policy, state, duration_s)
        _note_scores(told.assessment, told.policy, written.spans[told.assessment.pk], dismissed)
    update_each(assessments, SCORED_FIELDS)


def write_scores(assessment: Assessment, policy: Policy) -> None:
    """Score the assessment from its rows; the reviewed score leaves dismissed activities out."""
    spans = spans_of([assessment])[assessment.pk]
    _note_scores(assessment, policy, spans, dismissed_activities([assessment] if spans else []))
    assessment.save()


def _note_state(assessment: Assessment, policy: Policy, state: State, duration_s: float) -> None:
    assessment.observed, assessment.observed_until = state["observed"], reached(state) or 0.0
    assessment.coverage = scoring.coverage(state["observed"], duration_s=duration_s, senses=policy.senses)


def _note_scores(assessment: Assessment, policy: Policy, spans: Spans, dismissed: set[uuid.UUID]) -> None:
    observed_s, until = scoring.observed_seconds(assessment.observed), assessment.observed_until
    scored = {pk: _span(*span) for pk, span in spans.items()}
    scores = scoring.assess(list(scored.values()), policy, observed_s=observed_s, until=until)
    kept = [span for pk, span in scored.items() if pk not in dismissed]
    reviewed = scores if len(kept) == len(scored) else scoring.assess(kept, policy, observed_s=observed_s, until=until)
    assessment.risk_score, assessment.risk_level = scores.risk_score, scores.risk_level
    assessment.trust_score, assessment.compliance_score = scores.trust_score, scores.compliance_score
    assessment.breakdown = scores.lines()
    assessment.reviewed_risk_score = reviewed.risk_score
    assessment.computed_at = timezone.now()


def dismissed_activities(assessments: Collection[Assessment]) -> set[uuid.UUID]:
    """Return the ids of these assessments' activities whose latest decision dismisses them."""
    if not assessments:
        return set()
    decisions = ReviewDecision.objects.filter(activity__assessment__in=assessments).order_by("decided_at")
    latest = dict(decisions.values_list("activity_id", "verdict"))
    return {pk for pk, verdict in latest.items() if verdict == ReviewDecision.Verdict.DISMISSED}


def _span(kind: str, severity: int, started_at: datetime, ended_at: datetime | None) -> scoring.Span:
    return scoring.Span(kind, severity, started_at.timestamp(), None if ended_at is None else ended_at.timestamp())
