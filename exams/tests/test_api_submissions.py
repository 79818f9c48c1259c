"""Code submissions: over the interface, in the service and in the admin."""

from datetime import timedelta
from hashlib import sha256

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tests.client import client_of
from exams.authoring import add_problem
from exams.lifecycle import move_session
from exams.models import CodeSubmission, Exam, ExamSession, SessionStatus
from exams.services import create_session
from exams.submissions import finalise_submissions, submit_code
from monitoring.tests.factories import make_candidate, make_exam, make_user

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-4000-8000-000000000000"
ALL = "/api/v1/submissions"
PYTHON = {"problem": 1, "language": "python", "code": "print(1)\n"}


def answers_of(session: ExamSession) -> str:
    return f"/api/v1/sessions/{session.pk}/submissions"


def begin(exam: Exam, candidate=None) -> ExamSession:
    """Make a session whose clock runs now."""
    session = create_session(exam=exam, candidate=candidate or make_candidate())
    return move_session(session=session, to=SessionStatus.ACTIVE)


def submit(session: ExamSession, number: int = 1, code: str = "x", language: str = "python") -> CodeSubmission:
    problem = session.exam.problems.get(number=number)
    by = session.candidate.user
    return submit_code(session=session, problem=problem, language=language, code=code, by=by)[0]


@pytest.fixture(autouse=True)
def _fresh_rates():
    cache.clear()


@pytest.fixture
def teacher():
    return make_user(Role.TEACHER)


@pytest.fixture
def exam(teacher):
    exam = make_exam(teacher, code="algebra")
    for title in ("Sum", "Product"):
        add_problem(exam=exam, title=title)
    return exam


@pytest.fixture
def session(exam):
    return begin(exam)


@pytest.fixture
def client(session):
    return client_of(session.candidate.user)


# --- submitting -------------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_it_keeps_every_version_with_its_digest(session, client):
    for number, code in enumerate(("print(1)\n", "  print(2)", "print(1)\n"), start=1):
        answer = client.post(answers_of(session), PYTHON | {"code": code})
        assert (answer.status_code, answer.data["version"]) == (201, number)
    kept = CodeSubmission.objects.order_by("version")
    assert [(row.code, row.is_final) for row in kept] == [
        ("print(1)\n", False),
        ("  print(2)", False),
        ("print(1)\n", False),
    ]
    assert [row.sha256 for row in kept] == [sha256(row.code.encode()).hexdigest() for row in kept]
    assert {(row.session, row.problem.number, row.language) for row in kept} == {(session, 1, "python")}
    assert (answer.data["code"], answer.data["length"], answer.data["problem_number"]) == ("print(1)\n", 9, 1)


@pytest.mark.database
def test_it_takes_the_same_text_twice_for_one_version(session, client):
    statuses = [client.post(answers_of(session), PYTHON).status_code for _ in range(2)]
    assert (statuses, CodeSubmission.objects.count()) == ([201, 200], 1)
    answer = client.post(answers_of(session), PYTHON | {"language": "ruby"})
    assert (answer.status_code, answer.data["version"]) == (201, 2)


def test_it_counts_versions_by_problem_and_session(exam, session, client):
    other = begin(exam)
    submit(other, code="theirs")
    second = str(exam.problems.get(number=2).pk)
    sent = [PYTHON, PYTHON | {"problem": second}, PYTHON | {"problem": "2", "code": "x"}, PYTHON | {"code": "y"}]
    answers = [client.post(answers_of(session), body).data for body in sent]
    assert [(row["problem_number"], row["version"]) for row in answers] == [(1, 1), (2, 1), (2, 2), (1, 2)]


def test_it_takes_the_longest_code_and_every_letter(session, client):
    code = "ক" * 199_999 + "\n"
    answer = client.post(answers_of(session), PYTHON | {"code": code, "language": "c++"})
    assert (answer.status_code, answer.data["length"]) == (201, 200_000)
    assert CodeSubmission.objects.get().code == code


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"problem": None}, "problem"),
        ({"problem": 3}, "problem"),
        ({"problem": 0}, "problem"),
        ({"problem": -1}, "problem"),
        ({"problem": 10**9}, "problem"),
        ({"problem": True}, "problem"),
        ({"problem": 1.5}, "problem"),
        ({"problem": [1]}, "problem"),
        ({"problem": "first"}, "problem"),
        ({"problem": ""}, "problem"),
        ({"problem": "²"}, "problem"),
        ({"problem": NOBODY}, "problem"),
        ({"language": None}, "language"),
        ({"language": ""}, "language"),
        ({"language": "two words"}, "language"),
        ({"language": "<b>"}, "language"),
        ({"language": "x" * 41}, "language"),
        ({"language": {}}, "language"),
        ({"code": None}, "code"),
        ({"code": ""}, "code"),
        ({"code": ["x"]}, "code"),
        ({"code": "x" * 200_001}, "code"),
    ],
)
def test_it_refuses_what_cannot_be_an_answer_and_names_the_field(session, client, sent, field):
    answer = client.post(answers_of(session), PYTHON | sent)
    assert (answer.status_code, list(answer.data["fields"])) == (400, [field])
    assert not CodeSubmission.objects.exists()


@pytest.mark.parametrize("missing", ["problem", "language", "code"])
def test_it_asks_for_what_is_missing(session, client, missing):
    answer = client.post(answers_of(session), {key: value for key, value in PYTHON.items() if key != missing})
    assert (answer.status_code, list(answer.data["fields"])) == (400, [missing])


def test_it_refuses_a_problem_of_another_exam(session, client):
    other = add_problem(exam=make_exam(), number=9, title="Theirs")
    answer = client.post(answers_of(session), PYTHON | {"problem": str(other.pk)})
    assert (answer.status_code, list(answer.data["fields"])) == (400, ["problem"])
    with pytest.raises(ValueError, match="does not belong"):
        submit_code(session=session, problem=other, language="c", code="x", by=session.candidate.user)
    assert not CodeSubmission.objects.exists()


@pytest.mark.database
@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((), "has not begun"),
        ((SessionStatus.CHECKING_IN,), "has not begun"),
        ((SessionStatus.ACTIVE, SessionStatus.PAUSED), "is paused"),
        ((SessionStatus.ACTIVE, SessionStatus.SUBMITTED), "is over"),
        ((SessionStatus.ACTIVE, SessionStatus.TERMINATED), "is over"),
        ((SessionStatus.ACTIVE, SessionStatus.EXPIRED), "is over"),
    ],
)
def test_it_takes_answers_only_while_the_session_is_active(exam, steps, words):
    session = create_session(exam=exam, candidate=make_candidate())
    for status in steps:
        session = move_session(session=session, to=status)
    answer = client_of(session.candidate.user).post(answers_of(session), PYTHON)
    assert (answer.status_code, answer.data["code"]) == (409, "wrong_state")
    assert words in answer.data["detail"]
    assert not CodeSubmission.objects.exists()


def test_it_takes_no_answer_after_the_deadline(session, client):
    ExamSession.objects.update(deadline_at=timezone.now() + timedelta(minutes=1))
    assert client.post(answers_of(session), PYTHON).status_code == 201
    ExamSession.objects.update(deadline_at=timezone.now())
    answer = client.post(answers_of(session), PYTHON | {"code": "late"})
    assert (answer.status_code, answer.data["code"]) == (409, "time_up")
    assert CodeSubmission.objects.get().code == PYTHON["code"]


def test_it_takes_answers_from_nobody_but_the_candidate(exam, teacher, session):
    exam.reviewers.add(reviewer := make_user(Role.REVIEWER))
    expected = {teacher: 403, reviewer: 403, make_user(Role.ADMIN): 403, make_candidate().user: 404}
    for user, status in expected.items():
        assert client_of(user).post(answers_of(session), PYTHON).status_code == status
    assert client_of().post(answers_of(session), PYTHON).status_code == 401
    with pytest.raises(ValueError, match="Only the candidate"):
        submit_code(session=session, problem=exam.problems.first(), language="c", code="x", by=teacher)
    assert not CodeSubmission.objects.exists()


def test_it_takes_sixty_a_minute_and_counts_looking_as_nothing(session, client):
    for _ in range(60):
        assert client.post(answers_of(session), PYTHON).status_code in (200, 201)
    answer = client.post(answers_of(session), PYTHON | {"code": "one more"})
    assert (answer.status_code, answer.data["type"]) == (429, "throttled")
    assert client.get(answers_of(session)).status_code == 200
    assert CodeSubmission.objects.count() == 1


@pytest.mark.database
def test_it_never_changes_a_version(session):
    kept = submit(session)
    kept.code = "better"
    with pytest.raises(ValidationError, match="never changed"):
        kept.save()


# --- finalising -------------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_it_makes_the_last_version_of_each_problem_final(exam, session):
    other = begin(exam)
    submit(other)
    for number, code in ((1, "a"), (1, "b"), (2, "c"), (1, "d")):
        submit(session, number, code)
    assert finalise_submissions(session=session) == 2
    final = CodeSubmission.objects.filter(is_final=True)
    assert sorted(final.values_list("code", flat=True)) == ["c", "d"]
    submit(session, 2, "e")
    assert finalise_submissions(session=session) == 2
    assert sorted(final.values_list("code", flat=True)) == ["d", "e"]


@pytest.mark.parametrize("end", [SessionStatus.SUBMITTED, SessionStatus.TERMINATED, SessionStatus.EXPIRED])
def test_it_makes_answers_final_however_the_session_ends(session, end):
    submit(session, 1, "a")
    submit(session, 1, "b")
    move_session(session=session, to=end)
    assert list(CodeSubmission.objects.filter(is_final=True).values_list("code", flat=True)) == ["b"]


def test_it_has_nothing_to_finalise_where_nothing_was_answered(session):
    assert finalise_submissions(session=session) == 0


# --- lists ------------------------------------------------------------------------------------------------------------


def test_it_lists_the_answers_of_a_session_with_their_code(session, client):
    for number, code in ((2, "c"), (1, "a"), (1, "b")):
        submit(session, number, code, language="Ruby" if code == "a" else "python")
    finalise_submissions(session=session)

    def codes(**query: object) -> list[str]:
        answer = client.get(answers_of(session), query)
        assert answer.status_code == 200, answer.data
        return [row["code"] for row in answer.data["results"]]

    assert codes() == ["a", "b", "c"]
    assert codes(problem=1) == ["a", "b"]
    assert codes(problem=str(session.exam.problems.get(number=2).pk)) == ["c"]
    assert codes(problem=NOBODY) == []
    assert codes(final="true") == ["b", "c"]
    assert codes(language="ruby") == ["a"]
    assert codes(ordering="-submitted_at") == ["b", "a", "c"]
    assert codes(submitted_after=(timezone.now() + timedelta(minutes=1)).isoformat()) == []
    assert client.get(answers_of(session), {"problem": "first"}).data["fields"].keys() == {"problem"}
    assert client.get(answers_of(session), {"problem": "9" * 30}).status_code == 400


def test_it_shows_answers_to_the_candidate_and_to_staff_of_the_exam(exam, teacher, session):
    submit(session)
    exam.reviewers.add(reviewer := make_user(Role.REVIEWER))
    for user in (session.candidate.user, teacher, reviewer, make_user(Role.ADMIN)):
        assert client_of(user).get(answers_of(session)).data["count"] == 1
    for role in Role.CANDIDATE, Role.TEACHER, Role.REVIEWER:
        assert client_of(make_user(role)).get(answers_of(session)).status_code == 404


@pytest.mark.database
def test_it_lists_answers_across_sessions_without_their_code(exam, teacher, session):
    submit(session, code="first")
    other = begin(exam)
    submit(other, 2, "second", language="ruby")
    begun_elsewhere = begin(foreign := make_exam())
    add_problem(exam=foreign, title="Theirs")
    submit(begun_elsewhere, code="hidden")
    finalise_submissions(session=other)
    client = client_of(teacher)

    def sessions(**query: str | int) -> list[str]:
        answer = client.get(ALL, query)
        assert answer.status_code == 200, answer.data
        return [row["session"] for row in answer.json()["results"]]

    mine, theirs = str(session.pk), str(other.pk)
    assert sessions() == [theirs, mine]
    assert sessions(ordering="submitted_at") == [mine, theirs]
    assert sessions(exam=str(exam.pk), final="false") == [mine]
    assert sessions(exam=str(foreign.pk)) == []
    assert sessions(session=mine) == [mine]
    assert sessions(candidate=str(other.candidate.pk)) == [theirs]
    assert sessions(problem=2) == [theirs]
    assert sessions(language="RUBY") == [theirs]
    assert sessions(submitted_before=(timezone.now() - timedelta(minutes=1)).isoformat()) == []
    row = client.get(ALL).json()["results"][0]
    assert "code" not in row
    assert (row["length"], row["exam"], row["is_final"]) == (6, {"id": str(exam.pk), "code": "algebra"}, True)
    assert row["candidate"] == {"id": str(other.candidate.pk), "email": other.candidate.user.email, "full_name": ""}
    assert client_of(make_user(Role.ADMIN)).get(ALL).data["count"] == 3
    exam.reviewers.add(reviewer := make_user(Role.REVIEWER))
    assert client_of(reviewer).get(ALL).data["count"] == 2
    assert client_of(make_user(Role.REVIEWER)).get(ALL).data["count"] == 0
    assert client_of(session.candidate.user).get(ALL).status_code == 403


@pytest.mark.parametrize("name", ["exam", "session", "candidate", "problem", "submitted_after"])
def test_it_refuses_filters_that_make_no_sense_and_names_them(teacher, name):
    answer = client_of(teacher).get(ALL, {name: "nonsense"})
    assert (answer.status_code, list(answer.data["fields"])) == (400, [name])


def test_it_lists_forty_answers_with_as_many_queries_as_one(exam, teacher, session, client):
    submit(session, code="0")

    def count(caller, where: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert caller.get(where).status_code == 200
        return len(queries)

    places = [(client, answers_of(session)), (client_of(teacher), ALL)]
    before = [count(*place) for place in places]
    for number in range(1, 20):
        submit(session, code=f"{number}")
        submit(begin(exam))
    assert [count(*place) for place in places] == before


# --- admin ------------------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_it_shows_staff_answers_in_the_admin_to_read_only(client, exam, teacher, session):
    kept = submit(session, code="<b>print</b>")
    page = reverse("admin:exams_codesubmission_change", args=[kept.pk])
    listed = reverse("admin:exams_codesubmission_changelist")
    browser = client_of()
    for user, found in ((teacher, 1), (make_user(Role.ADMIN), 1), (make_user(Role.TEACHER), 0)):
        browser.force_login(user)
        answer = browser.get(listed, {"q": "algebra"})
        assert len(answer.context["cl"].result_list) == found
        assert browser.get(page).status_code == (200 if found else 302)
        if found:
            assert "&lt;b&gt;print&lt;/b&gt;" in browser.get(page).content.decode()
            assert browser.post(page, {"language": "forged"}).status_code == 403
    kept.refresh_from_db()
    assert kept.language == "python"


def test_it_lists_thirty_answers_in_the_admin_with_as_many_queries_as_one(exam, teacher, session):
    listed, browser = reverse("admin:exams_codesubmission_changelist"), client_of()
    browser.force_login(teacher)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(listed).status_code == 200
        return len(queries)

    submit(session)
    browser.get(listed)
    one = count()
    for _ in range(29):
        submit(begin(exam))
    assert count() == one


# --- how much is kept -------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_it_keeps_so_many_versions_of_an_answer_and_says_when_there_are_no_more(session, client, monkeypatch):
    monkeypatch.setattr("exams.submissions.MAX_VERSIONS", 2)
    sent = [PYTHON | {"code": code} for code in ("1", "2", "3", "2")]
    answers = [client.post(answers_of(session), body) for body in sent]
    assert [answer.status_code for answer in answers] == [201, 201, 409, 200]
    assert answers[2].json()["code"] == "too_many_versions"
    assert client.post(answers_of(session), PYTHON | {"problem": 2}).status_code == 201


@pytest.mark.database
def test_it_keeps_so_much_of_a_session_in_all(exam, session, client, monkeypatch):
    monkeypatch.setattr("exams.submissions.MAX_TOTAL_LENGTH", 100)
    assert client.post(answers_of(session), PYTHON | {"code": "x" * 60}).status_code == 201
    answer = client.post(answers_of(session), PYTHON | {"problem": 2, "code": "x" * 41})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert client.post(answers_of(session), PYTHON | {"problem": 2, "code": "x" * 40}).status_code == 201
    other = begin(exam)
    assert client_of(other.candidate.user).post(answers_of(other), PYTHON).status_code == 201
