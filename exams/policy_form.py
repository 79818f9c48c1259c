"""A form with a field for every setting of a policy, made from the policy's own fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any, get_type_hints

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from exams.kinds import KindRule, kind_label
from exams.policy import Policy, PolicyError, Thresholds, parse_policy
from vision.types import Sense

GENERAL = {
    "medium_from": _("A session is Medium from a risk of"),
    "high_from": _("A session is High from a risk of"),
    "kind_cap": _("One kind adds at most so many times its weight"),
    "trust_zero_risk": _("Trust is 0 at a risk of"),
    "max_gap_s": _("One observation stands for at most (s)"),
    "silent_after_s": _("The camera is silent after (s)"),
}
FROM_NOW_ON = {
    "objects_every_s": _("Objects are looked for every (s)"),
    "identity_every_s": _("The face is compared every (s)"),
    "candidate_may_pause": _("Candidates may pause"),
}
RULE = {
    "enabled": _("on"),
    "weight": _("weight"),
    "severity": _("severity"),
    "hold": _("hold"),
    "of": _("of the last"),
    "hold_s": _("for (s)"),
    "window_s": _("within (s)"),
    "release_s": _("gone for (s)"),
    "cooldown_s": _("rests (s)"),
}
INSTANT_RULE = ("enabled", "weight", "severity", "cooldown_s")
UNKNOWN = "unknown_kind"


class PolicyForm(forms.Form):
    """Every setting of a policy; ``policy`` holds what was sent, validated as a whole.

    ``base`` is the version whose values the form was filled with, so that nobody saves over what they have not seen.
    """

    base = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    note = forms.CharField(label=_("Note"), max_length=200, required=False)
    senses = forms.MultipleChoiceField(
        label=_("Senses"),
        choices=[(str(sense), str(sense)) for sense in Sense],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    policy: Policy

    def __init__(self, shown: Policy, base: int, data: Any = None) -> None:
        self.shown = shown
        super().__init__(data, initial={"base": base, "senses": list(shown.senses)})
        for name, words in {**GENERAL, **FROM_NOW_ON}.items():
            self._add(name, get_type_hints(Policy)[name], getattr(shown, name), str(words))
        for name, hint in get_type_hints(Thresholds).items():
            self._add(f"thresholds.{name}", hint, getattr(shown.thresholds, name), name)
        for kind, rule in self._rules():
            for name in self._settings_of(rule):
                label = f"{_rule_label(kind)}: {RULE[name]}"
                self._add(f"kinds.{kind}.{name}", get_type_hints(KindRule)[name], getattr(rule, name), label)

    def clean(self) -> dict[str, Any]:
        """Read all of it as one policy, whose own rules say what does not fit together."""
        cleaned = super().clean() or {}
        for name in self.changed_data:
            attrs = self.fields[name].widget.attrs
            attrs["class"] = f"{attrs.get('class', '')} differs".strip()
        if not self.errors:
            try:
                self.policy = parse_policy(self._document(cleaned))
            except PolicyError as error:
                self.add_error(None, str(error))
        return cleaned

    def general(self) -> list[BoundField]:
        """The settings of the whole policy that can be tried on the past."""
        return [self[name] for name in GENERAL]

    def from_now_on(self) -> list[BoundField]:
        """The settings that say how sessions to come are watched."""
        return [self[name] for name in FROM_NOW_ON]

    def limits(self) -> list[BoundField]:
        """The thresholds, by their names in documents."""
        return [self[f"thresholds.{item.name}"] for item in fields(Thresholds)]

    def held(self) -> Iterator[tuple[str, str, list[BoundField]]]:
        """The kinds that have to last: name, words, and the fields of their rule."""
        return self._lines(instant=False)

    def reported(self) -> Iterator[tuple[str, str, list[BoundField]]]:
        """The kinds that are facts of a moment."""
        return self._lines(instant=True)

    def held_heads(self) -> list[str]:
        """The headings of the columns of ``held``."""
        return [str(label) for label in RULE.values()]

    def reported_heads(self) -> list[str]:
        """The headings of the columns of ``reported``."""
        return [str(RULE[name]) for name in INSTANT_RULE]

    def _lines(self, *, instant: bool) -> Iterator[tuple[str, str, list[BoundField]]]:
        for kind, rule in self._rules():
            if rule.instant is instant:
                yield kind, _rule_label(kind), [self[f"kinds.{kind}.{name}"] for name in self._settings_of(rule)]

    def _rules(self) -> list[tuple[str, KindRule]]:
        return [*((str(kind), rule) for kind, rule in self.shown.kinds.items()), (UNKNOWN, self.shown.unknown_kind)]

    def _settings_of(self, rule: KindRule) -> tuple[str, ...]:
        return INSTANT_RULE if rule.instant else tuple(RULE)

    def _add(self, name: str, hint: type, value: Any, label: str) -> None:
        attrs = {"aria-label": label, "class": "number"}
        if hint is bool:
            self.fields[name] = forms.BooleanField(
                label=label, required=False, widget=forms.CheckboxInput(attrs={"aria-label": label})
            )
        elif hint is int:
            self.fields[name] = forms.IntegerField(
                label=label, min_value=0, max_value=1_000_000, widget=forms.NumberInput(attrs=attrs)
            )
        else:
            self.fields[name] = forms.FloatField(
                label=label, min_value=0, max_value=1_000_000, widget=forms.NumberInput(attrs={**attrs, "step": "any"})
            )
        self.initial[name] = int(value) if value == int(value) and hint is float else value

    def _document(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = {name: cleaned[name] for name in (*GENERAL, *FROM_NOW_ON, "senses")}
        document["thresholds"] = {item.name: cleaned[f"thresholds.{item.name}"] for item in fields(Thresholds)}
        rules = {
            kind: {**asdict(rule), **{name: cleaned[f"kinds.{kind}.{name}"] for name in self._settings_of(rule)}}
            for kind, rule in self._rules()
        }
        return {**document, UNKNOWN: rules.pop(UNKNOWN), "kinds": rules}


def _rule_label(kind: str) -> str:
    return str(_("Any other kind")) if kind == UNKNOWN else kind_label(kind)
