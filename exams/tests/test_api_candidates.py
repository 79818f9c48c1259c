"""Who may sit and who reviews an exam, over the interface."""

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Candidate, Role, User
from accounts.tests.client import client_of
from exams import authoring
from exams.models import Exam, ExamAssignment
from monitoring.tests.factories import make_candidate, make_exam, make_session, make_user

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-4000-8000-000000000000"
USUAL = {"extra_minutes": 0, "time_factor": 1.0, "break_minutes": 0, "muted": []}
ARRANGED = {"extra_minutes": 10, "time_factor": 1.5, "break_minutes": 5, "muted": ["gaze", "PHONE"]}


def candidates_of(exam: Exam) -> str:
    return f"/api/v1/exams/{exam.pk}/candidates"


def reviewers_of(exam: Exam) -> str:
    return f"/api/v1/exams/{exam.pk}/reviewers"


@pytest.fixture
def teacher():
    return make_user(Role.TEACHER)


@pytest.fixture
def exam(teacher):
    return make_exam(teacher, code="algebra")


@pytest.fixture
def client(teacher):
    return client_of(teacher)


# --- assigning --------------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_it_assigns_one_candidate_and_makes_them_if_missing(client, exam):
    sent = {"email": "New@Example.com", "full_name": "New One", "external_id": "4711", **ARRANGED}
    answer = client.post(candidates_of(exam), sent)
    assert answer.status_code == 201, answer.data
    assignment = ExamAssignment.objects.get()
    user = assignment.candidate.user
    assert (user.email, user.full_name, assignment.candidate.external_id) == ("new@example.com", "New One", "4711")
    assert user.roles == {"candidate"}
    assert (user.is_staff, user.has_usable_password()) == (False, False)
    assert {name: getattr(assignment, name) for name in ARRANGED} == ARRANGED
    assert answer.json() == {
        "id": str(assignment.candidate.pk),
        "email": "new@example.com",
        "full_name": "New One",
        "external_id": "4711",
        "minutes_allowed": 100.0,
        "session_count": 0,
        **ARRANGED,
    }


@pytest.mark.database
def test_it_assigns_a_list_and_answers_in_its_order(client, exam):
    known = make_candidate("known@example.com", full_name="Known")
    sent = [
        {"email": "z@example.com"},
        {"email": "KNOWN@example.com", "full_name": "Forged"},
        {"email": "a@example.com"},
    ]
    answer = client.post(candidates_of(exam), sent)
    assert answer.status_code == 201
    assert [row["email"] for row in answer.data] == ["z@example.com", "known@example.com", "a@example.com"]
    assert exam.assignments.count() == 3
    known.user.refresh_from_db()
    assert known.user.full_name == "Known"


def test_it_changes_only_what_is_named_of_somebody_assigned_already(client, exam):
    client.post(candidates_of(exam), {"email": "sitter@example.com", **ARRANGED})
    answer = client.post(candidates_of(exam), [{"email": "SITTER@example.com", "extra_minutes": 20}])
    assert answer.status_code == 200
    assignment = ExamAssignment.objects.get()
    assert {name: getattr(assignment, name) for name in ARRANGED} == ARRANGED | {"extra_minutes": 20}
    assert client.post(candidates_of(exam), [{"email": "sitter@example.com"}, {"email": "b@x.org"}]).status_code == 201


@pytest.mark.database
@pytest.mark.parametrize("role", [Role.TEACHER, Role.REVIEWER, Role.ADMIN])
def test_it_leaves_staff_what_they_are_and_adds_the_role_of_a_candidate(client, exam, role):
    staff = make_user(role, full_name="Staff")
    before = staff.password
    assert client.post(candidates_of(exam), {"email": staff.email, "full_name": "Forged"}).status_code == 201
    staff = User.objects.get(pk=staff.pk)
    assert staff.roles == {role, Role.CANDIDATE}
    assert (staff.is_staff, staff.is_superuser, staff.full_name) == (True, role is Role.ADMIN, "Staff")
    assert staff.password == before
    assert exam.assignments.get().candidate.user == staff


def test_it_gives_back_the_role_to_a_candidate_who_lost_it(client, exam):
    candidate = make_candidate()
    candidate.user.groups.clear()
    assert client.post(candidates_of(exam), {"email": candidate.user.email}).status_code == 201
    assert User.objects.get(pk=candidate.user.pk).roles == {Role.CANDIDATE}


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({}, "email"),
        ({"email": None}, "email"),
        ({"email": "nobody"}, "email"),
        ({"email": ["a@example.com"]}, "email"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
        ({"full_name": "x" * 201}, "full_name"),
        ({"full_name": None}, "full_name"),
        ({"external_id": "x" * 65}, "external_id"),
        ({"external_id": "taken"}, "external_id"),
        ({"extra_minutes": -1}, "extra_minutes"),
        ({"extra_minutes": 1441}, "extra_minutes"),
        ({"extra_minutes": "soon"}, "extra_minutes"),
        ({"extra_minutes": None}, "extra_minutes"),
        ({"time_factor": 0.5}, "time_factor"),
        ({"time_factor": 5.01}, "time_factor"),
        ({"time_factor": "nan"}, "time_factor"),
        ({"time_factor": "inf"}, "time_factor"),
        ({"time_factor": None}, "time_factor"),
        ({"break_minutes": 1441}, "break_minutes"),
        ({"muted": "gaze"}, "muted"),
        ({"muted": None}, "muted"),
        ({"muted": ["gaze"] * 100}, "muted"),
        ({"muted": ["smell"]}, "muted.0"),
        ({"muted": [None]}, "muted.0"),
    ],
)
def test_it_refuses_what_cannot_be_used_names_the_field_and_takes_nothing(client, exam, entry, field):
    Candidate.objects.filter(pk=make_candidate().pk).update(external_id="taken")
    known = (User.objects.count(), Candidate.objects.count())
    entry = entry if not entry or "email" in entry else {"email": "a@example.com", **entry}
    answer = client.post(candidates_of(exam), entry)
    assert (answer.status_code, list(answer.data["fields"])) == (400, [field])
    answer = client.post(candidates_of(exam), [{"email": "x@example.com"}, entry, {"email": "y@example.com"}])
    assert (answer.status_code, list(answer.data["fields"])) == (400, [f"candidates.1.{field}"])
    assert (User.objects.count(), Candidate.objects.count()) == known
    assert not exam.assignments.exists()


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ([], "candidates"),
        ([{"email": f"c{number}@example.com"} for number in range(501)], "candidates"),
        ([5], "candidates.0"),
        ([None], "candidates.0"),
        ([{"email": "a@example.com"}, {"email": "A@example.com"}], "candidates.1.email"),
        ("a@example.com", "form"),
    ],
)
def test_it_refuses_lists_that_are_none(client, exam, sent, field):
    answer = client.post(candidates_of(exam), sent)
    assert (answer.status_code, list(answer.data["fields"])) == (400, [field])
    assert not exam.assignments.exists()


def test_it_never_gives_a_candidate_another_number(client, exam):
    candidate = make_candidate("sitter@example.com")
    assert client.post(candidates_of(exam), {"email": "sitter@example.com", "external_id": "1"}).status_code == 201
    answer = client.post(candidates_of(exam), {"email": "sitter@example.com", "external_id": "2"})
    assert (answer.status_code, list(answer.data["fields"])) == (400, ["external_id"])
    assert client.post(candidates_of(exam), {"email": "sitter@example.com", "external_id": "1"}).status_code == 200
    candidate.refresh_from_db()
    assert candidate.external_id == "1"


def test_it_takes_five_hundred_at_once_and_names_each_that_it_cannot_take(client, exam):
    sent = [{"email": f"C{number}@example.com", "external_id": f"{number}"} for number in range(500)]
    answer = client.post(
        candidates_of(exam), [*sent[:498], {**sent[498], "external_id": "7"}, {**sent[499], **sent[9]}]
    )
    assert list(answer.data["fields"]) == ["candidates.499.email"]
    answer = client.post(candidates_of(exam), [*sent[:498], *({**entry, "external_id": "7"} for entry in sent[498:])])
    assert list(answer.data["fields"]) == ["candidates.498.external_id", "candidates.499.external_id"]
    assert (exam.assignments.count(), Candidate.objects.count()) == (0, 0)
    with CaptureQueriesContext(connection) as queries:
        answer = client.post(candidates_of(exam), sent)
    assert (answer.status_code, exam.assignments.count(), len(queries) < 40) == (201, 500, True)
    sitters = Candidate.objects.filter(user__groups__name=Role.CANDIDATE, user__is_staff=False)
    assert set(sitters.values_list("user__email", "external_id")) == {(f"c{n}@example.com", f"{n}") for n in range(500)}


def test_it_asks_to_send_again_what_met_somebody_elses_change(client, exam, monkeypatch):
    def meet(**fields: object) -> None:
        raise IntegrityError

    monkeypatch.setattr(authoring, "ensure_candidates", meet)
    answer = client.post(candidates_of(exam), [{"email": "a@example.com"}])
    assert (answer.status_code, answer.data["code"]) == (409, "busy")
    assert not exam.assignments.exists()


# --- looking, changing, taking off ------------------------------------------------------------------------------------


def test_it_lists_and_finds_candidates_and_counts_their_sittings(client, exam):
    one = make_candidate("one@example.com", full_name="Zoe")
    two = make_candidate("two@example.com", full_name="Abe")
    for candidate in (one, two):
        exam.assignments.create(candidate=candidate)
    make_session(exam, one, ended_after_s=60)
    make_session(exam, one)
    make_session(candidate=two)
    make_exam().assignments.create(candidate=make_candidate())

    def found(**query: object) -> list[tuple[str, int]]:
        rows = client.get(candidates_of(exam), query).data["results"]
        return [(row["email"], row["session_count"]) for row in rows]

    assert found() == [("one@example.com", 2), ("two@example.com", 0)]
    assert found(ordering="full_name") == [("two@example.com", 0), ("one@example.com", 2)]
    assert found(search="zoe") == [("one@example.com", 2)]
    assert found(search="TWO@") == [("two@example.com", 0)]
    one_row = client.get(f"{candidates_of(exam)}/{one.pk}")
    assert one_row.json()["id"] == str(one.pk)
    assert {name: one_row.json()[name] for name in USUAL} == USUAL


@pytest.mark.database
def test_it_changes_what_is_arranged(client, exam):
    candidate = make_candidate()
    exam.assignments.create(candidate=candidate)
    where = f"{candidates_of(exam)}/{candidate.pk}"
    sent = {"time_factor": 2, "muted": ["gaze", "eyes", "gaze"]}
    answer = client.patch(where, sent)
    assert (answer.status_code, answer.json()["minutes_allowed"], answer.json()["muted"]) == (
        200,
        120,
        ["gaze", "eyes"],
    )
    assert client.patch(where, {"extra_minutes": 9, "email": "other@example.com"}).status_code == 200
    assert client.patch(where, {"time_factor": 6}).status_code == 400
    assignment = exam.assignments.get()
    assert (assignment.time_factor, assignment.extra_minutes, assignment.muted) == (2.0, 9, ["gaze", "eyes"])
    assert assignment.candidate == candidate


def test_it_leaves_an_open_session_what_it_was_made_with(client, exam):
    candidate = make_candidate()
    exam.assignments.create(candidate=candidate, muted=["gaze"])
    session = make_session(exam, candidate)
    before = session.deadline_at
    client.patch(f"{candidates_of(exam)}/{candidate.pk}", {"muted": [], "extra_minutes": 60})
    session.refresh_from_db()
    assert (session.muted, session.deadline_at) == (["gaze"], before)


@pytest.mark.database
def test_it_takes_off_a_candidate_unless_they_sat(client, exam):
    sat, new = make_candidate(), make_candidate()
    for candidate in (sat, new):
        exam.assignments.create(candidate=candidate)
    make_session(exam, sat)
    answer = client.delete(f"{candidates_of(exam)}/{sat.pk}")
    assert (answer.status_code, answer.data["code"]) == (409, "in_use")
    assert client.delete(f"{candidates_of(exam)}/{new.pk}").status_code == 204
    assert client.delete(f"{candidates_of(exam)}/{new.pk}").status_code == 404
    assert exam.assignments.get().candidate == sat
    assert Candidate.objects.filter(pk=new.pk).exists()


def test_it_knows_only_candidates_of_this_exam(client, exam):
    stranger = make_candidate()
    make_exam().assignments.create(candidate=stranger)
    for pk in (stranger.pk, NOBODY):
        where = f"{candidates_of(exam)}/{pk}"
        answers = [client.get(where), client.patch(where, {"extra_minutes": 5}), client.delete(where)]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert ExamAssignment.objects.get().extra_minutes == 0


def test_it_answers_in_words_what_was_taken_off_in_the_meantime(exam):
    assignment = exam.assignments.create(candidate=make_candidate())
    ExamAssignment.objects.all().delete()
    with pytest.raises(authoring.Gone, match="deleted in the meantime"):
        authoring.update_assignment(assignment=assignment, extra_minutes=5)


def test_it_shows_lists_to_staff_of_the_exam_and_lets_only_its_teacher_change_them(exam):
    candidate = make_candidate()
    exam.assignments.create(candidate=candidate)
    exam.reviewers.add(reviewer := make_user(Role.REVIEWER), colleague := make_user(Role.TEACHER))
    new = {"email": "new@example.com"}
    expected = {
        reviewer: (200, 403),
        colleague: (200, 403),
        make_user(Role.TEACHER): (404, 404),
        make_user(Role.REVIEWER): (404, 403),
        candidate.user: (403, 403),
    }
    for user, (reading, writing) in expected.items():
        client = client_of(user)
        one, who = f"{candidates_of(exam)}/{candidate.pk}", f"{reviewers_of(exam)}/{reviewer.pk}"
        for where in (candidates_of(exam), one, reviewers_of(exam)):
            assert client.get(where).status_code == reading
        answers = [client.post(candidates_of(exam), new), client.patch(one, {"extra_minutes": 5}), client.delete(one)]
        answers += [client.post(reviewers_of(exam), {"email": colleague.email}), client.delete(who)]
        assert [answer.status_code for answer in answers] == [writing] * 5
    assert exam.assignments.get().extra_minutes == 0
    assert set(exam.reviewers.all()) == {reviewer, colleague}
    assert client_of(make_user(Role.ADMIN)).post(candidates_of(exam), new).status_code == 201


def test_it_lists_fifty_candidates_with_as_many_queries_as_one(client, exam):
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(candidates_of(exam)).status_code == 200
        return len(queries)

    exam.assignments.create(candidate=make_candidate())
    one = count()
    for _ in range(49):
        exam.assignments.create(candidate=make_candidate())
    assert count() == one


# --- reviewers --------------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_it_adds_reviewers_by_address_or_id_once(client, exam):
    reviewer, colleague = make_user(Role.REVIEWER), make_user(Role.TEACHER, full_name="Colleague")
    assert client.post(reviewers_of(exam), {"email": reviewer.email.upper()}).status_code == 201
    answer = client.post(reviewers_of(exam), {"user": str(colleague.pk)})
    assert (answer.status_code, answer.data["full_name"]) == (201, "Colleague")
    assert client.post(reviewers_of(exam), {"user": str(reviewer.pk)}).status_code == 200
    assert set(exam.reviewers.all()) == {reviewer, colleague}
    assert [row["email"] for row in client.get(reviewers_of(exam)).data["results"]] == sorted(
        [reviewer.email, colleague.email]
    )


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "form"),
        ({"email": None}, "email"),
        ({"email": "nobody"}, "email"),
        ({"email": "nobody@example.com"}, "email"),
        ({"email": "sitter@example.com"}, "email"),
        ({"email": "boss@example.com"}, "email"),
        ({"email": "gone@example.com"}, "email"),
        ({"user": NOBODY}, "user"),
        ({"user": "x"}, "user"),
        ({"user": NOBODY, "email": "boss@example.com"}, "form"),
        ([], "form"),
    ],
)
def test_it_adds_nobody_but_reviewers_and_teachers(client, exam, sent, field):
    make_candidate("sitter@example.com")
    make_user(Role.ADMIN, email="boss@example.com")
    make_user(Role.REVIEWER, email="gone@example.com")
    User.objects.filter(email="gone@example.com").update(is_active=False)
    answer = client.post(reviewers_of(exam), sent)
    assert (answer.status_code, list(answer.data["fields"])) == (400, [field])
    assert not exam.reviewers.exists()


def test_it_takes_an_exam_from_a_reviewer(client, exam):
    reviewer = make_user(Role.REVIEWER)
    exam.reviewers.add(reviewer)
    make_exam().reviewers.add(reviewer)
    assert client.delete(f"{reviewers_of(exam)}/{reviewer.pk}").status_code == 204
    assert client.delete(f"{reviewers_of(exam)}/{reviewer.pk}").status_code == 404
    assert not exam.reviewers.exists()
    assert reviewer.reviewed_exams.count() == 1
    assert client_of(reviewer).get(reviewers_of(exam)).status_code == 404
