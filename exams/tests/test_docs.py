"""What docs/rules.md and .env.example say is what the code does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from exams.kinds import DEFAULT_RULES
from exams.policy import Policy, Thresholds

ROOT = Path(__file__).resolve().parents[2]
RULES = (ROOT / "docs/rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", DEFAULT_RULES)
def test_it_documents_the_default_rule_of_every_kind(kind):
    rule = DEFAULT_RULES[kind]
    hold = "instant" if rule.instant else f"{rule.hold} of {rule.of}"
    times = ["", "", ""] if rule.instant else [f"{value:g}" for value in (rule.hold_s, rule.window_s, rule.release_s)]
    row = [f"`{kind}`", f"{rule.weight:g}", f"{rule.severity}", hold, *times, f"{rule.cooldown_s:g}"]
    assert f"| {' | '.join(row)} |" in RULES


def test_it_documents_every_threshold_and_setting_with_its_default():
    policy = Policy()
    values = {item.name: getattr(policy.thresholds, item.name) for item in fields(Thresholds)}
    plain = (
        "objects_every_s",
        "medium_from",
        "high_from",
        "kind_cap",
        "trust_zero_risk",
        "max_gap_s",
        "silent_after_s",
    )
    values |= {name: getattr(policy, name) for name in plain}
    for name, value in values.items():
        assert f"| `{name}` | {value:g} |" in RULES


def test_it_lists_every_environment_variable_in_the_example_and_the_readme():
    settings = (ROOT / "proctoring/settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", settings)) - {"READ_DOT_ENV"}
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(names) > 12
    assert {name for name in names if f"\n{name}=" not in example and f"\n#{name}=" not in example} == set()
    assert {name for name in names if f"`{name}`" not in readme} == set()
