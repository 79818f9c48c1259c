"""What somebody tries who means harm, or means well for themselves."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Candidate, Role, User
from accounts.services import set_role
from accounts.tests.client import client_of
from exams.lifecycle import expire_overdue
from exams.models import ExamSession
from exams.services import add_policy_version
from monitoring import examined
from monitoring.models import Assessment, MonitoringLog, ReviewDecision, SuspiciousActivity
from monitoring.tests.factories import make_exam, make_session, make_user
from proctoring import parsers
from reports.context import REASON_LENGTH, build_context

pytestmark = pytest.mark.django_db
SESSIONS = "/api/v1/sessions"


@pytest.fixture
def session():
    return running(make_session())


def running(session: ExamSession) -> ExamSession:
    now = timezone.now()
    times = {"started_at": now - timedelta(minutes=5), "deadline_at": now + timedelta(hours=1)}
    ExamSession.objects.filter(pk=session.pk).update(**times)
    session.refresh_from_db()
    return session


def also_candidate(user: User) -> tuple[User, Candidate]:
    set_role(user=user, role=Role.CANDIDATE)
    return User.objects.get(pk=user.pk), Candidate.objects.get(user=user)


# --- numbers of log entries -------------------------------------------------------------------------------------------
def test_a_candidate_does_not_read_the_proctors_note_by_its_number(session):
    address = f"{SESSIONS}/{session.pk}/logs"
    note = {"event_type": "NOTE", "detail": {"text": "Looks at the wall."}, "seq": 5}
    assert client_of(session.exam.owner).post(address, note).status_code == 201
    answer = client_of(session.candidate.user).post(address, {"event_type": "PASTE", "seq": 5})
    assert (answer.status_code, answer.json()["code"]) == (409, "number_taken")
    assert "wall" not in answer.content.decode()
    assert MonitoringLog.objects.get(session=session, seq=5).event_type == "NOTE"


def test_a_proctors_note_is_not_lost_unnoticed_behind_a_number_of_the_candidate(session):
    address = f"{SESSIONS}/{session.pk}/logs"
    assert client_of(session.candidate.user).post(address, {"event_type": "PASTE", "seq": 6}).status_code == 201
    answer = client_of(session.exam.owner).post(address, {"event_type": "NOTE", "detail": {"text": "x"}, "seq": 6})
    assert (answer.status_code, answer.json()["code"]) == (409, "number_taken")
    assert not MonitoringLog.objects.filter(session=session, event_type="NOTE").exists()


# --- staff who sit an exam themselves ---------------------------------------------------------------------------------
@pytest.fixture
def reviewer_who_sits():
    reviewer, candidate = also_candidate(make_user(Role.REVIEWER))
    exam = make_exam()
    exam.reviewers.add(reviewer)
    return reviewer, running(make_session(exam, candidate))


def test_a_reviewer_does_not_extend_or_terminate_their_own_session(reviewer_who_sits):
    reviewer, session = reviewer_who_sits
    client, before = client_of(reviewer), session.deadline_at
    assert client.post(f"{SESSIONS}/{session.pk}/extend", {"minutes": 60}).status_code == 403
    assert client.post(f"{SESSIONS}/{session.pk}/terminate", {"reason": "enough"}).status_code == 403
    session.refresh_from_db()
    assert (session.deadline_at, session.status) == (before, "active")


def test_a_reviewer_writes_into_their_own_session_as_its_candidate(reviewer_who_sits):
    reviewer, session = reviewer_who_sits
    answer = client_of(reviewer).post(f"{SESSIONS}/{session.pk}/logs", {"event_type": "NOTE"})
    assert (answer.status_code, answer.json()["source"]) == (201, "client")


def test_nobody_judges_their_own_session(reviewer_who_sits):
    reviewer, session = reviewer_who_sits
    client = client_of(reviewer)
    client.post(f"{SESSIONS}/{session.pk}/events", {"event_type": "PASTE"})
    activity = SuspiciousActivity.objects.get(session=session)
    verdict = {"verdict": "dismissed", "reason": "It was me."}
    answer = client.post(f"/api/v1/activities/{activity.pk}/review", verdict)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), "to a candidate there is nothing to judge"
    assert not ReviewDecision.objects.exists()


def test_not_even_the_owner_of_the_exam_judges_their_own_session():
    owner, candidate = also_candidate(make_user(Role.TEACHER))
    session = make_session(make_exam(owner), candidate, ended_after_s=60)
    outcome = {"outcome": "clear", "reason": "It was me."}
    answer = client_of(owner).post(f"{SESSIONS}/{session.pk}/review", outcome)
    assert (answer.status_code, answer.json()["code"]) == (403, "own_session")
    assert not ReviewDecision.objects.exists()


@pytest.mark.parametrize("reviews", [True, False])
def test_an_order_or_filter_does_not_give_away_scores_that_are_not_told(reviews):
    reviewer, candidate = also_candidate(make_user(Role.REVIEWER))
    exam = make_exam(candidate_sees="nothing")
    if reviews:
        exam.reviewers.add(reviewer)
    sessions = [make_session(exam, candidate, ended_after_s=60) for _ in range(2)]
    for session, score in zip(sessions, (1, 9), strict=True):
        Assessment.objects.filter(session=session).update(risk_score=score, risk_level="High")
    client = client_of(reviewer)

    def listed(query: str) -> list[str]:
        return [row["id"] for row in client.get(f"{SESSIONS}?{query}").json()["results"]]

    orders = [listed(f"ordering={order}") for order in ("risk_score", "-risk_score")]
    assert [len(order) for order in orders] == [2, 2]
    Assessment.objects.filter(session=sessions[0]).update(risk_score=10)  # now it would be the other way round
    assert [listed(f"ordering={order}") for order in ("risk_score", "-risk_score")] == orders
    assert listed("risk_level=High") == []


# --- what the proctor writes down -------------------------------------------------------------------------------------
def test_a_candidate_does_not_learn_what_the_proctor_wrote_down(session):
    staff, candidate = client_of(session.exam.owner), client_of(session.candidate.user)
    address = f"{SESSIONS}/{session.pk}"
    for event in ("NOTE", "SUSPECTED_IMPERSONATION"):
        assert staff.post(f"{address}/logs", {"event_type": event}).status_code == 201
    assert staff.post(f"{address}/message", {"text": "Please move to the left."}).status_code == 201
    assert candidate.post(f"{address}/logs", {"event_type": "PASTE"}).status_code == 201

    def told(client) -> list[set[str]]:
        log, summary = client.get(f"{address}/logs").json()["results"], client.get(f"{address}/summary").json()
        return [{row["event_type"] for row in rows} for rows in (log, summary["events"])]

    assert told(candidate) == [{"PASTE", "PROCTOR_MESSAGE"}] * 2
    assert told(staff) == [{"PASTE", "PROCTOR_MESSAGE", "NOTE", "SUSPECTED_IMPERSONATION"}] * 2


# --- the clock --------------------------------------------------------------------------------------------------------
def test_a_candidate_does_not_escape_the_end_of_the_time_by_a_pause():
    exam = make_exam()
    add_policy_version(exam=exam, settings={"candidate_may_pause": True})
    session = running(make_session(exam))
    ExamSession.objects.filter(pk=session.pk).update(deadline_at=timezone.now() - timedelta(seconds=1))
    answer = client_of(session.candidate.user).post(f"{SESSIONS}/{session.pk}/pause", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "time_up")
    assert expire_overdue() == 1
    session.refresh_from_db()
    assert session.status == "expired"


# --- what is too much -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("part", [b"{}", b"[]", b"1", b'""'])
def test_a_body_that_would_fill_the_memory_is_refused_unread(part, monkeypatch):
    monkeypatch.setattr(parsers, "json", None)  # with which it would be read
    body = b"[" + b",".join([part] * (parsers.MAX_MARKS + 1)) + b"]"
    answer = client_of().generic("POST", "/api/v1/auth/login", body.decode(), content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_few_calls_of_one_session_wait_at_once(session, settings):
    settings.FRAME_WAIT_S = 30
    with ExitStack() as waiting:
        for _ in range(examined.MOST_WAITING):
            waiting.enter_context(examined.place_to_wait(session.pk))
        assert examined.wait_for(session=session, stream="frame", seq=1) is None  # at once
    with examined.place_to_wait(session.pk) as has_place:
        assert has_place


def test_a_report_does_not_print_whole_books_that_a_browser_sent(session):
    event = {"event_type": "NETWORK_GAP", "detail": {"reason": "x" * 8000}}
    assert client_of(session.candidate.user).post(f"{SESSIONS}/{session.pk}/events", event).status_code == 201
    (gap,) = build_context(session, pictures=False).gaps
    assert gap.reason == "x" * REASON_LENGTH


# --- caches -----------------------------------------------------------------------------------------------------------
def test_no_cache_keeps_what_is_answered_about_people(session):
    client = client_of(session.candidate.user)
    for address in ("/api/v1/auth/me", SESSIONS, f"{SESSIONS}/{session.pk}", "/api/v1/nowhere"):
        assert "no-store" in client.get(address)["Cache-Control"]
