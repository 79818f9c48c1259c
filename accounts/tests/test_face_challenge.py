"""Asking what to do to sign in by face."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts.models import FaceChallenge
from accounts.tests.client import client_of
from accounts.tests.faces import CHALLENGE, ask, make_enrolled

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()


def test_a_challenge_says_the_same_for_everybody():
    make_enrolled()
    known, unknown_, impossible = (ask(email) for email in ("ada@example.com", "nobody@example.com", "?"))
    assert set(known) == set(unknown_) == set(impossible) == {"challenge", "turn", "instruction", "expires_in"}
    assert known["expires_in"] == 120
    for answer in (known, unknown_, impossible):
        assert f"your {answer['turn']}" in answer["instruction"]
    assert {ask(f"{n}@example.com")["turn"] for n in range(30)} == {"left", "right"}


def test_challenges_do_not_pile_up_and_nobody_elsewhere_pushes_ones_own_out():
    mine = ask()["challenge"]
    others = [ask(REMOTE_ADDR="203.0.113.9")["challenge"] for _ in range(8)]
    assert FaceChallenge.objects.count() == 6
    kept = {str(pk) for pk in FaceChallenge.objects.values_list("pk", flat=True)}
    assert kept == {mine, *others[-5:]}
    FaceChallenge.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    ask("b@example.com")
    assert FaceChallenge.objects.get().email == "b@example.com"


@pytest.mark.parametrize("body", [[], "text", {"email": ""}, {"email": ["a"]}, {"email": {}}, {"email": "x" * 255}])
def test_it_refuses_a_challenge_for_nothing(body):
    assert client_of().post(CHALLENGE, body).status_code == 400
    assert not FaceChallenge.objects.exists()
