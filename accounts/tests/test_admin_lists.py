"""The lists of people and of what was done, in the admin."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import record_audit
from accounts.consents import current_text, give_consent
from accounts.models import Candidate, ConsentText, FaceEnrolment, Role, User
from monitoring.tests.factories import make_candidate, make_user
from monitoring.tests.test_admin import MAY, sign_in

pytestmark = pytest.mark.django_db
LISTS = ("user", "candidate", "consent", "faceenrolment", "auditevent", "consenttext")


def add_person(number: int = 0) -> User:
    candidate = make_candidate(full_name=f"Candidate {number}")
    version = current_text(ConsentText.Purpose.PROCTORING).version
    give_consent(user=candidate.user, purpose=ConsentText.Purpose.PROCTORING, version=version)
    FaceEnrolment.objects.create(user=candidate.user, embedding=b"", model="none")
    record_audit(action="face_enrolled", actor=make_user(Role.TEACHER), subject=candidate.user)
    return candidate.user


def queries_of(client, address):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.mark.parametrize("model", LISTS)
def test_it_lists_fifty_people_with_as_many_queries_as_one(client, model):
    client.force_login(make_user(Role.ADMIN))
    address = f"/admin/accounts/{model}/"
    add_person()
    client.get(address)
    one = queries_of(client, address)
    for number in range(49):
        add_person(number)
    assert queries_of(client, address) == one


@pytest.mark.parametrize("model", LISTS)
def test_every_list_can_be_filtered_searched_and_walked_by_date(model):
    registered = {one._meta.model_name: one_admin for one, one_admin in admin.site._registry.items()}
    own = registered[model]
    assert own.list_filter
    assert own.search_fields
    assert own.date_hierarchy
    assert len(own.list_display) >= 3


@pytest.mark.database
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("user/?q=candidate", 1),
        ("user/?is_staff__exact=0", 1),
        ("candidate/?q=Candidate+0", 1),
        ("candidate/?user__is_active__exact=0", 0),
        ("consent/?q=candidate", 1),
        ("faceenrolment/?model=none", 1),
        ("auditevent/?q=candidate", 1),
        ("auditevent/?q=face_enrolled", 1),
        ("auditevent/?action__exact=roles_changed", 0),
    ],
)
def test_it_finds_people_and_events(client, query, found):
    person = add_person()
    Candidate.objects.filter(user=person).update(external_id="4711")
    User.objects.filter(pk=person.pk).update(email="candidate@example.com")
    client.force_login(make_user(Role.ADMIN))
    assert client.get(f"/admin/accounts/{query}").context["cl"].result_count == found


def test_it_names_roles_in_words(client):
    client.force_login(make_user(Role.ADMIN))
    make_user(Role.TEACHER, "both@example.com")
    make_user(Role.REVIEWER, "both@example.com")
    text = client.get("/admin/accounts/user/?q=both").content.decode()
    assert "Reviewer, Teacher" in text


@pytest.mark.parametrize("model", ["auditevent", "consent", "faceenrolment"])
@pytest.mark.parametrize(("who", "status"), MAY)
def test_only_admins_read_the_records(client, who, status, model):
    sign_in(client, who)
    expected = 302 if status == 302 else (200 if who == "admin" else 403)
    assert client.get(f"/admin/accounts/{model}/").status_code == expected


@pytest.mark.parametrize(("role", "told"), [(Role.ADMIN, True), (Role.TEACHER, False), (Role.REVIEWER, False)])
def test_failed_sign_ins_are_called_so_and_shown_to_admins_alone(client, role, told):
    client.force_login(make_user(role))
    page = client.get("/admin/").content.decode()
    assert ("Failed sign-ins" in page, "/admin/axes/accessattempt/" in page) == (told, told)
    assert "Axes" not in page
    assert "/admin/axes/accesslog/" not in page
    assert client.get("/admin/axes/accessattempt/").status_code == (200 if told else 403)
