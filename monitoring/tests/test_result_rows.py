"""Results of sessions as a file."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Role
from exams.models import CodeSubmission, Problem
from monitoring.models import ReviewDecision
from monitoring.result_rows import COLUMNS
from monitoring.tests.factories import START, make_candidate, make_exam, make_session, make_user
from monitoring.tests.test_admin import MAY, sign_in, watched_session

pytestmark = pytest.mark.django_db
LIST = "/admin/exams/examsession/"
EXPORT = f"{LIST}export/"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def exam():
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), code="algebra")
    exam.reviewers.add(make_user(Role.REVIEWER, "assigned@example.com"))
    return exam


def rows_of(answer):
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


@pytest.mark.database
def test_it_tells_of_each_session_who_when_and_what_came_of_it(client, exam):
    session = watched_session(exam, name="=Candidate One")
    problem = Problem.objects.create(exam=exam, number=1, title="P")
    for version, final in ((1, False), (2, True)):
        CodeSubmission.objects.create(
            session=session, problem=problem, version=version, language="python", code="x", sha256="0", is_final=final
        )
    user = sign_in(client, "owner")
    ReviewDecision.objects.create(session=session, verdict="concern", reason="x", reviewer=user)
    answer = client.get(EXPORT)
    assert "results-" in answer["Content-Disposition"]
    [row] = rows_of(answer)
    assert tuple(row) == COLUMNS
    assert row == row | {
        "exam": "algebra",
        "email": session.candidate.user.email,
        "full_name": "'=Candidate One",
        "session": str(session.pk),
        "status": "submitted",
        "source": "live",
        "started_at": START.isoformat(),
        "ended_at": (START + timedelta(seconds=6)).isoformat(),
        "minutes": "0.1",
        "risk_level": "Low",
        "outcome": "concern",
        "answers": "1",
    }
    assert (float(row["risk_score"]), float(row["reviewed_risk_score"]), float(row["trust_score"])) == (2, 2, 90)


@pytest.mark.database
def test_a_session_that_nobody_watched_or_judged_has_empty_cells(client, exam):
    make_session(exam).assessments.all().delete()
    sign_in(client, "owner")
    [row] = rows_of(client.get(EXPORT))
    assert (row["risk_score"], row["outcome"], row["ended_at"], row["answers"]) == ("", "", "", "0")


def test_the_audit_log_says_who_took_results_away_of_which_exams_and_how_many(client, exam):
    make_session(exam)
    make_session(make_exam(exam.owner, code="geometry"))
    make_session()
    user = sign_in(client, "owner")
    client.get(EXPORT, REMOTE_ADDR="192.0.2.7")
    taken = AuditEvent.objects.get()
    assert (taken.action, taken.outcome, taken.actor) == ("exported", "results", user)
    assert taken.ip_address == "192.0.2.7"
    assert taken.detail == {"form": "csv", "rows": 2, "exams": ["algebra", "geometry"]}
    client.logout()
    sign_in(client, "assigned reviewer")
    assert client.get(EXPORT).status_code == 403
    assert AuditEvent.objects.count() == 1


MAY_EXPORT = [(who, {404: 200}.get(status, status)) for who, status in MAY]


@pytest.mark.parametrize(("who", "status"), [(who, 403 if "reviewer" in who else status) for who, status in MAY_EXPORT])
def test_it_gives_each_person_the_results_of_their_own_exams(client, exam, who, status):
    watched_session(exam)
    watched_session(make_exam(code="botany"))
    sign_in(client, who)
    answer = client.get(EXPORT)
    assert answer.status_code == status
    if status == 200:
        shown = {"owner": {"algebra"}, "another teacher": set(), "admin": {"algebra", "botany"}}
        assert {row["exam"] for row in rows_of(answer)} == shown[who]
    if who == "assigned reviewer":
        assert EXPORT not in client.get(LIST).content.decode()


def test_a_teacher_gets_no_results_of_an_exam_they_only_review(client, exam):
    watched_session(exam)
    exam.reviewers.add(sign_in(client, "another teacher"))
    assert client.get(LIST).context["cl"].result_count == 1
    assert rows_of(client.get(EXPORT)) == []


def test_it_exports_what_the_list_was_filtered_to(client, exam):
    watched_session(exam, name="First Candidate")
    watched_session(exam, name="Second Candidate")
    sign_in(client, "owner")
    assert f"{EXPORT}?q=Second" in client.get(f"{LIST}?q=Second").content.decode()
    assert [row["full_name"] for row in rows_of(client.get(f"{EXPORT}?q=Second"))] == ["Second Candidate"]
    assert rows_of(client.get(f"{EXPORT}?level=High")) == []


def test_it_takes_as_many_queries_for_fifty_sessions_as_for_one(client, exam):
    sign_in(client, "owner")

    def count():
        with CaptureQueriesContext(connection) as queries:
            assert client.get(EXPORT).status_code == 200
        return len(queries)

    watched_session(exam)
    count()
    one = count()
    for _number in range(49):
        make_session(exam, make_candidate(), ended_after_s=5)
    assert count() == one
