"""Registering as a candidate."""

import base64
import json
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
import time_machine
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from accounts.errors import Refused
from accounts.models import AuditEvent, Candidate, Consent, ConsentText, Role, User
from accounts.services import ensure_user
from accounts.tests.client import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]
REGISTER = "/api/v1/auth/register"
ADA = {"email": "Ada@Example.com", "password": "correct-horse-battery", "full_name": "Ada Rahman"}


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()


@pytest.fixture
def enrolled(monkeypatch) -> list[tuple[str, bytes]]:
    """What was handed on to be enrolled as somebody's face."""
    seen: list[tuple[str, bytes]] = []

    def examine_face(pictures):
        if pictures == [b"no face"]:
            raise Refused("No face is to be seen.", code="no_face", status=422)
        return pictures[0]

    def store_face(*, user, face, actor, ip_address):
        assert actor == user
        assert ip_address == "127.0.0.1"
        seen.append((user.email, face))

    monkeypatch.setattr("accounts.registration.examine_face", examine_face)
    monkeypatch.setattr("accounts.registration.store_face", store_face)
    return seen


def register(**fields):
    return client_of().post(REGISTER, {**ADA, **fields})


def test_it_makes_a_candidate_and_signs_them_in():
    answer = register(language="bn", external_id="2026-0417")
    assert answer.status_code == 201, answer.json()
    user = User.objects.get()
    assert (user.email, user.full_name, user.language) == ("ada@example.com", "Ada Rahman", "bn")
    assert user.check_password(ADA["password"])
    assert user.roles == {Role.CANDIDATE}
    assert user.candidate.external_id == "2026-0417"
    assert user.last_login is not None
    assert list(AuditEvent.objects.values_list("action", "subject__email", "ip_address")) == [
        ("registered", "ada@example.com", "127.0.0.1")
    ]
    body = answer.json()
    assert body["user"]["external_id"] == "2026-0417"
    assert "password" not in body["user"]
    client = client_of()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {body['access']}")
    assert client.get("/api/v1/auth/me").json()["email"] == "ada@example.com"


@pytest.mark.parametrize(
    "asked",
    [{"role": "admin"}, {"roles": ["admin", "teacher"]}, {"is_staff": True, "is_superuser": True}, {"groups": [1]}],
)
def test_it_never_grants_more_than_candidate(asked):
    answer = register(**asked)
    assert answer.status_code == 201
    assert answer.json()["user"]["roles"] == ["candidate"]
    user = User.objects.get()
    assert user.roles == {Role.CANDIDATE}
    assert not user.is_staff
    assert not user.is_superuser


def test_it_takes_a_form_with_consents_as_json():
    form = {**ADA, "consents": json.dumps([{"purpose": "proctoring", "version": 3}])}
    answer = client_of().post(REGISTER, form, format="multipart")
    assert answer.status_code == 201, answer.json()
    assert list(Consent.objects.values_list("user__email", "text__purpose")) == [("ada@example.com", "proctoring")]


@pytest.mark.parametrize("consents", ["[", '[{"purpose": "\\ud800"}]', "[NaN]", "proctoring", "5", "[[]]", "[" * 9000])
def test_it_refuses_a_form_whose_consents_cannot_be_read(consents):
    answer = client_of().post(REGISTER, {**ADA, "consents": consents}, format="multipart")
    assert answer.status_code == 400
    assert any(name.startswith("consents") for name in answer.json()["fields"])
    assert not User.objects.exists()


def test_it_records_what_was_agreed_to_or_registers_nobody():
    texts = [{"purpose": "proctoring", "version": 3}, {"purpose": "face", "version": 3}]
    assert register(consents=texts).status_code == 201
    assert Consent.objects.count() == 2
    refused = register(email="bob@example.com", consents=[{"purpose": "proctoring", "version": 1}])
    assert refused.status_code == 409
    assert refused.json()["code"] == "outdated_text"
    assert not User.objects.filter(email="bob@example.com").exists()
    assert Consent.objects.count() == 2


def test_it_hands_a_face_on_however_it_is_sent(enrolled):
    picture = b"\xff\xd8 a picture"
    text = base64.b64encode(picture).decode()
    upload = SimpleUploadedFile("face.jpg", picture, "image/jpeg")
    answers = [
        register(face=text),
        register(email="b@example.com", face=f"data:image/jpeg;base64,{text}"),
        client_of().post(REGISTER, {**ADA, "email": "c@example.com", "face": upload}, format="multipart"),
        client_of().post(REGISTER, {**ADA, "email": "d@example.com", "face": text}, format="multipart"),
    ]
    assert [answer.status_code for answer in answers] == [201] * 4
    assert enrolled == [(f"{name}@example.com", picture) for name in ("ada", "b", "c", "d")]


def test_it_registers_nobody_whose_face_is_refused(enrolled):
    answer = register(face=base64.b64encode(b"no face").decode())
    assert answer.status_code == 422
    assert answer.json()["code"] == "no_face"
    assert not User.objects.exists()
    assert not AuditEvent.objects.exists()
    assert not enrolled


@pytest.mark.parametrize("face", ["not base64!", "", "data:image/png;base64,", "data:", 5, [], {}, True, "ÄÖ"])
def test_it_refuses_what_is_no_picture(enrolled, face):
    answer = register(face=face)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["face"]
    assert not User.objects.exists()


def test_it_refuses_pictures_that_are_empty_or_too_large(enrolled, monkeypatch):
    monkeypatch.setattr("accounts.api.fields.MAX_PICTURE_BYTES", 10)
    empty, large = (SimpleUploadedFile("face.jpg", data, "image/jpeg") for data in (b"", b"x" * 11))
    for upload in (empty, large):
        answer = client_of().post(REGISTER, {**ADA, "face": upload}, format="multipart")
        assert answer.status_code == 400
        assert list(answer.json()["fields"]) == ["face"]
    assert register(face=base64.b64encode(b"x" * 11).decode()).status_code == 400
    assert not User.objects.exists()


def test_it_says_once_and_clearly_that_an_address_is_taken():
    ensure_user(email="ada@example.com", role=Role.TEACHER, password="a-long-password", full_name="First")
    answer = register()
    assert answer.status_code == 400
    assert answer.json()["fields"] == {"email": ["There is already an account with this e-mail address."]}
    user = User.objects.get()
    assert user.full_name == "First"
    assert user.roles == {Role.TEACHER}


def test_two_who_register_the_same_address_at_once_get_one_account():
    register()
    with somebody_was_faster(User):
        answer = register(full_name="Second")
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["email"]
    assert User.objects.get().full_name == "Ada Rahman"


def test_two_who_register_the_same_number_at_once_get_one_account():
    with CaptureQueriesContext(connection) as queries:
        register(external_id="17")
    if connection.features.supports_partial_indexes:
        with somebody_was_faster(Candidate):
            answer = register(email="bob@example.com", external_id="17")
    else:  # the look cannot come too early, since they wait for one another
        assert any("auth_group" in query["sql"] and "FOR UPDATE" in query["sql"] for query in queries)
        answer = register(email="bob@example.com", external_id="17")
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["external_id"]
    assert register(email="bob@example.com", external_id="17").json()["fields"].keys() == {"external_id"}
    assert User.objects.count() == 1


def somebody_was_faster(model):
    """Let the first look whether there is such a row find nothing, as if it had been taken a moment too early."""
    real, looked = QuerySet.exists, []

    def exists(rows):
        if rows.model is model and not looked:
            looked.append(True)
            return False
        return real(rows)

    return patch.object(QuerySet, "exists", exists)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("email", value)
            for value in (None, "", "nobody", "a@b", 5, [], {}, "a" * 250 + "@example.com", "a\u0000@b.cd")
        ),
        *(
            ("password", value)
            for value in (None, "", "short", "password123", "12345678901", "x" * 1001, [], "ada@example.com")
        ),
        *(("full_name", value) for value in (None, "", "  ", "x" * 201, [], {})),
        *(("language", value) for value in (None, "de", 5, [])),
        *(("external_id", value) for value in (None, "x" * 65, [])),
        *(("consents", value) for value in (None, "proctoring", {}, [1], [{}], [{"purpose": "x", "version": 1}])),
        *(("consents", [{"purpose": "face", "version": value}]) for value in (None, 0, -1, 2**40, "a", [], 1.5)),
        ("consents", [{"purpose": "face", "version": 1}] * 11),
    ],
)
def test_it_names_the_field_that_cannot_be_used(field, value):
    answer = register(**{field: value})
    assert answer.status_code == 400, answer.json()
    if "\u0000" not in str(value):  # which is refused before there are fields
        assert {name.partition(".")[0] for name in answer.json()["fields"]} == {field}
    assert not User.objects.exists()


@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_it_refuses_what_is_no_object(body):
    answer = client_of().post(REGISTER, json.dumps(body), content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["fields"]


def test_missing_fields_are_all_named_at_once():
    answer = client_of().post(REGISTER, {})
    assert set(answer.json()["fields"]) == {"email", "password", "full_name"}


def test_registration_is_throttled(settings):
    with patch("rest_framework.throttling.ScopedRateThrottle.THROTTLE_RATES", {"register": "2/min"}):
        answers = [register(email=f"user{n}@example.com") for n in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].json()["code"] == "throttled"
    assert User.objects.count() == 2


@time_machine.travel(datetime(2026, 3, 2, 9, 5, tzinfo=UTC), tick=False)  # within one hour of the clock
def test_who_was_told_often_that_an_address_is_taken_is_told_no_more():
    """A hall behind one address registers all the same: what succeeds, and what is only mistyped, is not counted."""
    rates = {"register": "1000/min", "register_refused": "3/hour"}
    with patch("accounts.throttling.SteadyThrottle.THROTTLE_RATES", rates):
        for number in range(5):
            assert register(email=f"user{number}@example.com").status_code == 201
            assert register(password="short").status_code == 400
        taken = [register(email="user1@example.com") for _ in range(3)]
        assert [answer.json()["fields"].keys() for answer in taken] == [{"email"}] * 3
        # Nobody learns anything any more, neither of who has an account nor of who has none.
        for email in ("user1@example.com", "nobody@example.com"):
            answer = register(email=email)
            assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
            assert 0 < int(answer["Retry-After"]) <= 3600
        elsewhere = client_of().post(REGISTER, ADA, REMOTE_ADDR="10.0.0.9")
    assert elsewhere.status_code == 201


@time_machine.travel(datetime(2026, 3, 2, 9, 5, tzinfo=UTC), tick=False)
def test_an_outdated_text_tells_that_there_is_no_account_and_so_is_counted():
    rates = {"register": "9/min", "register_refused": "1/hour"}
    with patch("accounts.throttling.SteadyThrottle.THROTTLE_RATES", rates):
        statuses = [register(consents=[{"purpose": "face", "version": 99}]).status_code for _ in range(2)]
    assert statuses[1] == 429
    assert not User.objects.exists()


def test_the_texts_are_there_from_the_first_migration_on():
    texts = {(text.purpose, text.version): text for text in ConsentText.objects.all()}
    assert {known: (text.in_exams, text.keeps_picture) for known, text in texts.items()} == {
        ("proctoring", 1): (False, False),
        ("proctoring", 2): (False, False),
        ("proctoring", 3): (False, True),
        ("face", 1): (False, False),
        ("face", 2): (True, False),
        ("face", 3): (True, True),
    }
    for text in texts.values():
        assert "your institution's rules" in text.text.replace("\n", " ")
        assert "প্রতিষ্ঠানের নিয়ম" in text.text_bn
        assert text.text.count("\n\n") == text.text_bn.count("\n\n")
