"""Exchanging and taking back tokens, changing the password."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.cache import cache
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import Role, User
from accounts.services import ensure_user
from accounts.tests.client import client_of
from accounts.tokens import forget_expired_tokens, issue_tokens

pytestmark = [pytest.mark.django_db, pytest.mark.database]
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "a-long-password"
NEW = "quite-another-password"


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()


@pytest.fixture
def ada() -> User:
    return ensure_user(email="ada@example.com", role=Role.CANDIDATE, password=PASSWORD)[0]


def refresh(token: str):
    return client_of().post("/api/v1/auth/refresh", {"refresh": token})


def sign_out(token: str):
    return client_of().post("/api/v1/auth/logout", {"refresh": token})


def me(token: str):
    client = client_of()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client.get("/api/v1/auth/me")


def change_password(user: User, current: str = PASSWORD, new: str = NEW):
    return client_of(user).post("/api/v1/auth/password", {"current": current, "new": new})


def test_it_exchanges_a_refresh_token_once(ada):
    first = issue_tokens(user=ada)
    answer = refresh(first.refresh)
    assert answer.status_code == 200, answer.json()
    assert me(answer.json()["access"]).status_code == 200
    again = refresh(first.refresh)
    assert again.status_code == 401
    assert again.json()["code"] == "token_not_valid"
    assert again["WWW-Authenticate"].startswith("Bearer")
    assert refresh(answer.json()["refresh"]).status_code == 200
    assert BlacklistedToken.objects.count() == 2


def test_it_stores_no_token_that_still_works(ada):
    tokens = issue_tokens(user=ada)
    assert not OutstandingToken.objects.exists()
    refresh(tokens.refresh)
    assert [row.token for row in OutstandingToken.objects.all()] == [tokens.refresh]


def test_a_token_expires_and_is_then_forgotten(ada):
    with time_machine.travel(NOW, tick=False) as clock:
        tokens, idle = issue_tokens(user=ada), issue_tokens(user=ada)
        refresh(tokens.refresh)
        clock.move_to(NOW + timedelta(minutes=29))
        assert me(tokens.access).status_code == 200
        clock.move_to(NOW + timedelta(minutes=31))
        assert me(tokens.access).json()["code"] == "token_not_valid"
        assert forget_expired_tokens() == 0
        clock.move_to(NOW + timedelta(days=1, seconds=1))
        assert refresh(idle.refresh).status_code == 401
        assert forget_expired_tokens() > 0
    assert not OutstandingToken.objects.exists()


def test_signing_out_takes_the_token_back_as_often_as_one_likes(ada):
    tokens = issue_tokens(user=ada)
    assert sign_out(tokens.refresh).status_code == 204
    assert sign_out(tokens.refresh).status_code == 204
    assert refresh(tokens.refresh).status_code == 401
    assert BlacklistedToken.objects.count() == 1


def test_signing_out_tells_a_client_that_sends_something_else(ada):
    for token in ("rubbish", str(AccessToken.for_user(ada))):
        answer = sign_out(token)
        assert answer.status_code == 401
        assert answer.json()["code"] == "token_not_valid"
    assert not BlacklistedToken.objects.exists()


def test_a_token_that_has_run_out_is_signed_out_already(ada):
    with time_machine.travel(NOW, tick=False):
        tokens = issue_tokens(user=ada)
    with time_machine.travel(NOW + timedelta(days=2), tick=False):
        assert sign_out(tokens.refresh).status_code == 204


def test_who_is_switched_off_has_no_working_token(ada):
    tokens = issue_tokens(user=ada)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert me(tokens.access).status_code == 401
    assert me(tokens.access).json()["code"] == "user_inactive"
    assert refresh(tokens.refresh).status_code == 401
    assert not BlacklistedToken.objects.exists()


def test_a_deleted_user_has_no_working_token():
    user = User.objects.create_user("gone@example.com", PASSWORD)
    tokens = issue_tokens(user=user)
    user.delete()
    assert me(tokens.access).status_code == 401
    assert refresh(tokens.refresh).status_code == 401
    assert sign_out(tokens.refresh).status_code == 204


def test_an_access_token_is_no_refresh_token_and_the_other_way_round(ada):
    tokens = issue_tokens(user=ada)
    assert refresh(tokens.access).status_code == 401
    assert me(tokens.refresh).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer \u00ff", "Bearer e30.e30.e30", "Basic YTpi"])
def test_a_broken_header_is_answered_in_the_one_shape(header):
    client = client_of()
    client.credentials(HTTP_AUTHORIZATION=header)
    answer = client.get("/api/v1/auth/me")
    assert answer.status_code == 401
    assert answer.json()["type"] == "unauthenticated"
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("body", [{}, {"refresh": None}, {"refresh": []}, {"refresh": "x" * 5000}, []])
@pytest.mark.parametrize("call", ["refresh", "logout"])
def test_bad_input_is_refused_in_words(call, body):
    answer = client_of().post(f"/api/v1/auth/{call}", body)
    assert answer.status_code in (400, 401)
    assert answer.json()["detail"]


def test_a_new_password_ends_every_older_token(ada):
    old = issue_tokens(user=ada)
    answer = change_password(ada)
    assert answer.status_code == 200, answer.json()
    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert me(old.access).status_code == 401
    assert refresh(old.refresh).status_code == 401
    assert me(answer.json()["access"]).status_code == 200
    assert refresh(answer.json()["refresh"]).status_code == 200


def test_a_wrong_current_password_is_refused_and_counts_as_a_failed_sign_in(ada):
    answers = [change_password(ada, current="wrong") for _n in range(5)]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 400, 429]
    assert list(answers[0].json()["fields"]) == ["current"]
    assert change_password(ada).status_code == 429
    login = client_of().post("/api/v1/auth/login", {"email": ada.email, "password": PASSWORD})
    assert login.status_code == 429
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


@pytest.mark.parametrize("new", ["short", "1234567890123", "password123", "ada@example.com"])
def test_a_password_that_is_easy_to_guess_is_refused(ada, new):
    answer = change_password(ada, new=new)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["new"]
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_somebody_without_a_password_cannot_change_it():
    user = ensure_user(email="none@example.com", role=Role.CANDIDATE)[0]
    assert change_password(user).status_code == 400


@pytest.mark.parametrize("body", [{}, {"current": None, "new": None}, {"current": 1.5, "new": []}, {"new": "x" * 1001}])
def test_bad_input_for_a_password_names_its_fields(ada, body):
    answer = client_of(ada).post("/api/v1/auth/password", body)
    assert answer.status_code == 400
    assert answer.json()["fields"]
