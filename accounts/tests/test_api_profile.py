"""One's own profile, and the language one is answered in."""

import pytest
from django.utils import translation

from accounts.models import Role, User
from accounts.services import ensure_user
from accounts.tests.client import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ME = "/api/v1/auth/me"
REQUIRED = {"en": "This field is required.", "bn": "এটি আবশ্যক।"}


@pytest.fixture
def ada() -> User:
    return ensure_user(email="ada@example.com", role=Role.CANDIDATE, password="a-long-password", full_name="Ada")[0]


def test_it_shows_who_one_is(ada):
    ensure_user(email="ada@example.com", role=Role.REVIEWER)
    assert client_of(ada).get(ME).json() == {
        "id": str(ada.pk),
        "email": "ada@example.com",
        "full_name": "Ada",
        "language": "",
        "roles": ["candidate", "reviewer"],
        "external_id": "",
        "face_enrolled": False,
        "created": ada.date_joined.isoformat().replace("+00:00", "Z"),
    }
    teacher = ensure_user(email="t@example.com", role=Role.TEACHER)[0]
    assert client_of(teacher).get(ME).json()["external_id"] == ""


def test_it_changes_name_and_language_and_nothing_else(ada):
    sent = {"full_name": "Ada R.", "language": "bn", "email": "x@example.com", "roles": ["admin"], "is_staff": True}
    answer = client_of(ada).patch(ME, sent)
    assert answer.status_code == 200, answer.json()
    user = User.objects.get()
    assert (user.full_name, user.language, user.email) == ("Ada R.", "bn", "ada@example.com")
    assert user.roles == {Role.CANDIDATE}
    assert not user.is_staff
    assert client_of(ada).patch(ME, {"language": ""}).json()["language"] == ""
    assert client_of(ada).patch(ME, {}).status_code == 200
    user.refresh_from_db()
    assert (user.full_name, user.language) == ("Ada R.", "")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("full_name", None),
        ("full_name", "x" * 201),
        ("full_name", []),
        ("language", "de"),
        ("language", None),
        ("language", 5),
    ],
)
def test_it_names_the_field_that_cannot_be_used(ada, field, value):
    answer = client_of(ada).patch(ME, {field: value})
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    ada.refresh_from_db()
    assert (ada.full_name, ada.language) == ("Ada", "")


def test_nobody_is_nobody():
    for method in ("get", "patch"):
        assert getattr(client_of(), method)(ME).status_code == 401
    assert client_of().post("/api/v1/auth/password", {}).status_code == 401


def _complaint(client):
    return client.post("/api/v1/auth/password", {}).json()["fields"]["current"][0]


def test_it_speaks_the_language_the_browser_asks_for_unless_one_was_chosen(ada):
    assert _complaint(client_of(ada)) == REQUIRED["en"]
    bangla = _complaint(client_of(ada, language="bn"))
    assert bangla != REQUIRED["en"]
    User.objects.update(language="bn")
    assert _complaint(client_of(ada)) == bangla
    assert _complaint(client_of(ada, language="en")) == bangla
    User.objects.update(language="en")
    assert _complaint(client_of(ada, language="bn")) == REQUIRED["en"]


def test_a_chosen_language_does_not_reach_the_next_caller(ada):
    bob = ensure_user(email="bob@example.com", role=Role.CANDIDATE)[0]
    User.objects.filter(pk=ada.pk).update(language="bn")
    answer = client_of(ada).get(ME)
    assert answer["Content-Language"] == "bn"
    assert _complaint(client_of(bob)) == REQUIRED["en"]
    assert client_of().get(ME)["Content-Language"] == "en"
    with translation.override("en"):
        assert client_of(ada).get(ME)["Content-Language"] == "bn"
