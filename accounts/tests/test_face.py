"""Enrolling a face and taking it back."""

from __future__ import annotations

import io
import json
import threading

import numpy as np
import pytest
from cryptography.fernet import Fernet
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from PIL import Image

from accounts import face_worker
from accounts.consents import withdraw_consent
from accounts.errors import Refused
from accounts.face import enrol_face, examine_face, remove_face
from accounts.face_crypto import STORED, NoFaceKey, UnreadableFace, open_embedding, seal_embedding
from accounts.models import AuditEvent, FaceEnrolment, Role, User
from accounts.services import ensure_user
from accounts.tests.client import client_of
from accounts.tests.faces import MY_FACE, PASSWORD, make_enrolled, make_person, text
from monitoring.tests.factories import two_men_jpeg
from vision.analyzers import identity
from vision.decoding import encode_jpeg
from vision.loading import models
from vision.tests.heads import TO_HIS_LEFT, straight, straight_jpeg, turned_jpeg

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()


def upload(name="face", data=None):
    return {name: SimpleUploadedFile("me.jpg", data or straight_jpeg(), "image/jpeg")}


def small_face() -> bytes:
    return encode_jpeg(np.ascontiguousarray(straight()[::4, ::4]))


def dark() -> bytes:
    return encode_jpeg((straight() * 0.1).astype(np.uint8))


def test_it_enrols_a_face_and_keeps_no_picture():
    user = make_person()
    answer = client_of(user).post(MY_FACE, upload(), format="multipart")
    assert answer.status_code == 201, answer.json()
    row = FaceEnrolment.objects.get(user=user)
    assert answer.json()["model"] == row.model == identity.MODEL
    assert answer.json()["quality"]["face_px"] == pytest.approx(159, abs=10)
    assert set(answer.json()) == {"enrolled_at", "model", "quality"}
    assert len(row.embedding) < 1000
    assert client_of(user).get("/api/v1/auth/me").json()["face_enrolled"] is True
    event = AuditEvent.objects.get(action="face_enrolled")
    assert (event.actor, event.subject, event.ip_address, event.outcome) == (user, user, "127.0.0.1", "new")


@pytest.mark.parametrize(
    ("body", "format_"),
    [
        (lambda: {"face": text(straight_jpeg())}, "json"),
        (lambda: {"face": f"data:image/jpeg;base64,{text(straight_jpeg())}"}, "json"),
        (lambda: {"pictures": [text(straight_jpeg())] * 2}, "json"),
        (lambda: upload("file"), "multipart"),
        (lambda: {"pictures": [upload()["face"], upload()["face"]]}, "multipart"),
    ],
)
def test_it_takes_a_picture_however_it_is_sent(body, format_):
    user = make_person()
    assert client_of(user).post(MY_FACE, body(), format=format_).status_code == 201
    assert FaceEnrolment.objects.filter(user=user).exists()


def test_what_the_database_holds_shows_nothing_of_the_face():
    user = make_enrolled()
    stored = bytes(FaceEnrolment.objects.get(user=user).embedding)
    face = identity.portray(straight(), models()).embedding
    opened = open_embedding(user_id=user.pk, sealed=stored)
    assert identity.distance(opened, face) < 0.15
    for kind in (STORED, np.float64):
        numbers = opened.astype(kind).tobytes()
        assert not any(numbers[at : at + 4] in stored for at in range(0, len(numbers), 4))
    assert stored != bytes(FaceEnrolment.objects.get(user=make_enrolled("b@example.com")).embedding)


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (two_men_jpeg, "several_faces"),
        (lambda: encode_jpeg(np.full((480, 640, 3), 128, np.uint8)), "no_face"),
        (small_face, "too_small"),
        (dark, "dark"),
        (lambda: turned_jpeg(TO_HIS_LEFT), "turned"),
        (lambda: encode_jpeg(np.full((20, 20, 3), 128, np.uint8)), "too_small"),
    ],
)
def test_it_says_what_to_do_better_and_enrols_nothing(picture, code):
    user = make_person()
    answer = client_of(user).post(MY_FACE, {"face": text(picture())})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert len(answer.json()["detail"]) > 30
    assert not FaceEnrolment.objects.exists()
    assert not AuditEvent.objects.filter(action="face_enrolled").exists()


def bomb() -> bytes:
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("picture", "status", "code"),
    [
        (lambda: b"%PDF-1.7 nothing to see here", 415, "unsupported_media_type"),
        (bomb, 413, "too_large"),
        (lambda: b"\xff\xd8\xff" + b"x" * 8 * 1024**2, 413, "too_large"),
        (lambda: straight_jpeg()[:4000], 400, "invalid_picture"),
    ],
)
def test_it_refuses_what_is_no_picture_it_takes(picture, status, code):
    data, user = picture(), make_person()
    for body, format_ in (({"face": text(data)}, "json"), (upload(data=data), "multipart")):
        answer = client_of(user).post(MY_FACE, body, format=format_)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not FaceEnrolment.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"face": None},
        {"face": ""},
        {"face": 5},
        {"face": True},
        {"face": ["a"]},
        {"face": "no base64!"},
        {"face": "data:image/png;base64,"},
        {"face": "data:image/png;base64,ÄÖ"},
        {"pictures": []},
        {"pictures": "abc"},
        {"pictures": [None]},
        {"pictures": ["AAAA"] * 6},
        {"face": "AAAA", "pictures": ["AAAA"] * 5},
        [],
        "text",
    ],
)
def test_it_names_the_field_that_cannot_be_used(body):
    answer = client_of(make_person()).post(MY_FACE, body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"type", "code", "detail", "fields"}
    assert not FaceEnrolment.objects.exists()


def test_it_needs_consent_and_a_sign_in():
    user = make_person(consent=False)
    answer = client_of(user).post(MY_FACE, {"face": text(straight_jpeg())})
    assert (answer.status_code, answer.json()["code"]) == (409, "consent_required")
    assert client_of().post(MY_FACE, {"face": text(straight_jpeg())}).status_code == 401
    assert client_of().delete(MY_FACE).status_code == 401
    assert not FaceEnrolment.objects.exists()


def test_withdrawn_consent_while_the_picture_is_looked_at_enrols_nothing(monkeypatch):
    user = make_person()

    def withdraw_meanwhile(pictures):
        withdraw_consent(user=user, purpose="face")
        return examine_face(pictures)

    monkeypatch.setattr("accounts.face.examine_face", withdraw_meanwhile)
    with pytest.raises(Refused) as refused:
        enrol_face(user=user, picture=straight_jpeg(), actor=user, ip_address=None)
    assert refused.value.code == "consent_required"
    assert not FaceEnrolment.objects.exists()


def test_a_new_face_takes_the_place_of_the_old_one():
    user = make_enrolled()
    before = FaceEnrolment.objects.get(user=user)
    enrol_face(user=user, picture=straight_jpeg(), actor=user, ip_address=None)
    after = FaceEnrolment.objects.get(user=user)
    assert after.enrolled_at > before.enrolled_at
    assert bytes(after.embedding) != bytes(before.embedding)
    outcomes = AuditEvent.objects.filter(action="face_enrolled").order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == ["new", "replaced"]


def test_it_removes_a_face_at_once_and_again_changes_nothing():
    user = make_enrolled()
    assert client_of(user).delete(MY_FACE).status_code == 204
    assert not FaceEnrolment.objects.exists()
    assert client_of(user).delete(MY_FACE).status_code == 204
    assert AuditEvent.objects.filter(action="face_removed", actor=user, subject=user).count() == 1
    assert remove_face(user=user, actor=user, ip_address=None) is False


def test_several_pictures_must_show_one_person():
    from vision.tests.media import labelled

    user = make_person()
    stranger = encode_jpeg(labelled("identity", at_most=1, set="caltech_faces")[0][0])
    answer = client_of(user).post(MY_FACE, {"pictures": [text(straight_jpeg()), text(stranger)]})
    assert (answer.status_code, answer.json()["code"]) == (422, "different_people")
    assert not FaceEnrolment.objects.exists()


def test_registration_enrols_a_face_with_the_account_or_makes_neither():
    body = {"email": "new@example.com", "password": "correct-horse-battery", "full_name": "New"}
    answer = client_of().post("/api/v1/auth/register", {**body, "face": text(straight_jpeg())})
    assert (answer.status_code, answer.json()["code"]) == (409, "consent_required")
    consents = [{"purpose": "face", "version": 3}]
    answer = client_of().post("/api/v1/auth/register", {**body, "consents": consents, "face": text(dark())})
    assert (answer.status_code, answer.json()["code"]) == (422, "dark")
    assert not User.objects.exists()
    answer = client_of().post("/api/v1/auth/register", {**body, "consents": consents, "face": text(straight_jpeg())})
    assert answer.status_code == 201, answer.json()
    assert FaceEnrolment.objects.get().user.email == "new@example.com"


def test_without_a_key_faces_are_unavailable_and_nothing_else(settings):
    settings.FACE_KEY = ""
    user = make_person()
    answer = client_of(user).post(MY_FACE, {"face": text(straight_jpeg())})
    assert (answer.status_code, answer.json()["code"]) == (503, "face_unavailable")
    signed_in = client_of().post("/api/v1/auth/login", {"email": user.email, "password": PASSWORD})
    assert signed_in.status_code == 200
    assert client_of(user).delete(MY_FACE).status_code == 204
    found = client_of().get("/health/ready").json()["detectors"]["identity"]
    assert (found["available"], found["reason"]) == (False, "FACE_KEY is not set.")


def test_health_says_that_faces_can_be_recognised():
    found = client_of().get("/health/ready").json()["detectors"]["identity"]
    assert found["available"] is True and "dlib" in found["model"]


def test_an_old_key_still_opens_and_the_command_puts_the_new_one_in_its_place(settings, capsys):
    user = make_enrolled()
    before = bytes(FaceEnrolment.objects.get().embedding)
    settings.FACE_KEY_PREVIOUS, settings.FACE_KEY = [settings.FACE_KEY], Fernet.generate_key().decode()
    face = open_embedding(user_id=user.pk, sealed=before)
    call_command("reencrypt_faces", json=True)
    told = {"encrypted": 1, "unreadable": 0, "pictures_encrypted": 0, "pictures_unreadable": 0}
    assert json.loads(capsys.readouterr().out) == told
    settings.FACE_KEY_PREVIOUS = []
    after = bytes(FaceEnrolment.objects.get().embedding)
    assert after != before and (open_embedding(user_id=user.pk, sealed=after) == face).all()


def test_the_command_says_which_faces_it_cannot_read(settings):
    make_enrolled()
    before = bytes(FaceEnrolment.objects.get().embedding)
    settings.FACE_KEY = Fernet.generate_key().decode()
    with pytest.raises(CommandError, match="1 faces were encrypted under a key"):
        call_command("reencrypt_faces")
    assert bytes(FaceEnrolment.objects.get().embedding) == before
    settings.FACE_KEY = ""
    with pytest.raises(CommandError, match="FACE_KEY is not set"):
        call_command("reencrypt_faces")


def test_an_embedding_opens_under_its_own_key_for_its_own_user_only(settings):
    one, other = make_person(), make_person("b@example.com")
    face = np.linspace(-1, 1, 128)
    sealed = seal_embedding(user_id=one.pk, embedding=face)
    assert open_embedding(user_id=one.pk, sealed=sealed) == pytest.approx(face, abs=1e-6)
    assert open_embedding(user_id=one.pk, sealed=memoryview(sealed)) == pytest.approx(face, abs=1e-6)
    another_letter = b"B" if sealed[50:51] == b"A" else b"A"
    for sealed_badly in (b"", b"nonsense", sealed[:-1], sealed[:50] + another_letter + sealed[51:]):
        with pytest.raises(UnreadableFace):
            open_embedding(user_id=one.pk, sealed=sealed_badly)
    with pytest.raises(UnreadableFace, match="another user"):
        open_embedding(user_id=other.pk, sealed=sealed)
    settings.FACE_KEY = Fernet.generate_key().decode()
    with pytest.raises(UnreadableFace, match="another key"):
        open_embedding(user_id=one.pk, sealed=sealed)
    settings.FACE_KEY = ""
    with pytest.raises(NoFaceKey):
        open_embedding(user_id=one.pk, sealed=sealed)


def test_faces_are_looked_at_by_one_thread_whose_models_are_built_once():
    threads = {face_worker.run_on_face_thread(lambda: (threading.get_ident(), id(models()))) for _ in range(3)}
    assert len(threads) == 1 and next(iter(threads))[0] != threading.get_ident()


def test_it_turns_away_whom_it_would_keep_waiting_for_long(monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(face_worker, "LONGEST_WAIT_S", 0.05)
    monkeypatch.setattr(face_worker, "_places", threading.BoundedSemaphore(2))
    try:
        with pytest.raises(face_worker.FacesBusy):
            face_worker.run_on_face_thread(go_on.wait)
        with pytest.raises(face_worker.FacesBusy):
            face_worker.run_on_face_thread(lambda: pytest.fail("It waited too long already."))
        answer = client_of(make_person()).post(MY_FACE, {"face": text(straight_jpeg())})
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    finally:
        go_on.set()
    monkeypatch.setattr(face_worker, "LONGEST_WAIT_S", 20)
    assert face_worker.run_on_face_thread(lambda: "next") == "next"


def test_it_turns_away_at_once_when_too_many_wait(monkeypatch):
    monkeypatch.setattr(face_worker, "_places", threading.BoundedSemaphore(1))
    face_worker._places.acquire()
    with pytest.raises(face_worker.FacesBusy):
        face_worker.run_on_face_thread(lambda: pytest.fail("There was no place."))


def admin_page(client, user):
    return client.get(f"/admin/accounts/faceenrolment/{user.pk}/change/")


def test_the_admin_shows_when_and_how_well_and_never_the_face(client):
    user = make_enrolled()
    admin = ensure_user(email="admin@example.com", role=Role.ADMIN)[0]
    client.force_login(admin)
    page = admin_page(client, user).content.decode()
    assert identity.MODEL in page and "face_px" in page
    assert bytes(FaceEnrolment.objects.get().embedding).decode()[:30] not in page
    assert "embedding" not in page
    listed = client.get("/admin/accounts/faceenrolment/")
    assert user.full_name in listed.content.decode()
    assert client.get("/admin/accounts/faceenrolment/add/").status_code == 403
    client.post(f"/admin/accounts/faceenrolment/{user.pk}/delete/", {"post": "yes"})
    assert not FaceEnrolment.objects.exists()
    event = AuditEvent.objects.get(action="face_removed")
    assert (event.actor, event.subject) == (admin, user)


def test_an_admin_removes_several_faces_at_once_each_for_the_record(client):
    users = [make_enrolled(f"{name}@example.com") for name in "ab"]
    client.force_login(ensure_user(email="admin@example.com", role=Role.ADMIN)[0])
    body = {"action": "delete_selected", "_selected_action": [str(user.pk) for user in users], "post": "yes"}
    client.post("/admin/accounts/faceenrolment/", body)
    assert not FaceEnrolment.objects.exists()
    assert AuditEvent.objects.filter(action="face_removed").count() == 2


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.TEACHER])
def test_other_staff_neither_see_nor_remove_faces(client, role):
    user = make_enrolled()
    client.force_login(ensure_user(email="staff@example.com", role=role)[0])
    assert admin_page(client, user).status_code == 403
    assert client.post(f"/admin/accounts/faceenrolment/{user.pk}/delete/", {"post": "yes"}).status_code == 403
    assert FaceEnrolment.objects.exists()
