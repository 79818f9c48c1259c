"""Exams over the interface."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Role, User
from accounts.tests.client import client_of
from exams.authoring import update_exam
from exams.models import Exam, Problem, SessionStatus
from exams.selectors import may_manage, sittable_exams, visible_exams
from exams.services import create_exam
from monitoring.tests.factories import make_candidate, make_exam, make_session, make_user

pytestmark = pytest.mark.django_db
EXAMS = "/api/v1/exams"
NOBODY = "00000000-0000-4000-8000-000000000000"


def address(exam: Exam) -> str:
    return f"{EXAMS}/{exam.pk}"


def codes(client, **query: object) -> list[str]:
    answer = client.get(EXAMS, query)
    assert answer.status_code == 200, answer.data
    return [row["code"] for row in answer.data["results"]]


@pytest.fixture
def teacher():
    return make_user(Role.TEACHER)


@pytest.fixture
def exam(teacher):
    return make_exam(teacher, code="algebra")


@pytest.fixture
def candidate(exam):
    candidate = make_candidate()
    exam.assignments.create(candidate=candidate)
    return candidate


# --- who sees what ----------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_it_shows_each_role_its_exams(teacher, exam, candidate):
    make_exam(code="botany")
    make_exam(code="chess", open_to_all=True)
    reviewer = make_user(Role.REVIEWER)
    exam.reviewers.add(reviewer)
    assert codes(client_of(teacher)) == ["algebra"]
    assert codes(client_of(reviewer)) == ["algebra"]
    assert codes(client_of(make_user(Role.REVIEWER))) == []
    assert codes(client_of(make_user(Role.ADMIN))) == ["algebra", "botany", "chess"]
    assert codes(client_of(candidate.user)) == ["algebra", "chess"]
    assert codes(client_of(make_candidate().user)) == ["chess"]
    assert client_of().get(EXAMS).status_code == 401


@pytest.mark.database
def test_it_lists_an_exam_once_however_many_ways_lead_to_it(teacher, exam):
    exam.reviewers.add(teacher, make_user(Role.REVIEWER))
    exam.assignments.create(candidate=make_candidate(teacher.email))
    exam.assignments.create(candidate=make_candidate())
    Exam.objects.update(open_to_all=True)
    client = client_of(User.objects.get(pk=teacher.pk))
    assert client.get(EXAMS).data["count"] == 1
    assert client.get(EXAMS).data["results"][0]["seen_as"] == "staff"


def test_it_shows_staff_who_are_candidates_elsewhere_both_sides(teacher, exam):
    other = make_exam(code="botany")
    other.assignments.create(candidate=make_candidate(teacher.email))
    rows = client_of(User.objects.get(pk=teacher.pk)).get(EXAMS).data["results"]
    assert [(row["code"], row["seen_as"]) for row in rows] == [("algebra", "staff"), ("botany", "candidate")]


def test_it_hides_exams_from_those_who_lost_their_role(teacher, exam):
    exam.reviewers.add(reviewer := make_user(Role.REVIEWER))
    for person in (teacher, reviewer):
        person.groups.clear()
        user = User.objects.get(pk=person.pk)
        assert codes(client_of(user)) == []
        assert not visible_exams(user).exists()
        assert not may_manage(user, exam)


def test_it_keeps_an_exam_in_view_of_those_who_sat_it(exam, candidate):
    Exam.objects.update(open_to_all=True)
    sitter = make_session(exam).candidate
    Exam.objects.update(open_to_all=False)
    assert codes(client_of(sitter.user)) == ["algebra"]
    assert not sittable_exams(sitter.user).exists()


def test_it_shows_a_candidate_what_is_arranged_for_them_and_nothing_of_the_problems(exam, candidate):
    Problem.objects.create(exam=exam, number=1, title="Secret", statement="Find x")
    exam.assignments.create(candidate=make_candidate(), extra_minutes=99)
    exam.assignments.filter(candidate=candidate).update(
        extra_minutes=10, time_factor=1.25, break_minutes=5, muted=["gaze"]
    )
    answer = client_of(candidate.user).get(address(exam))
    assert answer.status_code == 200
    assert answer.data["accommodations"] == {
        "extra_minutes": 10,
        "time_factor": 1.25,
        "break_minutes": 5,
        "muted": ["gaze"],
    }
    assert (answer.data["seen_as"], answer.data["minutes_allowed"], answer.data["problem_count"]) == (
        "candidate",
        85.0,
        1,
    )
    assert not {"owner", "candidate_count", "session_count", "policy_version"} & set(answer.data)
    assert "Secret" not in str(answer.data)


def test_it_shows_staff_the_whole_exam(teacher, exam, candidate):
    Problem.objects.create(exam=exam, number=1, title="One")
    make_session(exam, candidate)
    answer = client_of(teacher).get(address(exam)).data
    assert (answer["problem_count"], answer["candidate_count"], answer["session_count"]) == (1, 1, 1)
    assert (answer["policy_version"], answer["may_change"]) == (1, True)
    assert answer["owner"] == {"id": str(teacher.pk), "email": teacher.email, "full_name": ""}
    exam.reviewers.add(reviewer := make_user(Role.REVIEWER))
    assert client_of(reviewer).get(address(exam)).data["may_change"] is False


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_it_knows_no_exam_that_is_not_the_callers(exam, method):
    for role in (Role.TEACHER, Role.ADMIN) if method != "get" else (Role.TEACHER, Role.REVIEWER, Role.CANDIDATE):
        where = f"{EXAMS}/{NOBODY}" if role is Role.ADMIN else address(exam)
        answer = getattr(client_of(make_user(role)), method)(where, {"title": "Mine"} if method == "patch" else None)
        assert (answer.status_code, answer.data["code"]) == (404, "not_found")
    exam.refresh_from_db()
    assert exam.title == "Algebra"


def test_it_lists_fifty_exams_with_as_many_queries_as_one(teacher, exam, candidate):
    def count(user: User) -> int:
        client = client_of(user)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(EXAMS).status_code == 200
        return len(queries)

    people = [teacher, candidate.user, make_user(Role.ADMIN)]
    before = [count(user) for user in people]
    for number in range(49):
        exam = make_exam(teacher)
        Problem.objects.create(exam=exam, number=1, title=f"Problem {number}")
        exam.assignments.create(candidate=candidate)
    assert [count(user) for user in people] == before


# --- finding ----------------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_it_finds_exams_by_window_code_and_words(teacher):
    client, now, day = client_of(teacher), timezone.now(), timedelta(days=1)
    make_exam(teacher, code="always", title="Any Time")
    make_exam(teacher, code="now", title="Algebra", opens_at=now - day, closes_at=now + day)
    make_exam(teacher, code="over", title="Botany", opens_at=now - 3 * day, closes_at=now - day)
    make_exam(teacher, code="soon", title="Algebra too", opens_at=now + day, closes_at=None)
    assert codes(client, open_now="true") == ["always", "now"]
    assert codes(client, open_now="false") == ["over", "soon"]
    assert codes(client, code="now") == ["now"]
    assert codes(client, search="ALGEBRA") == ["now", "soon"]
    assert codes(client, search="OVE") == ["over"]
    assert codes(client, opens_after=now.isoformat()) == ["soon"]
    assert codes(client, opens_before=now.isoformat(), closes_after=now.isoformat()) == ["now"]
    assert codes(client, closes_before=now.isoformat()) == ["over"]
    assert codes(client, ordering="-title") == ["over", "always", "soon", "now"]
    assert client.get(EXAMS, {"page_size": 2, "page": 2}).data["results"][0]["code"] == "over"


@pytest.mark.parametrize("time", ["soon", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_it_refuses_times_that_are_none_in_a_filter(teacher, time):
    answer = client_of(teacher).get(EXAMS, {"opens_after": time})
    assert answer.status_code == 400
    assert list(answer.data["fields"]) == ["opens_after"]


# --- making -----------------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_it_makes_an_exam_of_the_callers_with_the_default_policy(teacher):
    sent = {
        "title": "Algebra 1",
        "instructions": "Be alone.",
        "opens_at": "2026-03-02T09:00:00Z",
        "closes_at": "2026-03-02T15:00:00+03:00",
        "duration_minutes": 45,
        "requires_check": False,
        "open_to_all": True,
        "max_attempts": 2,
        "mail_when_high": True,
        "candidate_sees": "nothing",
    }
    answer = client_of(teacher).post(EXAMS, sent)
    assert answer.status_code == 201, answer.data
    exam = Exam.objects.get()
    assert (exam.owner, exam.code, exam.title) == (teacher, "algebra-1", "Algebra 1")
    assert exam.closes_at == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert (exam.duration_minutes, exam.requires_check, exam.open_to_all) == (45, False, True)
    assert (exam.max_attempts, exam.candidate_sees, exam.instructions) == (2, "nothing", "Be alone.")
    assert exam.mail_when_high is answer.data["mail_when_high"] is True
    assert [policy.version for policy in exam.policies.all()] == [1]
    assert (answer.data["id"], answer.data["policy_version"]) == (str(exam.pk), 1)


@pytest.mark.parametrize("title", ["Algebra", "বীজগণিত", "?", "A" * 200])
def test_it_gives_every_exam_a_code_of_its_own(teacher, title):
    client = client_of(teacher)
    first, second = (client.post(EXAMS, {"title": title}).data["code"] for _ in range(2))
    assert first != second
    assert sorted(Exam.objects.values_list("code", flat=True)) == sorted([first, second])


def test_it_gives_another_code_if_somebody_took_it_at_the_same_moment(teacher, monkeypatch):
    make_exam(code="algebra")
    words = iter(["algebra", "algebra-other"])
    # What the look at the codes says when the other exam is not written yet; the second look sees it.
    monkeypatch.setattr("exams.services._free_code", lambda title: next(words))
    monkeypatch.setattr(Exam, "full_clean", lambda self, *args, **kwargs: None)
    assert create_exam(title="Algebra", owner=teacher).code == "algebra-other"
    with pytest.raises(Exception, match="exists already"):
        create_exam(title="Algebra", owner=teacher, code="algebra")
    assert Exam.objects.count() == 2


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "title"),
        ({"title": None}, "title"),
        ({"title": " "}, "title"),
        ({"title": ["x"]}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "x\u0000"}, None),
        ({"instructions": "x" * 50_001}, "instructions"),
        ({"instructions": None}, "instructions"),
        ({"code": "no slug"}, "code"),
        ({"code": None}, "code"),
        ({"code": ""}, "code"),
        ({"code": "x" * 51}, "code"),
        ({"code": "TAKEN"}, "code"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"duration_minutes": 1441}, "duration_minutes"),
        ({"duration_minutes": "long"}, "duration_minutes"),
        ({"duration_minutes": 10**9}, "duration_minutes"),
        ({"duration_minutes": None}, "duration_minutes"),
        ({"requires_check": None}, "requires_check"),
        ({"open_to_all": "perhaps"}, "open_to_all"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 2**40}, "max_attempts"),
        ({"candidate_sees": "all"}, "candidate_sees"),
        ({"opens_at": "soon"}, "opens_at"),
        ({"opens_at": 5}, "opens_at"),
        ({"opens_at": "0001-01-01T00:00:00+14:00"}, "opens_at"),
        ({"closes_at": "9999-12-31T23:59:59-14:00"}, "closes_at"),
        ({"opens_at": "2026-03-02T09:00:00Z", "closes_at": "2026-03-02T09:00:00Z"}, "closes_at"),
        ({"owner": "me"}, "owner"),
        ({"owner": NOBODY}, "owner"),
        ({"owner": 5}, "owner"),
    ],
)
def test_it_refuses_what_cannot_be_an_exam_and_names_the_field(teacher, sent, field):
    make_exam(code="TAKEN")
    body = sent if "title" in sent or not sent else {"title": "Geometry", **sent}
    answer = client_of(teacher).post(EXAMS, body)
    assert answer.status_code == 400, answer.data
    assert field is None or list(answer.data["fields"]) == [field]
    assert Exam.objects.count() == 1


@pytest.mark.parametrize("body", ["[]", '"exam"', "null", "5", "{broken", "", '{"title": NaN}'])
def test_it_refuses_a_body_that_is_no_object(teacher, body):
    answer = client_of(teacher).post(EXAMS, body, content_type="application/json")
    assert answer.status_code == 400
    assert not Exam.objects.exists()


@pytest.mark.parametrize("role", [Role.CANDIDATE, Role.REVIEWER])
def test_it_lets_neither_candidates_nor_reviewers_make_change_or_delete_exams(exam, role):
    user = make_user(role)
    exam.reviewers.add(user)
    client = client_of(user)
    answers = [client.post(EXAMS, {"title": "x"}), client.patch(address(exam), {"title": "x"})]
    answers.append(client.delete(address(exam)))
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert Exam.objects.get().title == "Algebra"


def test_it_lets_only_an_admin_give_an_exam_to_somebody_else(teacher, exam):
    colleague, admin = make_user(Role.TEACHER), make_user(Role.ADMIN)
    assert client_of(teacher).post(EXAMS, {"title": "Mine", "owner": str(teacher.pk)}).status_code == 201
    for answer in (
        client_of(teacher).post(EXAMS, {"title": "Yours", "owner": str(colleague.pk)}),
        client_of(teacher).patch(address(exam), {"owner": str(colleague.pk)}),
        client_of(admin).patch(address(exam), {"owner": str(make_user(Role.REVIEWER).pk)}),
    ):
        assert (answer.status_code, list(answer.data["fields"])) == (400, ["owner"])
    exam.refresh_from_db()
    assert (exam.owner, Exam.objects.count()) == (teacher, 2)
    assert client_of(admin).post(EXAMS, {"title": "Given", "owner": str(colleague.pk)}).status_code == 201
    assert client_of(admin).patch(address(exam), {"owner": str(colleague.pk)}).status_code == 200
    assert set(Exam.objects.filter(owner=colleague).values_list("code", flat=True)) == {"algebra", "given"}
    assert client_of(teacher).get(address(exam)).status_code == 404


# --- changing and deleting --------------------------------------------------------------------------------------------


@pytest.mark.database
def test_it_changes_what_is_named_and_nothing_else(teacher, exam):
    answer = client_of(teacher).patch(address(exam), {"title": "Geometry", "closes_at": "2030-01-01T00:00:00Z"})
    assert (answer.status_code, answer.data["title"]) == (200, "Geometry")
    exam.refresh_from_db()
    assert (exam.title, exam.code, exam.duration_minutes) == ("Geometry", "algebra", 60)
    assert client_of(teacher).patch(address(exam), {"closes_at": None}).data["closes_at"] is None
    assert client_of(teacher).patch(address(exam), {}).status_code == 200
    assert client_of(teacher).put(address(exam), {"title": "x"}).status_code == 405


def test_it_judges_a_window_by_what_is_there_already(teacher):
    exam = make_exam(teacher, opens_at=datetime(2026, 3, 2, 9, tzinfo=UTC))
    answer = client_of(teacher).patch(address(exam), {"closes_at": "2026-03-02T08:00:00Z"})
    assert (answer.status_code, list(answer.data["fields"])) == (400, ["closes_at"])
    exam.refresh_from_db()
    assert exam.closes_at is None


def test_it_refuses_a_code_that_another_exam_has(teacher, exam):
    make_exam(code="botany")
    answer = client_of(teacher).patch(address(exam), {"code": "botany"})
    assert (answer.status_code, list(answer.data["fields"])) == (400, ["code"])
    assert client_of(teacher).patch(address(exam), {"code": "algebra"}).status_code == 200


def test_it_says_in_words_that_a_code_was_taken_at_the_same_moment(teacher, exam, monkeypatch):
    make_exam(code="botany")
    monkeypatch.setattr(Exam, "full_clean", lambda self, *args, **kwargs: None)
    with pytest.raises(Exception, match="exists already") as error:
        update_exam(exam=exam, code="botany")
    assert not isinstance(error.value, IntegrityError)


def test_it_leaves_running_sessions_their_deadline(teacher, exam):
    session = make_session(exam)
    before = session.deadline_at
    answer = client_of(teacher).patch(address(exam), {"duration_minutes": 30, "code": "renamed"})
    assert answer.status_code == 200
    session.refresh_from_db()
    assert (session.deadline_at, session.status) == (before, SessionStatus.ACTIVE)


def test_it_lets_a_teacher_look_at_but_not_change_an_exam_they_review(exam):
    colleague = make_user(Role.TEACHER)
    exam.reviewers.add(colleague)
    client = client_of(colleague)
    assert client.get(address(exam)).status_code == 200
    assert client.patch(address(exam), {"title": "Mine"}).status_code == 403
    assert client.delete(address(exam)).status_code == 403
    assert Exam.objects.get().title == "Algebra"


@pytest.mark.database
def test_it_deletes_an_exam_with_all_that_belongs_to_it(teacher, exam, candidate):
    Problem.objects.create(exam=exam, number=1, title="One")
    assert client_of(teacher).delete(address(exam)).status_code == 204
    assert not Exam.objects.exists()
    assert not Problem.objects.exists()
    assert client_of(teacher).delete(address(exam)).status_code == 404


@pytest.mark.database
def test_it_keeps_an_exam_that_was_sat(teacher, exam, candidate):
    make_session(exam, candidate, ended_after_s=60)
    answer = client_of(teacher).delete(address(exam))
    assert (answer.status_code, answer.data["code"]) == (409, "in_use")
    assert exam.sessions.count() == 1
