"""Reports over the interface."""

import io
from datetime import timedelta
from typing import Any, cast

import pytest
from celery import current_app
from django.utils import timezone
from PIL import Image

from accounts.models import AuditEvent, Role
from accounts.tests.client import client_of
from monitoring.models import Evidence
from monitoring.review import decide_activity, decide_session
from monitoring.tests.factories import end_session, facts, make_candidate, make_exam, make_session, make_user, watch
from monitoring.tests.words import say_in_bangla
from reports import pdf
from reports.context import build_context
from reports.models import SessionReport
from reports.services import make_report, mark_requested

pytestmark = pytest.mark.django_db


def picture():
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 150)).save(data, "JPEG")
    return data.getvalue()


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def people():
    candidate = make_candidate(full_name="Candidate One")
    return {
        "nobody": None,
        "candidate": candidate.user,
        "other candidate": make_candidate().user,
        "owner": make_user(Role.TEACHER, full_name="Teacher One"),
        "another teacher": make_user(Role.TEACHER),
        "assigned reviewer": make_user(Role.REVIEWER),
        "another reviewer": make_user(Role.REVIEWER),
        "admin": make_user(Role.ADMIN),
    }


@pytest.fixture
def open_session(people):
    exam = make_exam(people["owner"], code="algebra", title="Algebra I")
    exam.reviewers.add(people["assigned reviewer"])
    session = make_session(exam, people["candidate"].candidate)
    seen = [facts(at, faces=0, objects={}) for at in range(6)]
    watch(session, *seen, pictures={one.seq: picture for one in seen})
    return session


@pytest.fixture
def session(open_session):
    end_session(open_session, 10)
    open_session.refresh_from_db()
    return open_session


@pytest.fixture
def queue(monkeypatch):
    """What workers were asked for; the broker is the one thing that is not there."""
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, arguments, **_options: sent.append((name, *arguments)))
    return sent


def address(session, ending=""):
    return f"/api/v1/sessions/{session.pk}/report{ending}"


MAY = [
    ("nobody", 401),
    ("candidate", 403),
    ("other candidate", 403),
    ("owner", 200),
    ("another teacher", 404),
    ("assigned reviewer", 200),
    ("another reviewer", 404),
    ("admin", 200),
]


@pytest.mark.parametrize(("who", "status"), MAY)
@pytest.mark.parametrize("ending", ["", ".pdf", ".json"])
def test_it_gives_reports_to_staff_of_the_exam_only(people, session, who, status, ending):
    make_report(session=session)
    assert client_of(people[who]).get(address(session, ending)).status_code == status


@pytest.mark.parametrize("form", ["pdf", "json"])
def test_the_audit_log_says_who_took_a_report_away(people, session, form):
    make_report(session=session)
    client = client_of(people["assigned reviewer"])
    answer = client.get(address(session, f".{form}"), REMOTE_ADDR="192.0.2.7")
    taken = AuditEvent.objects.get(action="exported")
    assert (taken.actor, taken.subject) == (people["assigned reviewer"], people["candidate"])
    assert (taken.outcome, taken.ip_address) == ("session_report", "192.0.2.7")
    assert taken.detail == {"form": form, "rows": 1, "session": str(session.pk), "exam": "algebra"}
    if form == "pdf":
        assert client.get(address(session, ".pdf"), headers={"if-none-match": answer["ETag"]}).status_code == 304
        client_of(people["another teacher"]).get(address(session, ".pdf"))
        assert AuditEvent.objects.filter(action="exported").count() == 1


@pytest.mark.parametrize(("who", "status"), [(who, 202 if status == 200 else status) for who, status in MAY])
def test_it_makes_reports_for_staff_of_the_exam_only(people, session, who, status):
    assert client_of(people[who]).post(address(session)).status_code == status
    assert SessionReport.objects.count() == (status == 202)


def test_it_asks_a_worker_for_the_report_and_says_where_it_will_be(
    people, session, queue, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        answer = client_of(people["owner"]).post(address(session))
    told, report = answer.json(), SessionReport.objects.get()
    assert (report.session, report.status, report.requested_by) == (session, "pending", people["owner"])
    assert queue == [("reports.tasks.make_session_report", str(session.pk))]
    assert (told["status"], told["url"], told["pdf_url"]) == ("pending", address(session), None)
    assert told["requested_by"] == "Teacher One"


def test_it_asks_once_while_the_report_is_being_made(people, session, queue, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        answers = [client_of(people[who]).post(address(session)) for who in ("owner", "owner", "admin")]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert len({answer.json()["requested_at"] for answer in answers}) == 1
    assert len(queue) == 1
    assert SessionReport.objects.get().requested_by == people["owner"]


@pytest.mark.parametrize("status", ["ready", "failed", "lost"])
def test_it_asks_again_once_nothing_is_being_made(people, session, queue, django_capture_on_commit_callbacks, status):
    make_report(session=session)
    if status == "lost":
        long_ago = timezone.now() - timedelta(minutes=5)
        SessionReport.objects.update(status="pending", requested_at=long_ago)
    else:
        SessionReport.objects.update(status=status)
    with django_capture_on_commit_callbacks(execute=True):
        client_of(people["owner"]).post(address(session))
    assert SessionReport.objects.get().status == "pending"
    assert len(queue) == 1


def test_it_reports_no_open_session(people, open_session):
    client = client_of(people["owner"])
    for answer in (client.post(address(open_session)), client.get(address(open_session, ".json"))):
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert not SessionReport.objects.exists()


def test_it_tells_how_the_report_stands(people, session):
    client = client_of(people["owner"])
    report = make_report(session=session)
    told = client.get(address(session)).json()
    assert (told["status"], told["content_sha256"], told["outdated"]) == ("ready", report.content_sha256, False)
    assert told["pdf_url"] == address(session, ".pdf")
    assert told["json_url"] == address(session, ".json")
    decide_session(session=session, outcome="clear", reason="x", reviewer=people["owner"])
    assert client.get(address(session)).json()["outdated"] is True


def test_it_serves_the_pdf_for_nobody_else_to_keep(people, session, media):
    report = make_report(session=session)
    answer = client_of(people["owner"]).get(address(session, ".pdf"), HTTP_ACCEPT="application/pdf")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["ETag"] == f'"{report.content_sha256}"'
    name = report.file.name.rpartition("/")[2]
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert b"".join(cast("Any", answer).streaming_content) == (media / report.file.name).read_bytes()


def test_it_says_that_the_pdf_still_says_the_same(people, session):
    client, report = client_of(people["owner"]), make_report(session=session)
    same = client.get(address(session, ".pdf"), HTTP_IF_NONE_MATCH=f'"{report.content_sha256}"')
    assert (same.status_code, same.content) == (304, b"")
    other = client_of(people["another teacher"]).get(
        address(session, ".pdf"), HTTP_IF_NONE_MATCH=f'"{report.content_sha256}"'
    )
    assert other.status_code == 404


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ("never", 404, "no_report"),
        ("pending", 409, "not_ready"),
        ("failed", 404, "report_failed"),
        ("gone", 404, "file_missing"),
    ],
)
@pytest.mark.parametrize("accept", ["application/pdf", "application/json", "text/html"])
def test_it_says_as_json_why_there_is_no_pdf(people, session, state, status, code, accept):
    if state == "pending":
        mark_requested(session=session)
    elif state == "failed":
        SessionReport.objects.create(session=session, status="failed", error="OSError: no Pango here")
    elif state == "gone":
        report = make_report(session=session)
        report.file.storage.delete(report.file.name)
    answer = client_of(people["owner"]).get(address(session, ".pdf"), HTTP_ACCEPT=accept)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
    assert answer.json()["code"] == code
    assert answer.json()["detail"]


def test_it_tells_why_a_report_could_not_be_made(people, session):
    SessionReport.objects.create(session=session, status="failed", error="OSError: no Pango here")
    told = client_of(people["owner"]).get(address(session)).json()
    assert (told["status"], told["error"], told["pdf_url"]) == ("failed", "OSError: no Pango here", None)


def test_it_gives_the_facts_of_the_pdf_as_data(people, session):
    activity = session.activities.get()
    decide_activity(activity=activity, verdict="confirmed", reason="Seen.", reviewer=people["owner"])
    decide_session(session=session, outcome="violation", reason="Away.", reviewer=people["owner"])
    answer = client_of(people["owner"]).get(address(session, ".json"))
    told, context = answer.json(), build_context(session)
    assert answer["Cache-Control"] == "private, no-store"
    assert told["candidate"]["name"] == context.candidate
    assert told["exam"] == {"code": "algebra", "title": "Algebra I"}
    assert (told["scores"]["risk_score"], told["scores"]["risk_level"]) == (2, "Low")
    assert told["breakdown"][0]["points"] == 2
    assert {row["sense"]: row["share"] for row in told["coverage"]} == {
        row.sense: row.share for row in context.coverage
    }
    (found,) = told["activities"]
    assert (found["id"], found["kind"]) == (str(activity.pk), "NO_FACE")
    assert found["explanation"] == context.entries[0].activity.explanation
    assert found["decisions"][0]["reason"] == "Seen."
    assert found["picture"] == {"sha256": Evidence.objects.get().sha256, "note": ""}
    assert (told["outcomes"][0]["verdict"], told["outcomes"][0]["label"]) == ("violation", "violation")
    assert told["unexamined"] == list(context.unexamined)
    assert told["frames"] == context.frames


def test_it_says_everything_in_the_data_that_the_pdf_says(people, session):
    told = client_of(people["owner"]).get(address(session, ".json")).json()
    html = pdf.render_html(build_context(session), generated_at=timezone.now())
    said = [
        told["candidate"]["name"],
        told["exam"]["title"],
        told["status"],
        told["duration"],
        told["statement"],
        *(row["label"] for row in told["coverage"]),
        *(row["label"] for row in told["breakdown"]),
        *(row["explanation"] for row in told["activities"]),
        *told["unexamined"],
    ]
    assert [text for text in said if text not in html] == []


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_it_says_in_the_data_that_evidence_is_damaged(people, session, media, damage):
    path = media / Evidence.objects.get().file.name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"something else")
    told = client_of(people["owner"]).get(address(session, ".json")).json()
    assert f"{damage}" in told["activities"][0]["picture"]["note"]


def test_it_gives_the_data_of_a_session_that_nobody_watched(people, session):
    session.assessments.all().delete()
    told = client_of(people["owner"]).get(address(session, ".json")).json()
    assert (told["scores"], told["activities"]) == (None, [])


def test_it_speaks_the_readers_language_in_the_data_and_the_sites_in_the_pdf(people, session, monkeypatch):
    say_in_bangla(monkeypatch, {"No face and no person could be seen.": "কাউকে দেখা যায়নি।"})
    before = build_context(session).content_sha256()
    told = client_of(people["owner"], language="bn").get(address(session, ".json")).json()
    assert told["language"] == "bn"
    assert told["activities"][0]["explanation"].startswith("কাউকে দেখা যায়নি।")
    assert make_report(session=session).content_sha256 == before


def test_it_takes_no_other_method(people, session):
    client = client_of(people["owner"])
    for answer in (client.delete(address(session)), client.post(address(session, ".pdf"))):
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
