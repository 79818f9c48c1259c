"""The live wall in the console: who may see which part of it, what it answers, and what that costs."""

import base64
import json
import uuid
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.services import ensure_candidate
from exams.lifecycle import move_session
from exams.models import SessionStatus
from exams.policy import Thresholds
from monitoring import glimpses
from monitoring.admin_wall import LONGEST_QUESTION, MOST_ASKED, MOST_PICTURES
from monitoring.picture_access import LIVE_ONCE_PER
from monitoring.picture_models import PictureAccess
from monitoring.tests.factories import make_candidate, make_exam, make_session, make_user, two_men_jpeg
from monitoring.tests.test_admin import sign_in
from vision.decoding import decode_picture
from vision.types import Frame

pytestmark = pytest.mark.django_db
CHOICE = "admin:monitoring_wall"
PAGE, ROWS, GLIMPSES = (f"admin:monitoring_wall_{part}" for part in ("exam", "rows", "glimpses"))
MAY = [
    ("nobody", 302),
    ("candidate", 302),
    ("owner", 200),
    ("another teacher", 404),
    ("assigned reviewer", 200),
    ("another reviewer", 404),
    ("admin", 200),
]


@pytest.fixture(autouse=True)
def no_glimpses():
    caches["glimpses"].clear()
    yield
    caches["glimpses"].clear()


@pytest.fixture
def exam():
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), code="algebra", title="Algebra")
    exam.reviewers.add(make_user(Role.REVIEWER, "assigned@example.com"))
    return exam


def show(session, taken_at=1.0):
    glimpses.keep_picture(session.pk, Frame(1, taken_at, decode_picture(two_men_jpeg())), [], Thresholds())


def ask(client, exam, have):
    address = reverse(GLIMPSES, args=[exam.pk])
    return client.post(address, json.dumps({"have": have}), content_type="application/json")


def queries_of(call):
    with CaptureQueriesContext(connection) as queries:
        assert call().status_code == 200
    return len(queries)


@pytest.mark.parametrize(("who", "status"), MAY)
@pytest.mark.parametrize("part", [PAGE, ROWS])
def test_it_shows_the_wall_to_the_right_people(client, exam, part, who, status):
    sign_in(client, who)
    assert client.get(reverse(part, args=[exam.pk])).status_code == status


@pytest.mark.parametrize(("who", "status"), MAY)
def test_it_gives_pictures_to_the_right_people_and_has_them_made_for_nobody_else(client, exam, who, status):
    session = make_session(exam)
    show(session)
    sign_in(client, who)
    answer = ask(client, exam, {str(session.pk): ""})
    assert answer.status_code == status
    assert (b"jpeg" in answer.content) is (status == 200)
    assert glimpses.watched([exam.pk]) == ({exam.pk} if status == 200 else set())


CHOICES = [
    ("nobody", None),
    ("candidate", None),
    ("owner", True),
    ("another teacher", False),
    ("assigned reviewer", True),
    ("another reviewer", False),
    ("admin", True),
]


@pytest.mark.parametrize(("who", "sees"), CHOICES)
def test_it_offers_each_person_the_exams_they_may_watch(client, exam, who, sees):
    other = make_exam(exam.owner)
    other.reviewers.add(*exam.reviewers.all())
    for one in (exam, other):
        make_session(one)
    sign_in(client, who)
    answer = client.get(reverse(CHOICE))
    if sees is None:
        assert answer.status_code == 302
    else:
        assert (reverse(PAGE, args=[exam.pk]) in answer.content.decode()) is sees


def test_it_offers_exams_that_are_sat_and_no_others(client, exam):
    make_session(exam, ended_after_s=5)
    sign_in(client, "owner")
    assert reverse(PAGE, args=[exam.pk]) not in client.get(reverse(CHOICE)).content.decode()
    make_session(exam)
    make_session(exam)
    make_session(make_exam(exam.owner))
    assert [one.live for one in client.get(reverse(CHOICE)).context["exams"]] == [2, 1]


def test_where_one_exam_alone_is_sat_the_choice_leads_to_its_wall(client, exam):
    sign_in(client, "owner")
    make_session(exam)
    make_session()
    assert client.get(reverse(CHOICE)).headers["Location"] == reverse(PAGE, args=[exam.pk])


def test_a_reviewer_who_sits_the_exam_does_not_find_themselves_on_the_wall(client, exam):
    reviewer = sign_in(client, "assigned reviewer")
    session = make_session(exam, ensure_candidate(email=reviewer.email))
    assert client.get(reverse(CHOICE)).status_code == 200
    assert client.get(reverse(PAGE, args=[exam.pk])).status_code == 404
    assert client.get(reverse(ROWS, args=[exam.pk])).status_code == 404
    assert ask(client, exam, {str(session.pk): ""}).status_code == 404


@pytest.mark.parametrize("part", [PAGE, ROWS, GLIMPSES])
def test_an_exam_that_never_was_has_no_wall(client, part):
    sign_in(client, "admin")
    address = reverse(part, args=[uuid.uuid4()])
    assert (client.post(address) if part == GLIMPSES else client.get(address)).status_code == 404


def test_the_rows_are_what_the_socket_begins_with(client, exam):
    session = make_session(exam, make_candidate(full_name="Ada"))
    sign_in(client, "owner")
    answer = client.get(reverse(ROWS, args=[exam.pk]))
    told = answer.json()
    assert (told["type"], told["exam"]) == ("wall", str(exam.pk))
    assert [(row["id"], row["candidate"]) for row in told["sessions"]] == [(str(session.pk), "Ada")]
    assert "no-store" in answer["Cache-Control"]


def test_a_picture_is_sent_once_and_again_when_there_is_a_newer_one(client, exam):
    session = make_session(exam)
    show(session)
    sign_in(client, "owner")
    answer = ask(client, exam, {str(session.pk): ""})
    picture = answer.json()["pictures"][str(session.pk)]
    assert base64.b64decode(picture["jpeg"]) == glimpses.pictures_of([session.pk])[session.pk].jpeg
    assert "no-store" in answer["Cache-Control"]
    assert ask(client, exam, {str(session.pk): picture["version"]}).json()["pictures"] == {}
    show(session, taken_at=2.0)
    newer = ask(client, exam, {str(session.pk): picture["version"]}).json()["pictures"][str(session.pk)]
    assert newer["version"] != picture["version"]


@pytest.mark.database
def test_only_open_sessions_of_this_very_exam_are_shown(client, exam):
    here, elsewhere, over = make_session(exam), make_session(), make_session(exam)
    move_session(session=over, to=SessionStatus.TERMINATED, reason="x")
    for session in (here, elsewhere, over):
        show(session)
    sign_in(client, "owner")
    told = ask(client, exam, {str(session.pk): "" for session in (here, elsewhere, over)}).json()
    assert set(told["pictures"]) == set(told["signs"]) == {str(here.pk)}


def test_what_is_wanted_first_comes_first_where_not_all_fit(client, exam):
    sessions = [make_session(exam) for _number in range(MOST_PICTURES + 2)]
    for session in sessions:
        show(session)
    sign_in(client, "owner")
    told = ask(client, exam, {str(session.pk): "" for session in sessions}).json()
    assert list(told["pictures"]) == [str(session.pk) for session in sessions[:MOST_PICTURES]]
    assert len(told["signs"]) == len(sessions)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "[]",
        "{",
        '{"have": []}',
        '{"have": {"x": ""}}',
        "[" * 100_000,
        "x" * (LONGEST_QUESTION + 1),
        json.dumps({"have": {str(uuid.UUID(int=n)): "" for n in range(MOST_ASKED + 1)}}),
    ],
    ids=["nothing", "list", "no json", "no table", "no id", "nested", "too long", "too many"],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(client, exam, sent):
    sign_in(client, "owner")
    answer = client.post(reverse(GLIMPSES, args=[exam.pk]), sent, content_type="application/json")
    assert answer.status_code == 400
    assert "not a question" in answer.json()["detail"]


def test_pictures_are_not_given_to_a_forged_request(exam):
    client = Client(enforce_csrf_checks=True)
    client.force_login(exam.owner)
    assert ask(client, exam, {}).status_code == 403


@pytest.mark.parametrize(("part", "method"), [(PAGE, "post"), (ROWS, "post"), (GLIMPSES, "get")])
def test_each_part_is_asked_in_one_way_only(client, exam, part, method):
    sign_in(client, "owner")
    assert getattr(client, method)(reverse(part, args=[exam.pk])).status_code == 405


@pytest.mark.database
def test_it_writes_down_whose_live_picture_was_shown_to_whom_once_in_ten_minutes(client, exam):
    session, other = make_session(exam), make_session(exam)
    show(session)
    user = sign_in(client, "assigned reviewer")
    ask(client, exam, {str(session.pk): "", str(other.pk): ""})  # of the other one there is no picture
    look = PictureAccess.objects.get()
    assert (look.user, look.subject, look.session) == (user, session.candidate.user, session)
    assert (look.what, look.way, look.ip_address) == ("live", "console", "127.0.0.1")
    ask(client, exam, {str(session.pk): glimpses.pictures_of([session.pk])[session.pk].version})
    for taken_at in (2.0, 3.0):
        show(session, taken_at)
        ask(client, exam, {str(session.pk): ""})
    assert PictureAccess.objects.count() == 1
    PictureAccess.objects.update(at=timezone.now() - LIVE_ONCE_PER - timedelta(seconds=1))
    ask(client, exam, {str(session.pk): "0"})
    assert PictureAccess.objects.count() == 2
    sign_in(client, "admin")
    ask(client, exam, {str(session.pk): ""})
    assert PictureAccess.objects.filter(user__email__startswith="admin").count() == 1


def test_pictures_that_the_page_has_already_are_no_look(client, exam):
    session = make_session(exam)
    show(session)
    sign_in(client, "owner")
    ask(client, exam, {str(session.pk): glimpses.pictures_of([session.pk])[session.pk].version})
    assert not PictureAccess.objects.exists()


def test_a_wall_full_of_new_pictures_is_written_down_with_as_many_queries_as_one(client, exam):
    sessions = [make_session(exam)]
    show(sessions[0])
    sign_in(client, "owner")
    ask(client, exam, {})  # the first request of a process asks more

    def look():
        PictureAccess.objects.all().delete()
        return queries_of(lambda: ask(client, exam, {str(session.pk): "" for session in sessions}))

    one = look()
    for _number in range(MOST_PICTURES - 1):
        sessions.append(make_session(exam))
        show(sessions[-1])
    assert look() == one
    assert PictureAccess.objects.count() == MOST_PICTURES
    again = queries_of(lambda: ask(client, exam, {str(session.pk): "" for session in sessions}))
    assert again < one
    assert PictureAccess.objects.count() == MOST_PICTURES


def test_fifty_sessions_take_as_many_queries_as_one(client, exam):
    sign_in(client, "owner")
    sessions = [make_session(exam)]
    make_session(make_exam(exam.owner))
    calls = {
        "choice": lambda: client.get(reverse(CHOICE)),
        "page": lambda: client.get(reverse(PAGE, args=[exam.pk])),
        "rows": lambda: client.get(reverse(ROWS, args=[exam.pk])),
        "glimpses": lambda: ask(client, exam, {str(session.pk): "" for session in sessions}),
    }
    calls["choice"]()  # the first request of a process asks more
    one = {name: queries_of(call) for name, call in calls.items()}
    sessions += [make_session(exam) for _number in range(49)]
    assert {name: queries_of(call) for name, call in calls.items()} == one


def test_the_page_needs_no_script_or_style_within_it(client, exam):
    sign_in(client, "owner")
    text = client.get(reverse(PAGE, args=[exam.pk])).content.decode()
    assert "monitoring/wall.js" in text
    assert "style=" not in text
    assert " onclick" not in text
    scripts = [part.partition(">")[0] for part in text.split("<script")[1:]]
    assert all("src=" in one or 'type="application/json"' in one for one in scripts)


def test_a_name_cannot_break_out_of_the_page(client):
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), title="</script><script>alert(1)</script>")
    make_session(exam)
    sign_in(client, "owner")
    for address in (reverse(PAGE, args=[exam.pk]), reverse(CHOICE)):
        assert "<script>alert(1)" not in client.get(address).content.decode()
