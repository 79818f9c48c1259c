"""Problems and policies over the interface."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Role
from accounts.tests.client import client_of
from exams.authoring import Gone, add_problem, delete_problem, update_problem
from exams.lifecycle import move_session
from exams.models import CodeSubmission, Exam, Problem, ProctoringPolicy, SessionStatus
from exams.policy import Policy
from exams.services import create_session
from monitoring.tests.factories import make_candidate, make_exam, make_session, make_user

pytestmark = pytest.mark.django_db


def problems_of(exam: Exam) -> str:
    return f"/api/v1/exams/{exam.pk}/problems"


def policy_of(exam: Exam) -> str:
    return f"/api/v1/exams/{exam.pk}/policy"


@pytest.fixture
def teacher():
    return make_user(Role.TEACHER)


@pytest.fixture
def exam(teacher):
    return make_exam(teacher, code="algebra")


@pytest.fixture
def problem(exam):
    return add_problem(exam=exam, title="Sum", statement="Add them up.", points=5)


# --- problems ---------------------------------------------------------------------------------------------------------


def test_it_shows_staff_the_problems_in_order(teacher, exam, problem):
    add_problem(exam=exam, number=7, title="Last")
    add_problem(exam=exam, number=3, title="Middle")
    rows = client_of(teacher).get(problems_of(exam)).data["results"]
    assert [(row["number"], row["title"]) for row in rows] == [(1, "Sum"), (3, "Middle"), (7, "Last")]
    rows = client_of(teacher).get(problems_of(exam), {"ordering": "-points"}).data["results"]
    assert rows[0]["title"] == "Sum"
    exam.reviewers.add(reviewer := make_user(Role.REVIEWER))
    assert client_of(reviewer).get(f"{problems_of(exam)}/{problem.pk}").data["statement"] == "Add them up."


@pytest.mark.database
def test_it_shows_candidates_the_problems_from_when_they_begin_and_for_good(exam, problem):
    candidate = make_candidate()
    exam.assignments.create(candidate=candidate)
    client = client_of(candidate.user)

    def answers() -> list[int]:
        return [client.get(where).status_code for where in (problems_of(exam), f"{problems_of(exam)}/{problem.pk}")]

    refused = client.get(problems_of(exam))
    assert (refused.status_code, refused.data["code"]) == (409, "not_begun")
    assert "Sum" not in str(refused.data)
    session = create_session(exam=exam, candidate=candidate)
    assert answers() == [409, 409]
    for status in (SessionStatus.ACTIVE, SessionStatus.PAUSED, SessionStatus.ACTIVE, SessionStatus.SUBMITTED):
        session = move_session(session=session, to=status)
        assert answers() == [200, 200]


def test_it_shows_no_problems_for_a_session_that_never_began(exam, problem):
    candidate = make_candidate()
    exam.assignments.create(candidate=candidate)
    move_session(session=create_session(exam=exam, candidate=candidate), to=SessionStatus.TERMINATED)
    assert client_of(candidate.user).get(problems_of(exam)).status_code == 409


def test_it_shows_no_problems_because_somebody_else_began(exam, problem):
    make_session(exam)
    candidate = make_candidate()
    exam.assignments.create(candidate=candidate)
    make_session(candidate=candidate)
    assert client_of(candidate.user).get(problems_of(exam)).status_code == 409


def test_it_knows_no_problems_of_exams_that_are_not_the_callers(exam, problem):
    for role in (Role.CANDIDATE, Role.REVIEWER, Role.TEACHER):
        client = client_of(make_user(role))
        assert client.get(problems_of(exam)).status_code == 404
        assert client.get(f"{problems_of(exam)}/{problem.pk}").status_code == 404
    client = client_of(make_user(Role.TEACHER))
    assert client.post(problems_of(exam), {"title": "x"}).status_code == 404
    assert client.patch(f"{problems_of(exam)}/{problem.pk}", {"title": "x"}).status_code == 404
    assert client.delete(f"{problems_of(exam)}/{problem.pk}").status_code == 404
    assert [row.title for row in Problem.objects.all()] == ["Sum"]


def test_it_knows_a_problem_only_under_its_own_exam(teacher, exam, problem):
    other = make_exam(teacher)
    where = f"{problems_of(other)}/{problem.pk}"
    client = client_of(teacher)
    assert [client.get(where).status_code, client.delete(where).status_code] == [404, 404]
    assert client.patch(where, {"title": "x"}).status_code == 404
    assert Problem.objects.get().title == "Sum"


@pytest.mark.database
def test_it_numbers_problems_by_itself_unless_told(teacher, exam):
    client = client_of(teacher)
    numbers = [
        client.post(problems_of(exam), {"title": "P"} | extra).data["number"] for extra in ({}, {"number": 5}, {})
    ]
    assert numbers == [1, 5, 6]
    assert list(exam.problems.values_list("number", flat=True)) == [1, 5, 6]


def test_it_keeps_every_field_of_a_problem(teacher, exam):
    sent = {"number": 2, "title": "Sum", "statement": "Add\nthem.", "points": 5}
    answer = client_of(teacher).post(problems_of(exam), sent)
    assert answer.status_code == 201
    assert Problem.objects.values("number", "title", "statement", "points").get() == sent
    assert answer.data == {"id": str(Problem.objects.get().pk), **sent}


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "title"),
        ({"title": None}, "title"),
        ({"title": ""}, "title"),
        ({"title": {}}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "x", "statement": None}, "statement"),
        ({"title": "x", "statement": "x" * 50_001}, "statement"),
        ({"title": "x", "points": -1}, "points"),
        ({"title": "x", "points": 1001}, "points"),
        ({"title": "x", "points": "many"}, "points"),
        ({"title": "x", "points": None}, "points"),
        ({"title": "x", "number": 0}, "number"),
        ({"title": "x", "number": 1001}, "number"),
        ({"title": "x", "number": 1.5}, "number"),
        ({"title": "x", "number": None}, "number"),
        ({"title": "x", "number": 1}, "number"),
    ],
)
def test_it_refuses_what_cannot_be_a_problem_and_names_the_field(teacher, exam, problem, sent, field):
    answer = client_of(teacher).post(problems_of(exam), sent)
    assert (answer.status_code, list(answer.data["fields"])) == (400, [field])
    assert Problem.objects.get() == problem


def test_it_refuses_a_problem_beyond_the_last_number(teacher, exam):
    add_problem(exam=exam, number=1000, title="Last")
    answer = client_of(teacher).post(problems_of(exam), {"title": "One more"})
    assert (answer.status_code, list(answer.data["fields"])) == (400, ["number"])
    assert Problem.objects.count() == 1


@pytest.mark.database
def test_it_changes_a_problem_unless_another_has_the_number(teacher, exam, problem):
    other = add_problem(exam=exam, title="Product")
    client, where = client_of(teacher), f"{problems_of(exam)}/{other.pk}"
    assert client.patch(where, {"number": 1}).status_code == 400
    assert client.patch(where, {"number": 2, "title": "Factor"}).status_code == 200
    assert client.patch(where, {"points": -1}).status_code == 400
    other.refresh_from_db()
    assert (other.number, other.title, other.points) == (2, "Factor", 1)
    assert client.patch(f"{problems_of(exam)}/{problem.pk}", {"number": 9}).data["number"] == 9


@pytest.mark.database
def test_it_deletes_a_problem_unless_it_was_answered(teacher, exam, problem):
    session, client = make_session(exam), client_of(teacher)
    fields = {"version": 1, "language": "python", "code": "1", "sha256": "0" * 64}
    CodeSubmission.objects.create(session=session, problem=problem, **fields)
    answer = client.delete(f"{problems_of(exam)}/{problem.pk}")
    assert (answer.status_code, answer.data["code"]) == (409, "in_use")
    other = add_problem(exam=exam, title="Product")
    assert client.delete(f"{problems_of(exam)}/{other.pk}").status_code == 204
    assert Problem.objects.get() == problem


def test_it_answers_in_words_what_was_deleted_in_the_meantime(exam, problem):
    Problem.objects.all().delete()
    for change in (lambda: update_problem(problem=problem, title="x"), lambda: delete_problem(problem=problem)):
        with pytest.raises(Gone, match="deleted in the meantime") as error:
            change()
        assert error.value.status == 404
    Exam.objects.all().delete()
    with pytest.raises(Gone, match="deleted in the meantime"):
        add_problem(exam=exam, title="x")


@pytest.mark.parametrize("role", [Role.CANDIDATE, Role.REVIEWER])
def test_it_lets_neither_candidates_nor_reviewers_change_problems(exam, problem, role):
    user = make_user(role)
    exam.reviewers.add(user)
    client, where = client_of(user), f"{problems_of(exam)}/{problem.pk}"
    answers = [client.post(problems_of(exam), {"title": "x"}), client.patch(where, {"title": "x"})]
    assert [answer.status_code for answer in (*answers, client.delete(where))] == [403, 403, 403]
    assert Problem.objects.get().title == "Sum"


def test_it_lists_thirty_problems_with_as_many_queries_as_one(teacher, exam, problem):
    client = client_of(teacher)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(problems_of(exam)).status_code == 200
        return len(queries)

    one = count()
    for _ in range(29):
        add_problem(exam=exam, title="More")
    assert count() == one


# --- policies ---------------------------------------------------------------------------------------------------------


def test_it_shows_the_policy_as_set_and_as_it_works_out(teacher, exam):
    answer = client_of(teacher).get(policy_of(exam))
    assert answer.status_code == 200
    assert (answer.data["version"], answer.data["settings"]) == (1, {})
    assert answer.json()["effective"]["kinds"].keys() == Policy().kinds.keys()
    assert [row["version"] for row in answer.data["versions"]] == [1]


def test_it_gives_an_exam_without_any_policy_the_default_one(teacher):
    exam = Exam.objects.create(code="bare", title="Bare", owner=teacher)
    assert client_of(teacher).get(policy_of(exam)).data["version"] == 1


@pytest.mark.database
@pytest.mark.parametrize("method", ["put", "post"])
def test_it_adds_other_rules_as_the_next_version_and_the_same_as_none(teacher, exam, method):
    send = getattr(client_of(teacher), method)
    answer = send(policy_of(exam), {"settings": {"high_from": 12}, "note": "stricter"})
    assert (answer.status_code, answer.data["version"], answer.data["effective"]["high_from"]) == (201, 2, 12)
    assert [row["version"] for row in answer.data["versions"]] == [2, 1]
    again = send(policy_of(exam), {"settings": {"high_from": 12.0}, "note": "the same"})
    assert (again.status_code, again.data["version"], again.data["note"]) == (200, 2, "stricter")
    assert send(policy_of(exam), {"settings": {}}).data["version"] == 3
    stored = ProctoringPolicy.objects.filter(exam=exam).values_list("version", "settings", "note")
    assert sorted(stored) == [(1, {}, "default policy"), (2, {"high_from": 12}, "stricter"), (3, {}, "")]


def test_it_leaves_sessions_the_version_they_were_made_under(teacher, exam):
    session = make_session(exam)
    client_of(teacher).put(policy_of(exam), {"settings": {"high_from": 12}})
    session.refresh_from_db()
    assert session.policy.version == 1


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "settings"),
        ({"settings": None}, "settings"),
        ({"settings": []}, "settings"),
        ({"settings": "strict"}, "settings"),
        ({"settings": {"high_form": 12}}, "settings"),
        ({"settings": {"high_from": "12"}}, "settings"),
        ({"settings": {"high_from": 1}}, "settings"),
        ({"settings": {"high_from": 10**15}}, "settings"),
        ({"settings": {"kinds": {"PHONE": {"hold": 1.5}}}}, "settings"),
        ({"settings": {"kinds": {"phone": {}}}}, "settings"),
        ({"settings": {"kinds": {f"KIND_{number}": {"weight": 1} for number in range(5000)}}}, "settings"),
        ({"settings": {"senses": ["smell"]}}, "settings"),
        ({"settings": {"thresholds": {"gaze": 0}}}, "settings"),
        ({"settings": {}, "note": "x" * 201}, "note"),
        ({"settings": {}, "note": None}, "note"),
    ],
)
def test_it_refuses_rules_that_cannot_be_used_and_names_the_field(teacher, exam, sent, field):
    answer = client_of(teacher).put(policy_of(exam), sent)
    assert (answer.status_code, list(answer.data["fields"])) == (400, [field])
    assert exam.policies.count() == 1


def test_it_says_what_is_wrong_with_rules(teacher, exam):
    answer = client_of(teacher).put(policy_of(exam), {"settings": {"kinds": {"PHONE": {"hold": 0}}}})
    assert "kinds.PHONE: hold must be at least 1" in answer.data["fields"]["settings"][0]


def test_it_shows_rules_to_staff_of_the_exam_and_lets_only_its_teacher_set_them(exam):
    exam.reviewers.add(reviewer := make_user(Role.REVIEWER), colleague := make_user(Role.TEACHER))
    sent = {"settings": {"high_from": 12}}
    expected = {reviewer: (200, 403), colleague: (200, 403), make_user(Role.ADMIN): (200, 201)}
    expected |= {make_user(Role.TEACHER): (404, 404), make_user(Role.REVIEWER): (404, 403)}
    expected |= {make_user(Role.CANDIDATE): (403, 403)}
    for user, statuses in expected.items():
        client = client_of(user)
        assert (client.get(policy_of(exam)).status_code, client.put(policy_of(exam), sent).status_code) == statuses
    assert exam.policies.count() == 2


def test_it_never_gives_two_versions_one_number(exam):
    with pytest.raises(ValidationError):
        exam.policies.get().save()
    assert exam.policies.count() == 1
