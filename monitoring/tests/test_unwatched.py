"""A session that nobody watched: people decide on it as on any other, and it hangs nowhere."""

import pytest
from django.urls import reverse

from accounts.tests.client import client_of
from exams.lifecycle import move_session
from exams.models import SessionStatus
from exams.services import create_session
from monitoring.appeals import appeal_session
from monitoring.models import Assessment, ReviewCase, ReviewDecision, ReviewerNote
from monitoring.outcomes import outcome_of
from monitoring.review import decide_session
from monitoring.review_queue import claim_next, put_in_order, waiting_sessions
from monitoring.tests.factories import START, make_candidate
from monitoring.tests.reviewers import ended_session, make_desk

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def desk():
    return make_desk()


@pytest.fixture
def session(desk):
    session = create_session(exam=desk.exam, candidate=make_candidate(full_name="Candidate One"), created_at=START)
    move_session(session=session, to=SessionStatus.TERMINATED, reason="Left before it began.")
    session.refresh_from_db()
    assert not Assessment.objects.exists()
    return session


def page(session):
    return reverse("admin:exams_examsession_change", args=[session.pk])


def queue(client, tab):
    answer = client.get(reverse("admin:monitoring_queue"), {"tab": tab})
    counted = {one["name"]: one["count"] for one in answer.context["tabs"]}
    return [row.session for row in answer.context["rows"]], counted[tab]


def test_its_outcome_is_decided_and_notes_are_written_on_its_page(client, desk, session):
    client.force_login(desk.first)
    text = client.get(page(session)).content.decode()
    assert "This session was never watched" in text
    decide = reverse("admin:exams_examsession_decide", args=[session.pk])
    note = reverse("admin:exams_examsession_note", args=[session.pk])
    assert f'action="{decide}"' in text
    assert f'action="{note}"' in text
    client.post(note, {"text": "Called the candidate.", "at": "0:00"})
    client.post(decide, {"outcome": "concern", "reason": "Did not come back.", "stage": "first"})
    assert (ReviewDecision.objects.get().verdict, ReviewerNote.objects.count()) == ("concern", 1)
    text = client.get(page(session)).content.decode()
    assert "Called the candidate." in text
    assert "Did not come back." in text


def test_an_open_one_is_not_decided_yet(client, desk):
    session = create_session(exam=desk.exam, candidate=make_candidate())
    client.force_login(desk.first)
    text = client.get(page(session)).content.decode()
    assert "has not been watched yet" in text
    assert 'name="outcome"' not in text


def test_nobody_is_asked_for_a_first_look_at_it(client, desk, session):
    client.force_login(desk.first)
    assert queue(client, "first") == ([], 0)


def test_what_somebody_has_taken_is_listed(client, desk, session):
    client.force_login(desk.first)
    client.post(reverse("admin:monitoring_queue"), {"action": "claim", "session": session.pk})
    assert ReviewCase.objects.get().holder == desk.first
    assert queue(client, "mine") == ([session], 1)


def test_a_second_look_and_a_disagreement_do_not_hang(client, desk, session):
    decide_session(session=session, outcome="escalated", reason="x", leaning="clear", reviewer=desk.first)
    client.force_login(desk.second)
    assert queue(client, "second") == ([session], 1)
    assert claim_next(stage="second", reviewer=desk.second) == session
    decide_session(session=session, outcome="violation", reason="x", reviewer=desk.second)
    client.force_login(desk.admin)
    assert queue(client, "disagreement") == ([session], 1)
    decide_session(session=session, outcome="clear", reason="x", reviewer=desk.admin)
    assert outcome_of(session).outcome == "clear"


def test_its_appeal_is_listed_in_the_order_of_time_and_decided(client, desk, session):
    later = ended_session(desk.exam)
    for one in (session, later):
        decide_session(session=one, outcome="concern", reason="x", reviewer=desk.first)
    candidate = client_of(session.candidate.user)
    assert candidate.post(f"/api/v1/sessions/{session.pk}/appeal", {"text": "The power was gone."}).status_code == 201
    appeal_session(session=later, text="No.")
    assert [key for key, _r in put_in_order(waiting_sessions(desk.second, "appeal"), "appeal")] == [
        session.pk,
        later.pk,
    ]
    client.force_login(desk.second)
    client.post(reverse("admin:monitoring_queue"), {"action": "next", "tab": "appeal"})
    text = client.get(page(session)).content.decode()
    assert "The power was gone." in text
    sent = {"outcome": "clear", "reason": "Nobody's fault.", "stage": "appeal"}
    client.post(reverse("admin:exams_examsession_decide", args=[session.pk]), sent)
    session.appeal.refresh_from_db()
    assert session.appeal.state == "changed"


def test_what_waits_and_was_never_seen_is_full_of_doubt(desk, session):
    decide_session(session=session, outcome="escalated", reason="x", reviewer=desk.first)
    [(_key, reading)] = put_in_order(waiting_sessions(desk.second, "second"), "second")
    assert (reading.risk, reading.activities, reading.unseen, reading.doubt) == (0.0, 0, 1.0, 5.0)
