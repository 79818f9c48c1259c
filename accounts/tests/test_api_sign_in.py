"""Signing in with a password, and what happens to those who guess."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
import time_machine
from asgiref.sync import async_to_sync
from axes.models import AccessAttempt
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import AsyncClient, Client, override_settings

from accounts.models import Role, User
from accounts.services import ensure_user
from accounts.tests.client import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]
LOGIN = "/api/v1/auth/login"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "a-long-password"


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()


@pytest.fixture
def ada() -> User:
    return ensure_user(email="ada@example.com", role=Role.CANDIDATE, password=PASSWORD, full_name="Ada")[0]


def sign_in(email: str, password: str = PASSWORD, **extra):
    return client_of().post(LOGIN, {"email": email, "password": password}, **extra)


def test_it_signs_in_with_json_and_remembers_when(ada):
    with time_machine.travel(NOW, tick=False):
        answer = sign_in(" ADA@example.com ")
    assert answer.status_code == 200, answer.json()
    body = answer.json()
    assert body["token_type"] == "bearer"
    assert body["access_token"] == body["access"]
    assert body["expires_in"] == 1800
    assert body["user"]["email"] == "ada@example.com"
    assert body["user"]["roles"] == ["candidate"]
    assert answer["Cache-Control"] == "no-store"
    ada.refresh_from_db()
    assert ada.last_login == NOW


def test_its_token_opens_what_needs_one(ada):
    token = sign_in("ada@example.com").json()["access"]
    client = client_of()
    assert client.get("/api/v1/auth/me").status_code == 401
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert client.get("/api/v1/auth/me").json()["full_name"] == "Ada"


def test_it_signs_in_with_the_form_of_oauth2(ada):
    form = "grant_type=password&username=Ada%40example.com&password=a-long-password&scope="
    answer = client_of().post(LOGIN, form, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200, answer.json()
    assert answer.json()["access_token"]
    wrong = client_of().post(LOGIN, form + "x", content_type="application/x-www-form-urlencoded")
    assert wrong.status_code == 200  # the scope is not used
    other = form.replace("grant_type=password", "grant_type=client_credentials")
    assert client_of().post(LOGIN, other, content_type="application/x-www-form-urlencoded").status_code == 400


def test_it_opens_no_session_for_a_client_with_tokens(ada):
    answer = sign_in("ada@example.com")
    assert not answer.cookies
    assert not Session.objects.exists()


def _cost(email: str, password: str) -> tuple[int, bytes, int]:
    with patch.object(MD5PasswordHasher, "encode", autospec=True, side_effect=MD5PasswordHasher.encode) as hashing:
        answer = sign_in(email, password)
    return answer.status_code, answer.content, hashing.call_count


def test_it_answers_unknown_wrong_switched_off_and_passwordless_alike(ada):
    ensure_user(email="off@example.com", role=Role.CANDIDATE, password=PASSWORD)
    User.objects.filter(email="off@example.com").update(is_active=False)
    ensure_user(email="none@example.com", role=Role.CANDIDATE)
    tries = [
        _cost("ada@example.com", "wrong"),
        _cost("nobody@example.com", "wrong"),
        _cost("no address at all", "wrong"),
        _cost("off@example.com", PASSWORD),
        _cost("off@example.com", "wrong"),
        _cost("none@example.com", "wrong"),
    ]
    assert len(set(tries)) == 1, tries
    status, body, hashes = tries[0]
    assert (status, hashes) == (401, 1)
    assert b"wrong_credentials" in body


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com", "off@example.com"])
def test_it_locks_after_five_failures_whether_or_not_the_account_exists(ada, email):
    ensure_user(email="off@example.com", role=Role.CANDIDATE, password=PASSWORD)
    User.objects.filter(email="off@example.com").update(is_active=False)
    answers = [sign_in(spelling, "wrong") for spelling in [email, email.upper(), f" {email}", email, email.title()]]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429]
    status, body, hashes = _cost(email, PASSWORD)
    assert (status, hashes) == (429, 0)
    assert body == answers[4].content
    assert answers[4].json() == {
        "type": "throttled",
        "code": "locked_out",
        "detail": "Too many failed attempts to sign in. Try again in 15 minutes.",
    }


def test_it_opens_again_after_a_quarter_of_an_hour_even_for_who_keeps_on_trying(ada):
    with time_machine.travel(NOW, tick=False) as clock:
        for _n in range(5):
            sign_in("ada@example.com", "wrong")
        for minute in range(1, 15):
            clock.move_to(NOW + timedelta(minutes=minute))
            assert sign_in("ada@example.com").status_code == 429
        clock.move_to(NOW + timedelta(minutes=15, seconds=1))
        assert sign_in("ada@example.com").status_code == 200
    assert not AccessAttempt.objects.exists()


def test_it_forgets_failures_after_a_success(ada):
    for _round in range(3):
        for _n in range(4):
            assert sign_in("ada@example.com", "wrong").status_code == 401
        assert sign_in("ada@example.com").status_code == 200


def test_it_locks_one_account_at_one_address_only(ada):
    ensure_user(email="bob@example.com", role=Role.CANDIDATE, password=PASSWORD)
    for _n in range(5):
        sign_in("ada@example.com", "wrong", HTTP_USER_AGENT=f"browser {_n}")
    assert sign_in("ada@example.com", HTTP_USER_AGENT="another browser").status_code == 429
    assert sign_in("bob@example.com").status_code == 200
    assert sign_in("ada@example.com", REMOTE_ADDR="203.0.113.9").status_code == 200


def test_a_made_up_forwarding_header_does_not_get_around_the_lock(ada):
    for n in range(5):
        sign_in("ada@example.com", "wrong", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}")
    assert sign_in("ada@example.com", HTTP_X_FORWARDED_FOR="198.51.100.77").status_code == 429
    with override_settings(TRUSTED_PROXIES=1):  # now it is our proxy that speaks
        assert sign_in("ada@example.com", HTTP_X_FORWARDED_FOR="198.51.100.77").status_code == 200


def test_it_stores_nothing_that_was_typed(ada, caplog):
    caplog.set_level("DEBUG")
    for _n in range(2):
        sign_in("ada@example.com", "hunter2-typed")
        form = "username=ada%40example.com&password=hunter2-typed&client_secret=hunter2-typed"
        client_of().post(
            LOGIN + "?password=hunter2-typed&q=hunter2-typed", form, content_type="application/x-www-form-urlencoded"
        )
        Client().post("/admin/login/?x=hunter2-typed", {"username": "ada@example.com", "password": "hunter2-typed"})
    rows = list(AccessAttempt.objects.values())
    assert rows
    assert "hunter2" not in str(rows)
    assert "hunter2" not in caplog.text


def test_the_lock_guards_the_admin_too_and_says_so_on_a_page():
    ensure_user(email="boss@example.com", role=Role.ADMIN, password=PASSWORD)
    browser = Client()
    for _n in range(3):
        page = browser.post("/admin/login/", {"username": "Boss@example.com", "password": "wrong"})
        assert page.status_code == 200
    assert sign_in("boss@example.com", "wrong").status_code == 401  # counted together
    page = browser.post("/admin/login/", {"username": "boss@example.com", "password": "wrong"})
    assert page.status_code == 429
    page = browser.post("/admin/login/", {"username": "boss@example.com", "password": PASSWORD})
    assert page.status_code == 429
    text = page.content.decode()
    assert "Try again in 15 minutes." in text
    assert 'href="/admin/login/"' in text
    assert "</html>" in text
    assert sign_in("boss@example.com").status_code == 429


def test_the_lock_answers_alike_on_the_server_that_is_used():
    post = async_to_sync(AsyncClient().post)
    wrong = {"email": "ghost@example.com", "password": "wrong"}
    answers = [post(LOGIN, wrong, content_type="application/json") for _n in range(6)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429, 429]
    assert answers[-1].json()["code"] == "locked_out"
    page = post("/admin/login/", {"username": "ghost@example.com", "password": "wrong"})
    assert page.status_code == 429
    assert "Try again in 15 minutes." in page.content.decode()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "a@example.com"}, "password"),
        ({"email": None, "password": "x"}, "email"),
        ({"email": ["a"], "password": "x"}, "email"),
        ({"email": {"a": 1}, "password": "x"}, "email"),
        ({"email": "", "password": "x"}, "email"),
        ({"email": "a" * 255, "password": "x"}, "email"),
        ({"email": "a@example.com", "password": "x" * 1001}, "password"),
        ({"email": "a@example.com", "password": True}, "password"),
        ([], "form"),
        ("text", "form"),
    ],
)
def test_it_names_the_field_that_cannot_be_used(body, field):
    answer = client_of().post(LOGIN, body)
    assert answer.status_code == 400
    assert field in answer.json()["fields"]
    assert not AccessAttempt.objects.exists()


def test_it_takes_neither_pictures_nor_plain_text_for_a_sign_in():
    assert client_of().post(LOGIN, "hello", content_type="text/plain").status_code == 415
