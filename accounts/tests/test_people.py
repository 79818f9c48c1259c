"""Users, roles, candidates."""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest

from accounts.models import Candidate, Role, User
from accounts.services import ensure_candidate, ensure_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def test_it_signs_people_in_by_address_without_regard_to_case(client):
    ensure_user(email="Ada@Example.com", role=Role.ADMIN, password="a-long-password")
    assert client.login(request=HttpRequest(), username="ADA@example.com", password="a-long-password")
    assert not client.login(request=HttpRequest(), username="ada@example.com", password="another")


def test_it_lets_the_database_refuse_the_same_address_in_other_letters():
    User.objects.create_user("ada@example.com")
    with pytest.raises(IntegrityError), transaction.atomic():
        User(email="ADA@example.com").save()
    if connection.features.supports_expression_indexes:
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.bulk_create([User(email="ADA@example.com")])


@pytest.mark.parametrize(
    ("role", "staff", "superuser", "candidate"),
    [
        (Role.CANDIDATE, False, False, True),
        (Role.REVIEWER, True, False, False),
        (Role.TEACHER, True, False, False),
        (Role.ADMIN, True, True, False),
    ],
)
def test_it_gives_each_role_what_it_may(role, staff, superuser, candidate):
    user, created = ensure_user(email="x@example.com", role=role)
    assert created
    assert (user.is_staff, user.is_superuser) == (staff, superuser)
    assert Candidate.objects.filter(user=user).exists() is candidate
    assert user.has_role(role)
    assert not user.has_usable_password()


def test_it_keeps_password_and_name_of_somebody_who_exists():
    ensure_user(email="x@example.com", role=Role.REVIEWER, password="a-long-password", full_name="First")
    user, created = ensure_user(email="X@example.com", role=Role.TEACHER, password="other", full_name="Second")
    assert not created
    assert user.check_password("a-long-password")
    assert user.full_name == "First"
    assert set(user.groups.values_list("name", flat=True)) == {Role.REVIEWER, Role.TEACHER}


def test_it_has_the_roles_from_the_first_migration_on():
    names = {group.name: set(group.permissions.values_list("codename", flat=True)) for group in Group.objects.all()}
    assert set(names) == set(Role)
    assert names[Role.CANDIDATE] == set()
    assert "add_reviewdecision" in names[Role.REVIEWER]
    assert "add_exam" not in names[Role.REVIEWER]
    assert {"add_exam", "change_exam"} <= names[Role.TEACHER]
    assert "change_user" not in names[Role.TEACHER]
    changing = {name for perms in names.values() for name in perms if "evidence" in name or "observation" in name}
    assert changing == {"view_evidence", "view_observation"}


def test_it_makes_a_candidate_once():
    assert ensure_candidate(email="c@example.com") == ensure_candidate(email="C@example.com")
