"""Reports in the reviewer's console."""

import pytest
from django.urls import reverse

from accounts.models import AuditEvent, Role
from monitoring.tests.factories import end_session, facts, make_exam, make_session, make_user, watch
from reports.models import SessionReport
from reports.services import make_report, mark_requested

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def people():
    return {
        "nobody": None,
        "candidate": make_user(Role.CANDIDATE),
        "owner": make_user(Role.TEACHER),
        "another teacher": make_user(Role.TEACHER),
        "assigned reviewer": make_user(Role.REVIEWER),
        "another reviewer": make_user(Role.REVIEWER),
        "admin": make_user(Role.ADMIN),
    }


@pytest.fixture
def session(people):
    exam = make_exam(people["owner"])
    exam.reviewers.add(people["assigned reviewer"])
    session = make_session(exam)
    watch(session, facts(0, objects={}))
    return session


def address(name, session):
    return reverse(f"admin:reports_sessionreport_{name}", args=[session.pk])


MAY = [
    ("nobody", 302),
    ("candidate", 302),
    ("owner", 200),
    ("another teacher", 404),
    ("assigned reviewer", 200),
    ("another reviewer", 404),
    ("admin", 200),
]


@pytest.mark.parametrize(("who", "status"), MAY)
def test_it_serves_the_pdf_to_the_right_people(client, people, session, who, status):
    make_report(session=session)
    if people[who]:
        client.force_login(people[who])
    answer = client.get(address("open", session))
    assert answer.status_code == status
    if status == 200:
        assert answer["Content-Type"] == "application/pdf"
        assert "private" in answer["Cache-Control"]
        assert b"".join(answer.streaming_content).startswith(b"%PDF")
        taken = AuditEvent.objects.get(action="exported")
        assert (taken.actor, taken.outcome, taken.subject) == (people[who], "session_report", session.candidate.user)
        assert taken.detail == {"form": "pdf", "rows": 1, "session": str(session.pk), "exam": session.exam.code}
    elif status == 302:
        assert "/login/" in answer["Location"]
        assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(("who", "status"), [(who, 302 if status == 200 else status) for who, status in MAY])
def test_it_makes_the_pdf_for_the_right_people(client, people, session, who, status):
    if people[who]:
        client.force_login(people[who])
    assert client.post(address("make", session)).status_code == status
    assert SessionReport.objects.exists() is (dict(MAY)[who] == 200)


def test_it_makes_no_pdf_by_get(client, people, session):
    client.force_login(people["owner"])
    assert client.get(address("make", session)).status_code == 405


def test_it_waits_for_the_pdf_and_offers_the_one_before(client, people, session):
    client.force_login(people["owner"])
    mark_requested(session=session)
    assert 'http-equiv="refresh"' in client.get(address("open", session)).content.decode()
    make_report(session=session)
    mark_requested(session=session)
    assert "?previous=1" in client.get(address("open", session)).content.decode()
    assert client.get(address("open", session) + "?previous=1")["Content-Type"] == "application/pdf"


def test_it_says_that_no_pdf_was_made_and_why(client, people, session):
    client.force_login(people["owner"])
    SessionReport.objects.create(session=session, status="failed", error="OSError: no Pango here")
    text = client.get(address("open", session)).content.decode()
    assert "no Pango here" in text
    assert 'http-equiv="refresh"' not in text


def test_it_says_404_for_a_pdf_that_was_never_made_or_is_gone(client, people, session):
    client.force_login(people["owner"])
    assert client.get(address("open", session)).status_code == 404
    report = make_report(session=session)
    report.file.storage.delete(report.file.name)
    assert client.get(address("open", session)).status_code == 404


def test_it_links_the_pdf_on_the_session_page_and_tells_when_it_is_old(client, people, session):
    client.force_login(people["owner"])
    page = reverse("admin:exams_examsession_change", args=[session.pk])
    assert "Make the PDF" in client.get(page).content.decode()
    make_report(session=session)
    fresh = client.get(page).content.decode()
    assert address("open", session) in fresh
    assert "has changed since" not in fresh
    decide = reverse("admin:exams_examsession_decide", args=[session.pk])
    end_session(session, 5)
    client.post(decide, {"outcome": "violation", "reason": "Seen."})
    assert "has changed since" in client.get(page).content.decode()


def test_it_makes_reports_of_chosen_sessions_again(client, people, session):
    client.force_login(people["owner"])
    sent = {"action": "make_reports_again", "_selected_action": [str(session.pk)]}
    answer = client.post("/admin/exams/examsession/", sent, follow=True)
    assert "1 report is being made." in answer.content.decode()
    assert SessionReport.objects.get().requested_by == people["owner"]


def test_it_offers_no_action_to_those_who_may_not_make_reports(client, people, session):
    owner = people["owner"]
    client.force_login(owner)
    owner.groups.first().permissions.filter(codename="add_sessionreport").delete()
    sent = {"action": "make_reports_again", "_selected_action": [str(session.pk)]}
    client.post("/admin/exams/examsession/", sent)
    assert not SessionReport.objects.exists()


def test_it_lets_nobody_add_change_or_delete_a_report(client, people, session):
    report = make_report(session=session)
    client.force_login(people["admin"])
    base = "/admin/reports/sessionreport/"
    assert client.get(base).context["cl"].result_count == 1
    assert client.get(f"{base}{report.pk}/change/").status_code == 200
    assert client.get(f"{base}add/").status_code == 403
    assert client.post(f"{base}{report.pk}/delete/", {"post": "yes"}).status_code == 403
