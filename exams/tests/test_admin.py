"""Exams in the admin."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from exams.models import Exam, Problem
from monitoring.tests.factories import make_candidate, make_exam, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/exams/exam/"


def page(exam: Exam) -> str:
    return reverse("admin:exams_exam_change", args=[exam.pk])


def form(exam: Exam | None = None, **fields: object) -> dict[str, object]:
    """The form as a browser sends it, without any inline row."""
    versions = exam.policies.count() if exam else 0
    return {
        "code": exam.code if exam else "new-exam",
        "title": "Geometry",
        "duration_minutes": "45",
        "candidate_sees": "scores",
        "appeal_days": "7",
        "problems-TOTAL_FORMS": "0",
        "problems-INITIAL_FORMS": "0",
        "policies-TOTAL_FORMS": str(versions),
        "policies-INITIAL_FORMS": str(versions),
        "assignments-TOTAL_FORMS": "0",
        "assignments-INITIAL_FORMS": "0",
    } | fields


def new_policy(exam: Exam, settings: str) -> dict[str, object]:
    """The form with one more policy version."""
    old = list(exam.policies.order_by("-version"))
    ids = {f"policies-{n}-id": str(policy.pk) for n, policy in enumerate(old)}
    ids |= {f"policies-{n}-exam": str(exam.pk) for n in range(len(old) + 1)}
    added = {f"policies-{len(old)}-settings": settings, f"policies-{len(old)}-note": "stricter"}
    return form(exam, **ids, **added, **{"policies-TOTAL_FORMS": str(len(old) + 1)})


@pytest.fixture
def teacher():
    return make_user(Role.TEACHER)


@pytest.fixture
def exam(teacher):
    return make_exam(teacher, code="algebra")


@pytest.mark.database
def test_it_shows_teachers_their_own_exams_only(client, teacher, exam):
    other = make_exam(code="botany")
    client.force_login(teacher)
    answer = client.get(LIST).content.decode()
    assert "algebra" in answer
    assert "botany" not in answer
    assert client.get(page(other)).status_code == 302


def test_it_shows_reviewers_the_exams_assigned_to_them_without_a_form(client, exam):
    reviewer = make_user(Role.REVIEWER)
    exam.reviewers.add(reviewer)
    make_exam(code="botany")
    client.force_login(reviewer)
    answer = client.get(LIST).content.decode()
    assert "algebra" in answer
    assert "botany" not in answer
    assert b'name="_save"' not in client.get(page(exam)).content
    assert client.post(page(exam), form(exam)).status_code == 403


def test_it_shows_admins_all_exams(client, exam):
    make_exam(code="botany")
    client.force_login(make_user(Role.ADMIN))
    answer = client.get(LIST).content.decode()
    assert "algebra" in answer
    assert "botany" in answer


def test_it_lets_a_teacher_look_at_but_not_change_an_exam_they_review(client, exam):
    colleague = make_user(Role.TEACHER)
    exam.reviewers.add(colleague)
    client.force_login(colleague)
    assert client.get(page(exam)).status_code == 200
    assert client.post(page(exam), form(exam)).status_code == 403
    assert client.post(reverse("admin:exams_exam_delete", args=[exam.pk])).status_code == 403


@pytest.mark.parametrize("role", [Role.CANDIDATE, None])
def test_it_sends_everybody_else_to_the_login_page(client, exam, role):
    if role:
        client.force_login(make_user(role))
    assert "/login/" in client.get(LIST)["Location"]
    assert "/login/" in client.get(page(exam))["Location"]


def test_it_makes_the_teacher_owner_and_writes_the_first_policy_version(client, teacher):
    client.force_login(teacher)
    answer = client.post(reverse("admin:exams_exam_add"), form())
    assert answer.status_code == 302, answer.context["errors"]
    exam = Exam.objects.get(code="new-exam")
    assert exam.owner == teacher
    assert [policy.version for policy in exam.policies.all()] == [1]


def test_it_does_not_let_a_teacher_give_an_exam_away(client, teacher, exam):
    client.force_login(teacher)
    client.post(page(exam), form(exam, owner=str(make_user().pk)))
    exam.refresh_from_db()
    assert (exam.owner, exam.title) == (teacher, "Geometry")


def test_it_adds_a_changed_policy_as_the_next_version(client, teacher, exam):
    client.force_login(teacher)
    answer = client.post(page(exam), new_policy(exam, '{"high_from": 12}'))
    assert answer.status_code == 302, answer.context["errors"]
    assert exam.current_policy is not None
    assert (exam.current_policy.version, exam.current_policy.rules.high_from) == (2, 12)


def test_it_never_changes_an_existing_policy_version(client, teacher, exam):
    client.force_login(teacher)
    old = exam.policies.get()
    sent = form(
        exam,
        **{
            "policies-0-id": str(old.pk),
            "policies-0-exam": str(exam.pk),
            "policies-0-settings": '{"high_from": 99}',
            "policies-0-note": "forged",
            "policies-0-DELETE": "on",
        },
    )
    client.post(page(exam), sent)
    old.refresh_from_db()
    assert (old.settings, old.note) == ({}, "default policy")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('{"high_form": 12}', "has no setting called"),
        ('{"high_from": 1}', "medium_from must be above 0 and below high_from"),
        ("[1]", "must be a table of names and values"),
        ("{broken", "valid JSON"),
    ],
)
def test_it_refuses_a_policy_that_cannot_be_used_in_words(client, teacher, exam, settings, message):
    client.force_login(teacher)
    answer = client.post(page(exam), new_policy(exam, settings))
    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert exam.policies.count() == 1


def test_it_assigns_candidates_found_by_name(client, teacher, exam):
    candidate = make_candidate(full_name="Candidate One")
    client.force_login(teacher)
    query = {"term": "one", "app_label": "exams", "model_name": "examassignment", "field_name": "candidate"}
    found = json.loads(client.get(reverse("admin:autocomplete"), query).content)
    assert [row["id"] for row in found["results"]] == [str(candidate.pk)]
    row = {"candidate": str(candidate.pk), "extra_minutes": "15", "time_factor": "1.5", "break_minutes": "5"}
    sent = {f"assignments-0-{name}": value for name, value in row.items()} | {"assignments-TOTAL_FORMS": "1"}
    answer = client.post(page(exam), form(exam, **sent, **{"assignments-0-muted": '["smell"]'}))
    assert "Muted must be a list of senses or kinds" in answer.content.decode()
    assert client.post(page(exam), form(exam, **sent, **{"assignments-0-muted": ""})).status_code == 302
    made = exam.assignments.get()
    assert (made.candidate, made.extra_minutes, made.time_factor, made.break_minutes, made.muted) == (
        candidate,
        15,
        1.5,
        5,
        [],
    )


def test_it_keeps_for_whom_an_exam_is_and_what_candidates_see(client, teacher, exam):
    client.force_login(teacher)
    sent = {"open_to_all": "on", "max_attempts": "2", "candidate_sees": "nothing", "mail_when_high": "on"}
    sent["appeal_days"] = "14"
    assert client.post(page(exam), form(exam, **sent)).status_code == 302
    exam.refresh_from_db()
    assert (exam.open_to_all, exam.max_attempts, exam.candidate_sees) == (True, 2, "nothing")
    assert exam.appeal_days == 14
    assert exam.mail_when_high is True


def test_it_lists_thirty_exams_with_as_many_queries_as_one(client, teacher):
    client.force_login(teacher)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST).status_code == 200
        return len(queries)

    exam = make_exam(teacher)
    client.get(LIST)
    one = count()
    for number in range(29):
        exam = make_exam(teacher)
        Problem.objects.create(exam=exam, number=1, title=f"Problem {number}")
        exam.assignments.create(candidate=make_candidate())
    assert count() == one


@pytest.mark.database
def test_it_counts_problems_candidates_and_sessions_without_multiplying_them(client, teacher, exam):
    for number in (1, 2, 3):
        Problem.objects.create(exam=exam, number=number, title="P")
        exam.assignments.create(candidate=make_candidate())
    client.force_login(teacher)
    row = client.get(LIST).context["cl"].result_list[0]
    assert (row.problem_total, row.candidate_total, row.session_total, row.newest_version) == (3, 3, 0, 1)
