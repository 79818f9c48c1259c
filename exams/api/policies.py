"""The proctoring policy of an exam: what holds now, and the next version."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.openapi import describe
from accounts.permissions import signed_in
from exams.api.parts import READ_BY_STAFF_WRITTEN_BY_TEACHERS, find_exam, find_managed_exam
from exams.models import Exam, ProctoringPolicy
from exams.services import add_policy_version

MAX_SETTINGS_LENGTH = 100_000
"""Characters of the settings as JSON; the complete default policy has a tenth of it."""

SETTINGS_EXAMPLE = {"kinds": {"PHONE": {"hold": 3}}, "high_from": 12, "candidate_may_pause": True}
VERSION_EXAMPLE = {"version": 2, "note": "longer hold for phones", "created_at": "2026-02-01T08:00:00Z"}
POLICY_EXAMPLE = {
    **VERSION_EXAMPLE,
    "id": "7d0b6a0e-54c5-4b9b-9f53-0a2b8f1c6d77",
    "settings": SETTINGS_EXAMPLE,
    "effective": {"medium_from": 5.0, "high_from": 12.0, "senses": ["camera", "faces"], "kinds": {}},
    "versions": [VERSION_EXAMPLE, {"version": 1, "note": "default policy", "created_at": "2026-01-31T10:00:00Z"}],
}


class PolicyVersionSerializer(serializers.ModelSerializer):
    """One version of the rules, by name."""

    class Meta:
        model = ProctoringPolicy
        fields = ("version", "note", "created_at")
        read_only_fields = fields


class PolicySerializer(serializers.ModelSerializer):
    """The rules that new sessions run under."""

    settings = serializers.DictField(read_only=True, help_text="What differs from the default policy.")
    effective = serializers.SerializerMethodField(help_text="The complete rules: the settings over the default policy.")
    versions = PolicyVersionSerializer(
        many=True, read_only=True, source="exam.policies", help_text="All versions, newest first."
    )

    class Meta:
        model = ProctoringPolicy
        fields = ("id", "version", "settings", "note", "created_at", "effective", "versions")
        read_only_fields = fields

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_effective(self, policy: ProctoringPolicy) -> dict[str, Any]:
        """Return the complete rules."""
        return policy.rules.to_document()


class PolicySettingsSerializer(serializers.Serializer):
    """The next version of the rules."""

    settings = serializers.DictField(help_text="What differs from the default policy; {} is the default policy.")
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")

    def validate_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Refuse a document that is no policy by its size alone; the service judges what it says."""
        if len(json.dumps(settings)) > MAX_SETTINGS_LENGTH:
            message = _("At most %(count)d characters of settings are taken.")
            raise serializers.ValidationError(message % {"count": MAX_SETTINGS_LENGTH})
        return settings


NEXT_VERSION: dict[str, Any] = {
    "tag": "exams",
    "request": PolicySettingsSerializer,
    "sends": {"settings": SETTINGS_EXAMPLE, "note": "longer hold for phones"},
    "answer": PolicySerializer,
    "gets": POLICY_EXAMPLE,
    "status": 201,
    "also": (200,),
    "says": "The settings as a whole, not a change to those before. A version is never changed: other rules become the "
    "next version (201), the same rules answer the newest one (200). Sessions keep the version they were made under.",
}


class ExamPolicy(GenericAPIView):
    """The policy of an exam."""

    permission_classes = READ_BY_STAFF_WRITTEN_BY_TEACHERS
    serializer_class = PolicySerializer

    @describe(
        "Show the proctoring policy of an exam",
        tag="exams",
        answer=PolicySerializer,
        gets=POLICY_EXAMPLE,
        says="The newest version, which new sessions run under, as it was set and as it works out, and all versions.",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Show."""
        return self.answer(find_exam(signed_in(request), pk))

    @describe("Set the proctoring policy of an exam", **NEXT_VERSION)
    def put(self, request: Request, pk: UUID) -> Response:
        """Set."""
        return self.set_policy(request, pk)

    @describe("Add a version of the proctoring policy", **NEXT_VERSION)
    def post(self, request: Request, pk: UUID) -> Response:
        """Set, as well."""
        return self.set_policy(request, pk)

    def set_policy(self, request: Request, pk: UUID) -> Response:
        """Make the next version unless the newest says the same."""
        exam = find_managed_exam(signed_in(request), pk)
        sent = PolicySettingsSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        _policy, created = add_policy_version(exam=exam, **sent.validated_data)
        return self.answer(exam, 201 if created else 200)

    def answer(self, exam: Exam, status: int = 200) -> Response:
        """Answer the newest version; an exam that never got one runs under the default policy, version 1."""
        newest = exam.policies.select_related("exam").order_by("-version").first()
        if newest is None:
            newest, _created = add_policy_version(exam=exam, settings={}, note="default policy")
        return Response(PolicySerializer(newest).data, status=status)
