"""Policies as validated, versioned data."""

import json

import pytest
from django.core.exceptions import ValidationError

from exams.kinds import DEFAULT_RULES, Kind
from exams.models import ProctoringPolicy
from exams.policy import Policy, PolicyError, parse_policy
from exams.services import add_policy_version
from monitoring.tests.factories import make_exam


def test_it_is_the_default_policy_when_nothing_is_said():
    assert parse_policy({}) == Policy()


def test_it_has_a_rule_for_every_kind_with_the_shared_weights():
    assert set(DEFAULT_RULES) == set(Kind)
    weights = {kind: rule.weight * rule.severity for kind, rule in DEFAULT_RULES.items()}
    assert (weights["NO_FACE"], weights["MULTIPLE_FACES"], weights["LOOKING_AWAY"], weights["TAB_SWITCH"]) == (
        2,
        4,
        2,
        3,
    )
    assert [weights[kind] for kind in ("POOR_LIGHT", "NETWORK_GAP", "INVALID_IMAGE")] == [0, 0, 0]
    assert Policy().rule("NEVER_HEARD_OF").weight == 1


def test_it_survives_being_written_as_json():
    policy = parse_policy({"kinds": {"PHONE": {"hold": 3}}, "thresholds": {"head_yaw": 12}, "senses": ["faces"]})
    assert parse_policy(json.loads(json.dumps(policy.to_document()))) == policy


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "policy must be a table"),
        ({"colour": 1}, "policy has no setting called 'colour'"),
        ({"kinds": []}, "kinds must be a table"),
        ({"kinds": {"PHONE": 3}}, "kinds.PHONE must be a table"),
        ({"kinds": {"PHONE": {"hold": "three"}}}, "kinds.PHONE.hold must be a whole number"),
        ({"kinds": {"PHONE": {"hold": 2.5}}}, "kinds.PHONE.hold must be a whole number"),
        ({"kinds": {"PHONE": {"hold": 5, "of": 4}}}, "kinds.PHONE: hold must be at least 1"),
        ({"kinds": {"PHONE": {"severity": 4}}}, "kinds.PHONE: severity is 1"),
        ({"kinds": {"PHONE": {"weight": -1}}}, "kinds.PHONE.weight must lie between"),
        ({"kinds": {"PHONE": {"weight": float("nan")}}}, "kinds.PHONE.weight must lie between"),
        ({"kinds": {"PHONE": {"enabled": 1}}}, "kinds.PHONE.enabled must be true or false"),
        ({"thresholds": {"head_yaw": True}}, "thresholds.head_yaw must be a number"),
        ({"senses": ["smell"]}, "senses must be a list out of"),
        ({"medium_from": 11}, "medium_from must be above 0 and below high_from"),
        ({"max_gap_s": 0}, "must be above 0"),
    ],
)
def test_it_refuses_what_it_cannot_use_in_words(document, words):
    with pytest.raises(PolicyError, match=words):
        parse_policy(document)


@pytest.mark.django_db
def test_it_numbers_versions_and_never_changes_one():
    exam = make_exam()
    same, made = add_policy_version(exam=exam, settings={})
    assert (same.version, made) == (1, False)
    second, made = add_policy_version(exam=exam, settings={"kind_cap": 2})
    assert (second.version, made, exam.current_policy) == (2, True, second)
    second.settings = {}
    with pytest.raises(ValidationError):
        second.save()
    assert ProctoringPolicy.objects.get(pk=second.pk).rules.kind_cap == 2
