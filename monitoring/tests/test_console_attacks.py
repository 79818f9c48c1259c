"""The console against people who sign in rightly and then reach for what is not theirs."""

from __future__ import annotations

import csv
import io
import uuid
from contextlib import suppress

import pytest
from django.contrib import admin
from django.core.exceptions import FieldError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils.html import escape

from accounts.csv_files import FORMULA_STARTS
from accounts.models import AuditEvent, Candidate, Role, User
from accounts.services import ensure_candidate
from exams.models import CodeSubmission, Exam, ExamAssignment, ExamSession, Problem
from monitoring.models import (
    Appeal,
    Evidence,
    MonitoringLog,
    ReviewCase,
    ReviewDecision,
    ReviewerNote,
    SuspiciousActivity,
)
from monitoring.notes import add_note
from monitoring.picture_models import PictureAccess
from monitoring.review import decide_session
from monitoring.tests.factories import START, make_candidate, make_exam, make_session, make_user
from monitoring.tests.reviewers import FIRSTS_WORDS, activity_of, convict_and_appeal, ended_session, hand_on, make_desk
from reports.context import build_context
from reports.exam_context import build_exam_context
from reports.exam_report import exam_html
from reports.models import SessionReport
from reports.pdf import render_html
from reports.services import make_report

pytestmark = [pytest.mark.django_db, pytest.mark.database]
SECRET = "None of your business"
EVIL = "<evil onclick='run()'>"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def desk():
    return make_desk()


@pytest.fixture
def theirs(desk):
    """A session of somebody else's exam with all that can hang on one."""
    Exam.objects.filter(pk=desk.exam.pk).update(title=SECRET, instructions=SECRET)
    session = ended_session(desk.exam, name=SECRET)
    add_note(session=session, author=desk.first, text=SECRET, at_s=1.0)
    problem = Problem.objects.create(exam=desk.exam, number=1, title=SECRET)
    CodeSubmission.objects.create(
        session=session, problem=problem, version=1, language="python", code=SECRET, sha256="0" * 64
    )
    ExamAssignment.objects.create(exam=desk.exam, candidate=session.candidate)
    convict_and_appeal(session, desk.first)
    make_report(session=session)
    return session


def console_addresses(patterns=None, before=""):
    """Name every address of the admin with the names of what stands in it."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            if before or pattern.app_name == "admin":
                yield from console_addresses(pattern.url_patterns, "admin:")
        elif isinstance(pattern, URLPattern) and before and pattern.name:
            yield pattern.name, tuple(pattern.pattern.regex.groupindex) or ("object_id",) * pattern.pattern.regex.groups


def about(session):
    """Everything in the console that is about this session or its exam: address by name."""
    evidence = Evidence.objects.get(activity__session=session)
    keys = {"session_id": session.pk, "exam_id": session.exam_id, "evidence_id": evidence.pk}
    rows = {
        f"{model._meta.app_label}_{model._meta.model_name}": _row_of(model, session) for model in admin.site._registry
    }
    for name, takes in console_addresses():
        row = rows.get(name.rpartition("_")[0])
        if len(takes) == 1 and takes[0] in keys:
            yield name, reverse(f"admin:{name}", args=[keys[takes[0]]])
        elif takes == ("object_id",) and row is not None:
            yield name, reverse(f"admin:{name}", args=[row.pk])


def _row_of(model, session):
    if model in (ExamSession, Exam, Candidate):
        return {ExamSession: session, Exam: session.exam, Candidate: session.candidate}[model]
    for lookup, value in (("session", session), ("activity__session", session), ("exam", session.exam)):
        with suppress(FieldError):
            return model.objects.filter(**{lookup: value}).first()
    return None


def everything():
    """Count what an attack could have changed."""
    counted = (
        ReviewDecision,
        ReviewerNote,
        ExamSession,
        Exam,
        ExamAssignment,
        SessionReport,
        PictureAccess,
        AuditEvent,
    )
    return [model.objects.count() for model in counted], list(ReviewCase.objects.values("holder", "stage"))


SENT = {
    "outcome": "clear",
    "verdict": "dismissed",
    "reason": "x",
    "text": "x",
    "at": "0",
    "post": "yes",
    "title": "x",
    "save": "1",
    "have": "{}",
}


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.TEACHER, Role.CANDIDATE])
def test_nobody_gets_or_does_anything_by_the_ids_of_somebody_elses_exam(client, theirs, role):
    client.force_login(make_user(role))
    addresses = dict(about(theirs))
    assert len(addresses) > 40
    before, got = everything(), {}
    for name, address in addresses.items():
        if role == Role.TEACHER and name.startswith("accounts_candidate"):
            continue  # who assigns candidates to exams chooses among all
        for way in (client.get, client.post):
            sent = {**SENT, "activity": activity_of(theirs).pk, "activities": [activity_of(theirs).pk]}
            answer = way(address, sent)
            if answer.status_code not in (302, 403, 404, 405) or SECRET in answer.content.decode():
                got[f"{way.__name__} {name}"] = answer.status_code
    assert got == {}
    assert everything() == before


def test_a_reviewer_does_nothing_that_is_the_teachers(client, desk, theirs):
    client.force_login(desk.third)
    before = Exam.objects.values().get()
    for name in ("exams_exam_copy", "exams_proctoringpolicy_what_if"):
        assert client.post(reverse(f"admin:{name}", args=[desk.exam.pk]), SENT).status_code == 403
    for form in ("pdf", "csv"):
        assert client.get(reverse(f"admin:exams_exam_report_{form}", args=[desk.exam.pk])).status_code == 404
    for way in ("change", "delete"):
        assert client.post(reverse(f"admin:exams_exam_{way}", args=[desk.exam.pk]), SENT).status_code == 403
    for listed in ("examsession", "examassignment"):
        assert client.get(reverse(f"admin:exams_{listed}_export")).status_code == 403
    assert client.get(reverse("admin:exams_examassignment_import")).status_code == 403
    assert Exam.objects.values().get() == before
    assert not AuditEvent.objects.filter(action="exported").exists()


def test_a_teacher_who_reviews_an_exam_neither_changes_nor_deletes_it(client, desk):
    teacher = make_user(Role.TEACHER)
    reviewed = make_exam(make_user(Role.TEACHER))
    reviewed.reviewers.add(teacher)
    client.force_login(teacher)
    sent = {"action": "delete_selected", "_selected_action": [reviewed.pk], "post": "yes"}
    assert client.post(reverse("admin:exams_exam_changelist"), sent).status_code in (302, 403)
    assert client.post(reverse("admin:exams_exam_delete", args=[reviewed.pk]), {"post": "yes"}).status_code == 403
    assert client.post(reverse("admin:exams_exam_change", args=[reviewed.pk]), {"title": "x"}).status_code == 403
    assert Exam.objects.get(pk=reviewed.pk).title != "x"


def test_a_teacher_reads_who_looked_in_the_exams_they_run_and_in_no_other(client, desk):
    session = ended_session(desk.exam)
    PictureAccess.objects.create(session=session, user=desk.second, what="picture", way="console")
    colleague = make_user(Role.TEACHER)
    desk.exam.reviewers.add(colleague)
    counts = {}
    for who in (desk.teacher, colleague):
        client.force_login(who)
        counts[who] = client.get(reverse("admin:monitoring_pictureaccess_changelist")).context["cl"].result_count
    assert counts == {desk.teacher: 1, colleague: 0}


@pytest.mark.parametrize(
    "asked",
    [
        "monitoring/suspiciousactivity/?decisions__isnull=False",
        "exams/examsession/?decisions__isnull=False",
        "exams/examsession/?notes__isnull=False",
        "exams/examsession/?review__leaning=violation",
        "exams/examsession/?assessments__reviewed_risk_score__lt=1",
        "monitoring/suspiciousactivity/?decisions__verdict=dismissed",
        "monitoring/suspiciousactivity/?assessment__reviewed_risk_score__lt=1",
        "monitoring/evidence/?activity__decisions__isnull=False",
        "monitoring/appeal/?against__verdict=violation",
        "monitoring/appeal/?against__isnull=False",
    ],
)
def test_who_is_to_look_anew_finds_nothing_out_by_filters_in_the_address(client, desk, asked):
    hand_on(ended_session(desk.exam), desk.first)
    client.force_login(desk.second)
    assert client.get(f"/admin/{asked}").status_code == 400


def test_who_is_to_look_anew_finds_no_words_of_the_first_in_any_list_or_search(client, desk):
    session = ended_session(desk.exam)
    hand_on(session, desk.first)
    add_note(session=session, author=desk.first, text=FIRSTS_WORDS, at_s=1.0)
    client.force_login(desk.second)
    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for asked in ("", "?q=Words", "?verdict=dismissed", "?_facets=1"):
            answer = client.get(address + asked, follow=True)
            assert FIRSTS_WORDS not in answer.content.decode(), address + asked


def test_a_claim_is_given_back_by_nobody_else(client, desk):
    session = ended_session(desk.exam)
    queue = reverse("admin:monitoring_queue")
    client.force_login(desk.first)
    client.post(queue, {"action": "claim", "session": session.pk})
    client.force_login(desk.second)
    for action in ("release", "claim"):
        client.post(queue, {"action": action, "session": session.pk})
    decide = reverse("admin:exams_examsession_decide", args=[session.pk])
    client.post(decide, {"outcome": "clear", "reason": "x"})
    assert ReviewCase.objects.get().holder == desk.first
    assert not ReviewDecision.objects.exists()


def test_nobody_decides_notes_or_looks_in_the_console_on_a_session_that_they_sat(client, desk):
    session = make_session(desk.exam, ensure_candidate(email=desk.first.email), ended_after_s=10)
    client.force_login(desk.first)
    for name in ("decide", "decide_many", "note", "answers", "change", "give_back"):
        address = reverse(f"admin:exams_examsession_{name}", args=[session.pk])
        answers = client.get(address), client.post(address, SENT)
        assert {answer.status_code for answer in answers} <= {404, 405}, name
    assert not (ReviewDecision.objects.exists() or ReviewerNote.objects.exists())


def test_a_file_of_candidates_does_not_become_a_part_of_the_page_that_shows_it(client, desk):
    client.force_login(desk.teacher)
    address = reverse("admin:exams_examassignment_import")
    good = f"exam,email,full_name,external_id\r\n{desk.exam.code},a@example.com,{EVIL},{EVIL}"
    bad = f"exam,email,full_name,muted\r\n{EVIL},b@example.com,{EVIL},{EVIL}\r\n{desk.exam.code},{EVIL},x,{EVIL}"
    headings = f"exam,email,{EVIL}\r\n{desk.exam.code},a@example.com,x"
    for text in (good, bad, headings):
        file = SimpleUploadedFile(f"{EVIL}.csv", text.encode())
        shown = client.post(address, {"import_file": file, "format": "0", "resource": "0"}).content.decode()
        assert "<evil" not in shown
    assert not ExamAssignment.objects.filter(candidate__user__email="a@example.com").exists()


def test_an_upload_is_confirmed_by_nobody_who_only_guesses_its_name(client, desk):
    client.force_login(make_user(Role.TEACHER))
    sent = {"import_file_name": uuid.uuid4().hex, "original_file_name": "x.csv", "format": "0", "resource": "0"}
    answer = client.post(reverse("admin:exams_examassignment_process_import"), sent, follow=True)
    assert "was not kept" in answer.content.decode()


def test_a_reviewer_reads_of_candidates_in_their_exams_and_of_no_other(client, desk):
    ended_session(desk.exam, name="Ours")
    make_candidate(full_name=SECRET)
    assigned = make_candidate(full_name="Assigned")
    ExamAssignment.objects.create(exam=desk.exam, candidate=assigned)
    client.force_login(desk.first)
    text = client.get(reverse("admin:accounts_candidate_changelist")).content.decode()
    assert "Ours" in text
    assert "Assigned" in text
    assert SECRET not in text


def test_what_people_wrote_does_not_become_a_part_of_reports(desk):
    Exam.objects.filter(pk=desk.exam.pk).update(title=EVIL, instructions=EVIL)
    User.objects.filter(pk__in=[desk.first.pk, desk.second.pk]).update(full_name=EVIL)
    session = ended_session(desk.exam, name=EVIL)
    ExamSession.objects.filter(pk=session.pk).update(recording_name=EVIL)
    SuspiciousActivity.objects.update(explanation=EVIL)
    for event_type in (EVIL, "NETWORK_GAP"):
        MonitoringLog.objects.create(
            session=session, event_type=event_type, source="browser", occurred_at=START, detail={"reason": EVIL}
        )
    add_note(session=session, author=desk.first, text=EVIL, at_s=1.0)
    convict_and_appeal(session, desk.first)
    Appeal.objects.update(text=EVIL)
    decide_session(session=session, outcome="concern", reason=EVIL, reviewer=desk.second)
    session = ExamSession.objects.get(pk=session.pk)
    pages = render_html(build_context(session), generated_at=START), exam_html(build_exam_context(session.exam))
    for page in pages:
        assert "<evil" not in page
        assert escape(EVIL) in page


def test_a_table_of_results_runs_nothing_in_a_spreadsheet(client, desk):
    formula = '=HYPERLINK("http://example.com")'
    session = ended_session(desk.exam, name=formula)
    Candidate.objects.filter(pk=session.candidate_id).update(external_id="@SUM(1)")
    ExamAssignment.objects.create(exam=desk.exam, candidate=session.candidate)
    decide_session(session=session, outcome="concern", reason="\n=1+1", reviewer=desk.first)
    desk.first.full_name = "+1"
    desk.first.save()
    client.force_login(desk.teacher)
    for address in (
        reverse("admin:exams_examsession_export"),
        reverse("admin:exams_examassignment_export"),
        reverse("admin:exams_exam_report_csv", args=[desk.exam.pk]),
    ):
        rows = list(csv.reader(io.StringIO(client.get(address).content.decode("utf-8-sig"))))
        cells = [cell for row in rows for cell in row]
        assert f"'{formula}" in cells
        assert [cell for cell in cells if cell.startswith(FORMULA_STARTS)] == []
