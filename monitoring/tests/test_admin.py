"""The reviewer's console: who may see and do what."""

import hashlib
import io
import uuid
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from accounts.models import Role
from exams.services import add_policy_version
from monitoring import services
from monitoring.models import Assessment, Evidence, ReviewDecision, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.tests.factories import (
    START,
    end_session,
    facts,
    make_candidate,
    make_exam,
    make_session,
    make_user,
    watch,
)
from monitoring.tests.words import say_in_bangla

pytestmark = pytest.mark.django_db
LIST = "/admin/exams/examsession/"
READ_ONLY = (
    "examsession",
    "suspiciousactivity",
    "evidence",
    "observation",
    "monitoringlog",
    "assessment",
    "reviewdecision",
)


def picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 150)).save(data, "JPEG")
    return data.getvalue()


def watched_session(exam, *, away_s=6, name="Candidate One"):
    """A session in which nobody was there for some seconds, with its picture."""
    session = make_session(exam, make_candidate(full_name=name))
    seen = [facts(at, faces=0, objects={}) for at in range(away_s)]
    watch(session, *seen, pictures={one.seq: picture for one in seen})
    end_session(session, max(away_s, 1))
    session.refresh_from_db()
    return session


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def exam():
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), code="algebra")
    exam.reviewers.add(make_user(Role.REVIEWER, "assigned@example.com"))
    return exam


@pytest.fixture
def session(exam):
    return watched_session(exam)


def page(session):
    return reverse("admin:exams_examsession_change", args=[session.pk])


def picture_address(session):
    return reverse("admin:monitoring_evidence_picture", args=[Evidence.objects.get(activity__session=session).pk])


def decide_address(session):
    return reverse("admin:exams_examsession_decide", args=[session.pk])


def sign_in(client, who):
    """Sign in as one of the people of the tables below; `nobody` stays signed out."""
    made = {
        "nobody": lambda: None,
        "candidate": lambda: make_user(Role.CANDIDATE),
        "owner": lambda: make_user(Role.TEACHER, "owner@example.com"),
        "another teacher": lambda: make_user(Role.TEACHER),
        "assigned reviewer": lambda: make_user(Role.REVIEWER, "assigned@example.com"),
        "another reviewer": lambda: make_user(Role.REVIEWER),
        "admin": lambda: make_user(Role.ADMIN),
    }
    user = made[who]()
    if user:
        client.force_login(user)
    return user


MAY = [
    ("nobody", 302),
    ("candidate", 302),
    ("owner", 200),
    ("another teacher", 404),
    ("assigned reviewer", 200),
    ("another reviewer", 404),
    ("admin", 200),
]


@pytest.mark.parametrize(("who", "status"), MAY)
def test_it_shows_the_session_page_to_the_right_people(client, session, who, status):
    sign_in(client, who)
    assert client.get(page(session)).status_code == status


@pytest.mark.parametrize(("who", "status"), MAY)
def test_it_serves_evidence_to_the_right_people(client, session, who, status):
    sign_in(client, who)
    answer = client.get(picture_address(session))
    assert answer.status_code == (302 if status == 200 else status)
    assert ("/login/" in answer.headers.get("Location", "")) is (status == 302)
    if status == 200:
        assert client.get(answer["Location"]).status_code == 200


@pytest.mark.parametrize(("who", "status"), [(who, 302 if status == 200 else status) for who, status in MAY])
@pytest.mark.parametrize("about", ["activity", "session"])
def test_it_takes_decisions_from_the_right_people(client, session, who, status, about):
    user = sign_in(client, who)
    activity = session.activities.get() if about == "activity" else None
    choice = {"verdict": "dismissed"} if activity else {"outcome": "clear"}
    sent = {"activity": activity.pk if activity else "", "reason": "A break was agreed."} | choice
    answer = client.post(decide_address(session), sent)
    assert answer.status_code == status
    if dict(MAY)[who] == 200:
        decision = ReviewDecision.objects.get()
        assert (decision.reviewer, decision.activity, decision.verdict) == (user, activity, *choice.values())
        assert answer["Location"].startswith(page(session))
    else:
        assert not ReviewDecision.objects.exists()


@pytest.mark.database
def test_it_lists_each_person_the_sessions_they_may_see(client, session):
    other = watched_session(make_exam(code="botany"), name="Somebody Else")
    for who, seen in [("owner", {session}), ("assigned reviewer", {session}), ("another teacher", set())]:
        sign_in(client, who)
        assert set(client.get(LIST).context["cl"].result_list) == seen
    sign_in(client, "admin")
    assert set(client.get(LIST).context["cl"].result_list) == {session, other}


def test_it_does_not_let_somebody_without_the_permission_decide(client, session):
    user = sign_in(client, "owner")
    user.groups.clear()
    assert client.post(decide_address(session), {"outcome": "clear", "reason": "x"}).status_code == 403
    assert client.get(picture_address(session), follow=True).status_code == 404


@pytest.mark.parametrize(
    "sent",
    [
        {"verdict": "dismissed"},
        {"verdict": "dismissed", "reason": "  "},
        {"verdict": "guilty", "reason": "x"},
        {"outcome": "clear", "reason": "x"},
        {"activity": "", "verdict": "dismissed", "reason": "x"},
    ],
)
def test_it_asks_for_a_verdict_with_a_reason(client, session, sent):
    sign_in(client, "owner")
    answer = client.post(decide_address(session), {"activity": session.activities.get().pk, **sent}, follow=True)
    assert "Nothing was decided" in answer.content.decode()
    assert not ReviewDecision.objects.exists()


def test_it_takes_no_decision_by_get(client, session):
    sign_in(client, "owner")
    assert client.get(decide_address(session), {"outcome": "clear", "reason": "x"}).status_code == 405


def test_it_takes_no_decision_on_an_activity_of_another_session(client, exam, session):
    other = watched_session(exam)
    sign_in(client, "owner")
    sent = {"activity": other.activities.get().pk, "verdict": "confirmed", "reason": "x"}
    assert client.post(decide_address(session), sent).status_code == 404


def test_it_offers_the_outcome_of_a_session_once_it_has_ended(client, exam):
    session = make_session(exam)
    sign_in(client, "owner")
    assert 'name="outcome"' not in client.get(page(session)).content.decode()
    answer = client.post(decide_address(session), {"outcome": "clear", "reason": "x"}, follow=True)
    assert "This session is still open" in answer.content.decode()
    assert not ReviewDecision.objects.exists()
    end_session(session, 5)
    assert 'name="outcome"' in client.get(page(session)).content.decode()
    client.post(decide_address(session), {"outcome": "violation", "reason": "x"})
    assert "badge-verdict-violation" in client.get(page(session)).content.decode()
    assert "badge-verdict-violation" in client.get(LIST).content.decode()


def test_it_takes_no_decision_on_an_activity_that_no_longer_counts(client, exam, session):
    old = session.activities.get()
    policy, _new = add_policy_version(exam=exam, settings={"trust_zero_risk": 21})
    rescore_session(session=session, policy=policy)
    sign_in(client, "owner")
    sent = {"activity": old.pk, "verdict": "confirmed", "reason": "x"}
    assert "judged again" in client.post(decide_address(session), sent, follow=True).content.decode()
    assert not ReviewDecision.objects.exists()


def test_it_brings_the_reviewed_score_up_to_a_decision(client, session):
    sign_in(client, "assigned reviewer")
    sent = {"activity": session.activities.get().pk, "verdict": "dismissed", "reason": "A break."}
    client.post(decide_address(session), sent)
    assessment = Assessment.objects.get(session=session)
    assert (assessment.risk_score, assessment.reviewed_risk_score) == (2, 0)


@pytest.mark.parametrize("model", READ_ONLY)
def test_it_lets_nobody_add_change_or_delete_what_was_recorded(rf, model):
    registered = {one._meta.model_name: one_admin for one, one_admin in admin.site._registry.items()}
    request = rf.get("/")
    request.user = make_user(Role.ADMIN)
    own = registered[model]
    assert not own.has_add_permission(request)
    assert not own.has_change_permission(request)
    assert not own.has_delete_permission(request)


@pytest.mark.parametrize("model", ["suspiciousactivity", "evidence", "observation", "assessment"])
def test_it_refuses_a_superuser_who_posts_a_change(client, session, model):
    sign_in(client, "admin")
    row = apps.get_model("monitoring", model).objects.first()
    assert client.get(f"/admin/monitoring/{model}/add/").status_code == 403
    assert client.post(f"/admin/monitoring/{model}/{row.pk}/change/", {"seq": 1}).status_code == 403
    assert client.post(f"/admin/monitoring/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    sent = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}
    client.post(f"/admin/monitoring/{model}/", sent)
    assert apps.get_model("monitoring", model).objects.filter(pk=row.pk).exists()


def test_it_does_not_change_a_session_by_a_post_to_its_page(client, session):
    sign_in(client, "admin")
    client.post(page(session), {"status": "terminated"})
    session.refresh_from_db()
    assert session.status == "submitted"
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(reverse("admin:exams_examsession_delete", args=[session.pk])).status_code == 403


@pytest.mark.parametrize("model", READ_ONLY[1:])
@pytest.mark.parametrize("who", ["owner", "another teacher", "admin"])
def test_it_lists_recorded_rows_of_visible_sessions_only(client, session, model, who):
    sign_in(client, who)
    if model == "reviewdecision":
        client.post(decide_address(session), {"outcome": "clear", "reason": "x"})
    if model == "monitoringlog":
        services.record_event(session_id=session.pk, event_type="X", source="browser", occurred_at=START)
    shown = client.get(f"/admin/monitoring/{model}/").context["cl"].result_count
    assert (shown > 0) is (who != "another teacher")


def queries_of(client, address):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


ADDRESSES = [LIST, *(f"/admin/monitoring/{model}/" for model in READ_ONLY[1:])]


@pytest.mark.parametrize("address", ADDRESSES)
def test_it_lists_thirty_sessions_with_as_many_queries_as_one(client, exam, address):
    user = sign_in(client, "owner")

    def add():
        session = watched_session(exam)
        services.record_event(session_id=session.pk, event_type="TAB_SWITCH", source="browser", occurred_at=START)
        activity = SuspiciousActivity.objects.filter(session=session).first()
        ReviewDecision.objects.create(
            session=session, activity=activity, verdict="confirmed", reason="x", reviewer=user
        )

    add()
    client.get(address)
    one = queries_of(client, address)
    for _number in range(29):
        add()
    assert queries_of(client, address) == one


def test_it_shows_a_long_session_with_as_many_queries_as_a_short_one(client, exam):
    sign_in(client, "owner")
    session = make_session(exam)
    watch(session, facts(0, objects={}))
    client.get(page(session))

    def record(first, count):
        for number in range(first, first + count):
            at = START + timedelta(seconds=10 * number)
            services.record_event(session_id=session.pk, event_type="TAB_SWITCH", source="browser", occurred_at=at)

    record(1, 1)
    few = queries_of(client, page(session))
    record(2, 30)
    assert session.activities.count() == 31
    assert queries_of(client, page(session)) == few


@pytest.mark.database
def test_it_puts_the_riskiest_session_first_and_those_without_a_score_last(client, exam):
    calm = make_session(exam, ended_after_s=5)
    risky = watched_session(exam)
    unwatched = make_session(exam)
    Assessment.objects.filter(session=unwatched).delete()
    sign_in(client, "owner")
    assert list(client.get(LIST).context["cl"].result_list) == [risky, calm, unwatched]


@pytest.mark.database
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=one", True),
        ("q=algebra", True),
        ("q=nobody-of-that-name", False),
        ("level=Low", True),
        ("level=High", False),
        ("verdict=none", True),
        ("verdict=violation", False),
        ("status__exact=submitted", True),
        ("source__exact=recording", False),
    ],
)
def test_it_finds_sessions_by_words_and_filters(client, session, query, found):
    sign_in(client, "owner")
    assert (client.get(f"{LIST}?{query}").context["cl"].result_count == 1) is found


@pytest.mark.database
@pytest.mark.parametrize(("query", "found"), [("kind=NO_FACE", True), ("kind=PHONE", False), ("verdict=none", True)])
def test_it_finds_activities_by_filters(client, session, query, found):
    sign_in(client, "owner")
    address = f"/admin/monitoring/suspiciousactivity/?{query}"
    assert (client.get(address).context["cl"].result_count == 1) is found


def test_it_serves_a_picture_that_no_shared_cache_keeps_and_no_browser_guesses_about(client, session):
    sign_in(client, "owner")
    answer = client.get(picture_address(session), follow=True)
    assert b"".join(answer.streaming_content) == picture()
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "private" in answer["Cache-Control"]
    assert answer["ETag"] == f'"{hashlib.sha256(picture()).hexdigest()}"'
    again = client.get(picture_address(session), headers={"if-none-match": answer["ETag"]}, follow=True)
    assert (again.status_code, again.content) == (304, b"")


def test_it_checks_permission_before_it_says_that_nothing_changed(client, session):
    sign_in(client, "another teacher")
    etag = f'"{hashlib.sha256(picture()).hexdigest()}"'
    assert client.get(picture_address(session), headers={"if-none-match": etag}).status_code == 404


def test_it_says_404_for_a_picture_that_is_gone_or_never_was(client, session):
    sign_in(client, "owner")
    evidence = Evidence.objects.get()
    evidence.file.storage.delete(evidence.file.name)
    assert client.get(picture_address(session), follow=True).status_code == 404
    assert client.get(reverse("admin:monitoring_evidence_picture", args=[uuid.uuid4()])).status_code == 404


def test_it_does_not_serve_a_file_of_a_kind_that_is_no_picture(client, session):
    sign_in(client, "owner")
    Evidence.objects.update(media_type="text/html")
    assert client.get(picture_address(session), follow=True).status_code == 404


@pytest.mark.parametrize("address", [f"{LIST}{uuid.UUID(int=1)}/change/", f"{LIST}not-an-id/change/"])
def test_it_says_404_for_a_session_that_never_was(client, address):
    sign_in(client, "admin")
    assert client.get(address).status_code == 404


def test_it_escapes_what_browsers_and_candidates_wrote(client, exam):
    session = watched_session(exam, name="<script>alert(1)</script>")
    event = "<img src=x onerror=alert(2)>"
    services.record_event(session_id=session.pk, event_type=event, source="browser", occurred_at=START)
    sign_in(client, "owner")
    for address in (page(session), LIST):
        text = client.get(address).content.decode()
        assert "<script>alert(1)" not in text
        assert "<img src=x" not in text


def test_it_shows_what_a_reviewer_needs(client, session):
    sign_in(client, "owner")
    text = client.get(page(session)).content.decode()
    activity = session.activities.get()
    for needed in (
        "Candidate One",
        "Nobody in view",
        activity.explanation,
        f'id="activity-{activity.pk}"',
        f'href="#activity-{activity.pk}"',
        'class="timeline"',
        "The machine points, a human decides.",
        "Not examined at any time.",
        "version 1",
    ):
        assert needed in text, needed


def test_it_explains_activities_in_the_readers_language(client, session, monkeypatch):
    say_in_bangla(monkeypatch, {"No face and no person could be seen.": "কাউকে দেখা যায়নি।"})
    user = sign_in(client, "owner")
    base, activity = "/admin/monitoring/suspiciousactivity/", session.activities.get()
    for address in (page(session), base, f"{base}{activity.pk}/change/"):
        assert "No face and no person could be seen." in client.get(address).content.decode()
    user.language = "bn"
    user.save()
    for address in (page(session), base, f"{base}{activity.pk}/change/"):
        text = client.get(address).content.decode()
        assert "কাউকে দেখা যায়নি।" in text
        assert "No face and no person could be seen." not in text


def test_it_shows_a_session_that_nobody_watched_yet(client, exam):
    session = make_session(exam)
    Assessment.objects.all().delete()
    sign_in(client, "owner")
    assert "has not been watched yet" in client.get(page(session)).content.decode()
