"""What a policy says differently from another one: as a document to store, and line by line to read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from exams.policy import Policy


@dataclass(frozen=True, slots=True)
class Changed:
    """One setting, named as in documents, such as ``kinds.PHONE.weight``, with its value before and after."""

    name: str
    before: Any
    after: Any


def settings_of(policy: Policy) -> dict[str, Any]:
    """Return the shortest document that ``parse_policy`` reads as this policy: what differs from the default one."""
    default = Policy()
    kinds = {kind: _differing(default.rule(kind), rule) for kind, rule in policy.kinds.items()}
    # A kind that is nowhere in the default policy is named even if it says no more than what holds for unknown ones.
    kinds = {kind: told for kind, told in kinds.items() if told or kind not in default.kinds}
    parts = {
        "kinds": kinds,
        "thresholds": _differing(default.thresholds, policy.thresholds),
        "unknown_kind": _differing(default.unknown_kind, policy.unknown_kind),
    }
    settings = _differing(default, policy, leave_out=(*parts, "senses"))
    if policy.senses != default.senses:
        settings["senses"] = [str(name) for name in policy.senses]
    return settings | {name: told for name, told in parts.items() if told}


def changes_between(old: Policy, new: Policy) -> list[Changed]:
    """Return each setting that differs, in the order of the document; those that are there no longer come last."""
    before, after = _flat(old.to_document()), _flat(new.to_document())
    names = dict.fromkeys((*after, *before))
    return [Changed(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _differing(old: Any, new: Any, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    names = [item.name for item in fields(new) if item.name not in leave_out]
    return {name: getattr(new, name) for name in names if getattr(new, name) != getattr(old, name)}


def _flat(document: dict[str, Any], under: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            values |= _flat(value, f"{under}{name}.")
        else:
            values[f"{under}{name}"] = sorted(value) if isinstance(value, list) else value
    return values
