"""What is answered about activities and observations of a moment, to whoever sits the session too."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from monitoring.examined import NO_DETECTOR, UNREADABLE
from monitoring.explain import explanation_of
from monitoring.models import SuspiciousActivity
from vision.types import Condition

ACTIVITY = {
    "id": "1d0f0c52-3a55-4f7e-8f0e-6a1f3a8f1c01",
    "kind": "TAB_SWITCH",
    "label": "Left the exam tab",
    "severity": 1,
    "started_at": "2026-03-02T09:12:31Z",
    "ended_at": "2026-03-02T09:12:32Z",
    "explanation": "The browser reported that the exam's tab was left.",
}
OPEN_ACTIVITY = {
    **ACTIVITY,
    "kind": "MULTIPLE_FACES",
    "label": "Several faces",
    "ended_at": None,
    "explanation": "2 faces were in the picture. So far this was so in 4 of 4 pictures examined.",
}
SEEN = {
    "seq": 41,
    "examined": True,
    "events": ["MULTIPLE_FACES"],
    "activities": [OPEN_ACTIVITY],
    "usable": True,
    "reason": None,
    "not_examined": ["eyes"],
    "note": "What one picture shows accuses nobody: an activity begins only when several show it.",
}
NOTE = _("What one picture shows accuses nobody: an activity begins only when several show it.")


class BriefActivitySerializer(serializers.ModelSerializer):
    """An activity as the candidate is told of it while the exam goes on."""

    label = serializers.CharField(read_only=True, help_text="The kind in words.")  # type: ignore[assignment]
    explanation = serializers.SerializerMethodField(help_text="What was seen or reported, in one sentence.")

    class Meta:
        model = SuspiciousActivity
        fields = tuple(ACTIVITY)
        read_only_fields = fields

    def get_explanation(self, activity: SuspiciousActivity) -> str:
        """Return the sentence in the reader's language."""
        return explanation_of(activity)


class SeenSerializer(serializers.Serializer):
    """What one picture showed."""

    seq = serializers.IntegerField()
    examined = serializers.BooleanField(help_text="Whether anything could be said of it.")
    events = serializers.ListField(
        child=serializers.CharField(), help_text="The kinds to which this picture alone says yes, such as NO_FACE."
    )
    activities = BriefActivitySerializer(many=True, help_text="What is going on by now.")
    usable = serializers.BooleanField(allow_null=True, help_text="Null where nobody looked at its quality.")
    reason = serializers.ChoiceField(
        [str(Condition.DARK), str(Condition.BLURRED), str(Condition.COVERED), UNREADABLE, NO_DETECTOR],
        allow_null=True,
        help_text="Why it was not examined.",
    )
    not_examined = serializers.ListField(
        child=serializers.CharField(), help_text="Senses that had no answer; unknown is neither yes nor no."
    )
    note = serializers.CharField()


def seen_answer(seen: Any, activities: Any) -> dict[str, Any]:
    """Return what ``SeenSerializer`` answers."""
    fields = ("seq", "examined", "events", "usable", "reason", "not_examined")
    values = {name: getattr(seen, name) for name in fields} | {"activities": activities, "note": NOTE}
    return dict(SeenSerializer(values).data)
