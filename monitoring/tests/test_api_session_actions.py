"""What is done with a session over HTTP, by whom, in which state, and what the database holds afterwards."""

import base64
import json
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import AuditEvent, Role
from accounts.tests.client import client_of
from accounts.tokens import SIGN_IN, issue_tokens
from exams.lifecycle import move_session
from exams.models import CodeSubmission, ExamAssignment, ExamSession, Problem, SessionStatus, SocketTicket
from exams.services import create_session
from exams.submissions import submit_code
from exams.tickets import sign_in_of, take_ticket
from monitoring import services
from monitoring.models import LogClearing, MonitoringLog, SessionMonitor
from monitoring.tests.factories import agree, facts, make_candidate, make_exam, make_user, watch
from vision.decoding import encode_jpeg
from vision.tests.media import two_men

pytestmark = [pytest.mark.django_db, pytest.mark.database]
CHECK = {"camera": {"available": True, "faces": 1}, "microphone": {"available": True}}
OWNER_ONLY = ("check", "begin", "ticket", "final-submit")
STAFF_ONLY = {"terminate": {"reason": "x"}, "extend": {"minutes": 5}, "message": {"text": "x"}}
BODIES = {**{name: {} for name in OWNER_ONLY}, "check": CHECK, "pause": {}, "resume": {}, "end": {}, **STAFF_ONLY}
BODIES["clear-logs"] = {"reason": "x"}


@pytest.fixture(autouse=True)
def no_waiting(settings):
    settings.END_WAIT_S = 0


@pytest.fixture
def candidate():
    return agree(make_candidate())


@pytest.fixture
def exam(candidate):
    exam = make_exam(candidate_sees="breakdown")
    ExamAssignment.objects.create(exam=exam, candidate=candidate, break_minutes=5)
    exam.reviewers.add(make_user(Role.REVIEWER))
    return exam


@pytest.fixture
def session(exam, candidate):
    return create_session(exam=exam, candidate=candidate)


@pytest.fixture
def active(session):
    session = move_session(session=session, to=SessionStatus.ACTIVE)
    services.open_monitor(session=session)
    return session


def call(user, session, what, sent=None):
    return client_of(user).post(f"/api/v1/sessions/{session.pk}/{what}", BODIES[what] if sent is None else sent)


def status_of(session):
    return ExamSession.objects.get(pk=session.pk).status


def staff_of(session):
    return {
        "teacher": session.exam.owner,
        "reviewer": session.exam.reviewers.get(),
        "admin": make_user(Role.ADMIN),
    }


def test_a_candidate_goes_all_the_way(session, candidate, django_capture_on_commit_callbacks):
    answer = call(candidate.user, session, "check", {**CHECK, "screens": 2})
    body = answer.json()
    assert (answer.status_code, body["passed"], body["status"]) == (200, True, "checking_in")
    assert body["findings"][0]["finding"] == "More than one screen is connected."
    with django_capture_on_commit_callbacks(execute=True):
        answer = call(candidate.user, session, "begin")
    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    assert answer.json()["system_check"]["findings"][0]["code"] == "several_screens"
    assert SessionMonitor.objects.filter(session=session).exists()
    assert call(candidate.user, session, "begin").json()["started_at"] == answer.json()["started_at"]
    assert call(candidate.user, session, "pause").json()["status"] == "paused"
    assert call(candidate.user, session, "resume").json()["status"] == "active"
    answer = call(candidate.user, session, "end")
    assert (answer.status_code, answer.json()["session"]["status"]) == (200, "submitted")
    steps = list(session.transitions.order_by("id").values_list("to_status", "by"))
    ways = ["checking_in", "active", "paused", "active", "submitted"]
    assert steps == [(way, candidate.user.pk) for way in ways]


def test_nobody_begins_without_the_check_where_one_is_asked_for(session, candidate):
    call(candidate.user, session, "check", {**CHECK, "camera": {"available": False}})
    answer = call(candidate.user, session, "begin")
    assert (answer.status_code, answer.json()["code"]) == (409, "check_required")
    assert status_of(session) == SessionStatus.CHECKING_IN


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"camera": None}, "camera"),
        ({"camera": {}}, "camera.available"),
        ({"camera": {"available": True, "width": -1}}, "camera.width"),
        ({"camera": {"available": True, "brightness": "nan"}}, "camera.brightness"),
        ({"camera": {"available": True, "faces": 101}}, "camera.faces"),
        ({"microphone": {"available": True, "level_dbfs": -1e300}}, "microphone.level_dbfs"),
        ({"microphone": []}, "microphone"),
        ({"network": {"rtt_ms": "inf"}}, "network.rtt_ms"),
        ({"screens": 0}, "screens"),
        ({"browser": "x" * 301}, "browser"),
        ({"calibration": {"points": [{"x": 0, "y": 0}] * 33}}, "calibration.points"),
        ({"calibration": {"points": [{"x": 0}]}}, "calibration.points.0.y"),
    ],
)
def test_a_check_that_cannot_be_used_names_the_field_and_changes_nothing(session, candidate, change, field):
    answer = call(candidate.user, session, "check", CHECK | change)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert (status_of(session), ExamSession.objects.get().system_check) == (SessionStatus.CREATED, {})


def test_a_ticket_rests_on_the_sign_in_that_asked_for_it(active, candidate):
    tokens = issue_tokens(user=candidate.user)
    client = APIClient(headers={"Authorization": f"Bearer {tokens.access}"})
    answer = client.post(f"/api/v1/sessions/{active.pk}/ticket")
    assert sign_in_of(answer.json()["ticket"]) == AccessToken(tokens.access)[SIGN_IN] != ""  # type: ignore[arg-type]


def test_a_ticket_opens_the_socket_once_and_none_is_given_after_the_end(active, candidate):
    answer = call(candidate.user, active, "ticket")
    assert answer.status_code == 201
    assert take_ticket(ticket=answer.json()["ticket"], session_id=active.pk) == candidate.user
    assert take_ticket(ticket=answer.json()["ticket"], session_id=active.pk) is None
    move_session(session=active, to=SessionStatus.TERMINATED)
    assert call(candidate.user, active, "ticket").status_code == 409
    assert not SocketTicket.objects.exists()


@pytest.mark.parametrize("what", OWNER_ONLY)
@pytest.mark.parametrize("who", ["teacher", "reviewer", "admin"])
def test_staff_does_not_do_what_the_candidate_does(active, what, who):
    assert call(staff_of(active)[who], active, what).status_code == 403
    assert (status_of(active), SocketTicket.objects.count()) == (SessionStatus.ACTIVE, 0)


@pytest.mark.parametrize("what", [*STAFF_ONLY, "clear-logs"])
def test_a_candidate_does_not_do_what_staff_does(active, candidate, what):
    for user in (candidate.user, make_candidate().user):
        assert call(user, active, what).status_code == 403
    assert (status_of(active), MonitoringLog.objects.count()) == (SessionStatus.ACTIVE, 0)


@pytest.mark.parametrize("what", [name for name in BODIES if name != "clear-logs"])
def test_a_session_of_others_is_not_there(active, what):
    strangers = {403: make_candidate().user, 404: make_user()}
    if what not in STAFF_ONLY:
        strangers = {404: make_candidate().user, 403: make_user()}
    if what in ("pause", "resume", "end"):
        strangers = {404: make_user()}
        assert call(make_candidate().user, active, what).status_code == 404
    for status, user in strangers.items():
        assert call(user, active, what).status_code == status
    assert client_of().post(f"/api/v1/sessions/{active.pk}/{what}", {}).status_code == 401
    assert status_of(active) == SessionStatus.ACTIVE


@pytest.mark.parametrize("who", ["teacher", "reviewer", "admin"])
def test_all_staff_of_the_exam_pauses_resumes_extends_and_ends(active, who):
    user = staff_of(active)[who]
    assert call(user, active, "pause", {"reason": "Alarm."}).json()["status"] == "paused"
    assert active.transitions.order_by("id").last().reason == "Alarm."
    assert call(active.candidate.user, active, "resume").json()["code"] == "paused_by_staff"
    assert call(user, active, "resume").json()["status"] == "active"
    before = ExamSession.objects.get().deadline_at
    assert call(user, active, "extend", {"minutes": 7}).json()["time"]["extended_minutes"] == 7
    assert ExamSession.objects.get().deadline_at == before + timedelta(minutes=7)
    answer = call(user, active, "end").json()
    assert (answer["session"]["status"], answer["risk_score"], answer["final"]) == ("submitted", 0, False)
    assert active.transitions.order_by("id").last().by == user


@pytest.mark.parametrize("minutes", [0, -5, 1441, "many", None, 1.5])
def test_an_extension_has_1_to_1440_minutes(active, minutes):
    answer = call(active.exam.owner, active, "extend", {"minutes": minutes})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["minutes"])
    assert ExamSession.objects.get().extended_minutes == 0


def test_a_candidate_takes_a_break_as_long_as_there_is_one(active, candidate):
    body = call(candidate.user, active, "pause", {"reason": "Tea."}).json()
    assert body["time"]["pause_ends_at"] is not None
    ExamAssignment.objects.update(break_minutes=0)
    call(candidate.user, active, "resume")
    answer = call(candidate.user, active, "pause")
    assert (answer.status_code, answer.json()["code"]) == (409, "pause_refused")
    assert status_of(active) == SessionStatus.ACTIVE


def test_terminating_needs_a_reason_and_ends_the_session(active):
    for sent in ({}, {"reason": ""}, {"reason": "  "}, {"reason": None}, {"reason": "x" * 501}):
        assert list(call(active.exam.owner, active, "terminate", sent).json()["fields"]) == ["reason"]
    assert status_of(active) == SessionStatus.ACTIVE
    assert call(active.exam.owner, active, "terminate", {"reason": "Left."}).json()["status"] == "terminated"
    step = active.transitions.order_by("id").last()
    assert (step.to_status, step.reason, step.by) == ("terminated", "Left.", active.exam.owner)


@pytest.mark.parametrize("what", [name for name in BODIES if name != "clear-logs"])
def test_nothing_is_done_with_a_session_that_is_over(active, what):
    move_session(session=active, to=SessionStatus.SUBMITTED)
    user = active.exam.owner if what in STAFF_ONLY else active.candidate.user
    answer = call(user, active, what)
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert (status_of(active), active.transitions.count()) == (SessionStatus.SUBMITTED, 2)


@pytest.mark.parametrize("what", ["pause", "end", "final-submit"])
def test_what_was_not_begun_is_neither_paused_nor_ended(session, candidate, what):
    answer = call(candidate.user, session, what)
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert status_of(session) == SessionStatus.CREATED


@pytest.mark.parametrize("what", ["end", "final-submit"])
def test_the_end_makes_the_last_answers_final(active, candidate, what):
    problem = Problem.objects.create(exam=active.exam, number=1, title="Sum")
    for code in ("1", "2"):
        submit_code(session=active, problem=problem, language="python", code=code, by=candidate.user)
    assert call(candidate.user, active, what).status_code == 200
    assert status_of(active) == SessionStatus.SUBMITTED
    assert list(CodeSubmission.objects.filter(is_final=True).values_list("code", flat=True)) == ["2"]
    assert call(candidate.user, active, what).status_code == 409


def test_the_end_waits_for_the_books_to_be_closed(active, candidate, settings, monkeypatch):
    settings.END_WAIT_S = 5
    at = timezone.now().timestamp()
    watch(active, *[moved(facts(0, faces=0, objects={}), at - 10 + second, second) for second in range(10)])
    pauses = []

    def worker_closes_the_books(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            services.finish_monitoring(session_id=active.pk)

    monkeypatch.setattr("monitoring.waiting.time.sleep", worker_closes_the_books)
    body = call(candidate.user, active, "end").json()
    assert pauses == [0.05, 0.1, 0.2]
    assert (body["final"], body["risk_score"], body["risk_level"]) == (True, 2, "Low")
    assert (body["trust_score"], body["breakdown"][0]["kind"]) == (90, "NO_FACE")


def moved(seen, at, seq):
    from dataclasses import replace

    return replace(seen, captured_at=at, seq=seq)


@pytest.mark.parametrize(
    ("sees", "risk", "lines"), [("nothing", None, None), ("scores", 0, None), ("breakdown", 0, [])]
)
def test_the_end_tells_the_candidate_what_the_exam_allows(active, candidate, sees, risk, lines):
    type(active.exam).objects.update(candidate_sees=sees)
    body = call(candidate.user, active, "end").json()
    assert (body["risk_score"], body["breakdown"], body["session"]["risk_score"]) == (risk, lines, risk)
    assert body["reviewed_risk_score"] is None


def test_a_message_is_kept_counts_for_nothing_and_reaches_the_candidate(active, candidate):
    answer = call(active.exam.owner, active, "message", {"text": "Please move to the left."})
    assert answer.status_code == 201
    log = MonitoringLog.objects.get()
    assert (log.event_type, log.source, log.detail["text"]) == (
        "PROCTOR_MESSAGE",
        "proctor",
        "Please move to the left.",
    )
    body = client_of(candidate.user).get(f"/api/v1/sessions/{active.pk}").json()
    assert [message["text"] for message in body["messages"]] == ["Please move to the left."]
    assert not active.activities.exists()


@pytest.mark.parametrize("text", ["", None, "x" * 1001, ["hello"]])
def test_a_message_is_text_of_up_to_1000_letters(active, text):
    assert list(call(active.exam.owner, active, "message", {"text": text}).json()["fields"]) == ["text"]
    assert not MonitoringLog.objects.exists()


def test_a_message_reaches_a_candidate_who_has_not_begun(session):
    assert call(session.exam.owner, session, "message", {"text": "Begin now."}).status_code == 201
    assert not SessionMonitor.objects.exists()


def test_only_admins_clear_logs(active):
    services.record_event(session_id=active.pk, event_type="COPY", source="browser", occurred_at=timezone.now())
    for who in ("teacher", "reviewer"):
        assert call(staff_of(active)[who], active, "clear-logs").status_code == 403
    assert not LogClearing.objects.exists()
    admin = make_user(Role.ADMIN)
    assert list(call(admin, active, "clear-logs", {}).json()["fields"]) == ["reason"]
    body = call(admin, active, "clear-logs", {"reason": "A broken browser."}).json()
    assert (body["cleared"], body["activities_removed"], body["risk_score"], body["breakdown"]) == (1, 1, 0, [])
    clearing = LogClearing.objects.get()
    assert (clearing.reason, clearing.cleared_by, clearing.logs.count()) == ("A broken browser.", admin, 1)
    audit = AuditEvent.objects.get(action="logs_cleared")
    assert (audit.actor, audit.subject, audit.ip_address) == (admin, active.candidate.user, "127.0.0.1")


def test_the_server_looks_at_the_pictures_of_a_check_and_keeps_numbers_only(
    session, candidate, django_capture_on_commit_callbacks
):
    picture = base64.b64encode(encode_jpeg(two_men())).decode()
    points = {"points": [{"x": 0.5, "y": 0.5, "picture": f"data:image/jpeg;base64,{picture}"}] * 5}
    camera = {"available": True, "width": 1280, "height": 720, "picture": picture}
    answer = call(candidate.user, session, "check", CHECK | {"camera": camera, "calibration": points})
    assert (answer.status_code, answer.json()["faces"], answer.json()["passed"]) == (200, 2, True)
    kept = ExamSession.objects.get().system_check
    assert kept["findings"] == ["several_faces"]
    assert "picture" not in json.dumps(kept)
    with django_capture_on_commit_callbacks(execute=True):
        call(candidate.user, session, "begin")
    yaw = kept["measured"]["calibration"]["points"][0]["yaw"]
    assert SessionMonitor.objects.get().memory["usual"]["yaw"] == pytest.approx(max(-12, min(12, yaw)), abs=1e-3)


def test_a_check_with_a_picture_that_is_none_says_so_and_changes_nothing(session, candidate):
    camera = {"available": True, "picture": base64.b64encode(b"nothing").decode()}
    answer = call(candidate.user, session, "check", CHECK | {"camera": camera})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_picture")
    assert (status_of(session), ExamSession.objects.get().system_check) == (SessionStatus.CREATED, {})
