"""Copies of exams."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from accounts.models import Role
from exams.copying import ARRANGED, COPIED, copy_exam
from exams.models import Exam, Problem
from exams.services import add_policy_version
from monitoring.tests.factories import make_candidate, make_exam, make_session, make_user
from monitoring.tests.test_admin import MAY, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def exam():
    exam = make_exam(
        make_user(Role.TEACHER, "owner@example.com"),
        code="algebra",
        instructions="Read all of it first.",
        duration_minutes=45,
        max_attempts=2,
        mail_when_high=True,
        open_to_all=True,
        candidate_sees="nothing",
    )
    exam.reviewers.add(make_user(Role.REVIEWER, "assigned@example.com"))
    for number in (1, 2):
        Problem.objects.create(exam=exam, number=number, title=f"P{number}", statement="Why?", points=number)
    add_policy_version(exam=exam, settings={"high_from": 12})
    exam.assignments.create(
        candidate=make_candidate(), extra_minutes=5, time_factor=1.5, break_minutes=3, muted=["gaze"]
    )
    return exam


def page(exam):
    return reverse("admin:exams_exam_copy", args=[exam.pk])


def rows(exam):
    problems = list(exam.problems.order_by("number").values_list("number", "title", "statement", "points"))
    assignments = list(exam.assignments.order_by("candidate").values_list("candidate", *ARRANGED))
    return problems, assignments, set(exam.reviewers.all()), exam.current_policy.rules


@pytest.mark.database
def test_a_copy_has_all_that_belongs_to_the_exam_and_nothing_that_happened_in_it(exam):
    make_session(exam)
    copy = copy_exam(exam=exam, owner=exam.owner, title="Algebra again", with_candidates=True)
    assert rows(copy) == rows(exam)
    assert [getattr(copy, name) for name in COPIED] == [getattr(exam, name) for name in COPIED]
    assert (copy.title, copy.owner, copy.code) == ("Algebra again", exam.owner, "algebra-again")
    assert not copy.sessions.exists()
    assert (copy.current_policy.settings, copy.current_policy.note) == ({"high_from": 12}, "algebra v2")


@pytest.mark.database
def test_a_copy_is_open_to_nobody_unless_the_candidates_go_with_it(exam):
    copy = copy_exam(exam=exam, owner=exam.owner, title="Algebra", code="second")
    assert (copy.open_to_all, copy.assignments.count(), copy.code) == (False, 0, "second")
    assert exam.open_to_all


def test_what_is_not_copied_is_left_out_on_purpose():
    left_out = {"id", "code", "title", "open_to_all", "owner", "created_at"}
    assert {field.name for field in Exam._meta.fields} == set(COPIED) | left_out


@pytest.mark.database
def test_it_refuses_a_code_that_is_taken_and_makes_nothing(exam):
    with pytest.raises(ValidationError):
        copy_exam(exam=exam, owner=exam.owner, title="x", code="algebra")
    assert Exam.objects.count() == 1


MAY_COPY = [(who, 403 if who == "assigned reviewer" else status) for who, status in MAY]


@pytest.mark.parametrize(("who", "status"), MAY_COPY)
def test_it_lets_the_right_people_copy(client, exam, who, status):
    sign_in(client, who)
    assert client.get(page(exam)).status_code == status
    answer = client.post(page(exam), {"title": "Second", "with_candidates": "on"})
    assert answer.status_code == (302 if status == 200 else status)
    assert Exam.objects.count() == (2 if status == 200 else 1)
    if status == 200:
        copy = Exam.objects.exclude(pk=exam.pk).get()
        assert (copy.title, copy.owner, copy.assignments.count()) == ("Second", exam.owner, 1)
        assert answer["Location"] == reverse("admin:exams_exam_change", args=[copy.pk])


def test_the_page_says_that_a_code_is_taken(client, exam):
    sign_in(client, "owner")
    answer = client.post(page(exam), {"title": "Second", "code": "algebra"})
    assert answer.context["form"].errors["code"]
    assert Exam.objects.count() == 1


def test_the_page_of_an_exam_offers_a_copy_to_who_may_change_it(client, exam):
    sign_in(client, "owner")
    assert page(exam) in client.get(reverse("admin:exams_exam_change", args=[exam.pk])).content.decode()
    sign_in(client, "assigned reviewer")
    assert page(exam) not in client.get(reverse("admin:exams_exam_change", args=[exam.pk])).content.decode()
