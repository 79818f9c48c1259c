"""Signing in by face."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from cryptography.fernet import Fernet
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts import face_sign_in
from accounts.face_pictures import portray_pictures
from accounts.models import AuditEvent, FaceChallenge, FaceEnrolment, User
from accounts.tests.client import client_of
from accounts.tests.faces import (
    CHALLENGE,
    MY_FACE,
    PASSWORD,
    SIGN_IN,
    ask,
    give_somebody_elses_face,
    last_attempt,
    make_enrolled,
    make_person,
    send,
    sign_in,
    text,
    turned_as_asked,
)
from monitoring.tests.factories import two_men_jpeg
from vision.analyzers import identity
from vision.decoding import encode_jpeg
from vision.tests.heads import TO_HIS_LEFT, TO_HIS_RIGHT, flat_jpeg, straight_jpeg, turned_jpeg
from vision.tests.media import labelled

pytestmark = [pytest.mark.django_db, pytest.mark.database]
LOGIN = "/api/v1/auth/login"


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()


def asked_to_turn(side, email="ada@example.com"):
    """Return a challenge to turn to this side."""
    challenge = ask(email)
    FaceChallenge.objects.filter(pk=challenge["challenge"]).update(turn=side)
    return {**challenge, "turn": side}


@pytest.mark.parametrize("side", ["left", "right"])
def test_it_signs_in_whoever_looks_like_it_and_turns_as_asked(side):
    user = make_enrolled()
    challenge = asked_to_turn(side)
    answer = send(challenge, straight_jpeg(), turned_as_asked(challenge), email=" Ada@Example.com ")
    assert answer.status_code == 200, (answer.json(), last_attempt().detail)
    assert answer.json()["user"]["email"] == user.email and answer.json()["token_type"] == "bearer"
    assert answer["Cache-Control"] == "no-store"
    token = client_of()
    token.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    assert token.get("/api/v1/auth/me").status_code == 200
    assert not FaceChallenge.objects.exists()
    user.refresh_from_db()
    assert user.last_login is not None


def test_it_takes_files_and_data_urls():
    make_enrolled()
    challenge = ask()
    pictures = {"front": straight_jpeg(), "turned": turned_as_asked(challenge)}
    files = {name: SimpleUploadedFile(f"{name}.jpg", data, "image/jpeg") for name, data in pictures.items()}
    body = {"email": "ada@example.com", "challenge": challenge["challenge"]}
    assert client_of().post(SIGN_IN, {**body, **files}, format="multipart").status_code == 200
    challenge = ask()
    body = {"email": "ada@example.com", "challenge": challenge["challenge"]}
    urls = [f"data:image/jpeg;base64,{text(data)}" for data in (straight_jpeg(), turned_as_asked(challenge))]
    assert client_of().post(SIGN_IN, {**body, "pictures": urls}).status_code == 200


def test_the_record_says_why_and_holds_no_face():
    user = make_enrolled()
    assert sign_in().status_code == 200
    event = last_attempt()
    assert (event.outcome, event.actor, event.subject, event.ip_address) == ("signed_in", user, user, "127.0.0.1")
    detail = event.detail
    assert detail["reason"] == "match" and detail["email"] == user.email
    assert detail["distance"] < detail["max_distance"] == 0.5
    assert detail["turned_distance"] < detail["max_turned_distance"] == 0.58
    assert abs(detail["turned_yaw"]) >= 20 and detail["parallax"] >= detail["min_parallax"]
    assert all(isinstance(value, str | float | int) for value in detail.values())


def unknown():
    return None


def without_face():
    make_person()


def inactive():
    make_enrolled()
    User.objects.update(is_active=False)


def somebody_else():
    give_somebody_elses_face(make_enrolled())


def removed():
    client_of(make_enrolled()).delete(MY_FACE)


def another_model():
    make_enrolled()
    FaceEnrolment.objects.update(model="of another time")


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (unknown, "unknown_address"),
        (without_face, "not_enrolled"),
        (removed, "not_enrolled"),
        (inactive, "inactive"),
        (somebody_else, "different_face"),
        (another_model, "enrolled_with_another_model"),
    ],
)
def test_every_failure_is_one_answer_and_one_count_after_the_same_work(prepare, reason, monkeypatch):
    prepare()
    looked_at = []
    portray = identity.portray

    def portray_and_count(*args):
        looked_at.append(args)
        return portray(*args)

    monkeypatch.setattr(identity, "portray", portray_and_count)
    answer = sign_in()
    assert answer.status_code == 401
    assert answer.json() == {
        "type": "unauthenticated",
        "code": "wrong_credentials",
        "detail": "This face does not sign in to this account. Try again, or use your password.",
    }
    assert len(looked_at) == 2
    event = last_attempt()
    assert (event.outcome, event.detail["reason"], event.actor) == ("refused", reason, None)
    assert event.subject == User.objects.first()
    assert ("distance" in event.detail) is (reason == "different_face")
    assert AccessAttempt.objects.get().failures_since_start == 1
    assert not FaceChallenge.objects.exists()


def test_a_face_under_a_key_that_is_gone_signs_nobody_in(settings):
    make_enrolled()
    settings.FACE_KEY = Fernet.generate_key().decode()
    assert sign_in().status_code == 401
    assert last_attempt().detail["reason"] == "enrolled_under_another_key"


def test_a_face_under_a_previous_key_signs_in(settings):
    make_enrolled()
    settings.FACE_KEY_PREVIOUS, settings.FACE_KEY = [settings.FACE_KEY], Fernet.generate_key().decode()
    assert sign_in().status_code == 200


def test_strangers_are_refused_and_people_are_known_again():
    people: dict[str, list[bytes]] = {}
    for picture, labels in labelled("identity", at_most=20, set="caltech_faces"):
        people.setdefault(labels["person"], []).append(encode_jpeg(picture))
    known, *strangers = people.values()
    user = make_enrolled("known@example.com", picture=known[0])

    def reason_of(picture):
        enrolled, _reason = face_sign_in._enrolled(user)
        portraits = portray_pictures([picture], lambda _portraits: None)
        return face_sign_in._judge(face_sign_in._measure(enrolled, portraits))

    assert {reason_of(picture) for picture in known[1:]} == {"match"}
    assert {reason_of(own[0]) for own in strangers} == {"different_face"}


@pytest.mark.parametrize(
    ("side", "front", "turned", "code"),
    [
        ("left", straight_jpeg, lambda: turned_jpeg(TO_HIS_RIGHT), "wrong_side"),
        ("right", straight_jpeg, lambda: turned_jpeg(TO_HIS_LEFT), "wrong_side"),
        ("right", straight_jpeg, straight_jpeg, "not_turned"),
        ("left", straight_jpeg, lambda: flat_jpeg(-35), "not_turned"),
        ("right", straight_jpeg, lambda: flat_jpeg(35), "not_turned"),
        ("left", lambda: turned_jpeg(TO_HIS_LEFT), straight_jpeg, "turned"),
        ("left", two_men_jpeg, straight_jpeg, "several_faces"),
        ("left", straight_jpeg, two_men_jpeg, "several_faces"),
    ],
)
def test_a_picture_that_will_not_do_is_told_so_and_may_be_taken_again(side, front, turned, code):
    make_enrolled()
    challenge = asked_to_turn(side)
    answer = send(challenge, front(), turned())
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert last_attempt().outcome == "unfit" and last_attempt().detail["reason"] == code
    assert not AccessAttempt.objects.exists()
    assert send(challenge, straight_jpeg(), turned_as_asked(challenge)).status_code == 200


def test_what_is_wrong_with_a_picture_is_said_alike_of_unknown_addresses():
    make_enrolled()
    answers = [
        send(asked_to_turn("left", email), straight_jpeg(), straight_jpeg(), email)
        for email in ("ada@example.com", "nobody@example.com", "not an address")
    ]
    assert [answer.status_code for answer in answers] == [422] * 3
    assert len({answer.content for answer in answers}) == 1


def test_two_views_without_depth_are_refused_as_flat(monkeypatch):
    make_enrolled()
    # What a photo would have to be bent like to pass the check of its angle.
    monkeypatch.setattr(identity, "relief", lambda *_views: identity.Relief(parallax=0.02, width=0.8))
    assert sign_in().status_code == 401
    assert last_attempt().detail["reason"] == "flat"
    assert AccessAttempt.objects.exists()


def test_somebody_else_who_turns_their_head_does_not_sign_in():
    make_enrolled()
    stranger = encode_jpeg(labelled("pose", at_most=1, direction="left")[0][0])
    assert send(asked_to_turn("right"), straight_jpeg(), stranger).status_code == 401
    assert last_attempt().detail["reason"] == "different_face_turned"


LIMITS = {"max_distance": 0.5, "max_turned_distance": 0.58, "min_parallax": 0.15, "min_width": 0.9}
GOOD = {"distance": 0.5, "turned_distance": 0.58, "between_distance": 0.58, "parallax": 0.15, "width": 0.9}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({}, "match"),
        ({"distance": 0.501}, "different_face"),
        ({"turned_distance": 0.581}, "different_face_turned"),
        ({"between_distance": 0.581}, "two_people"),
        ({"parallax": 0.149}, "flat"),
        ({"parallax": -0.3}, "flat"),
        ({"width": 0.899}, "flat"),
    ],
)
def test_every_number_must_be_within_its_limit(bad, reason):
    assert face_sign_in._judge({**LIMITS, **GOOD, **bad}) == reason


def test_a_challenge_is_good_for_one_comparison():
    make_enrolled()
    challenge = ask()
    turned = turned_as_asked(challenge)
    assert send(challenge, straight_jpeg(), turned).status_code == 200
    again = send(challenge, straight_jpeg(), turned)
    assert (again.status_code, again.json()["code"]) == (409, "challenge_expired")


def test_a_challenge_that_is_used_meanwhile_signs_nobody_in(monkeypatch):
    make_enrolled()
    challenge = ask()

    def use_it_up_meanwhile(pictures, check):
        FaceChallenge.objects.all().delete()
        return portray_pictures(pictures, check)

    monkeypatch.setattr("accounts.face_sign_in.portray_pictures", use_it_up_meanwhile)
    answer = send(challenge, straight_jpeg(), turned_as_asked(challenge))
    assert (answer.status_code, answer.json()["code"]) == (409, "challenge_expired")


@pytest.mark.parametrize("spoil", ["expired", "other_address", "unknown"])
def test_it_refuses_a_challenge_that_is_not_ones_own_or_too_old(spoil):
    make_enrolled()
    challenge = ask("other@example.com" if spoil == "other_address" else "ada@example.com")
    if spoil == "expired":
        FaceChallenge.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    if spoil == "unknown":
        challenge["challenge"] = str(uuid.uuid4())
    answer = send(challenge, straight_jpeg(), turned_as_asked(challenge))
    assert (answer.status_code, answer.json()["code"]) == (409, "challenge_expired")
    assert last_attempt().detail["reason"] == "challenge_expired"
    assert not AccessAttempt.objects.exists()


def test_five_failures_close_the_account_for_faces_and_passwords_alike():
    somebody_else()
    for _ in range(3):
        assert sign_in().status_code == 401
    wrong = {"email": "ada@example.com", "password": "wrong-password"}
    assert client_of().post(LOGIN, wrong).status_code == 401
    assert sign_in().status_code == 429
    for answer in (sign_in(), client_of().post(LOGIN, {**wrong, "password": PASSWORD})):
        assert (answer.status_code, answer.json()["code"]) == (429, "locked_out")
    assert last_attempt().outcome == "locked_out"
    right = {**wrong, "password": PASSWORD}
    assert client_of().post(LOGIN, right, REMOTE_ADDR="203.0.113.9").status_code == 200


def test_unknown_addresses_are_closed_as_well():
    assert [sign_in("nobody@example.com").status_code for _ in range(6)] == [401] * 4 + [429] * 2


def test_a_success_forgets_the_failures_before_it():
    user = make_enrolled()
    wrong = {"email": user.email, "password": "wrong-password"}
    for _ in range(4):
        client_of().post(LOGIN, wrong)
    assert sign_in().status_code == 200
    assert client_of().post(LOGIN, wrong).status_code == 401


def test_sign_in_is_throttled(monkeypatch):
    from rest_framework.throttling import ScopedRateThrottle

    monkeypatch.setattr(ScopedRateThrottle, "THROTTLE_RATES", {"sign_in": "2/min"})
    answers = [client_of().post(CHALLENGE, {"email": "ada@example.com"}).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    assert client_of().post(SIGN_IN, {"email": "ada@example.com"}).status_code == 429


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"email"}),
        ({"email": None}, {"email"}),
        ({"email": "x" * 255}, {"email"}),
        ({"email": "a"}, {"challenge", "pictures"}),
        ({"email": "a", "challenge": "no id"}, {"challenge"}),
        ({"email": "a", "challenge": str(uuid.uuid4())}, {"pictures"}),
        ({"email": "a", "challenge": str(uuid.uuid4()), "picture": "AAAA"}, {"pictures"}),
        ({"email": "a", "challenge": str(uuid.uuid4()), "front": "AAAA"}, {"pictures"}),
        ({"email": "a", "challenge": str(uuid.uuid4()), "pictures": ["AAAA"]}, {"pictures"}),
        ({"email": "a", "challenge": str(uuid.uuid4()), "pictures": ["AAAA"] * 3}, {"pictures"}),
        ({"email": "a", "challenge": str(uuid.uuid4()), "pictures": ["!", "AAAA"]}, {"pictures.0"}),
        ({"email": "a", "challenge": str(uuid.uuid4()), "pictures": [5, None]}, {"pictures.0", "pictures.1"}),
        ({"email": "a", "pictures": ["AAAA", "AAAA"]}, {"challenge"}),
    ],
)
def test_it_names_the_field_that_cannot_be_used(body, fields):
    answer = client_of().post(SIGN_IN, body)
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == fields


def test_bytes_that_are_no_picture_cost_neither_challenge_nor_attempt():
    challenge = ask()
    answer = send(challenge, b"%PDF-1.7 nothing to see", straight_jpeg())
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert FaceChallenge.objects.exists() and not AccessAttempt.objects.exists()


def test_one_picture_signs_in_only_where_the_deployment_allows_it(settings):
    make_enrolled()
    body = {"email": "ada@example.com", "picture": text(straight_jpeg())}
    answer = client_of().post(SIGN_IN, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "challenge_needed")
    settings.FACE_SINGLE_PICTURE_LOGIN = True
    assert client_of().post(SIGN_IN, body).status_code == 200
    assert "turned_distance" not in last_attempt().detail
    assert client_of().post(SIGN_IN, {**body, "email": "nobody@example.com"}).status_code == 401
    assert client_of().post(SIGN_IN, {**body, "picture": text(two_men_jpeg())}).status_code == 422


def test_without_a_key_it_says_that_faces_are_unavailable(settings):
    make_enrolled()
    settings.FACE_KEY = ""
    answer = send(ask(), straight_jpeg(), straight_jpeg())
    assert (answer.status_code, answer.json()["code"]) == (503, "face_unavailable")
    assert not AuditEvent.objects.filter(action="face_sign_in").exists()
