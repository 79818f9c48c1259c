"""Candidates of exams in the admin, in and out as CSV."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent, Candidate, Role, User
from exams.authoring import MAX_CANDIDATES_AT_ONCE, assign_candidates
from exams.candidate_rows import COLUMNS
from exams.models import ExamAssignment
from monitoring.tests.factories import make_candidate, make_exam, make_user
from monitoring.tests.test_admin import MAY, sign_in

pytestmark = pytest.mark.django_db
LIST = "/admin/exams/examassignment/"
IMPORT, EXPORT, CONFIRM = f"{LIST}import/", f"{LIST}export/", f"{LIST}process_import/"


@pytest.fixture
def exam():
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), code="algebra")
    exam.reviewers.add(make_user(Role.REVIEWER, "assigned@example.com"))
    return exam


def file_of(*rows, headings="exam,email,full_name,external_id,extra_minutes,time_factor,break_minutes,muted"):
    return SimpleUploadedFile("people.csv", "\r\n".join([headings, *rows]).encode())


def preview(client, *rows, **fields):
    file = rows[0] if rows and isinstance(rows[0], SimpleUploadedFile) else file_of(*rows, **fields)
    return client.post(IMPORT, {"import_file": file, "format": "0", "resource": "0"})


def confirm(client, answer):
    form = answer.context["confirm_form"]
    return client.post(CONFIRM, {name: form.initial[name] for name in form.fields}, follow=True)


def said(answer):
    return [str(message) for message in answer.context["messages"]]


@pytest.mark.database
def test_it_shows_what_would_happen_and_then_does_it(client, exam):
    known = make_candidate("known@example.com", "Known Candidate")
    exam.assignments.create(candidate=known)
    sign_in(client, "owner")
    answer = preview(
        client,
        "algebra,new@example.com,New Candidate,4711,15,1.5,5,gaze sound",
        "algebra,KNOWN@example.com,,,20,,,head",
    )
    text = answer.content.decode()
    assert "2 lines can be imported" in text
    assert "<del>0</del> <ins>20</ins>" in text
    assert "<td>gaze sound</td>" in text
    assert "<ins>head</ins>" in text
    assert not User.objects.filter(email="new@example.com").exists()
    assert said(confirm(client, answer)) == ["Imported: 1 candidates assigned, 1 brought up to date."]
    made = exam.assignments.get(candidate__user__email="new@example.com")
    assert (made.extra_minutes, made.time_factor, made.break_minutes, made.muted) == (15, 1.5, 5, ["gaze", "sound"])
    assert (made.candidate.external_id, made.candidate.user.full_name) == ("4711", "New Candidate")
    changed = exam.assignments.get(candidate=known)
    assert (changed.extra_minutes, changed.time_factor, str(changed.candidate)) == (20, 1.0, "Known Candidate")


@pytest.mark.database
def test_a_file_that_was_exported_can_be_imported_unchanged(client, exam):
    for number, name in enumerate(["=SUM(A1)", "Plain Candidate", "Über, Candidate"]):
        candidate = make_candidate(f"c{number}@example.com", name)
        exam.assignments.create(candidate=candidate, extra_minutes=number, muted=["gaze"] if number else [])
    sign_in(client, "owner")
    exported = client.get(EXPORT)
    assert "attachment" in exported["Content-Disposition"]
    lines = list(csv.reader(io.StringIO(exported.content.decode("utf-8-sig"))))
    assert lines[0] == list(COLUMNS)
    assert lines[1][:3] == ["algebra", "c0@example.com", "'=SUM(A1)"]
    before = list(exam.assignments.order_by("pk").values())
    confirm(client, preview(client, SimpleUploadedFile("again.csv", exported.content)))
    assert list(exam.assignments.order_by("pk").values()) == before
    assert Candidate.objects.count() == 3


GOOD = "algebra,good@example.com,,,,,,"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("botany,a@example.com,,,,,,", "You have no exam with the code “botany”."),
        ("algebra,nonsense,,,,,,", "email: Enter a valid email address."),
        ("algebra,,,,,,,", "email: This field is required."),
        ("algebra,a@example.com,,,-5,,,", "extra_minutes: Ensure this value is greater than or equal to 0."),
        ("algebra,a@example.com,,,many,,,", "extra_minutes: Enter a whole number."),
        ("algebra,a@example.com,,,,9,,", "time_factor: Ensure this value is less than or equal to 5.0."),
        ("algebra,a@example.com,,,,nan,,", "time_factor: Enter a number."),
        ("algebra,a@example.com,,,,,,smell", "muted: Muted must be a list of senses or kinds"),
        ("algebra,GOOD@example.com,,,,,,", "This candidate stands in the file before"),
        ("algebra,a@example.com,,taken,,,,", "Another candidate has this number."),
        (f"algebra,a@example.com,{'x' * 201},,,,,", "full_name: Ensure this value has at most 200 characters"),
    ],
)
def test_it_tells_one_clear_thing_about_a_bad_row_and_imports_nothing(client, exam, row, message):
    Candidate.objects.filter(pk=make_candidate("other@example.com").pk).update(external_id="taken")
    make_exam(code="botany")
    sign_in(client, "owner")
    answer = preview(client, GOOD, "", row)
    [bad] = answer.context["result"].invalid_rows
    assert bad.number == 4  # as a spreadsheet numbers it
    assert len(bad.error.messages) == 1
    assert message in bad.error.messages[0]
    assert message in answer.content.decode().replace("&quot;", '"')
    assert not answer.context["result"].has_errors()
    assert "confirm_form" not in answer.context
    assert not exam.assignments.exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (file_of("a@example.com", headings="email"), "exam and email are needed"),
        (file_of("algebra,a@example.com,x", headings="exam,email,password"), "exam and email are needed"),
        (file_of("algebra,a@example.com,a", headings="exam,email,email"), "exam and email are needed"),
        (file_of(), "no line below its headings"),
        (SimpleUploadedFile("x.csv", b"\xff\xfe\x00\x01"), "not text in UTF-8"),
        (SimpleUploadedFile("x.csv", b"x" * (1024 * 1024 + 1)), "larger than 1 MB"),
        (file_of(*[GOOD] * (MAX_CANDIDATES_AT_ONCE + 1)), f"At most {MAX_CANDIDATES_AT_ONCE} lines"),
    ],
)
def test_it_says_what_is_wrong_with_a_file(client, exam, file, message):
    sign_in(client, "owner")
    file.seek(0)
    text = preview(client, file).content.decode()
    assert message in text
    assert "Traceback" not in text
    assert not exam.assignments.exists()


@pytest.mark.database
def test_it_imports_nothing_if_a_row_has_become_bad_since_the_preview(client, exam):
    sign_in(client, "owner")
    answer = preview(client, GOOD, "algebra,a@example.com,,4711,,,,")
    Candidate.objects.filter(pk=make_candidate("quick@example.com").pk).update(external_id="4711")
    assert "Nothing was imported" in said(confirm(client, answer))[0]
    assert not exam.assignments.exists()
    assert not User.objects.filter(email="good@example.com").exists()


def test_it_says_that_a_file_waited_for_too_long(client, exam):
    sign_in(client, "owner")
    sent = {"import_file_name": "gone", "original_file_name": "x.csv", "format": "0", "resource": "0"}
    assert "waited for too long" in said(client.post(CONFIRM, sent, follow=True))[0]


def test_it_does_not_import_the_same_file_twice(client, exam):
    sign_in(client, "owner")
    answer = preview(client, GOOD)
    confirm(client, answer)
    assert "waited for too long" in said(confirm(client, answer))[0]
    assert exam.assignments.count() == 1


def test_it_escapes_what_stands_in_a_file(client, exam):
    sign_in(client, "owner")
    for row in (
        "algebra,a@example.com,<script>alert(1)</script>,,,,,",
        "<script>alert(1)</script>,a@example.com,,,,,,",
    ):
        text = preview(client, row).content.decode()
        assert "&lt;script&gt;alert(1)" in text
        assert "<script>alert(1)" not in text


def test_the_import_page_has_no_script_or_style_of_its_own(client, exam):
    sign_in(client, "owner")
    text = preview(client, GOOD).content.decode().partition('<div class="import-page">')[2]
    assert "style=" not in text
    assert "<script" not in text


MAY_LIST = [(who, 200 if status in (200, 404) else status) for who, status in MAY]
MAY_MOVE = [(who, 403 if "reviewer" in who else status) for who, status in MAY_LIST]


@pytest.mark.parametrize(("who", "status"), MAY_LIST)
def test_it_lists_each_person_the_candidates_of_exams_they_may_see(client, exam, who, status):
    exam.assignments.create(candidate=make_candidate())
    make_exam(code="botany").assignments.create(candidate=make_candidate())
    sign_in(client, who)
    answer = client.get(LIST)
    assert answer.status_code == status
    shown = {"owner": {"algebra"}, "assigned reviewer": {"algebra"}, "admin": {"algebra", "botany"}}
    if status == 200:
        assert {row.exam.code for row in answer.context["cl"].result_list} == shown.get(who, set())
        assert (IMPORT in answer.content.decode()) is (dict(MAY_MOVE)[who] == 200)


@pytest.mark.parametrize(("who", "status"), MAY_MOVE)
def test_it_exports_each_person_the_candidates_of_their_own_exams(client, exam, who, status):
    exam.assignments.create(candidate=make_candidate("a@example.com"))
    sign_in(client, who)
    answer = client.get(EXPORT)
    assert answer.status_code == status
    if status == 200:
        assert (b"a@example.com" in answer.content) is (who != "another teacher")


@pytest.mark.parametrize(("who", "status"), MAY_MOVE)
def test_it_imports_candidates_of_the_right_people_into_their_own_exams(client, exam, who, status):
    sign_in(client, who)
    assert client.get(IMPORT).status_code == status
    answer = preview(client, GOOD)
    assert answer.status_code == status
    if status == 200 and who != "another teacher":
        confirm(client, answer)
    elif status != 200:
        sent = {"import_file_name": "x", "original_file_name": "x.csv", "format": "0", "resource": "0"}
        assert client.post(CONFIRM, sent).status_code == status
    assert exam.assignments.count() == (1 if who in ("owner", "admin") else 0)


def test_the_audit_log_says_who_took_candidates_away_of_which_exams_and_how_many(client, exam):
    assign_candidates(exam=exam, wanted=[{"email": f"c{number}@example.com"} for number in range(3)])
    client.force_login(exam.owner)
    client.get(EXPORT)
    taken = AuditEvent.objects.get(action="exported")
    assert (taken.outcome, taken.actor) == ("candidates", exam.owner)
    assert taken.detail == {"form": "csv", "rows": 3, "exams": [exam.code]}


def test_a_teacher_exports_nothing_of_an_exam_they_only_review(client, exam):
    exam.assignments.create(candidate=make_candidate("a@example.com"))
    user = sign_in(client, "another teacher")
    exam.reviewers.add(user)
    assert client.get(LIST).context["cl"].result_count == 1
    assert b"a@example.com" not in client.get(EXPORT).content


def test_it_exports_what_the_list_was_filtered_to(client, exam):
    exam.assignments.create(candidate=make_candidate("a@example.com"))
    exam.assignments.create(candidate=make_candidate("b@example.com"), extra_minutes=10)
    sign_in(client, "owner")
    lines = client.get(f"{EXPORT}?extra_minutes=10").content.decode().splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == ["b@example.com"]


@pytest.mark.parametrize("page", ["add/", "{pk}/change/", "{pk}/delete/"])
def test_nobody_changes_rows_in_passing(client, exam, page):
    row = exam.assignments.create(candidate=make_candidate())
    sign_in(client, "admin")
    assert client.post(LIST + page.format(pk=row.pk), {"extra_minutes": 5, "post": "yes"}).status_code == 403
    assert ExamAssignment.objects.filter(pk=row.pk, extra_minutes=0).exists()


def queries_of(client, address):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.mark.parametrize("address", [LIST, EXPORT])
def test_it_takes_as_many_queries_for_fifty_candidates_as_for_one(client, exam, address):
    sign_in(client, "owner")
    exam.assignments.create(candidate=make_candidate())
    client.get(address)
    one = queries_of(client, address)
    for _number in range(49):
        exam.assignments.create(candidate=make_candidate())
    assert queries_of(client, address) == one


def test_each_import_stands_in_the_history(client, exam):
    sign_in(client, "owner")
    confirm(client, preview(client, GOOD))
    row = exam.assignments.get()
    assert client.get(reverse("admin:exams_examassignment_history", args=[row.pk])).context["action_list"]
