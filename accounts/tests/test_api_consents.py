"""Agreeing, and taking it back."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from accounts.consents import give_consent, has_consent, withdraw_consent
from accounts.models import AuditEvent, Consent, ConsentText, FaceEnrolment, Role, User
from accounts.services import ensure_user
from accounts.tests.client import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]
CONSENTS = "/api/v1/auth/me/consents"
PROCTORING, FACE = ConsentText.Purpose.PROCTORING, ConsentText.Purpose.FACE
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def ada() -> User:
    return ensure_user(email="ada@example.com", role=Role.CANDIDATE)[0]


def decide(user: User, purpose: str = "proctoring", *, agree: bool = True, **fields):
    return client_of(user).post(CONSENTS, {"purpose": purpose, "agree": agree, **fields})


def publish(purpose: str = "proctoring", version: int = 4) -> ConsentText:
    words = {"title": "New", "text": "New text", "title_bn": "নতুন", "text_bn": "নতুন লেখা"}
    return ConsentText.objects.create(purpose=purpose, version=version, **words)


def test_it_shows_the_current_texts_and_what_was_agreed_to(ada):
    publish(version=10)
    publish(version=9)
    body = client_of(ada).get(CONSENTS).json()
    assert [(text["purpose"], text["version"]) for text in body["current"]] == [("proctoring", 10), ("face", 3)]
    assert {text["agreed"] for text in body["current"]} == {False}
    assert body["history"] == []


def test_it_shows_the_texts_in_the_readers_language(ada):
    texts = {language: client_of(ada, language).get(CONSENTS).json()["current"][0] for language in ("en", "bn", "fr")}
    stored = ConsentText.objects.get(purpose="proctoring", version=3)
    assert (texts["en"]["title"], texts["en"]["text"]) == (stored.title, stored.text)
    assert (texts["bn"]["title"], texts["bn"]["text"]) == (stored.title_bn, stored.text_bn)
    assert texts["fr"] == texts["en"]
    User.objects.update(language="bn")
    assert client_of(ada, "en").get(CONSENTS).json()["current"][0]["title"] == stored.title_bn


def test_agreeing_twice_is_agreeing_once(ada):
    with time_machine.travel(NOW, tick=False):
        answer = decide(ada, version=3)
    assert answer.status_code == 200, answer.json()
    assert decide(ada, version=3).json() == answer.json()
    current = answer.json()["current"][0]
    assert (current["agreed"], current["agreed_at"]) == (True, "2026-03-02T09:00:00Z")
    consent = Consent.objects.get()
    assert (consent.user, consent.text.purpose, consent.withdrawn_at) == (ada, "proctoring", None)


def test_only_the_current_version_can_be_agreed_to(ada):
    publish()
    for version in (3, 5):
        answer = decide(ada, version=version)
        assert answer.status_code == 409
        assert answer.json()["code"] == "outdated_text"
        assert "Version 4" in answer.json()["detail"]
    assert not Consent.objects.exists()
    assert decide(ada, version=4).status_code == 200


def test_consent_holds_for_the_current_version_only_and_costs_one_query(ada, django_assert_num_queries):
    bob = ensure_user(email="bob@example.com", role=Role.CANDIDATE)[0]
    give_consent(user=ada, purpose=PROCTORING, version=3)
    with django_assert_num_queries(1):
        assert has_consent(user=ada, purpose=PROCTORING)
    assert not has_consent(user=ada, purpose=FACE)
    assert not has_consent(user=bob, purpose=PROCTORING)
    publish()
    assert not has_consent(user=ada, purpose=PROCTORING)
    give_consent(user=ada, purpose=PROCTORING, version=4)
    assert has_consent(user=ada, purpose=PROCTORING)


def test_withdrawing_ends_every_version_and_agreeing_again_starts_anew(ada):
    with time_machine.travel(NOW, tick=False) as clock:
        decide(ada, version=3)
        publish()
        clock.move_to(NOW + timedelta(minutes=30))
        decide(ada, version=4)
        clock.move_to(NOW + timedelta(hours=1))
        answer = decide(ada, agree=False)
        assert answer.status_code == 200
        assert not has_consent(user=ada, purpose=PROCTORING)
        assert set(Consent.objects.values_list("withdrawn_at", flat=True)) == {NOW + timedelta(hours=1)}
        clock.move_to(NOW + timedelta(hours=2))
        assert decide(ada, agree=False, version=3).status_code == 200  # again, and nothing happens
        assert set(Consent.objects.values_list("withdrawn_at", flat=True)) == {NOW + timedelta(hours=1)}
        body = decide(ada, version=4).json()
    assert has_consent(user=ada, purpose=PROCTORING)
    first, later = NOW.strftime("%Y-%m-%dT%H:%M:%SZ"), "2026-03-02T10:00:00Z"
    assert [(row["version"], row["given_at"], row["withdrawn_at"]) for row in body["history"]] == [
        (4, "2026-03-02T11:00:00Z", None),
        (4, "2026-03-02T09:30:00Z", later),
        (3, first, later),
    ]


def test_a_clock_that_runs_behind_does_not_keep_anybody_from_withdrawing(ada):
    with time_machine.travel(NOW, tick=False) as clock:
        give_consent(user=ada, purpose=PROCTORING, version=3)
        clock.move_to(NOW - timedelta(seconds=2))
        assert withdraw_consent(user=ada, purpose=PROCTORING) == 1
    assert Consent.objects.get().withdrawn_at == NOW


def test_without_consent_to_it_the_face_is_gone(ada):
    bob = ensure_user(email="bob@example.com", role=Role.CANDIDATE)[0]
    for user in (ada, bob):
        give_consent(user=user, purpose=FACE, version=3)
        FaceEnrolment.objects.create(user=user, embedding=b"x", model="m")
    decide(ada, agree=False)  # another purpose
    assert FaceEnrolment.objects.count() == 2
    assert decide(ada, "face", agree=False).status_code == 200
    assert [face.user for face in FaceEnrolment.objects.all()] == [bob]
    event = AuditEvent.objects.get(action="face_removed")
    assert (event.actor, event.subject, event.outcome, event.ip_address) == (ada, ada, "consent_withdrawn", "127.0.0.1")
    assert client_of(ada).get("/api/v1/auth/me").json()["face_enrolled"] is False


def test_the_history_is_ones_own_and_has_an_end(ada):
    bob = ensure_user(email="bob@example.com", role=Role.CANDIDATE)[0]
    give_consent(user=bob, purpose=FACE, version=3)
    text = ConsentText.objects.get(purpose="proctoring", version=3)
    Consent.objects.bulk_create(Consent(user=ada, text=text, given_at=NOW, withdrawn_at=NOW) for _n in range(120))
    body = client_of(ada).get(CONSENTS).json()
    assert len(body["history"]) == 100
    assert {row["purpose"] for row in body["history"]} == {"proctoring"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "purpose"),
        ({"purpose": "marketing", "version": 1, "agree": True}, "purpose"),
        ({"purpose": None, "version": 1, "agree": True}, "purpose"),
        ({"purpose": "face", "version": 1}, "agree"),
        ({"purpose": "face", "version": 1, "agree": None}, "agree"),
        ({"purpose": "face", "version": 1, "agree": "perhaps"}, "agree"),
        ({"purpose": "face", "version": 1, "agree": []}, "agree"),
        ({"purpose": "face", "agree": True}, "version"),
        ({"purpose": "face", "version": None, "agree": True}, "version"),
        ({"purpose": "face", "version": 0, "agree": True}, "version"),
        ({"purpose": "face", "version": 2**40, "agree": True}, "version"),
        ([], "form"),
    ],
)
def test_it_names_the_field_that_cannot_be_used(ada, body, field):
    answer = client_of(ada).post(CONSENTS, body)
    assert answer.status_code == 400
    assert field in answer.json()["fields"]
    assert not Consent.objects.exists()


def test_the_text_names_who_watches_live_and_the_voice_that_is_learnt():
    text = ConsentText.objects.get(purpose="proctoring", version=2)
    for words in (text.text, text.text_bn):
        paragraphs = [paragraph.partition(". ")[0].partition("। ")[0] for paragraph in words.split("\n\n")[1:]]
        assert len(paragraphs) == len(set(paragraphs)) == 7
    assert "may see on a screen" in text.text and "describes your voice" in text.text
    assert "সরাসরি" in text.text_bn and "কণ্ঠের" in text.text_bn


def test_nobody_reads_or_agrees_before_signing_in():
    assert client_of().get(CONSENTS).status_code == 401
    assert client_of().post(CONSENTS, {"purpose": "face", "version": 1, "agree": True}).status_code == 401
