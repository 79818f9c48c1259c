"""One call, one answer: a picture, sound and events, stored like any others."""

import base64

import pytest

from accounts.models import Role
from accounts.tests.client import client_of
from exams.lifecycle import move_session
from exams.models import Exam, SessionStatus
from monitoring.frame_store import frame_store
from monitoring.models import Assessment, MonitoringLog, Observation, SuspiciousActivity
from monitoring.tests.factories import make_session, make_user, two_men_jpeg
from monitoring.tests.pictures import bomb, encoded, tone
from vision.sound import wrap_pcm

pytestmark = [pytest.mark.django_db, pytest.mark.database]

WAV = wrap_pcm(tone(0.2), rate=16_000, channels=1)


def text(data):
    return base64.b64encode(data).decode()


def send(user, session, **body):
    return client_of(user).post(f"/api/v1/sessions/{session.pk}/analyze", data=body)


def logs(session):
    return list(MonitoringLog.objects.filter(session=session).order_by("id").values_list("event_type", "source"))


@pytest.mark.parametrize("head", ["", "data:image/jpeg;base64,"])
def test_it_answers_what_a_picture_sound_and_events_show_and_stores_them(worker, head):
    session = make_session()
    answer = send(
        session.candidate.user,
        session,
        image=head + text(two_men_jpeg()),
        audio=text(WAV),
        events=[{"event_type": "paste", "severity": "medium"}, {"event_type": "ACTIVITY", "detail": {"keys": 3}}],
    )
    found = answer.json()
    assert answer.status_code == 200
    assert found["labels"] == ["MULTIPLE_FACES", "PASTE"]
    assert (found["examined"], found["activities"]) == (True, [])
    assert found["not_examined"] == ["identity"]  # there is no enrolled face
    assert len(found["observation"]["faces"]) == 2
    assert sorted(Observation.objects.values_list("stream", "usable")) == [("audio", True), ("frame", True)]
    assert logs(session) == [("PASTE", "browser"), ("ACTIVITY", "browser"), ("ANALYZE", "server")]
    assert SuspiciousActivity.objects.get().kind == "PASTE"
    log = MonitoringLog.objects.get(event_type="ANALYZE")
    assert (log.detail["risk_score"], log.detail["labels"]) == (2, ["MULTIPLE_FACES", "PASTE"])
    assert log.detail["seq"] == Observation.objects.get(stream="frame").seq


def test_it_tells_scores_to_staff_and_to_candidates_as_the_exam_allows(worker):
    session = make_session()
    answer = send(session.exam.owner, session, image=text(two_men_jpeg()), events=[{"event_type": "COPY"}])
    assert (answer.json()["risk_score"], answer.json()["risk_level"]) == (1, "Low")
    assert logs(session)[0] == ("COPY", "proctor")
    told = send(session.candidate.user, session, events=[{"event_type": "PRINT"}]).json()
    assert (told["risk_score"], told["risk_level"]) == (2, "Low")
    Exam.objects.update(candidate_sees="nothing")
    told = send(session.candidate.user, session, events=[{"event_type": "PRINT"}]).json()
    assert (told["risk_score"], told["risk_level"]) == (None, None)
    assert Assessment.objects.get().risk_score == 2


def test_it_takes_events_alone_also_during_a_pause(worker):
    session = make_session()
    move_session(session=session, to=SessionStatus.PAUSED)
    answer = send(session.candidate.user, session, events=[{"event_type": "COPY"}])
    assert (answer.status_code, answer.json()["labels"], answer.json()["observation"]) == (200, ["COPY"], None)
    assert send(session.candidate.user, session, image=text(two_men_jpeg())).status_code == 409
    assert logs(session) == [("COPY", "browser"), ("ANALYZE", "server")]


def test_it_says_what_was_not_examined_when_nobody_does_in_time(no_worker, settings):
    settings.FRAME_WAIT_S = 0
    session = make_session()
    answer = send(session.candidate.user, session, image=text(encoded("PNG")))
    found = answer.json()
    assert (answer.status_code, found["examined"], found["observation"], found["not_examined"]) == (
        200,
        False,
        None,
        ["image"],
    )
    assert frame_store().waiting(session.pk) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "nothing_sent"),
        ({"image": None, "audio": None, "events": []}, 400, "nothing_sent"),
        ({"image": ""}, 400, "empty_picture"),
        ({"image": "%%%"}, 400, "invalid"),
        ({"image": "data:image/png;base64,@"}, 400, "invalid"),
        ({"image": 7}, 400, "invalid"),
        ({"image": "é"}, 400, "invalid"),
        ({"image": text(b"text")}, 415, "unsupported_picture"),
        ({"image": "data:image/png;base64," + text(encoded("JPEG"))}, 415, "unsupported_picture"),
        ({"image": text(bomb())}, 413, "too_large"),
        ({"image": text(encoded("JPEG") + bytes(8 * 1024**2))}, 413, "too_large"),
        ({"audio": text(b"text")}, 415, "unsupported_sound"),
        ({"audio": ""}, 400, "empty_sound"),
        ({"image": text(encoded("JPEG")), "audio": text(WAV[:30])}, 400, "damaged_sound"),
        ({"events": "COPY"}, 400, "invalid"),
        ({"image": text(encoded("JPEG")), "events": [{"event_type": "<>"}]}, 400, "invalid"),
        ({"events": [{"event_type": "COPY"}] * 501}, 400, "invalid"),
    ],
)
def test_it_refuses_bad_input_whole_and_the_session_goes_on(no_worker, settings, body, status, code):
    settings.FRAME_WAIT_S = 0
    session = make_session()
    answer = send(session.candidate.user, session, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert frame_store().waiting(session.pk) == 0
    assert not SuspiciousActivity.objects.exclude(kind__startswith="INVALID").exists()
    assert {name for name, _source in logs(session)} <= {"INVALID_IMAGE", "INVALID_AUDIO"}
    assert send(session.candidate.user, session, image=text(encoded("JPEG"))).status_code == 200


def test_it_is_for_the_candidate_and_staff_of_the_exam(no_worker):
    session = make_session()
    reviewer = make_user(Role.REVIEWER)
    session.exam.reviewers.add(reviewer)
    body = {"events": [{"event_type": "NOTE"}]}
    for user in (session.candidate.user, session.exam.owner, reviewer, make_user(Role.ADMIN)):
        assert send(user, session, **body).status_code == 200
    for user in (make_session().candidate.user, make_user(Role.TEACHER), make_user(Role.REVIEWER)):
        assert send(user, session, **body).status_code == 404
    assert send(None, session, **body).status_code == 401
    assert MonitoringLog.objects.filter(event_type="ANALYZE").count() == 4


def test_it_answers_409_when_the_session_is_over(no_worker):
    session = make_session(ended_after_s=5)
    for body in ({"image": text(encoded("JPEG"))}, {"events": [{"event_type": "COPY"}]}):
        answer = send(session.candidate.user, session, **body)
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert logs(session) == []
