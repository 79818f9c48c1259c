"""Policies as short documents, as lists of changes and as a form."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.kinds import Kind, KindRule
from exams.policy import Policy, Thresholds, parse_policy
from exams.policy_changes import Changed, changes_between, settings_of
from exams.policy_form import PolicyForm
from vision.types import Sense

RULES = st.builds(
    KindRule,
    weight=st.floats(0, 100),
    severity=st.sampled_from([1, 2, 3]),
    enabled=st.booleans(),
    hold=st.integers(1, 5),
    of=st.integers(5, 100),
    hold_s=st.floats(0, 60),
    instant=st.booleans(),
)
POLICIES = st.builds(
    lambda kinds, senses, unknown, high, yaw: replace(
        Policy(),
        kinds=Policy().kinds | kinds,
        senses=tuple(name for name in Sense if name in senses),
        unknown_kind=unknown,
        high_from=high,
        thresholds=Thresholds(head_yaw=yaw),
    ),
    st.dictionaries(st.sampled_from([*map(str, Kind), "SOMETHING_ELSE"]), RULES, max_size=4),
    st.sets(st.sampled_from(list(Sense))),
    RULES,
    st.floats(6, 100),
    st.floats(1, 90),
)


@given(POLICIES)
def test_a_short_document_is_read_as_the_same_policy(policy):
    assert parse_policy(settings_of(policy)) == policy


def test_the_default_policy_needs_no_document():
    assert settings_of(Policy()) == {}


def test_a_document_says_only_what_differs():
    settings = {"high_from": 12.0, "kinds": {"PHONE": {"weight": 3.0}}, "thresholds": {"head_yaw": 30.0}}
    assert settings_of(parse_policy(settings)) == settings
    assert settings_of(parse_policy({"kinds": {"WHISTLE": {}}})) == {"kinds": {"WHISTLE": {}}}
    assert settings_of(parse_policy({"senses": []})) == {"senses": []}


def test_it_lists_what_changed_by_the_names_of_documents():
    new = parse_policy({"high_from": 12, "kinds": {"PHONE": {"weight": 3}}})
    assert changes_between(Policy(), new) == [Changed("kinds.PHONE.weight", 1.0, 3.0), Changed("high_from", 10.0, 12.0)]
    assert changes_between(new, new) == []
    gone = changes_between(parse_policy({"kinds": {"WHISTLE": {"weight": 2}}}), Policy())
    assert gone[0] == Changed("kinds.WHISTLE.weight", 2.0, None)


def sent(form, **changes):
    """The form as a browser sends it back, with some fields changed."""
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    return {name: value for name, value in values.items() if value is not None and value is not False} | changes


STRICT = {"high_from": 14, "kinds": {"WHISTLE": {"weight": 2}, "PHONE": {"enabled": False}}, "senses": ["faces"]}


@pytest.mark.parametrize("settings", [{}, STRICT, {"senses": ["objects", "camera", "objects"]}])
def test_a_form_sent_back_untouched_is_the_same_policy(settings):
    policy = parse_policy(settings)
    form = PolicyForm(policy, 3, sent(PolicyForm(policy, 3)))
    assert form.is_valid(), form.errors
    assert form.policy == policy
    assert form.cleaned_data["base"] == 3


def test_a_form_holds_every_setting_of_every_kind():
    form = PolicyForm(Policy(), 1)
    shown = {name for name in form.fields if name not in ("base", "note")}
    instant = [kind for kind, rule in Policy().kinds.items() if rule.instant] + ["unknown_kind"]
    held = [kind for kind, rule in Policy().kinds.items() if not rule.instant]
    for kind in held:
        assert {f"kinds.{kind}.hold", f"kinds.{kind}.weight"} <= shown
    assert len(shown) == 9 + 1 + len(Policy().to_document()["thresholds"]) + 4 * len(instant) + 9 * len(held)
    assert [kind for kind, _label, _fields in form.reported()] == list(map(str, instant))
    assert [kind for kind, _label, _fields in form.held()] == list(map(str, held))
    assert len(form.general()) + len(form.from_now_on()) == 9


@pytest.mark.parametrize(
    ("changes", "at", "message"),
    [
        ({"kinds.PHONE.hold": "9"}, "__all__", "hold must be at least 1 and at most of"),
        ({"medium_from": "11"}, "__all__", "medium_from must be above 0 and below high_from"),
        ({"kinds.PHONE.severity": "4"}, "__all__", "severity is 1 (low), 2 (medium) or 3 (high)"),
        ({"thresholds.head_yaw": "much"}, "thresholds.head_yaw", "Enter a number"),
        ({"thresholds.head_yaw": "nan"}, "thresholds.head_yaw", "Enter a number"),
        ({"kinds.PHONE.weight": "-1"}, "kinds.PHONE.weight", "greater than or equal to 0"),
        ({"senses": ["smell"]}, "senses", "Select a valid choice"),
    ],
)
def test_a_form_says_what_cannot_be_used(changes, at, message):
    form = PolicyForm(Policy(), 1, sent(PolicyForm(Policy(), 1), **changes))
    assert not form.is_valid()
    assert message in str(form.errors[at])
