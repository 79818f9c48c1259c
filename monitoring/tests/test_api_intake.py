"""Pictures over HTTP: stored when acknowledged, refused with a reason, and the session goes on either way."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.throttling import ScopedRateThrottle

from accounts.models import Role
from accounts.tests.client import client_of
from exams.lifecycle import move_session
from exams.models import SessionStatus
from monitoring import analysis
from monitoring.frame_store import frame_store
from monitoring.models import MonitoringLog, Observation, SessionMonitor, SuspiciousActivity
from monitoring.tests.factories import START, make_exam, make_session, make_user, two_men_jpeg
from monitoring.tests.pictures import bomb, encoded

pytestmark = [pytest.mark.django_db, pytest.mark.database]

JPEG = encoded("JPEG")


@pytest.fixture
def session(no_worker):
    return make_session()


@pytest.fixture
def client(session):
    return client_of(session.candidate.user)


def address(session, query=""):
    return f"/api/v1/sessions/{session.pk}/frames{query}"


def send(client, session, data=JPEG, media_type="image/jpeg", query="", **headers):
    return client.post(address(session, query), data=data, content_type=media_type, headers=headers or None)


def send_form(client, session, data=JPEG, media_type="image/jpeg", query="", **fields):
    file = SimpleUploadedFile("frame.jpg", data, content_type=media_type)
    return client.post(address(session, query), data={"file": file, **fields}, format="multipart")


def waiting(session):
    return frame_store().take(session.pk, 500)


def test_it_stores_a_picture_that_is_the_body_and_acknowledges_its_number(client, session):
    answer = send(client, session, query="?seq=3&captured_at=2026-03-02T09:00:05Z")
    assert answer.status_code == 202
    assert answer.json() == {
        "seq": 3,
        "captured_at": "2026-03-02T09:00:05Z",
        "stored": True,
        "waiting": 1,
        "load": 0,
    }
    (item,) = waiting(session)
    assert (item.seq, item.captured_at, item.data) == (3, START.timestamp() + 5, JPEG)
    assert SessionMonitor.objects.get().frames_total == 1


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_it_stores_a_picture_that_came_in_a_form_with_number_and_time_in_milliseconds(client, session, form):
    at = round((START.timestamp() + 7.25) * 1000)
    answer = send_form(
        client, session, data=encoded(form), media_type=f"image/{form.lower()}", seq="9", captured_at=str(at)
    )
    assert answer.status_code == 202
    (item,) = waiting(session)
    assert (item.seq, item.captured_at, item.data) == (9, START.timestamp() + 7.25, encoded(form))


def test_it_reads_number_and_time_from_headers(client, session):
    answer = send(client, session, **{"X-Seq": "5", "X-Captured-At": "2026-03-02T09:00:06.500Z"})
    assert (answer.json()["seq"], waiting(session)[0].captured_at) == (5, START.timestamp() + 6.5)


def test_it_numbers_pictures_itself_and_never_like_a_client_that_counts(client, session):
    numbers = [send(client, session).json()["seq"] for _ in range(3)]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > 10**15
    assert SessionMonitor.objects.get().last_server_seq == numbers[-1]
    assert len(waiting(session)) == 3


def test_it_goes_on_counting_though_the_clock_stands_still(client, session):
    ahead = 2 * 10**15
    SessionMonitor.objects.update(last_server_seq=ahead)
    assert [send(client, session).json()["seq"] for _ in range(2)] == [ahead + 1, ahead + 2]


def test_it_acknowledges_a_repeated_picture_again_and_stores_and_counts_it_once(client, session):
    for _ in range(2):
        assert send(client, session, query="?seq=1").status_code == 202
    assert [item.seq for item in waiting(session)] == [1]
    assert SessionMonitor.objects.get().frames_total == 1
    analysis.analyze_waiting(session_ids=[session.pk])
    assert send(client, session, query="?seq=1").status_code == 202
    assert waiting(session) == []
    assert SessionMonitor.objects.get().frames_total == 1


def test_it_says_how_busy_the_queue_is(client, session, settings):
    settings.FRAME_QUEUE_LENGTH = 4
    answers = [send(client, session, query=f"?seq={seq}").json() for seq in range(4)]
    assert [(answer["waiting"], answer["load"]) for answer in answers] == [(1, 2), (2, 5), (3, 8), (4, 10)]


@pytest.mark.parametrize(
    ("data", "media_type", "status", "code"),
    [
        (b"", "image/jpeg", 400, "empty_picture"),
        (b"this is text", "image/jpeg", 415, "unsupported_picture"),
        (b"this is text", "text/plain", 415, "unsupported_picture"),
        (b'{"file": "x"}', "application/json", 415, "unsupported_picture"),
        (JPEG, "image/png", 415, "unsupported_picture"),
        (encoded("PNG"), "image/jpeg", 415, "unsupported_picture"),
        (encoded("GIF"), "image/jpeg", 415, "unsupported_picture"),
        (encoded("PNG")[:20], "image/png", 400, "damaged_picture"),
        (encoded("PNG", (16, 16)), "image/png", 400, "too_small_picture"),
        (bomb(), "image/png", 413, "too_large"),
        (JPEG + bytes(8 * 1024**2), "image/jpeg", 413, "too_large"),
        (b"\0" * 100, "image/webp", 415, "unsupported_picture"),
    ],
)
def test_it_refuses_and_logs_what_is_no_picture_and_the_session_goes_on(
    client, session, data, media_type, status, code
):
    answer = send(client, session, data=data, media_type=media_type)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    log = MonitoringLog.objects.get()
    assert (log.event_type, log.source) == ("INVALID_IMAGE", "server")
    assert waiting(session) == []
    assert SessionMonitor.objects.get().frames_total == 0
    assert send(client, session).status_code == 202


@pytest.mark.parametrize("media_type", ["image/png", "text/plain", "image/gif"])
def test_it_refuses_a_form_whose_file_is_not_what_it_says(client, session, media_type):
    assert send_form(client, session, media_type=media_type).status_code == 415
    assert MonitoringLog.objects.get().event_type == "INVALID_IMAGE"
    assert waiting(session) == []


def test_it_refuses_an_empty_file_as_a_picture_that_cannot_be_read(client, session):
    answer = send_form(client, session, data=b"")
    assert (answer.status_code, answer.json()["code"]) == (400, "empty_picture")
    assert MonitoringLog.objects.get().event_type == "INVALID_IMAGE"


def test_it_takes_a_file_whose_type_nobody_told(client, session):
    assert send_form(client, session, media_type="application/octet-stream").status_code == 202


@pytest.mark.parametrize("fields", [{}, {"file": "only text"}, {"picture": "x", "seq": "1"}])
def test_it_logs_that_no_picture_came(client, session, fields):
    answer = client.post(address(session), data=fields, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (400, "NO_FRAME_RECEIVED")
    log = MonitoringLog.objects.get()
    assert (log.event_type, log.source) == ("NO_FRAME_RECEIVED", "server")
    assert waiting(session) == []


def test_it_logs_a_flood_of_bad_pictures_once_in_a_while(client, session):
    for _ in range(20):
        assert send(client, session, data=b"text").status_code == 415
    assert MonitoringLog.objects.count() == 1
    MonitoringLog.objects.update(received_at=timezone.now() - timedelta(seconds=6))
    send(client, session, data=b"text")
    assert MonitoringLog.objects.count() == 2


def test_it_logs_a_flood_of_pictures_that_only_the_worker_finds_out_once_in_a_while(client, session):
    broken = two_men_jpeg()[:3000]
    for seq in range(analysis.BATCH + 4):
        assert send(client, session, data=broken, query=f"?seq={seq}").status_code == 202
    analysis.analyze_waiting(session_ids=[session.pk])
    log = MonitoringLog.objects.get()
    assert (log.event_type, log.detail["seq"], log.detail["pictures"]) == ("INVALID_IMAGE", 0, analysis.BATCH)
    assert Observation.objects.filter(usable=False).count() == analysis.BATCH + 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", "-1"),
        ("seq", str(2**53)),
        ("seq", "9" * 400),
        ("seq", "many"),
        ("seq", "NaN"),
        ("seq", "1.5"),
        ("captured_at", "yesterday"),
        ("captured_at", "NaN"),
        ("captured_at", "1e999"),
        ("captured_at", "-1"),
        ("captured_at", "0001-01-01T00:00:00Z"),
        ("captured_at", "9999-12-31T23:59:59Z"),
        ("captured_at", "9" * 20),
    ],
)
def test_it_names_the_number_or_time_that_makes_no_sense(client, session, field, value):
    answer = send(client, session, query=f"?{field}={value}")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert send_form(client, session, **{field: value}).status_code == 400
    assert send(client, session, **{{"seq": "X-Seq", "captured_at": "X-Captured-At"}[field]: value}).status_code == 400
    assert waiting(session) == []
    assert not MonitoringLog.objects.exists()


@pytest.mark.parametrize("at", ["2026-03-02T08:00:00Z", "2100-01-01T00:00:00Z"])
def test_it_refuses_a_time_before_the_session_or_to_come(client, session, at):
    answer = send(client, session, query=f"?captured_at={at}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_captured_at")
    assert waiting(session) == []


@pytest.mark.parametrize("fields", [{"seq": "1\x00"}, {"captured_at": "2026-03-02\x00"}])
def test_it_survives_null_characters(client, session, fields):
    assert send_form(client, session, **fields).status_code == 400
    assert waiting(session) == []


@pytest.mark.parametrize("to", [SessionStatus.PAUSED, SessionStatus.SUBMITTED])
def test_it_takes_and_logs_nothing_while_the_session_is_not_active(client, session, to):
    move_session(session=session, to=to)
    for answer in (send(client, session), send(client, session, data=b"text"), send_form(client, session)):
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert client.post(address(session), data={}, format="multipart").status_code == 409
    assert waiting(session) == []
    assert not MonitoringLog.objects.exists()


def test_it_is_for_the_candidate_of_the_session_alone(session):
    exam = session.exam
    reviewer = make_user(Role.REVIEWER)
    exam.reviewers.add(reviewer)
    other = make_session().candidate.user
    assert send(client_of(), session).status_code == 401
    assert send(client_of(other), session).status_code == 404
    for staff in (exam.owner, reviewer, make_user(Role.ADMIN), make_user(Role.TEACHER)):
        assert send(client_of(staff), session).status_code == 403
    assert waiting(session) == []


def test_it_limits_how_often(client, session, monkeypatch):
    monkeypatch.setitem(ScopedRateThrottle.THROTTLE_RATES, "intake", "2/min")
    answers = [send(client, session, query=f"?seq={seq}").status_code for seq in range(3)]
    assert answers == [202, 202, 429]
    assert len(waiting(session)) == 2


# --- waiting for the answer -------------------------------------------------------------------------------------------


def test_it_waits_for_the_picture_and_tells_what_it_shows(worker):
    session = make_session()
    client, picture = client_of(session.candidate.user), two_men_jpeg()
    at = START.timestamp() * 1000
    answers = [
        send(client, session, data=picture, query=f"?wait=1&seq={seq}&captured_at={at + seq * 1000:.0f}")
        for seq in range(5)
    ]
    assert [answer.status_code for answer in answers] == [200] * 5
    first, last = answers[0].json(), answers[-1].json()
    assert (first["seq"], first["examined"], first["usable"], first["reason"]) == (0, True, True, None)
    assert first["events"] == ["MULTIPLE_FACES"]
    assert first["activities"] == []  # one picture accuses nobody
    assert "accuses nobody" in first["note"]
    assert [(item["kind"], item["ended_at"]) for item in last["activities"]] == [("MULTIPLE_FACES", None)]
    assert SuspiciousActivity.objects.get().kind == "MULTIPLE_FACES"


def test_it_waits_for_a_form_too_and_answers_at_once_for_a_picture_examined_before(worker):
    session = make_session()
    client = client_of(session.candidate.user)
    for _ in range(2):
        answer = send_form(client, session, data=two_men_jpeg(), query="?wait=true", seq="1")
        assert (answer.status_code, answer.json()["events"]) == (200, ["MULTIPLE_FACES"])
    assert Observation.objects.count() == 1


def test_it_tells_why_a_picture_was_not_examined(worker):
    session = make_session()
    client = client_of(session.candidate.user)
    dark = send(client, session, data=encoded("PNG", (320, 240)), media_type="image/png", query="?wait=1").json()
    assert dark["examined"] is False
    assert dark["usable"] is False
    assert dark["reason"] in ("dark", "blurred", "covered")
    assert "faces" in dark["not_examined"]
    broken = send(client, session, data=two_men_jpeg()[:3000], query="?wait=1").json()
    assert (broken["events"], broken["examined"], broken["reason"]) == (["INVALID_IMAGE"], False, "unreadable")


def test_it_acknowledges_as_usual_when_nobody_examines_the_picture_in_time(client, session, settings):
    settings.FRAME_WAIT_S = 0
    answer = send(client, session, query="?wait=1&seq=4")
    assert (answer.status_code, answer.json()["seq"], answer.json()["stored"]) == (202, 4, True)
    assert [item.seq for item in waiting(session)] == [4]


def test_it_speaks_of_two_sessions_apart(worker):
    exam = make_exam()
    sessions = [make_session(exam=exam), make_session(exam=exam)]
    for session in sessions:
        answer = send(client_of(session.candidate.user), session, data=two_men_jpeg(), query="?wait=1&seq=1")
        assert answer.status_code == 200
    assert Observation.objects.values("session").distinct().count() == 2
