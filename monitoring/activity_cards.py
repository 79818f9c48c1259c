"""What the session page tells of one activity: its evidence, the numbers, the rule that fired, who examined it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exams.kinds import Kind, KindRule
from exams.models import ExamSession
from exams.policy import Policy
from monitoring.explain import duration_text
from monitoring.models import Assessment, ReviewerNote
from monitoring.summary import SENSE_LABELS, Activity, offset_in
from monitoring.timeline import clock
from vision.types import Sense

LONGEST_VALUE = 120
TOLD_ELSEWHERE = frozenset({"positives", "examined", "severity"})
SENSES_BEHIND: Mapping[str, tuple[Sense, ...]] = {
    Kind.NO_FACE: (Sense.FACES, Sense.OBJECTS),
    Kind.MULTIPLE_FACES: (Sense.FACES,),
    Kind.EXTRA_PERSON: (Sense.OBJECTS,),
    Kind.FACE_PARTLY_HIDDEN: (Sense.FACES,),
    Kind.LOOKING_AWAY: (Sense.HEAD, Sense.EYES),
    Kind.LOOKING_DOWN: (Sense.HEAD, Sense.EYES),
    Kind.EYES_CLOSED: (Sense.EYES,),
    Kind.MOUTH_MOVING: (Sense.MOUTH,),
    Kind.HAND_GESTURE: (Sense.HANDS,),
    Kind.HAND_AT_EAR: (Sense.HANDS,),
    Kind.HAND_OVER_MOUTH: (Sense.HANDS,),
    Kind.PHONE: (Sense.OBJECTS,),
    Kind.BOOK: (Sense.OBJECTS,),
    Kind.LAPTOP: (Sense.OBJECTS,),
    Kind.IDENTITY_MISMATCH: (Sense.IDENTITY,),
    Kind.IDENTITY_UNSURE: (Sense.IDENTITY,),
    Kind.SPOOF_SUSPECTED: (Sense.LIVENESS,),
    Kind.CAMERA_BLOCKED: (Sense.CAMERA,),
    Kind.POOR_LIGHT: (Sense.CAMERA,),
    Kind.CAMERA_BLURRED: (Sense.CAMERA,),
    Kind.LOUD_NOISE: (Sense.LEVEL,),
    Kind.MIC_SILENT: (Sense.LEVEL,),
    Kind.SPEECH: (Sense.SPEECH,),
    Kind.BACKGROUND_VOICE: (Sense.SPEECH, Sense.SPEAKERS),
    Kind.MULTIPLE_VOICES: (Sense.SPEECH, Sense.SPEAKERS),
}
"""By which senses a kind is found; what is not here was reported and not examined."""

NUMBERS = {
    "faces": gettext_lazy("faces"),
    "persons": gettext_lazy("people"),
    "person_score": gettext_lazy("sureness of a person"),
    "person_share": gettext_lazy("share of the picture that a person fills"),
    "hidden": gettext_lazy("share of the face outside the picture"),
    "direction": gettext_lazy("direction"),
    "degrees": gettext_lazy("degrees"),
    "by": gettext_lazy("told by"),
    "openness": gettext_lazy("openness"),
    "turned": gettext_lazy("turns of the mouth"),
    "label": gettext_lazy("what it looks like"),
    "held": gettext_lazy("held in the hand"),
    "distance": gettext_lazy("distance from the enrolled face"),
    "brightness": gettext_lazy("brightness"),
    "sharpness": gettext_lazy("sharpness"),
    "living": gettext_lazy("how living it looks"),
    "duration_s": gettext_lazy("seconds"),
    "mouth": gettext_lazy("the mouth meanwhile"),
    "mouth_pictures": gettext_lazy("pictures of the mouth"),
    "speech": gettext_lazy("speech meanwhile"),
}


@dataclass(frozen=True, slots=True)
class Note:
    """What a reviewer wrote, and when in the session."""

    id: UUID
    at: str
    text: str
    author: str
    about: str
    activity_id: UUID | None


@dataclass(frozen=True, slots=True)
class Card:
    """One activity with what stands behind it, in words: a page of hundreds has no time to put it into words itself.

    ``shot_s`` is when its picture or sound was taken; ``start``, ``end`` and ``shot`` are times for the page's scripts.
    """

    item: Activity
    picture: str
    no_evidence: str
    shot_s: float | None
    start: str
    end: str
    shot: str
    facts: str
    evidence_label: str
    pick_label: str
    decide_label: str
    numbers: str
    rule: str
    examined_by: str
    notes: tuple[Note, ...]


class CardMaker:
    """Makes the cards of one assessment; what all cards of a kind share is put into words once."""

    def __init__(self, assessment: Assessment, policy: Policy) -> None:
        self.assessment, self.policy = assessment, policy
        self._rules: dict[str, str] = {}
        self._models: dict[str, str] = {}

    def card(self, item: Activity, detail: Any, notes: Iterable[Note]) -> Card:
        """Return the card of an activity with these numbers and notes."""
        detail = detail if isinstance(detail, dict) else {}
        evidence = item.evidence
        if item.kind not in self._rules:
            self._rules[item.kind] = rule_text(self.policy.rule(item.kind))
            self._models[item.kind] = models_text(item.kind, self.assessment.detectors)
        shot_s = offset_in(self.assessment.session, evidence.captured_at) if evidence else None
        names = {"kind": item.label, "time": item.offset}
        return Card(
            item=item,
            picture=picture_address(evidence.id) if evidence else "",
            no_evidence="" if evidence else why_no_evidence(item.kind, self.assessment.session),
            shot_s=shot_s,
            start=f"{item.offset_s:.3f}",
            end=f"{item.offset_s + item.duration_s:.3f}",
            shot="" if shot_s is None else f"{shot_s:.3f}",
            facts=_facts(item),
            evidence_label=_evidence_label(item) % names,
            pick_label=_("Choose: %(kind)s at %(time)s") % names,
            decide_label=_("Decide: %(about)s %(at)s") % {"about": item.label, "at": item.offset},
            numbers=" · ".join(f"{name}: {value}" for name, value in numbers_of(detail)),
            rule=" ".join(filter(None, (self._rules[item.kind], _held(detail)))),
            examined_by=self._models[item.kind],
            notes=tuple(notes),
        )


def picture_address(evidence_id: UUID) -> str:
    """Return where the kept picture, or sound, is served."""
    return reverse("admin:monitoring_evidence_picture", args=[evidence_id])


def why_no_evidence(kind: str, session: ExamSession) -> str:
    """Say why there is neither a picture nor sound of an activity."""
    if kind in (Kind.CAMERA_SILENT, Kind.NETWORK_GAP):
        return _("No picture: none came in this time.")
    if kind not in SENSES_BEHIND:
        return _("No picture: this was reported, not seen.")
    monitor = getattr(session, "monitor", None)
    if monitor is not None and monitor.evidence_removed_at is not None:
        return _("Removed: the time for which pictures and sound are kept is over.")
    return _("Neither a picture nor sound of this was kept.")


def note_of(note: ReviewerNote, about: str) -> Note:
    """Return a note as it is shown; ``about`` names its activity."""
    return Note(note.pk, clock(note.at_s), note.text, str(note.author), about, note.activity_id)


def rule_text(rule: KindRule) -> str:
    """Say in words when a kind opens and closes, and how long it rests."""
    times = {
        "hold": rule.hold,
        "of": rule.of,
        "hold_s": duration_text(rule.hold_s),
        "window": duration_text(rule.window_s),
        "release": duration_text(rule.release_s),
        "rest": duration_text(rule.cooldown_s),
    }
    if rule.instant:
        return _("Counts at once, when it is reported; then rests for %(rest)s.") % times
    return (
        _(
            "Opens when %(hold)d of the last %(of)d looks within %(window)s say yes, over at least %(hold_s)s; "
            "closes after %(release)s of no; then rests for %(rest)s."
        )
        % times
    )


def models_text(kind: str, detectors: Mapping[str, str]) -> str:
    """Say which models found a kind, as far as it is on record."""
    senses = SENSES_BEHIND.get(kind)
    if senses is None:
        return _("No model: it was reported, not examined.")
    by_model: dict[str, list[str]] = {}
    for sense in senses:
        if detectors.get(sense):
            by_model.setdefault(detectors[sense], []).append(str(SENSE_LABELS[sense]))
    known = [f"{', '.join(labels)}: {model}" for model, labels in by_model.items()]
    return "; ".join(known) or _("Not on record for this session.")


def _facts(item: Activity) -> str:
    lasted = item.duration if item.ended_at else _("%(duration)s so far") % {"duration": item.duration}
    sure = _("confidence %(percent)s %%") % {"percent": item.confidence_percent}
    return f"{timezone.localtime(item.started_at):%H:%M:%S} · {lasted} · {sure}"


def _evidence_label(item: Activity) -> str:
    if item.evidence is not None and item.evidence.is_sound:
        return _("Evidence: %(kind)s at %(time)s, as sound.")
    return _("Evidence: %(kind)s at %(time)s. Opens the full picture.")


def _held(detail: Mapping[str, Any]) -> str:
    positives, examined = detail.get("positives"), detail.get("examined")
    if not isinstance(positives, int) or not isinstance(examined, int) or examined <= 1:
        return ""
    return _("Here %(positives)d of %(examined)d said yes.") % {"positives": positives, "examined": examined}


def numbers_of(detail: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return the numbers behind an activity, each with what it means; what is unknown to us stands under its name."""
    for name, value in detail.items():
        if name not in TOLD_ELSEWHERE and value is not None:
            yield str(NUMBERS.get(name, name)), _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, float):
        return f"{round(value, 3):g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def shown_pictures(cards: Iterable[Card]) -> list[Card]:
    """Return the cards with a picture that can be shown, in the order in which they were taken."""
    seen = (card for card in cards if card.picture and card.item.evidence and not card.item.evidence.is_sound)
    return sorted(seen, key=lambda card: card.shot_s or 0.0)
