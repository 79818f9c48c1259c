"""What is told of a session, and to whom."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Candidate
from exams.clock import assignment_of, time_of
from exams.models import Exam, ExamSession
from exams.system_check import FINDINGS
from monitoring.messages import messages_of
from monitoring.selectors import SCORES, Viewer
from monitoring.session_summary import EVERYTHING, Told, told_to_candidate

FRAMES_PER_SECOND = 1.0
"""What a client is asked to send: holds and windows of the rules are made for a picture a second."""


class SessionExamSerializer(serializers.ModelSerializer):
    """The exam that is sat."""

    class Meta:
        model = Exam
        fields = ("id", "code", "title")
        read_only_fields = fields


class SessionCandidateSerializer(serializers.ModelSerializer):
    """The candidate who sits it."""

    email = serializers.EmailField(source="user.email", read_only=True)
    full_name = serializers.CharField(source="user.full_name", read_only=True)

    class Meta:
        model = Candidate
        fields = ("id", "email", "full_name", "external_id")
        read_only_fields = fields


class SessionSerializer(serializers.ModelSerializer):
    """One sitting; scores are null for a candidate whom the exam tells none, and where nothing was watched."""

    exam = SessionExamSerializer(read_only=True)
    candidate = SessionCandidateSerializer(read_only=True)
    policy_version = serializers.IntegerField(source="policy.version", read_only=True)
    risk_score = serializers.FloatField(read_only=True, allow_null=True)
    risk_level = serializers.CharField(read_only=True, allow_null=True, help_text="Low, Medium or High.")
    reviewed_risk_score = serializers.FloatField(
        read_only=True, allow_null=True, help_text="Without what reviewers dismissed; for staff."
    )
    trust_score = serializers.FloatField(read_only=True, allow_null=True)
    compliance_score = serializers.FloatField(
        read_only=True, allow_null=True, help_text="Share of the observed time with no open activity, in percent."
    )

    class Meta:
        model = ExamSession
        fields: tuple[str, ...] = (
            "id",
            "exam",
            "candidate",
            "status",
            "source",
            "policy_version",
            "created_at",
            "started_at",
            "ended_at",
            "deadline_at",
            *SCORES,
        )
        read_only_fields: tuple[str, ...] = fields

    def to_representation(self, instance: ExamSession) -> dict[str, Any]:
        """Return the row with as much of the machine's result as this viewer is told."""
        shown = super().to_representation(instance)
        staff = is_staff(self, instance)
        if not told(self, instance).scores:
            shown |= dict.fromkeys(SCORES)
        elif not staff:
            shown["reviewed_risk_score"] = None
        return shown


def is_staff(serializer: serializers.BaseSerializer, session: ExamSession) -> bool:
    """Say whether who looks is staff of the session's exam."""
    viewer: Viewer = serializer.context["viewer"]
    return viewer.is_staff_of(session)


def told(serializer: serializers.BaseSerializer, session: ExamSession) -> Told:
    """Return what of the machine's result is told to who looks."""
    return EVERYTHING if is_staff(serializer, session) else told_to_candidate(session)


class SessionTimeSerializer(serializers.Serializer):
    """Where the clock stands, in seconds."""

    allowed_s = serializers.FloatField(help_text="With all that is arranged and added.")
    used_s = serializers.FloatField()
    left_s = serializers.FloatField(allow_null=True, help_text="Null for a recording.")
    deadline_at = serializers.DateTimeField(allow_null=True)
    extended_minutes = serializers.IntegerField(help_text="Added by staff.")
    break_left_s = serializers.FloatField(help_text="What the candidate has left of their breaks.")
    paused = serializers.BooleanField()
    pause_ends_at = serializers.DateTimeField(allow_null=True, help_text="When a break ends by itself.")


class SessionAccommodationsSerializer(serializers.Serializer):
    """What is arranged for the candidate."""

    extra_minutes = serializers.IntegerField()
    time_factor = serializers.FloatField()
    break_minutes = serializers.IntegerField()
    muted = serializers.ListField(
        child=serializers.CharField(), help_text="Senses and kinds that are not examined in this session."
    )


class SessionPolicySerializer(serializers.Serializer):
    """What the client needs to know of the rules."""

    version = serializers.IntegerField()
    senses = serializers.ListField(child=serializers.CharField(), help_text="What is examined in this session.")
    frames_per_second = serializers.FloatField(help_text="How many pictures the client is asked to send.")
    candidate_may_pause = serializers.BooleanField()
    requires_check = serializers.BooleanField()


class FindingSerializer(serializers.Serializer):
    """One thing that the system check found, and what to do about it."""

    code = serializers.CharField()
    blocks = serializers.BooleanField(help_text="Whether the exam cannot begin with it.")
    finding = serializers.CharField()
    advice = serializers.CharField()


class CheckResultSerializer(serializers.Serializer):
    """What the last system check found; it passed if nothing blocks."""

    checked_at = serializers.DateTimeField()
    passed = serializers.BooleanField()
    findings = FindingSerializer(many=True)


class ProctorMessageSerializer(serializers.Serializer):
    """Something that the proctor said to the candidate."""

    text = serializers.CharField(max_length=1000, label=_("text"))
    sent_at = serializers.DateTimeField(read_only=True)


def check_result(session: ExamSession) -> dict[str, Any] | None:
    """Return the session's last system check in words; None if there was none."""
    check = session.system_check
    if not check:
        return None
    findings = [FINDINGS[code] for code in check["findings"] if code in FINDINGS]
    return {
        "checked_at": check["at"],
        "passed": check["passed"],
        "findings": [
            {"code": item.code, "blocks": item.blocks, "finding": str(item.finding), "advice": str(item.advice)}
            for item in findings
        ],
    }


class SessionDetailSerializer(SessionSerializer):
    """One sitting with its clock, what is arranged, what is examined, and what the proctor said."""

    time = serializers.SerializerMethodField()
    accommodations = serializers.SerializerMethodField()
    policy = serializers.SerializerMethodField()
    system_check = serializers.SerializerMethodField()
    messages = serializers.SerializerMethodField()

    class Meta(SessionSerializer.Meta):
        fields = (
            *SessionSerializer.Meta.fields,
            "recording_name",
            "time",
            "accommodations",
            "policy",
            "system_check",
            "messages",
        )
        read_only_fields = fields

    def to_representation(self, instance: ExamSession) -> dict[str, Any]:
        """Look once at what is arranged for the candidate."""
        self.arranged = assignment_of(instance)
        return super().to_representation(instance)

    @extend_schema_field(SessionTimeSerializer)
    def get_time(self, session: ExamSession) -> Any:
        """Return where the clock stands."""
        time = time_of(session, arranged=self.arranged)
        shown = {name: getattr(time, name) for name in time.__dataclass_fields__}
        return SessionTimeSerializer(shown | {"pause_ends_at": session.pause_ends_at}).data

    @extend_schema_field(SessionAccommodationsSerializer)
    def get_accommodations(self, session: ExamSession) -> Any:
        """Return what is arranged for the candidate."""
        arranged = self.arranged
        return {
            "extra_minutes": arranged.extra_minutes if arranged else 0,
            "time_factor": arranged.time_factor if arranged else 1.0,
            "break_minutes": arranged.break_minutes if arranged else 0,
            "muted": session.muted,
        }

    @extend_schema_field(SessionPolicySerializer)
    def get_policy(self, session: ExamSession) -> Any:
        """Return what the client needs to know of the rules."""
        rules = session.rules
        return {
            "version": session.policy.version,
            "senses": [str(sense) for sense in rules.senses],
            "frames_per_second": FRAMES_PER_SECOND,
            "candidate_may_pause": rules.candidate_may_pause,
            "requires_check": session.exam.requires_check,
        }

    @extend_schema_field(CheckResultSerializer(allow_null=True))
    def get_system_check(self, session: ExamSession) -> Any:
        """Return the last system check in words."""
        result = check_result(session)
        return None if result is None else CheckResultSerializer(result).data

    @extend_schema_field(ProctorMessageSerializer(many=True))
    def get_messages(self, session: ExamSession) -> Any:
        """Return what the proctor said."""
        return ProctorMessageSerializer(messages_of(session), many=True).data


class SocketSerializer(serializers.Serializer):
    """Where the candidate's socket is, and a ticket that opens it once."""

    url = serializers.CharField()
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")


class CreatedSessionSerializer(SessionDetailSerializer):
    """A session just made; ``socket`` is null for staff, since it is the candidate's."""

    socket = serializers.SerializerMethodField()

    class Meta(SessionDetailSerializer.Meta):
        fields = (*SessionDetailSerializer.Meta.fields, "socket")
        read_only_fields = fields

    @extend_schema_field(SocketSerializer(allow_null=True))
    def get_socket(self, session: ExamSession) -> Any:
        """Return the socket's address and ticket."""
        return self.context["socket"]


class ScoreLineSerializer(serializers.Serializer):
    """What one kind of activity adds to the risk score."""

    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field, and no label of one
    count = serializers.IntegerField()
    weight = serializers.FloatField()
    raw = serializers.FloatField(help_text="Before the cap.")
    cap = serializers.FloatField()
    points = serializers.FloatField()


class ScoresSerializer(serializers.Serializer):
    """The machine's scores; null where they are not told, or nothing was watched."""

    risk_score = serializers.FloatField(allow_null=True)
    risk_level = serializers.CharField(allow_null=True)
    reviewed_risk_score = serializers.FloatField(allow_null=True)
    trust_score = serializers.FloatField(allow_null=True)
    compliance_score = serializers.FloatField(allow_null=True)
    breakdown = ScoreLineSerializer(many=True, allow_null=True)


class SessionResultSerializer(ScoresSerializer):
    """An ended session and its scores; ``final`` says whether all that came in has been analysed."""

    session = SessionDetailSerializer()
    final = serializers.BooleanField()


class ClearedSerializer(ScoresSerializer):
    """What was set aside, and the scores that are left."""

    cleared = serializers.IntegerField(help_text="Log entries that were set aside.")
    activities_removed = serializers.IntegerField(help_text="Activities that rested on them.")
