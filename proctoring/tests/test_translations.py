"""Everything people read is there in Bangla."""

import pytest
from babel.messages import Catalog

from accounts.models import Role
from accounts.tests.client import client_of
from monitoring.tests.factories import make_candidate, make_session, make_user
from proctoring import translations
from proctoring.translations import BENGALI, Found, find_messages, find_problems


def test_every_message_has_proper_bangla_and_the_files_are_up_to_date():
    assert find_problems() == []


def test_it_finds_the_messages_of_code_templates_and_libraries():
    found = {message.key[0]: message.where for message in find_messages()}
    assert found["Nobody in view"] == "exams/kinds.py"
    assert found["Reviewer console"] == "proctoring/urls.py"
    assert found["Not a valid string."] == "rest_framework/fields.py"
    assert found["Token is invalid"].startswith("rest_framework_simplejwt/")
    assert any(where.startswith("templates/") for where in found.values())
    assert "Afrikaans" not in found


@pytest.mark.parametrize(
    ("english", "bangla", "problem"),
    [
        ("Nobody in view", "", "has no Bangla text."),
        ("Nobody in view", "Nobody in view", "is the same in Bangla."),
        ("Nobody in view", "Niemand zu sehen", "has no Bengali letters."),
        ("At most %(count)d", "সর্বাধিক", "does not hold the same placeholders: %(count)d."),
        ("SHA-256", "SHA-256", None),
        ("Nobody in view", "কাউকে দেখা যাচ্ছে না", None),
    ],
)
def test_it_rejects_what_is_no_bangla(monkeypatch, tmp_path, english, bangla, problem):
    catalogue = Catalog(locale="bn")
    catalogue.add(english, bangla)
    monkeypatch.setattr(translations, "find_messages", lambda: [Found(english, None, "here.py")])
    monkeypatch.setattr(translations, "read_catalogue", lambda: catalogue)
    monkeypatch.setattr(translations, "COMPILED", tmp_path / "django.mo")
    (tmp_path / "django.mo").write_bytes(translations.compiled())
    assert find_problems() == ([f"here.py: {english!r} {problem}"] if problem else [])


def test_it_notices_a_compiled_file_that_is_old(monkeypatch, tmp_path):
    monkeypatch.setattr(translations, "COMPILED", tmp_path / "missing.mo")
    assert "The compiled catalogue is not up to date." in find_problems()


@pytest.mark.django_db
def test_the_interface_answers_in_bangla():
    session, stranger = make_session(), make_candidate()
    asked = [
        client_of(None, "bn").get("/api/v1/sessions"),
        client_of(None, "bn").post("/api/v1/auth/login", {"email": "x@example.com", "password": "wrong"}),
        client_of(None, "bn").post("/api/v1/auth/register", {}),
        client_of(stranger.user, "bn").get(f"/api/v1/sessions/{session.pk}"),
        client_of(stranger.user, "bn").get("/api/v1/admin/users"),
        client_of(session.candidate.user, "bn").post(f"/api/v1/sessions/{session.pk}/begin/nothing"),
        client_of(session.candidate.user, "bn").post(f"/api/v1/sessions/{session.pk}/pause"),
        client_of(make_user(Role.ADMIN), "bn").post("/api/v1/exams", {"title": "x" * 500, "duration_minutes": "soon"}),
    ]
    for answer in asked:
        body = answer.json()
        assert answer.status_code >= 400
        assert BENGALI.search(body["detail"]), body
        for messages in body.get("fields", {}).values():
            assert all(BENGALI.search(message) for message in messages), body


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/exams/exam/", "/admin/exams/examsession/", "/admin/accounts/user/"]
)
def test_the_admin_speaks_the_language_that_its_user_chose(client, path):
    user = make_user(Role.ADMIN)
    user.language = "bn"
    user.save()
    client.force_login(user)
    page = client.get(path, headers={"accept-language": "en"}).content.decode()
    assert 'lang="bn"' in page
    assert "তদারকি" in page
