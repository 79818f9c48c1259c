"""What a report says: a session's rows as frozen data, the same rows always giving the same data."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from exams.kinds import kind_label
from exams.models import ExamSession
from exams.policy import Policy
from monitoring import session_strips, summary
from monitoring.activity_cards import why_no_evidence
from monitoring.case_models import Appeal
from monitoring.explain import duration_text
from monitoring.identity_pictures import Which, kept_times, picture_of, with_kept_times
from monitoring.models import Assessment, MonitoringLog
from monitoring.selectors import current_assessment
from monitoring.session_faces import faces_of
from monitoring.session_record import Recorded
from monitoring.timeline import Stretch, Timeline, clock, gaps_between

EVIDENCE, FACE = "evidence:", "face:"
"""What the addresses of pictures within a report begin with."""

PICTURE_WIDTH = 560
PICTURE_QUALITY = 80
GAP_KINDS = ("NETWORK_GAP", "RECORDING_GAP", "NO_FRAME_RECEIVED", "INVALID_IMAGE")
SHOWN_GAPS = 100
REASON_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Picture:
    """An evidence picture, made smaller for print; without ``data`` the note says why it is not there."""

    sha256: str
    note: str = ""
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """An activity and its picture, or why there is none."""

    activity: summary.Activity
    picture: Picture | None
    no_evidence: str = ""


@dataclass(frozen=True, slots=True)
class FaceEntry:
    """One of the faces side by side: what it is, what is told of it, and its picture if there is one.

    ``address`` is the picture's within the PDF: one that is evidence as well is in it once.
    """

    title: str
    lines: tuple[str, ...]
    alt: str
    address: str
    picture: Picture | None


@dataclass(frozen=True, slots=True)
class LogGap:
    """A stretch or an instant that was reported as lost: time into the session, what, and why."""

    offset: str
    label: str
    duration: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of the assessment that counts."""

    risk_score: float
    risk_level: str
    risk_label: str
    reviewed_risk_score: float
    trust_score: float
    compliance_score: float | None


@dataclass(frozen=True, slots=True)
class Objection:
    """What the candidate said against the outcome, and what came of it, in words."""

    text: str
    sent_at: datetime
    state: str
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReportContext:
    """Everything the report says, but for the time it was made."""

    session_id: str
    candidate: str
    email: str
    external_id: str
    exam_code: str
    exam_title: str
    status: str
    source: str
    recording: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration: str
    policy_version: int
    frames: Mapping[str, int]
    faces: tuple[FaceEntry, ...]
    face_remarks: tuple[str, ...]
    scores: Scores | None
    breakdown: tuple[summary.ScoreLine, ...]
    coverage: tuple[summary.SenseCoverage, ...]
    timeline: Timeline
    unexamined: tuple[str, ...]
    entries: tuple[Entry, ...]
    decisions: tuple[summary.Decision, ...]
    appeal: Objection | None
    gaps: tuple[LogGap, ...]
    more_gaps: int

    @property
    def missing_detectors(self) -> tuple[summary.SenseCoverage, ...]:
        """Senses that never examined anything."""
        return tuple(row for row in self.coverage if row.note)

    def content_sha256(self) -> str:
        """Return the SHA-256 of all that is said, pictures by their own SHA-256."""
        document = asdict(self)
        for entry in (*document["entries"], *document["faces"]):
            if entry["picture"]:
                del entry["picture"]["data"]
        text = json.dumps(document, sort_keys=True, ensure_ascii=False, default=_plain)
        return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def build_context(session: ExamSession, *, language: str = "", pictures: bool = True) -> ReportContext:
    """Read all that the report of this session says, in the site's language whoever asks, unless another is named.

    Without ``pictures`` the kept files are still compared with their SHA-256, but not made ready for print.
    """
    with translation.override(language or settings.LANGUAGE_CODE), timezone.override(None):
        return _build(session, current_assessment(session), pictures)


def _build(session: ExamSession, assessment: Assessment | None, pictures: bool) -> ReportContext:
    policy = assessment.policy if assessment is not None else session.policy
    activities = summary.activities_of(assessment, session) if assessment is not None else ()
    observed = session_strips.observed_in(session, policy.rules.thresholds)
    timeline = Recorded.of(session, None).timeline(policy.rules, activities, observed)
    user, gaps = session.candidate.user, _log_gaps(session)
    entries = tuple(_entry(item, session, pictures) for item in activities)
    rules = policy.rules.without(session.muted)
    faces, face_remarks = _faces(session, rules, entries, observed.moments, pictures)
    return ReportContext(
        session_id=str(session.pk),
        candidate=user.full_name or user.email,
        email=user.email,
        external_id=session.candidate.external_id,
        exam_code=session.exam.code,
        exam_title=session.exam.title,
        status=str(session.get_status_display()),
        source=str(session.get_source_display()),
        recording=session.recording_name,
        created_at=session.created_at,
        started_at=session.started_at,
        ended_at=session.ended_at,
        duration=duration_text(session.duration.total_seconds()),
        policy_version=policy.version,
        frames=_frames(session),
        faces=faces,
        face_remarks=face_remarks,
        scores=None if assessment is None else _scores(assessment),
        breakdown=() if assessment is None else summary.score_lines(assessment),
        coverage=() if assessment is None else summary.coverage_of(assessment),
        timeline=timeline,
        unexamined=_stretches(gaps_between(timeline.examined, timeline.duration_s)),
        entries=entries,
        decisions=summary.session_decisions(session),
        appeal=_appeal(session),
        gaps=gaps[:SHOWN_GAPS],
        more_gaps=max(0, len(gaps) - SHOWN_GAPS),
    )


def _faces(
    session: ExamSession,
    policy: Policy,
    entries: Sequence[Entry],
    moments: Sequence[session_strips.Moment],
    for_print: bool,
) -> tuple[tuple[FaceEntry, ...], tuple[str, ...]]:
    kept = kept_times(with_kept_times(ExamSession.objects.select_related("policy", "monitor")).get(pk=session.pk))
    evidence = {entry.activity.id: entry.picture for entry in entries}
    found = faces_of(session, policy, kept=kept, items=[entry.activity for entry in entries], moments=moments)
    faces = []
    for slot in found.slots:
        says, address, picture = slot.lines, "", None
        if slot.item is not None:
            says, address = (f"{slot.lines[0]} {slot.item.label}",), f"{EVIDENCE}{slot.item.id}"
            picture = evidence[slot.item.id]
        elif slot.which is not None:
            address, picture = f"{FACE}{slot.which.value}", _identity(session, slot.which, for_print)
        told = (*says, slot.distance) if slot.distance else says
        faces.append(FaceEntry(slot.title, told, slot.alt, address, picture))
    return tuple(faces), found.remarks


def _identity(session: ExamSession, which: Which, for_print: bool) -> Picture:
    data = picture_of(session, which)
    if data is None:
        return Picture("", _("The picture cannot be read any more."))
    return Picture(hashlib.sha256(data).hexdigest(), data=data if for_print else None)


def _appeal(session: ExamSession) -> Objection | None:
    appeal = Appeal.objects.filter(session=session).first()
    if appeal is None:
        return None
    return Objection(appeal.text, appeal.sent_at, str(appeal.get_state_display()), appeal.decided_at)


def _scores(assessment: Assessment) -> Scores:
    return Scores(
        risk_score=assessment.risk_score,
        risk_level=assessment.risk_level,
        risk_label=str(assessment.get_risk_level_display()),
        reviewed_risk_score=assessment.reviewed_risk_score,
        trust_score=assessment.trust_score,
        compliance_score=assessment.compliance_score,
    )


def _frames(session: ExamSession) -> dict[str, int]:
    monitor = getattr(session, "monitor", None)
    names = {"total": "received", "analysed": "analysed", "skipped": "skipped", "unusable": "unusable", "lost": "lost"}
    return {name: getattr(monitor, f"frames_{counter}", 0) for name, counter in names.items()}


def _log_gaps(session: ExamSession) -> tuple[LogGap, ...]:
    logs = MonitoringLog.objects.filter(session=session, clearing__isnull=True, event_type__in=GAP_KINDS)
    return tuple(
        LogGap(
            offset=clock(summary.offset_in(session, log.occurred_at)),
            label=kind_label(log.event_type),
            duration=_gap_duration(detail.get("duration_s")),
            reason=str(detail.get("reason", ""))[:REASON_LENGTH],
        )
        for log in logs
        for detail in (log.detail if isinstance(log.detail, dict) else {},)
    )


def _stretches(stretches: tuple[Stretch, ...]) -> tuple[str, ...]:
    """Stretches of a second and more, in words."""
    long = [stretch for stretch in stretches if stretch.end_s - stretch.start_s >= 1]
    shown = [f"{clock(stretch.start_s)}–{clock(stretch.end_s)}" for stretch in long[:SHOWN_GAPS]]
    return (*shown, *([_("and %(n)d more") % {"n": len(long) - SHOWN_GAPS}] if len(long) > SHOWN_GAPS else []))


def _gap_duration(seconds: Any) -> str:
    # Logs may come from browsers, so what they hold need not be a number.
    return duration_text(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1e7 else ""


def _entry(activity: summary.Activity, session: ExamSession, for_print: bool) -> Entry:
    if activity.evidence is None:
        return Entry(activity, None, why_no_evidence(activity.kind, session))
    return Entry(activity, _picture(activity.evidence, for_print))


def _picture(evidence: summary.EvidencePicture, for_print: bool) -> Picture:
    """Read the kept file, compare it with its SHA-256 and make it smaller; whatever is wrong becomes a note."""
    try:
        with default_storage.open(evidence.name, "rb") as file:
            data = file.read()
    except (OSError, ValueError):
        return Picture(evidence.sha256, _("The evidence file is missing from the storage."))
    if hashlib.sha256(data).hexdigest() != evidence.sha256:
        return Picture(evidence.sha256, _("The evidence file was changed after it was kept; it is not shown."))
    if evidence.is_sound:
        return Picture(evidence.sha256, _("Kept as sound, which can be heard in the reviewer's console."))
    try:
        return Picture(evidence.sha256, data=_smaller(data) if for_print else None)
    except (OSError, ValueError):
        return Picture(evidence.sha256, _("The evidence file cannot be shown as a picture."))


def _smaller(data: bytes) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        picture.draft("RGB", (PICTURE_WIDTH, PICTURE_WIDTH))
        small = picture.convert("RGB")
    small.thumbnail((PICTURE_WIDTH, PICTURE_WIDTH))
    target = io.BytesIO()
    small.save(target, "JPEG", quality=PICTURE_QUALITY)
    return target.getvalue()
