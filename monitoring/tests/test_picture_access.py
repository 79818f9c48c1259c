"""Links to pictures expire and belong to one person, and every look is written down."""

import time
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from monitoring.erasure import erase_session
from monitoring.models import Evidence
from monitoring.picture_links import LIFE_S, STEP_S, address_of, is_sealed
from monitoring.picture_models import PictureAccess
from monitoring.tests.factories import make_candidate, make_exam, make_session, make_user
from monitoring.tests.test_admin import MAY, picture, sign_in, watched_session
from reports.models import SessionReport

pytestmark = pytest.mark.django_db
LIST = "/admin/monitoring/pictureaccess/"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def exam():
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), code="algebra")
    exam.reviewers.add(make_user(Role.REVIEWER, "assigned@example.com"))
    return exam


@pytest.fixture
def session(exam):
    return watched_session(exam)


@pytest.fixture
def evidence(session):
    return Evidence.objects.get(activity__session=session)


def door(evidence):
    """The address that pages use; it leads to one that expires."""
    return reverse("admin:monitoring_evidence_picture", args=[evidence.pk])


def test_it_leads_from_the_lasting_address_to_one_that_expires(client, evidence):
    sign_in(client, "owner")
    answer = client.get(door(evidence))
    assert answer.status_code == 302
    assert answer["Cache-Control"] == "private, no-store"
    assert b"".join(client.get(answer["Location"]).streaming_content) == picture()


def test_it_refuses_a_link_that_has_expired_or_was_changed(client, evidence):
    user = sign_in(client, "owner")
    old = address_of(evidence, user, at=time.time() - LIFE_S - STEP_S)
    for address in (old, address_of(evidence, user)[:-1], f"{door(evidence)}?seal=", f"{door(evidence)}?seal=x:y"):
        answer = client.get(address)
        assert answer.status_code == 410, address
        assert "Open its session again" in answer.content.decode()
        assert answer["Cache-Control"] == "private, no-store"
    assert not PictureAccess.objects.exists()


def test_it_refuses_a_link_that_was_made_for_somebody_else_or_something_else(client, exam, evidence):
    owner = sign_in(client, "owner")
    other = Evidence.objects.get(activity__session=watched_session(exam))
    seal = address_of(evidence, owner).partition("seal=")[2]
    assert client.get(f"{door(other)}?seal={seal}").status_code == 410
    sign_in(client, "assigned reviewer")
    assert client.get(address_of(evidence, owner)).status_code == 410
    sign_in(client, "another teacher")
    assert client.get(address_of(evidence, owner)).status_code == 404


def test_it_checks_the_permission_again_at_each_look_through_a_good_link(client, exam, evidence):
    user = sign_in(client, "assigned reviewer")
    address = address_of(evidence, user)
    assert client.get(address).status_code == 200
    exam.reviewers.remove(user)
    assert client.get(address).status_code == 404


def test_it_gives_the_same_link_for_a_while_so_that_a_browser_may_keep_the_picture(evidence):
    user, start = make_user(), (time.time() // STEP_S) * STEP_S
    assert address_of(evidence, user, at=start + 1) == address_of(evidence, user, at=start + STEP_S - 1)
    assert address_of(evidence, user, at=start) != address_of(evidence, user, at=start + STEP_S)


def test_a_link_works_for_five_minutes_at_least_and_ten_at_most(evidence):
    user, now = make_user(), time.time()
    seals = {age: address_of(evidence, user, at=now - age).partition("seal=")[2] for age in (0, 290, 601)}
    assert is_sealed(evidence, user, seals[0])
    assert is_sealed(evidence, user, seals[290])
    assert not is_sealed(evidence, user, seals[601])


@pytest.mark.database
def test_it_writes_down_who_looked_at_whose_picture_from_where(client, session, evidence):
    user = sign_in(client, "assigned reviewer")
    client.get(door(evidence), follow=True, REMOTE_ADDR="192.0.2.7")
    look = PictureAccess.objects.get()
    assert (look.user, look.subject, look.session) == (user, session.candidate.user, session)
    assert (look.what, look.way, look.ip_address) == ("picture", "console", "192.0.2.7")
    assert (look.evidence_id, look.sha256) == (evidence.pk, evidence.sha256)


@pytest.mark.database
def test_it_writes_one_line_for_looks_that_follow_each_other_and_another_one_later(client, evidence):
    sign_in(client, "owner")
    client.get(door(evidence), follow=True)
    client.get(door(evidence), follow=True, headers={"if-none-match": f'"{evidence.sha256}"'})
    client.head(door(evidence), follow=True)
    assert PictureAccess.objects.count() == 1
    PictureAccess.objects.update(at=timezone.now() - timedelta(minutes=6))
    client.get(door(evidence), follow=True)
    assert PictureAccess.objects.count() == 2
    sign_in(client, "admin")
    client.get(door(evidence), follow=True)
    assert PictureAccess.objects.count() == 3


def test_it_counts_a_picture_that_the_browser_kept_as_a_look_and_none_that_is_missing(client, evidence):
    sign_in(client, "owner")
    sent = {"headers": {"if-none-match": f'"{evidence.sha256}"'}}
    assert client.get(door(evidence), follow=True, **sent).status_code == 304
    assert PictureAccess.objects.count() == 1
    PictureAccess.objects.all().delete()
    evidence.file.storage.delete(evidence.file.name)
    assert client.get(door(evidence), follow=True).status_code == 404
    assert not PictureAccess.objects.exists()


def test_it_tells_sound_from_pictures(client, evidence):
    sign_in(client, "owner")
    Evidence.objects.update(media_type="audio/wav")
    client.get(door(evidence), follow=True)
    assert PictureAccess.objects.get().what == "sound"


def test_it_writes_down_who_opened_a_report(client, session):
    report, _made = SessionReport.objects.get_or_create(session=session)
    report.status, report.generated_at = SessionReport.Status.READY, timezone.now()
    report.file.save("one.pdf", ContentFile(b"%PDF-1.7"))
    user = sign_in(client, "owner")
    for address in (
        reverse("admin:reports_sessionreport_open", args=[session.pk]),
        reverse("session-report-pdf", args=[session.pk]),
    ):
        assert client.get(address).status_code == 200
    looks = PictureAccess.objects.order_by("id")
    assert [(look.user, look.what, look.way) for look in looks] == [
        (user, "report", "console"),
        (user, "report", "api"),
    ]


LISTED = {"nobody": 302, "candidate": 302, "assigned reviewer": 403, "another reviewer": 403}


@pytest.mark.parametrize("who", [who for who, _status in MAY])
def test_it_shows_the_list_of_looks_to_admins_and_to_teachers_of_the_exam(client, exam, evidence, who):
    sign_in(client, "assigned reviewer")
    client.get(door(evidence), follow=True)
    client.logout()
    sign_in(client, who)
    answer = client.get(LIST)
    assert answer.status_code == LISTED.get(who, 200)
    if answer.status_code == 200:
        assert answer.context["cl"].result_count == (0 if who == "another teacher" else 1)


def test_it_lets_nobody_change_what_was_written_down(client, evidence):
    sign_in(client, "admin")
    client.get(door(evidence), follow=True)
    look = PictureAccess.objects.get()
    page = reverse("admin:monitoring_pictureaccess_change", args=[look.pk])
    assert evidence.sha256 in client.get(page).content.decode()
    assert client.post(page, {"sha256": "x"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(reverse("admin:monitoring_pictureaccess_delete", args=[look.pk])).status_code == 403
    with pytest.raises(ValidationError):
        look.save()


@pytest.mark.database
def test_what_was_written_down_outlives_the_session(client, session, evidence):
    sign_in(client, "admin")
    client.get(door(evidence), follow=True)
    erase_session(session=session)
    look = PictureAccess.objects.get()
    assert (look.session, look.subject, look.evidence_id) == (None, session.candidate.user, evidence.pk)
    assert client.get(LIST).context["cl"].result_count == 1


def test_it_lists_fifty_looks_with_as_many_queries_as_one(client, exam):
    sign_in(client, "admin")

    def add(count):
        for _number in range(count):
            session = make_session(exam, make_candidate())
            PictureAccess.objects.create(
                user=make_user(Role.REVIEWER),
                subject=session.candidate.user,
                session=session,
                what="picture",
                way="console",
            )

    def queries():
        with CaptureQueriesContext(connection) as made:
            assert client.get(LIST).status_code == 200
        return len(made)

    add(1)
    queries()
    one = queries()
    add(49)
    assert queries() == one
