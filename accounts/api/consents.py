"""What one is asked to agree to, and has agreed to."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.addresses import client_address
from accounts.api.auth import GivenConsentSerializer
from accounts.consents import ConsentState, consent_states, give_consent, withdraw_consent
from accounts.models import Consent, User
from accounts.openapi import describe
from accounts.permissions import signed_in

HISTORY = 100
"""So many of the newest entries are answered."""

CONSENTS = {
    "current": [
        {
            "purpose": "proctoring",
            "version": 3,
            "title": "Being watched during an exam",
            "text": "While you sit a proctored exam, your camera, your microphone and …",
            "agreed": True,
            "agreed_at": "2026-03-02T09:00:00Z",
        }
    ],
    "history": [{"purpose": "proctoring", "version": 3, "given_at": "2026-03-02T09:00:00Z", "withdrawn_at": None}],
}


class ConsentStateSerializer(serializers.Serializer):
    """The text of one purpose that counts now, in the reader's language, and whether they agreed to it."""

    purpose = serializers.CharField(source="text.purpose")
    version = serializers.IntegerField(source="text.version")
    title = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    agreed = serializers.SerializerMethodField()
    agreed_at = serializers.DateTimeField(allow_null=True)

    def get_title(self, state: ConsentState) -> str:
        return state.text.title_bn if _reads_bangla() else state.text.title

    def get_text(self, state: ConsentState) -> str:
        return state.text.text_bn if _reads_bangla() else state.text.text

    def get_agreed(self, state: ConsentState) -> bool:
        return state.agreed_at is not None


class ConsentHistorySerializer(serializers.ModelSerializer):
    """One agreement, and when it was taken back."""

    purpose = serializers.CharField(source="text.purpose")
    version = serializers.IntegerField(source="text.version")

    class Meta:
        model = Consent
        fields = ("purpose", "version", "given_at", "withdrawn_at")


class ConsentsSerializer(serializers.Serializer):
    """What counts now, and what was agreed to so far, newest first."""

    current = ConsentStateSerializer(many=True)
    history = ConsentHistorySerializer(many=True)


class ConsentDecisionSerializer(GivenConsentSerializer):
    """Agreeing to the current version of a text, or taking back what was agreed to."""

    version = serializers.IntegerField(
        min_value=1, max_value=2_147_483_647, required=False, help_text="Needed for agreeing."
    )
    agree = serializers.BooleanField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for the version of what is agreed to."""
        if attrs["agree"] and "version" not in attrs:
            raise serializers.ValidationError({"version": _("Say which version of the text you agree to.")})
        return attrs


class ConsentsView(APIView):
    """``auth/me/consents``."""

    @describe("Show what I am asked to agree to", tag="accounts", answer=ConsentsSerializer, gets=CONSENTS)
    def get(self, request: Request) -> Response:
        return Response(_consents_of(signed_in(request)))

    @describe(
        "Agree to a text, or withdraw",
        tag="accounts",
        says="Only the current version can be agreed to (409, `outdated_text`). Withdrawing ends consent to every "
        "version of that purpose; for `face` it deletes the enrolled face.",
        request=ConsentDecisionSerializer,
        sends={"purpose": "proctoring", "version": 3, "agree": True},
        answer=ConsentsSerializer,
        gets=CONSENTS,
    )
    def post(self, request: Request) -> Response:
        user = signed_in(request)
        given = ConsentDecisionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        purpose = given.validated_data["purpose"]
        if given.validated_data["agree"]:
            give_consent(user=user, purpose=purpose, version=given.validated_data["version"])
        else:
            withdraw_consent(user=user, purpose=purpose, ip_address=client_address(request))
        return Response(_consents_of(user))


def _consents_of(user: User) -> Any:
    history = user.consents.select_related("text").order_by("-given_at")[:HISTORY]
    return ConsentsSerializer({"current": consent_states(user=user), "history": history}).data


def _reads_bangla() -> bool:
    return (get_language() or "").startswith("bn")
