"""What a report says, as data for programs: the same content that the PDF is made from."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from exams.kinds import RiskLevel, Severity
from monitoring.summary import MACHINE_POINTS
from reports.context import ReportContext

DECISION_EXAMPLE = {
    "verdict": "confirmed",
    "label": "confirmed",
    "reason": "Clearly to be seen in the picture.",
    "reviewer": "Rahima Begum",
    "decided_at": "2026-03-02T11:10:00Z",
    "carried_over": False,
}
DOCUMENT_EXAMPLE: dict[str, Any] = {
    "session": "5b0e7a7c-0f53-4a55-9d0a-6f4b1f7a2c11",
    "language": "en",
    "generated_at": "2026-03-02T11:30:00Z",
    "statement": "The machine points, a human decides.",
    "candidate": {"name": "Candidate One", "email": "candidate@example.com", "external_id": "4711"},
    "exam": {"code": "algebra-1", "title": "Algebra I"},
    "status": "submitted",
    "source": "live",
    "recording": "",
    "created_at": "2026-03-02T08:55:00Z",
    "started_at": "2026-03-02T09:00:00Z",
    "ended_at": "2026-03-02T10:02:11Z",
    "duration": "1 h 02 min",
    "policy_version": 1,
    "frames": {"total": 3700, "analysed": 3650, "skipped": 50, "unusable": 12, "lost": 0},
    "faces": [
        {
            "title": "Enrolled",
            "lines": ["Enrolled on 2026-03-01 15:04."],
            "picture": {"sha256": "2c26b46b…", "note": ""},
        },
        {"title": "At the start", "lines": ["From the system check, 2026-03-02 08:57."], "picture": None},
    ],
    "face_remarks": ["What the system check found: Nothing was wrong."],
    "scores": {
        "risk_score": 4.0,
        "risk_level": "Low",
        "risk_label": "Low",
        "reviewed_risk_score": 4.0,
        "trust_score": 80.0,
        "compliance_score": 99.2,
    },
    "breakdown": [
        {
            "kind": "MULTIPLE_FACES",
            "label": "Several faces",
            "count": 1,
            "weight": 4.0,
            "raw": 4.0,
            "cap": 12.0,
            "points": 4.0,
        }
    ],
    "coverage": [{"sense": "faces", "label": "Faces", "share": 0.98, "note": ""}],
    "examined": [{"start_s": 0.0, "end_s": 3700.0}],
    "unexamined": ["1:01:40–1:02:11"],
    "activities": [
        {
            "id": "1d0f0c52-3a55-4f7e-8f0e-6a1f3a8f1c01",
            "kind": "MULTIPLE_FACES",
            "label": "Several faces",
            "severity": 1,
            "severity_label": "low",
            "confidence": 0.93,
            "started_at": "2026-03-02T09:20:02Z",
            "ended_at": "2026-03-02T09:20:31Z",
            "offset_s": 1202.0,
            "duration_s": 29.0,
            "explanation": "2 faces were in the picture. This was so in 27 of 29 pictures examined, over 29 s.",
            "decisions": [DECISION_EXAMPLE],
            "picture": {
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "note": "",
            },
        }
    ],
    "outcomes": [{**DECISION_EXAMPLE, "verdict": "violation", "label": "violation"}],
    "appeal": {
        "text": "My sister brought me a glass of water.",
        "sent_at": "2026-03-03T08:00:00Z",
        "state": "not decided yet",
        "decided_at": None,
    },
    "gaps": [{"offset": "0:31:00", "label": "Connection lost", "duration": "12 s", "reason": ""}],
    "more_gaps": 0,
}


class ReportCandidateSerializer(serializers.Serializer):
    """Who sat the session."""

    name = serializers.CharField(source="candidate")
    email = serializers.EmailField()
    external_id = serializers.CharField()


class ReportExamSerializer(serializers.Serializer):
    """What was sat."""

    code = serializers.CharField(source="exam_code")
    title = serializers.CharField(source="exam_title")


class ReportFramesSerializer(serializers.Serializer):
    """Pictures, counted."""

    total = serializers.IntegerField()
    analysed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    unusable = serializers.IntegerField()
    lost = serializers.IntegerField()


class ReportScoresSerializer(serializers.Serializer):
    """The scores of the assessment that counts."""

    risk_score = serializers.FloatField()
    risk_level = serializers.ChoiceField(choices=RiskLevel.choices)
    risk_label = serializers.CharField()
    reviewed_risk_score = serializers.FloatField(help_text="Without what reviewers dismissed.")
    trust_score = serializers.FloatField()
    compliance_score = serializers.FloatField(allow_null=True)


class ReportScoreLineSerializer(serializers.Serializer):
    """What one kind adds to the risk score."""

    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    count = serializers.IntegerField()
    weight = serializers.FloatField()
    raw = serializers.FloatField()
    cap = serializers.FloatField()
    points = serializers.FloatField()


class ReportCoverageSerializer(serializers.Serializer):
    """How much one sense could examine."""

    sense = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    share = serializers.FloatField(allow_null=True, help_text="0 to 1; null where it was switched off.")
    note = serializers.CharField(help_text="Why nothing was examined.")


class ReportStretchSerializer(serializers.Serializer):
    """A part of the session, in seconds from its start."""

    start_s = serializers.FloatField()
    end_s = serializers.FloatField()


class ReportDecisionSerializer(serializers.Serializer):
    """What a human decided; the last one holds."""

    verdict = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    reason = serializers.CharField()
    reviewer = serializers.CharField()
    decided_at = serializers.DateTimeField()
    carried_over = serializers.BooleanField(help_text="Taken over from the same activity under another policy.")


class ReportPictureSerializer(serializers.Serializer):
    """The kept picture, by its fingerprint; the note says what is wrong with it."""

    sha256 = serializers.CharField()
    note = serializers.CharField()


class ReportActivitySerializer(serializers.Serializer):
    """One suspicious activity."""

    id = serializers.UUIDField(source="activity.id")
    kind = serializers.CharField(source="activity.kind")
    label = serializers.CharField(source="activity.label")  # type: ignore[assignment]
    severity = serializers.ChoiceField(choices=Severity.choices, source="activity.severity")
    severity_label = serializers.CharField(source="activity.severity_label")
    confidence = serializers.FloatField(source="activity.confidence")
    started_at = serializers.DateTimeField(source="activity.started_at")
    ended_at = serializers.DateTimeField(source="activity.ended_at", allow_null=True)
    offset_s = serializers.FloatField(source="activity.offset_s")
    duration_s = serializers.FloatField(source="activity.duration_s")
    explanation = serializers.CharField(source="activity.explanation")
    decisions = ReportDecisionSerializer(source="activity.decisions", many=True)
    picture = ReportPictureSerializer(allow_null=True, help_text="Null where nothing was seen, but reported.")


class ReportFaceSerializer(serializers.Serializer):
    """One of the faces side by side: the enrolled one, that at the start, that at the end."""

    title = serializers.CharField()
    lines = serializers.ListField(child=serializers.CharField(), help_text="When it was taken, how like it is.")
    picture = ReportPictureSerializer(allow_null=True, help_text="Null where none is kept.")


class ReportGapSerializer(serializers.Serializer):
    """Something that was reported as lost."""

    offset = serializers.CharField(help_text="Time into the session.")
    label = serializers.CharField()  # type: ignore[assignment]
    duration = serializers.CharField()
    reason = serializers.CharField()


class ReportAppealSerializer(serializers.Serializer):
    """What the candidate said against the outcome, and what came of it."""

    text = serializers.CharField()
    sent_at = serializers.DateTimeField()
    state = serializers.CharField(help_text="In words.")
    decided_at = serializers.DateTimeField(allow_null=True)


class ReportContentSerializer(serializers.Serializer):
    """What a report says of a session."""

    session = serializers.UUIDField(source="session_id")
    candidate = ReportCandidateSerializer(source="*")
    exam = ReportExamSerializer(source="*")
    status = serializers.CharField(help_text="In words.")
    source = serializers.CharField(help_text="In words: live, or a recording.")  # type: ignore[assignment]
    recording = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    duration = serializers.CharField(help_text="Time on the clock, in words.")
    policy_version = serializers.IntegerField()
    frames = ReportFramesSerializer()
    faces = ReportFaceSerializer(many=True, help_text="Who sat there.")
    face_remarks = serializers.ListField(child=serializers.CharField(), help_text="What is to be known of these.")
    scores = ReportScoresSerializer(allow_null=True, help_text="Null where nothing was watched.")
    breakdown = ReportScoreLineSerializer(many=True)
    coverage = ReportCoverageSerializer(many=True)
    examined = ReportStretchSerializer(source="timeline.examined", many=True)
    unexamined = serializers.ListField(child=serializers.CharField(), help_text="Stretches of a second and more.")
    activities = ReportActivitySerializer(source="entries", many=True)
    outcomes = ReportDecisionSerializer(source="decisions", many=True, help_text="Decisions on the session.")
    appeal = ReportAppealSerializer(allow_null=True, help_text="Null where nobody appealed.")
    gaps = ReportGapSerializer(many=True, help_text="The first hundred.")
    more_gaps = serializers.IntegerField()


class ReportDocumentSerializer(ReportContentSerializer):
    """What a report says, in which language, and when it was put together."""

    language = serializers.CharField()
    generated_at = serializers.DateTimeField()
    statement = serializers.CharField()


def document_of(context: ReportContext, **about: Any) -> dict[str, Any]:
    """Return the content as data, with what is said about it: language and time."""
    return {**ReportContentSerializer(context).data, **about, "statement": str(MACHINE_POINTS)}
