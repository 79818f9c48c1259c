"""The report of a whole exam: what it says, for whom, and how it looks to spreadsheets."""

import codecs
import csv
import dataclasses
import io
import json
import re
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from accounts.models import AuditEvent, Role
from exams.models import ExamAssignment
from monitoring import review
from monitoring.models import SuspiciousActivity
from monitoring.tests.factories import end_session, facts, make_candidate, make_exam, make_session, make_user, watch
from monitoring.tests.test_server import ROOT, Server
from reports.exam_context import MOST_PRINTED, build_exam_context
from reports.exam_report import exam_csv, exam_file, exam_html
from reports.many import FEW
from reports.tests.test_reports import unpacked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def watched(exam, name, *, away=0):
    """A session in which nobody was there so many times."""
    session = make_session(exam, make_candidate(full_name=name))
    for number in range(max(1, away)):
        begin = 30 * number
        gone = [facts(begin + at, faces=0, objects={}) for at in range(6 if away else 0)]
        there = [facts(begin + at, objects={"person": 0.9}) for at in range(len(gone), 30)]
        watch(session, *gone, *there)
    end_session(session, 30 * max(1, away))
    session.refresh_from_db()
    return session


@pytest.fixture
def exam():
    return make_exam(make_user(Role.TEACHER), code="algebra-9", title="Algebra IX")


def test_it_counts_levels_outcomes_kinds_and_who_decided(exam):
    reviewer = make_user(Role.ADMIN, full_name="Reviewer One")
    worst, better = watched(exam, "Candidate One", away=3), watched(exam, "Candidate Two")
    absent = make_candidate(full_name="Candidate Three")
    ExamAssignment.objects.create(exam=exam, candidate=absent)
    first, second, _third = SuspiciousActivity.objects.filter(session=worst).order_by("started_at")
    review.decide_activity(activity=first, verdict="confirmed", reason="Empty seat.", reviewer=reviewer)
    review.decide_activity(activity=second, verdict="dismissed", reason="Bent down.", reviewer=reviewer)
    review.decide_session(session=worst, outcome="concern", reason="Away twice.", reviewer=reviewer)
    report = build_exam_context(exam)
    assert [line.candidate for line in report.lines] == ["Candidate One", "Candidate Two", "Candidate Three"]
    assert [line.session for line in report.lines] == [worst.pk, better.pk, None]
    assert (report.session_count, report.absent_count) == (2, 1)
    assert {part.name: part.count for part in report.levels} == {"High": 0, "Medium": 1, "Low": 1, "none": 0}
    assert {part.name: part.count for part in report.outcomes if part.count} == {"concern": 1, "none": 1}
    (kind,) = report.kinds
    assert (kind.kind, kind.activities, kind.sessions) == ("NO_FACE", 3, 1)
    assert (kind.confirmed, kind.dismissed, kind.escalated, kind.undecided) == (1, 1, 0, 1)
    assert [(one.reviewer, one.activities, one.sessions) for one in report.reviewers] == [("Reviewer One", 2, 1)]
    assert (report.lines[0].outcome, report.lines[0].reviewer) == ("concern", "Reviewer One")


@pytest.mark.parametrize("count", [1, 20])
def test_it_asks_the_database_as_often_for_many_as_for_one(exam, count, django_assert_num_queries):
    for number in range(count):
        session = make_session(exam, make_candidate(full_name=f"Candidate {number}"))
        watch(session, *(facts(at, faces=0, objects={}) for at in range(8)))
        end_session(session, 20)
        review.decide_session(session=session, outcome="clear", reason="Fine.", reviewer=make_user(Role.ADMIN))
    with django_assert_num_queries(7):
        assert len(build_exam_context(exam).lines) == count


def test_a_table_is_safe_to_open_and_holds_everybody(exam):
    watched(exam, '=HYPERLINK("http://example.com")', away=1)
    rows = list(csv.DictReader(io.StringIO(exam_csv(build_exam_context(exam)))))
    assert [row["candidate"] for row in rows] == ['\'=HYPERLINK("http://example.com")']
    assert float(rows[0]["risk_score"]) == 2
    assert rows[0]["started_at"].endswith("+00:00")
    assert rows[0]["outcome"] == rows[0]["decided_at"] == ""


def test_an_exam_that_nobody_sat_has_a_report_too(exam):
    assert "Nobody was assigned, and nobody came." in exam_html(build_exam_context(exam))
    assert exam_file(exam, "pdf")[0].startswith(b"%PDF")
    assert exam_csv(build_exam_context(exam)).count("\n") == 1


def test_the_pdf_leaves_most_of_a_very_long_list_to_the_table_and_says_so(exam):
    watched(exam, "Candidate One")
    report = build_exam_context(exam)
    many = dataclasses.replace(report, lines=report.lines * (MOST_PRINTED + 2))
    page = exam_html(many)
    assert page.count("Candidate One") == MOST_PRINTED
    assert "2 more are in the table" in page
    assert "more are in the table" not in exam_html(report)


def test_names_are_escaped(exam):
    watched(exam, "<script>alert(1)</script>")
    assert "<script>alert" not in exam_html(build_exam_context(exam))


def test_it_is_a_tagged_pdf_for_screen_readers(exam):
    watched(exam, "Candidate One", away=1)
    data = unpacked(exam_file(exam, "pdf")[0])
    assert b"pdfuaid:part" in data
    assert b"/MarkInfo" in data
    assert re.search(rb"/S\s*/TH\b", data)


# --- in the console ---------------------------------------------------------------------------------------------------

WHO = [("nobody", 302), ("candidate", 302), ("owner", 200), ("another teacher", 404), ("reviewer", 404), ("admin", 200)]


@pytest.mark.parametrize("form", ["pdf", "csv"])
@pytest.mark.parametrize(("who", "status"), WHO)
def test_it_is_for_who_runs_the_exam(client, exam, who, status, form):
    people = {
        "candidate": Role.CANDIDATE,
        "another teacher": Role.TEACHER,
        "reviewer": Role.REVIEWER,
        "admin": Role.ADMIN,
    }
    user = exam.owner if who == "owner" else make_user(people[who]) if who in people else None
    if who == "reviewer":
        exam.reviewers.add(user)
    if user is not None:
        client.force_login(user)
    answer = client.get(reverse(f"admin:exams_exam_report_{form}", args=[exam.pk]))
    assert answer.status_code == status
    if status == 200:
        assert answer["Content-Type"].startswith({"pdf": "application/pdf", "csv": "text/csv"}[form])
        assert "no-store" in answer["Cache-Control"]
        assert answer.content.startswith({"pdf": b"%PDF", "csv": "\ufeffcandidate".encode()}[form])
    assert AuditEvent.objects.filter(action="exported").exists() is (status == 200)


@pytest.mark.parametrize("form", ["pdf", "csv"])
def test_the_audit_log_says_who_took_which_exam_away_and_how_many_rows(client, exam, form):
    watched(exam, "Candidate One")
    ExamAssignment.objects.create(exam=exam, candidate=make_candidate())
    client.force_login(exam.owner)
    client.get(reverse(f"admin:exams_exam_report_{form}", args=[exam.pk]), REMOTE_ADDR="192.0.2.7")
    taken = AuditEvent.objects.get(action="exported")
    assert (taken.actor, taken.outcome, taken.ip_address) == (exam.owner, "exam_report", "192.0.2.7")
    assert taken.detail == {"form": form, "rows": 2, "exam": "algebra-9"}


@pytest.mark.parametrize("form", ["pdf", "csv"])
def test_it_is_not_made_by_post_and_not_without_the_exam_or_the_permission(client, exam, form):
    address = reverse(f"admin:exams_exam_report_{form}", args=[exam.pk])
    client.force_login(exam.owner)
    assert client.post(address).status_code == 405
    assert client.get(address.replace(str(exam.pk), "00000000-0000-4000-8000-000000000000")).status_code == 404
    for group in exam.owner.groups.all():
        group.permissions.remove(*group.permissions.filter(codename="view_sessionreport"))
    assert client.get(address).status_code == 404


def test_the_list_of_exams_leads_to_it(client, exam):
    client.force_login(exam.owner)
    reviewed = make_exam(make_user(Role.TEACHER), code="reviewed-only")
    reviewed.reviewers.add(exam.owner)
    page = client.get(reverse("admin:exams_exam_changelist")).content.decode()
    assert reverse("admin:exams_exam_report_pdf", args=[exam.pk]) in page
    assert reverse("admin:exams_exam_report_csv", args=[exam.pk]) in page
    assert reverse("admin:exams_exam_report_csv", args=[reviewed.pk]) not in page


# --- on the command line ----------------------------------------------------------------------------------------------


def test_a_file_is_written_by_its_ending(exam, tmp_path, capsys):
    watched(exam, "Candidate One", away=1)
    call_command("export_exam", exam.code, tmp_path / "exam.csv", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "exam": "algebra-9",
        "file": str(tmp_path / "exam.csv"),
        "bytes": (tmp_path / "exam.csv").stat().st_size,
    }
    written = AuditEvent.objects.get()
    assert (written.action, written.outcome, written.actor) == ("exported", "exam_report", None)
    assert written.detail == {"form": "csv", "rows": 1, "exam": "algebra-9", "command": True}
    call_command("export_exam", exam.code, tmp_path / "exam.pdf", "--language", "bn")
    assert (tmp_path / "exam.csv").read_text("utf-8-sig").startswith("candidate,email")
    assert (tmp_path / "exam.csv").read_bytes().startswith(codecs.BOM_UTF8)
    assert (tmp_path / "exam.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("code", "name", "sentence"),
    [
        ("geometry", "exam.csv", "no exam with the code 'geometry'"),
        ("algebra-9", "exam.xls", "is to end with .pdf or .csv"),
        ("algebra-9", "nowhere/exam.csv", "cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_written_is_said_in_a_sentence(exam, tmp_path, code, name, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("export_exam", code, tmp_path / name)


MANY = """
import sys, django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from monitoring.tests.factories import *
exam = make_exam(code="many")
for number in range(int(sys.argv[1])):
    session = make_session(exam, make_candidate(full_name=f"Candidate {number}"))
    watch(session, *(facts(at, faces=0, objects={}) for at in range(8)))
    end_session(session, 20)
"""


@pytest.mark.slow
def test_many_reports_are_made_by_several_processes(tmp_path):
    server = Server(tmp_path)
    server.python(MANY, FEW + 2)
    command = [sys.executable, str(ROOT / "manage.py"), "regenerate_reports", "--exam", "many", "--jobs", "2"]
    done = subprocess.run(command, env=server.environ, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, f"{FEW + 2} reports made."), done.stderr
    states = server.ask("SELECT status, file FROM reports_sessionreport")
    assert {status for status, _file in states} == {"ready"}
    assert len({file for _status, file in states}) == FEW + 2
    assert all((tmp_path / "media" / file).stat().st_size > 1000 for _status, file in states)
