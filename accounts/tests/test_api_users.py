"""Users and roles, in the hands of admins."""

import uuid
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import reverse

from accounts.models import AuditEvent, Candidate, ConsentText, Role, User
from accounts.services import ensure_user, set_role, set_roles
from accounts.tests.client import client_of
from accounts.tokens import issue_tokens

pytestmark = [pytest.mark.django_db, pytest.mark.database]
USERS = "/api/v1/admin/users"
PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()


@pytest.fixture
def boss() -> User:
    return ensure_user(email="boss@example.com", role=Role.ADMIN, password=PASSWORD, full_name="The Boss")[0]


@pytest.fixture
def tina() -> User:
    return ensure_user(email="tina@example.com", role=Role.TEACHER, password=PASSWORD, full_name="Tina")[0]


def add(boss: User, **fields):
    return client_of(boss).post(USERS, {"email": "New@Example.com", "roles": ["teacher"], **fields})


def change(boss: User, user: User, **fields):
    return client_of(boss).patch(f"{USERS}/{user.pk}", fields)


def fresh(user: User) -> Any:
    return User.objects.get(pk=user.pk)


def audit() -> list[tuple]:
    return list(AuditEvent.objects.order_by("pk").values_list("action", "actor__email", "subject__email", "detail"))


def test_it_adds_a_user_in_several_roles(boss):
    answer = add(boss, full_name="New", language="bn", roles=["reviewer", "teacher", "teacher"], password=PASSWORD)
    assert answer.status_code == 201, answer.json()
    user = User.objects.get(email="new@example.com")
    assert answer.json() == {
        "id": str(user.pk),
        "email": "new@example.com",
        "full_name": "New",
        "language": "bn",
        "is_active": True,
        "roles": ["reviewer", "teacher"],
        "created": user.date_joined.isoformat().replace("+00:00", "Z"),
        "last_login": None,
    }
    assert user.check_password(PASSWORD)
    assert (user.is_staff, user.is_superuser) == (True, False)
    assert not Candidate.objects.filter(user=user).exists()
    assert audit() == [
        ("user_added", "boss@example.com", "new@example.com", {}),
        ("roles_changed", "boss@example.com", "new@example.com", {"added": ["reviewer", "teacher"], "removed": []}),
    ]
    assert AuditEvent.objects.first().ip_address == "127.0.0.1"


def test_who_is_added_without_a_password_signs_in_once_one_is_set(boss):
    assert add(boss, roles=["candidate"]).status_code == 201
    user = User.objects.get(email="new@example.com")
    assert not user.has_usable_password()
    assert user.candidate
    sign_in = {"email": user.email, "password": PASSWORD}
    assert client_of().post("/api/v1/auth/login", sign_in).status_code == 401
    assert change(boss, user, password=PASSWORD).status_code == 200
    assert client_of().post("/api/v1/auth/login", sign_in).status_code == 200
    assert audit()[-1] == ("password_set", "boss@example.com", "new@example.com", {})


def test_a_password_set_by_an_admin_ends_older_tokens(boss, tina):
    tokens = issue_tokens(user=tina)
    assert change(boss, tina, password="another-long-password").status_code == 200
    assert client_of().post("/api/v1/auth/refresh", {"refresh": tokens.refresh}).status_code == 401


def test_it_changes_roles_both_ways_and_keeps_the_candidates_record(boss, tina):
    set_role(user=tina, role=Role.CANDIDATE)
    Candidate.objects.update(external_id="17")
    answer = change(boss, tina, roles=["admin"])
    assert answer.json()["roles"] == ["admin"]
    user = fresh(tina)
    assert (user.is_staff, user.is_superuser, user.roles) == (True, True, {Role.ADMIN})
    assert user.candidate.external_id == "17"
    assert change(boss, tina, roles=["candidate"]).json()["roles"] == ["candidate"]
    user = fresh(tina)
    assert (user.is_staff, user.is_superuser, user.roles) == (False, False, {Role.CANDIDATE})
    assert user.candidate.external_id == "17"
    assert change(boss, tina, roles=[]).json()["roles"] == []
    assert [event[3] for event in audit()] == [
        {"added": ["admin"], "removed": ["candidate", "teacher"]},
        {"added": ["candidate"], "removed": ["admin"]},
        {"added": [], "removed": ["candidate"]},
    ]


def test_what_stays_as_it_was_is_not_recorded(boss, tina):
    assert change(boss, tina, roles=["teacher"], is_active=True).status_code == 200
    assert audit() == []


def test_it_switches_accounts_off_and_on_and_that_takes_effect_at_once(boss, tina):
    client = client_of(tina)
    assert client.get("/api/v1/auth/me").status_code == 200
    assert change(boss, tina, is_active=False).json()["is_active"] is False
    assert client.get("/api/v1/auth/me").status_code == 401
    assert change(boss, tina, is_active=True).json()["is_active"] is True
    assert client.get("/api/v1/auth/me").status_code == 200
    assert [event[:3] for event in audit()] == [
        ("deactivated", "boss@example.com", "tina@example.com"),
        ("activated", "boss@example.com", "tina@example.com"),
    ]


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"roles": ["teacher"]}, "own_role"), ({"roles": []}, "own_role"), ({"is_active": False}, "own_account")],
)
def test_admins_neither_demote_nor_switch_off_themselves(boss, fields, code):
    ensure_user(email="second@example.com", role=Role.ADMIN)
    answer = change(boss, boss, full_name="Changed", **fields)
    assert answer.status_code == 409
    assert answer.json()["code"] == code
    user = fresh(boss)
    assert (user.roles, user.is_active, user.is_superuser, user.full_name) == ({Role.ADMIN}, True, True, "The Boss")
    assert audit() == []


@pytest.mark.parametrize("fields", [{"roles": ["teacher"]}, {"is_active": False}])
def test_the_last_admin_stays_when_another_one_was_demoted_in_the_meantime(boss, fields):
    second = ensure_user(email="second@example.com", role=Role.ADMIN)[0]
    ensure_user(email="third@example.com", role=Role.ADMIN)
    User.objects.filter(email="third@example.com").update(is_active=False)
    assert second.has_role(Role.ADMIN)  # what this request has read of them stays as it was
    set_roles(user=second, roles=["teacher"], by=boss)
    AuditEvent.objects.all().delete()
    client = client_of()
    client.force_authenticate(second)
    answer = client.patch(f"{USERS}/{boss.pk}", fields)
    assert answer.status_code == 409, answer.json()
    assert answer.json()["code"] == "last_admin"
    assert fresh(boss).has_role(Role.ADMIN)
    assert fresh(boss).is_active
    assert audit() == []


def test_an_admin_made_on_the_command_line_is_one_like_others(boss):
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    assert client_of(root).get(USERS).status_code == 200
    assert change(boss, root, roles=["teacher"]).status_code == 200
    assert fresh(root).roles == {Role.TEACHER}
    assert not fresh(root).is_superuser


def test_it_changes_address_and_name(boss, tina):
    answer = change(boss, tina, email="TINA.B@example.com", full_name="Tina B.", language="bn")
    assert answer.status_code == 200, answer.json()
    user = fresh(tina)
    assert (user.email, user.full_name, user.language) == ("tina.b@example.com", "Tina B.", "bn")
    assert user.roles == {Role.TEACHER}
    assert change(boss, tina, email="tina.B@example.com").status_code == 200  # their own is not taken


def test_an_address_that_is_taken_is_named(boss, tina):
    for answer in (add(boss, email="TINA@example.com"), change(boss, boss, email="tina@EXAMPLE.com", roles=["admin"])):
        assert answer.status_code == 400
        assert answer.json()["fields"] == {"email": ["There is already an account with this e-mail address."]}
    assert User.objects.count() == 2
    assert fresh(boss).email == "boss@example.com"


def emails(boss: User, query: str) -> list[str]:
    answer = client_of(boss).get(f"{USERS}?{query}")
    assert answer.status_code == 200, answer.json()
    return [user["email"].partition("@")[0] for user in answer.json()["results"]]


def test_it_filters_searches_and_orders(boss, tina):
    ensure_user(email="carl@example.com", role=Role.CANDIDATE, full_name="Zed")
    ensure_user(email="tina@example.com", role=Role.REVIEWER)
    User.objects.create_user("bare@example.com", is_superuser=True)  # never put into the group
    User.objects.filter(email="carl@example.com").update(is_active=False)
    assert emails(boss, "") == ["bare", "boss", "carl", "tina"]
    assert emails(boss, "role=teacher") == emails(boss, "role=reviewer") == ["tina"]
    assert emails(boss, "role=admin") == ["bare", "boss"]
    assert emails(boss, "is_active=false") == ["carl"]
    assert emails(boss, "search=ZED") == ["carl"]
    assert emails(boss, "search=boss%40") == ["boss"]
    assert emails(boss, "search=%25") == []
    assert emails(boss, "ordering=-full_name")[0] == "carl"
    assert emails(boss, "ordering=created") == ["boss", "tina", "carl", "bare"]
    assert emails(boss, "ordering=password") == ["bare", "boss", "carl", "tina"]
    assert emails(boss, "page_size=1&page=2") == ["boss"]
    for query in ("role=king", "is_active=no", f"search={'x' * 201}"):
        answer = client_of(boss).get(f"{USERS}?{query}")
        assert answer.status_code == 400
        assert list(answer.json()["fields"]) == [query.partition("=")[0]]


def test_the_list_costs_the_same_however_long_it_is(boss, django_assert_num_queries, django_assert_max_num_queries):
    client = client_of(boss)
    with django_assert_max_num_queries(6) as few:
        client.get(USERS)
    for n in range(20):
        ensure_user(email=f"user{n}@example.com", role=Role.CANDIDATE)
    with django_assert_num_queries(len(few.captured_queries)):
        assert len(client.get(USERS).json()["results"]) == 21


@pytest.mark.parametrize("role", [Role.CANDIDATE, Role.REVIEWER, Role.TEACHER])
def test_only_admins_may(boss, role):
    user = ensure_user(email="x@example.com", role=role)[0]
    for method, path in (
        ("get", USERS),
        ("post", USERS),
        ("get", f"{USERS}/{boss.pk}"),
        ("patch", f"{USERS}/{user.pk}"),
    ):
        answer = getattr(client_of(user), method)(path, {"roles": ["admin"]} if method != "get" else None)
        assert answer.status_code == 403
        assert getattr(client_of(), method)(path).status_code == 401
    assert fresh(user).roles == {role}


def test_an_unknown_user_is_not_found(boss):
    for path in (f"{USERS}/{uuid.uuid4()}", f"{USERS}/17"):
        assert client_of(boss).get(path).status_code == 404
        assert client_of(boss).patch(path, {}).status_code == 404
    for method in ("put", "delete"):
        assert getattr(client_of(boss), method)(f"{USERS}/{boss.pk}").status_code == 405


BAD = [
    *(("email", value) for value in (None, "", "nobody", 5, [], "a" * 250 + "@example.com")),
    *(("full_name", value) for value in (None, "x" * 201, {})),
    *(("language", value) for value in (None, "de", [])),
    *(("is_active", value) for value in (None, "perhaps", [], {})),
    *(("roles", value) for value in (None, "admin", ["king"], [None], [[]], {}, ["admin"] * 5)),
    *(("password", value) for value in (None, "", "short", "password123", "x" * 1001, [])),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_it_names_the_field_that_cannot_be_used(boss, tina, field, value):
    before = User.objects.filter(pk=tina.pk).values().get()
    for answer in (add(boss, **{field: value}), change(boss, tina, **{field: value})):
        assert answer.status_code == 400, answer.json()
        assert {name.partition(".")[0] for name in answer.json()["fields"]} == {field}
    assert User.objects.count() == 2
    assert User.objects.filter(pk=tina.pk).values().get() == before


def test_missing_fields_are_all_named_at_once(boss):
    assert set(client_of(boss).post(USERS, {}).json()["fields"]) == {"email", "roles"}


def test_the_admin_pages_change_roles_with_the_same_care(boss, tina, client):
    client.force_login(boss)
    ensure_user(email="second@example.com", role=Role.ADMIN)
    teacher = tina.groups.get()

    def save(user: User, groups, **fields):
        form = {"email": user.email, "full_name": user.full_name, "language": "", "groups": groups, **fields}
        return client.post(reverse("admin:accounts_user_change", args=[user.pk]), form, follow=True)

    page = save(boss, [teacher.pk], is_active="on")
    assert "ask another admin" in page.content.decode()
    page = save(boss, [group.pk for group in boss.groups.all()])
    assert "You cannot switch off your own account" in page.content.decode()
    assert fresh(boss).roles == {Role.ADMIN}
    assert fresh(boss).is_active
    assert audit() == []
    save(tina, [], full_name="Tina C.")
    assert (fresh(tina).roles, fresh(tina).is_active, fresh(tina).is_staff) == (set(), False, False)
    assert fresh(tina).full_name == "Tina C."
    assert [event[0] for event in audit()] == ["deactivated", "roles_changed"]


def test_consent_texts_are_published_as_the_next_version_and_never_changed(boss, client):
    client.force_login(boss)
    words = {"purpose": "face", "title": "New", "text": "New text", "title_bn": "নতুন", "text_bn": "নতুন লেখা"}
    assert client.post(reverse("admin:accounts_consenttext_add"), words).status_code == 302
    body = client_of(boss).get("/api/v1/auth/me/consents").json()
    assert [(text["purpose"], text["version"]) for text in body["current"]] == [("proctoring", 3), ("face", 4)]
    assert audit() == [("consent_text_published", "boss@example.com", None, {"purpose": "face", "version": 4})]
    assert ConsentText.objects.get(purpose="face", version=4).in_exams is False  # as long as nobody says so
    for name in ("consenttext", "consent", "auditevent"):
        assert client.get(reverse(f"admin:accounts_{name}_changelist")).status_code == 200
    for name in ("consent", "auditevent"):
        assert client.get(reverse(f"admin:accounts_{name}_add")).status_code == 403
    event = AuditEvent.objects.get()
    assert client.get(reverse("admin:accounts_auditevent_change", args=[event.pk])).status_code == 200
    assert client.post(reverse("admin:accounts_auditevent_change", args=[event.pk]), {"action": "x"}).status_code == 403
    assert client.post(reverse("admin:accounts_auditevent_delete", args=[event.pk]), {"post": "yes"}).status_code == 403
