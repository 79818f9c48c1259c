"""What humans decide: verdicts on activities, and the outcome of a session."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.openapi import describe
from accounts.permissions import IsStaff, signed_in
from monitoring.api.session_calls import SESSION_EXAMPLE, StaffSessionCall
from monitoring.case_models import ReviewCase
from monitoring.models import Assessment, ReviewDecision, SuspiciousActivity
from monitoring.review import REASON_LENGTH, decide_session
from monitoring.review_many import judge_activity
from monitoring.selectors import SCORES, reviewed_risk, visible_sessions

DECIDED_EXAMPLE: dict[str, Any] = {
    "id": "8c1f2a60-1d4b-4f0c-9a5e-7b0c3d2e1f44",
    "session": SESSION_EXAMPLE["id"],
    "reason": "A break was agreed.",
    "reviewer": "Rahima Begum",
    "decided_at": "2026-03-02T11:20:00Z",
}
VERDICT_EXAMPLE = {
    **DECIDED_EXAMPLE,
    "activity": "1d0f0c52-3a55-4f7e-8f0e-6a1f3a8f1c01",
    "verdict": "dismissed",
    "label": "dismissed",
    "scores": {
        "risk_score": 5.0,
        "risk_level": "Medium",
        "reviewed_risk_score": 2.0,
        "trust_score": 75.0,
        "compliance_score": 97.5,
    },
}
OUTCOME_DECISION_EXAMPLE = {
    **DECIDED_EXAMPLE,
    "outcome": "violation",
    "label": "violation",
    "reason": "A second person answered the questions.",
}


class ReasonSerializer(serializers.Serializer):
    """Why it is decided so."""

    reason = serializers.CharField(max_length=REASON_LENGTH, help_text="The candidate may read it.")


class VerdictToGiveSerializer(ReasonSerializer):
    """A verdict on one activity."""

    verdict = serializers.ChoiceField(choices=ReviewDecision.Verdict.choices)


class OutcomeToGiveSerializer(ReasonSerializer):
    """The outcome of a session."""

    outcome = serializers.ChoiceField(choices=ReviewDecision.Outcome.choices)
    leaning = serializers.ChoiceField(
        choices=ReviewCase.Leaning.choices,
        required=False,
        help_text="When you escalate: what you would decide, which shows whether the second reviewer agrees.",
    )


class CurrentScoresSerializer(serializers.ModelSerializer):
    """The machine's scores, and the risk without what reviewers dismissed."""

    reviewed_risk_score = serializers.FloatField(
        source="shown_reviewed_risk",
        read_only=True,
        allow_null=True,
        help_text="Null while nobody is to know what others decided.",
    )

    class Meta:
        model = Assessment
        fields = SCORES
        read_only_fields = fields


class ActivityVerdictSerializer(serializers.ModelSerializer):
    """A verdict on one activity and the scores that follow from it."""

    verdict = serializers.ChoiceField(choices=ReviewDecision.Verdict.choices, read_only=True)
    label = serializers.CharField(  # type: ignore[assignment]
        source="get_verdict_display", read_only=True, help_text="The verdict in words."
    )
    reviewer = serializers.CharField(read_only=True, help_text="Name of whoever decided.")
    scores = serializers.SerializerMethodField()

    class Meta:
        model = ReviewDecision
        fields = tuple(VERDICT_EXAMPLE)
        read_only_fields = fields

    @extend_schema_field(CurrentScoresSerializer)
    def get_scores(self, decision: ReviewDecision) -> Any:
        """Return the scores as they now are."""
        scores = Assessment.objects.annotate(shown_reviewed_risk=reviewed_risk("session__", ""))
        return CurrentScoresSerializer(scores.get(activities=decision.activity_id)).data


class OutcomeDecisionSerializer(serializers.ModelSerializer):
    """The outcome that somebody gave a session."""

    outcome = serializers.ChoiceField(choices=ReviewDecision.Outcome.choices, source="verdict", read_only=True)
    label = serializers.CharField(  # type: ignore[assignment]
        source="get_verdict_display", read_only=True, help_text="The outcome in words."
    )
    reviewer = serializers.CharField(read_only=True, help_text="Name of whoever decided.")

    class Meta:
        model = ReviewDecision
        fields = tuple(OUTCOME_DECISION_EXAMPLE)
        read_only_fields = fields


class ActivityReview(generics.GenericAPIView):
    """Verdicts on one activity."""

    permission_classes = [IsStaff]
    serializer_class = VerdictToGiveSerializer

    def get_queryset(self) -> QuerySet[SuspiciousActivity]:
        """Return the activities of the sessions that the caller may see, of every assessment."""
        return SuspiciousActivity.objects.filter(session__in=visible_sessions(signed_in(self.request)))

    @describe(
        "Judge an activity",
        tag="monitoring",
        request=VerdictToGiveSerializer,
        sends={"verdict": "dismissed", "reason": "A break was agreed."},
        answer=ActivityVerdictSerializer,
        gets=VERDICT_EXAMPLE,
        status=201,
        says="Nothing that was decided is changed or deleted: the latest verdict holds, the earlier ones stay. The "
        "verdict `withdrawn` takes the one that holds back, with a reason like the others, and leaves the activity "
        "undecided; there has to be one (409, wrong_state). The machine's score stays too; the reviewed score leaves "
        "out what is dismissed. Refused (409, superseded) for an activity of an assessment that no longer counts, and "
        "(409, taken) while somebody else has taken the session. A second review and an appeal are decided by who has "
        "not decided before (403, took_part).",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Write down the verdict."""
        activity = get_object_or_404(self.get_queryset(), pk=pk)
        sent = VerdictToGiveSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        decision = judge_activity(activity=activity, reviewer=signed_in(request), **sent.validated_data)
        return Response(ActivityVerdictSerializer(decision).data, status=201)


class SessionReview(StaffSessionCall):
    """Outcomes of one session."""

    serializer_class = OutcomeToGiveSerializer

    @describe(
        "Decide on the outcome of a session",
        tag="monitoring",
        request=OutcomeToGiveSerializer,
        sends={"outcome": "violation", "reason": "A second person answered the questions."},
        answer=OutcomeDecisionSerializer,
        gets=OUTCOME_DECISION_EXAMPLE,
        status=201,
        says="The latest outcome holds, the earlier ones stay. The candidate is told the outcome and its reason, but "
        "not while it is escalated: then somebody decides anew who is not shown what others decided, and if the two "
        "disagree, an admin. Refused (409, wrong_state) while the session is open, (409, taken) while somebody else "
        "has taken it, (403, took_part) for who decided before.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Write down the outcome."""
        session = self.find_as_staff()
        decision = decide_session(session=session, reviewer=self.user, **self.checked(OutcomeToGiveSerializer))
        return Response(OutcomeDecisionSerializer(decision).data, status=201)
