"""What is shown of what was reported, found and observed, and how it is filtered."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, OuterRef, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import YesNoFilter
from accounts.models import User
from exams.api.parts import TimeFilter
from exams.kinds import Severity, kind_label
from exams.models import Exam
from monitoring.api.fields import SEVERITIES
from monitoring.api.sessions import named_exam
from monitoring.events import canonical_name
from monitoring.explain import explanation_of
from monitoring.models import Evidence, MonitoringLog, Observation, SuspiciousActivity
from monitoring.selectors import HOLDING_VERDICTS, counting, latest_verdict

UNDECIDED = "undecided"
VERDICTS = [*map(str, HOLDING_VERDICTS), UNDECIDED]
PLACE = {
    "session": "7f6a1a53-4a6e-4a86-9d0e-0d1f3c5a7b11",
    "exam": "algebra-1",
    "candidate": "2f0b9f0e-3c55-4b0e-8a11-5f7d9e0c3b21",
    "candidate_name": "Candidate One",
}
LOG = {
    "id": 812,
    **PLACE,
    "event_type": "TAB_SWITCH",
    "label": "Left the exam tab",
    "severity": 1,
    "source": "browser",
    "detail": {"duration_s": 4},
    "occurred_at": "2026-03-02T09:12:31Z",
    "received_at": "2026-03-02T09:12:31.400Z",
    "seq": 7,
}
ACTIVITY_ROW = {
    "id": "1d0f0c52-3a55-4f7e-8f0e-6a1f3a8f1c01",
    **PLACE,
    "kind": "MULTIPLE_FACES",
    "label": "Several faces",
    "severity": 1,
    "confidence": 0.93,
    "started_at": "2026-03-02T09:20:02Z",
    "ended_at": "2026-03-02T09:20:31Z",
    "explanation": "2 faces were in the picture. This was so in 27 of 29 pictures examined, over 29 s.",
    "detail": {"faces": 2, "positives": 27, "examined": 29},
    "verdict": "undecided",
    "evidence": {
        "id": "4b1c0a52-9a55-4f7e-8f0e-6a1f3a8f1c77",
        "media_type": "image/jpeg",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "captured_at": "2026-03-02T09:20:14Z",
        "seq": 672,
    },
}
OBSERVATION = {
    "id": 90412,
    **PLACE,
    "stream": "frame",
    "seq": 672,
    "captured_at": "2026-03-02T09:20:14Z",
    "usable": True,
    "facts": {"camera": {"condition": "ok", "brightness": 0.5, "contrast": 0.2, "sharpness": 300.0}, "faces": []},
}


class PlacedSerializer(serializers.ModelSerializer):
    """A row of a session, with where it belongs."""

    exam = serializers.CharField(source="session.exam.code", read_only=True)
    candidate = serializers.UUIDField(source="session.candidate_id", read_only=True)
    candidate_name = serializers.CharField(source="session.candidate", read_only=True)


class LogSerializer(PlacedSerializer):
    """What somebody reported; untrusted unless it came from a proctor or the server."""

    label = serializers.SerializerMethodField(help_text="The event in words.")  # type: ignore[assignment]
    detail = serializers.DictField(read_only=True)

    class Meta:
        model = MonitoringLog
        fields = tuple(LOG)
        read_only_fields = fields

    def get_label(self, log: MonitoringLog) -> str:
        """Return the event in words."""
        return kind_label(log.event_type)


class EvidenceSerializer(serializers.ModelSerializer):
    """The kept picture behind an activity, by its fingerprint."""

    class Meta:
        model = Evidence
        fields = ("id", "media_type", "sha256", "captured_at", "seq")
        read_only_fields = fields


class ActivitySerializer(PlacedSerializer):
    """A span in which a rule held, and what people decided about it."""

    label = serializers.CharField(read_only=True, help_text="The kind in words.")  # type: ignore[assignment]
    explanation = serializers.SerializerMethodField(help_text="What was seen or reported, in your language.")
    detail = serializers.DictField(read_only=True, help_text="The numbers behind it.")
    verdict = serializers.SerializerMethodField(help_text="The latest decision of a reviewer.")
    evidence = EvidenceSerializer(read_only=True, allow_null=True)

    class Meta:
        model = SuspiciousActivity
        fields = tuple(ACTIVITY_ROW)
        read_only_fields = fields

    def get_explanation(self, activity: SuspiciousActivity) -> str:
        """Return the sentence in the reader's language."""
        return explanation_of(activity)

    @extend_schema_field({"type": "string", "enum": VERDICTS})
    def get_verdict(self, activity: SuspiciousActivity) -> str:
        """Return the latest decision."""
        return getattr(activity, "verdict", None) or UNDECIDED


class ObservationSerializer(PlacedSerializer):
    """The facts of one picture or chunk of sound; what is absent was not examined."""

    facts = serializers.DictField(read_only=True)

    class Meta:
        model = Observation
        fields = tuple(OBSERVATION)
        read_only_fields = fields


def rows_with_verdict(activities: QuerySet[SuspiciousActivity], *, to: User) -> QuerySet[Any]:
    """Keep the activities that count, each with its latest ``verdict`` of those that ``to`` is shown."""
    counted: QuerySet[Any] = activities.filter(counting()).select_related("evidence")
    rows: QuerySet[Any] = counted.annotate(verdict=latest_verdict(to=to, activity=OuterRef("pk")))
    return rows


class SessionRowFilter(filters.FilterSet):
    """What every list about sessions may be narrowed to."""

    severity = filters.ChoiceFilter(
        choices=[(name, name) for name in (*map(str, Severity.values), *SEVERITIES)], method="of_severity"
    )

    def of_severity(self, rows: QuerySet[Model], name: str, value: str) -> QuerySet[Model]:
        """Keep rows of this severity, told by number or name."""
        return rows.filter(severity=SEVERITIES.get(value, value))

    def of_kind(self, rows: QuerySet[Model], name: str, value: str) -> QuerySet[Model]:
        """Keep rows of this kind, in any usual spelling."""
        return rows.filter(**{name: canonical_name(value)})

    def of_exam(self, rows: QuerySet[Model], name: str, value: str) -> QuerySet[Model]:
        """Keep rows of the exam with this id or code."""
        return rows.filter(session__exam__in=named_exam(Exam.objects.all(), value).order_by().values("pk"))


class SessionLogFilter(SessionRowFilter):
    """Log entries of one session."""

    event_type = filters.CharFilter(method="of_kind")
    source = filters.ChoiceFilter(choices=MonitoringLog.Source.choices)
    occurred_after = TimeFilter(field_name="occurred_at", lookup_expr="gte")
    occurred_before = TimeFilter(field_name="occurred_at", lookup_expr="lt")


class SessionActivityFilter(SessionRowFilter):
    """Activities of one session."""

    kind = filters.CharFilter(method="of_kind")
    verdict = filters.ChoiceFilter(choices=[(name, name) for name in VERDICTS], method="of_verdict")
    started_after = TimeFilter(field_name="started_at", lookup_expr="gte")
    started_before = TimeFilter(field_name="started_at", lookup_expr="lt")

    def of_verdict(self, rows: QuerySet[Model], name: str, value: str) -> QuerySet[Model]:
        """Keep activities with this latest decision, or without any."""
        return rows.filter(verdict__isnull=True) if value == UNDECIDED else rows.filter(verdict=value)


class SessionObservationFilter(filters.FilterSet):
    """Observations of one session."""

    usable = YesNoFilter()
    stream = filters.ChoiceFilter(choices=[("frame", "frame"), ("audio", "audio")])
    captured_after = TimeFilter(field_name="captured_at", lookup_expr="gte")
    captured_before = TimeFilter(field_name="captured_at", lookup_expr="lt")

    of_exam = SessionRowFilter.of_exam


def _across(base: type[filters.FilterSet]) -> type[filters.FilterSet]:
    """Return the filter of a list across sessions: as for one, and by exam, session and candidate."""
    more = {
        "exam": filters.CharFilter(method="of_exam", help_text="Id or code."),
        "session": filters.UUIDFilter(field_name="session"),
        "candidate": filters.UUIDFilter(field_name="session__candidate"),
        "__doc__": base.__doc__,
    }
    return type(base.__name__.replace("Session", ""), (base,), more)


LogFilter = _across(SessionLogFilter)
ActivityFilter = _across(SessionActivityFilter)
ObservationFilter = _across(SessionObservationFilter)
