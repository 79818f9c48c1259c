"""What came of a session, as it is told to its candidate, what counted, and their appeal."""

from __future__ import annotations

from uuid import UUID

from django.http import FileResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.openapi import describe
from monitoring.api.files import FileOrError
from monitoring.api.session_calls import OwnSessionCall, SessionCall
from monitoring.appeals import appeal_session, counted_evidence
from monitoring.case_models import APPEAL_LENGTH, Appeal
from monitoring.explain import explanation_of
from monitoring.models import Evidence, ReviewDecision, SuspiciousActivity
from monitoring.outcomes import APPEAL_SENTENCES, hidden_outcome, outcome_of
from monitoring.picture_access import note_evidence
from monitoring.picture_models import PictureAccess
from monitoring.selectors import is_blind
from monitoring.store import SOUND_FORMS
from monitoring.summary import offset_in

OUTCOME_EXAMPLE = {
    "decided": True,
    "outcome": "violation",
    "label": "violation",
    "sentence": "This session was reviewed, and the rules were broken.",
    "reason": "A second person answered the questions.",
    "decided_at": "2026-03-02T11:20:00Z",
    "activities": [
        {
            "id": "1d0f0c52-3a55-4f7e-8f0e-6a1f3a8f1c01",
            "kind": "MULTIPLE_FACES",
            "label": "Several faces",
            "severity": 1,
            "started_at": "2026-03-02T09:12:31Z",
            "ended_at": "2026-03-02T09:12:43Z",
            "offset_s": 751.0,
            "explanation": "2 faces were in the picture. This was so in 12 of 12 pictures examined, over 12 s.",
            "evidence": {
                "media_type": "image/jpeg",
                "url": "/api/v1/sessions/5b0e7a7c-0f53-4a55-9d0a-6f4b1f7a2c11/outcome/evidence/"
                "1d0f0c52-3a55-4f7e-8f0e-6a1f3a8f1c01",
            },
        }
    ],
    "may_appeal": True,
    "appeal_until": "2026-03-09T11:20:00Z",
    "appeal": None,
}
APPEAL_EXAMPLE = {
    "text": "The second person was my landlord at the door; I sent him away at once.",
    "sent_at": "2026-03-03T08:00:00Z",
    "state": "open",
    "label": "not decided yet",
    "sentence": "You appealed. Somebody else looks at your session anew, without being told what was decided before.",
    "decided_at": None,
}
EVIDENCE_TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    *(media_type for _ending, media_type in SOUND_FORMS.values()),
)


class CountedEvidenceSerializer(serializers.ModelSerializer):
    """Where the kept picture or sound is that counted; only whom it shows may have it there."""

    url = serializers.SerializerMethodField()

    class Meta:
        model = Evidence
        fields = ("media_type", "url")
        read_only_fields = fields

    def get_url(self, evidence: Evidence) -> str:
        """Return the address."""
        return reverse("session-outcome-evidence", args=[self.context["session"].pk, evidence.activity_id])


class ConfirmedActivitySerializer(serializers.ModelSerializer):
    """An activity that counted."""

    label = serializers.CharField(read_only=True, help_text="The kind in words.")  # type: ignore[assignment]
    offset_s = serializers.SerializerMethodField(help_text="Seconds into the session.")
    explanation = serializers.SerializerMethodField(help_text="What was seen or reported.")
    evidence = CountedEvidenceSerializer(read_only=True, allow_null=True, help_text="Null where nothing was kept.")

    class Meta:
        model = SuspiciousActivity
        fields = ("id", "kind", "label", "severity", "started_at", "ended_at", "offset_s", "explanation", "evidence")
        read_only_fields = fields

    def get_offset_s(self, activity: SuspiciousActivity) -> float:
        """Return when it began."""
        return offset_in(self.context["session"], activity.started_at)

    def get_explanation(self, activity: SuspiciousActivity) -> str:
        """Return the sentences."""
        return explanation_of(activity)


class AppealSerializer(serializers.ModelSerializer):
    """What the candidate said against the outcome, and what came of it."""

    label = serializers.CharField(  # type: ignore[assignment]
        source="get_state_display", read_only=True, help_text="The state in words."
    )
    sentence = serializers.SerializerMethodField(help_text="What it means.")

    class Meta:
        model = Appeal
        fields = tuple(APPEAL_EXAMPLE)
        read_only_fields = fields

    def get_sentence(self, appeal: Appeal) -> str:
        """Return the sentence in the reader's language."""
        return str(APPEAL_SENTENCES[appeal.state])


class AppealToSendSerializer(serializers.Serializer):
    """What the candidate says against the outcome."""

    text = serializers.CharField(max_length=APPEAL_LENGTH, help_text="Whoever decides anew reads it.")


class SessionOutcomeSerializer(serializers.Serializer):
    """What came of a session; never who decided, nor what was not decided or dismissed."""

    decided = serializers.BooleanField()
    outcome = serializers.ChoiceField(
        choices=[choice for choice in ReviewDecision.Outcome.choices if choice[0] != "escalated"], allow_null=True
    )
    label = serializers.CharField(  # type: ignore[assignment]
        help_text="The outcome in words; empty while nothing is decided."
    )
    sentence = serializers.CharField(help_text="What it means, or why nothing is decided.")
    reason = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)
    activities = ConfirmedActivitySerializer(many=True, help_text="What a human confirmed, in order of time.")
    may_appeal = serializers.BooleanField(help_text="Whether its candidate may appeal now.")
    appeal_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when they may or might; null where there is nothing to appeal against."
    )
    appeal = AppealSerializer(allow_null=True)


class SessionOutcome(SessionCall):
    """What came of one session."""

    serializer_class = SessionOutcomeSerializer

    @describe(
        "Look at the outcome of a session",
        tag="monitoring",
        answer=SessionOutcomeSerializer,
        gets=OUTCOME_EXAMPLE,
        says="For the candidate who sat it and for staff. Until a human has decided, `decided` is false and nothing "
        "else is told. With a decision come the activities that a human confirmed, and until when the candidate may "
        "appeal. While an appeal is open the outcome stays; staff are not told it, as whoever decides anew is not.",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the outcome that holds."""
        session = self.find()
        hidden = session.candidate.user_id != self.user.pk and is_blind(session)
        told = hidden_outcome() if hidden else outcome_of(session)
        return Response(SessionOutcomeSerializer(told, context={"session": session}).data)


class SessionAppeal(OwnSessionCall):
    """An appeal against the outcome of one session."""

    serializer_class = AppealSerializer

    @describe(
        "Appeal against the outcome of a session",
        tag="monitoring",
        request=AppealToSendSerializer,
        sends={"text": APPEAL_EXAMPLE["text"]},
        answer=AppealSerializer,
        gets=APPEAL_EXAMPLE,
        status=201,
        says="Once for each session, and until the `appeal_until` of its outcome. Somebody who has not decided on the "
        "session looks at it anew without being told what was decided; their outcome holds. Refused (409) with the "
        "codes wrong_state, clear, no_appeals, too_late or already_appealed.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Write the appeal down."""
        appeal = appeal_session(session=self.find_own(), **self.checked(AppealToSendSerializer))
        return Response(AppealSerializer(appeal).data, status=201)


class SessionOutcomeEvidence(OwnSessionCall):
    """What was kept of a moment that counted."""

    serializer_class = CountedEvidenceSerializer
    content_negotiation_class = FileOrError

    @extend_schema(responses={(200, media_type): OpenApiTypes.BINARY for media_type in EVIDENCE_TYPES})
    @describe(
        "Look at the evidence that counted",
        tag="monitoring",
        says="The picture or sound of an activity that counted for the outcome, for the candidate whom it shows. 404 "
        "for activities that did not count, for those of which nothing was kept, and where it was removed since.",
    )
    def get(self, request: Request, pk: UUID, activity_pk: UUID) -> FileResponse:
        """Return the file."""
        session = self.find_own()
        evidence = counted_evidence(session, activity_pk)
        if evidence is None or evidence.media_type not in EVIDENCE_TYPES:
            raise NotFound
        try:
            file = evidence.file.open("rb")
        except FileNotFoundError as error:
            raise NotFound(_("The picture is no longer there.")) from error
        note_evidence(request, session, evidence, way=PictureAccess.Way.API)
        headers = {
            "Cache-Control": "private, no-store",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
        }
        return FileResponse(file, content_type=evidence.media_type, headers=headers)
