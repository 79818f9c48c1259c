"""What is told of a watched session: to whom, when, and in which words."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone, translation

from accounts.models import Role
from accounts.services import ensure_candidate
from exams.breaks import pause_session
from exams.lifecycle import extend_session, move_session
from exams.models import SessionStatus
from exams.services import create_session
from monitoring import news, presence, wall
from monitoring.messages import send_message
from monitoring.models import Assessment, MonitoringLog, SuspiciousActivity
from monitoring.notify import exam_group, session_group
from monitoring.services import lock_monitor, record_event
from monitoring.tests.ears import messages, wait_for
from monitoring.tests.factories import START, facts, make_candidate, make_exam, make_session, make_user, watch
from monitoring.wall import may_look


class Sides:
    """What the candidate of a session and the reviewers of its exam hear."""

    def __init__(self, ears, session):
        self.session = session
        self.candidate = ears.listen(session_group(session.pk))
        self.reviewers = ears.listen(exam_group(session.exam_id))


@pytest.fixture
def sides(db, ears):
    return Sides(ears, make_session())


def report(session, kind="TAB_SWITCH", after_s=10.0, source="browser"):
    at = START + timedelta(seconds=after_s)
    return record_event(session_id=session.pk, event_type=kind, source=source, occurred_at=at)


def test_an_event_is_told_to_both_sides(sides, committed):
    committed(report, sides.session)
    logs, told = messages(sides.candidate), messages(sides.reviewers)
    assert logs == [
        {
            "type": "logs",
            "data": [{"event": "Left the exam tab", "kind": "TAB_SWITCH", "time": "2026-03-02T09:00:10+00:00"}],
            "stored": True,
        }
    ]
    activity = SuspiciousActivity.objects.get()
    assert [message["type"] for message in told] == ["activity", "session"]
    assert told[0]["session"] == str(sides.session.pk)
    assert {"id": str(activity.pk), "kind": "TAB_SWITCH", "label": "Left the exam tab"}.items() <= told[0][
        "activity"
    ].items()
    row = told[1]["session"]
    assert (row["id"], row["risk_score"], row["risk_level"]) == (str(sides.session.pk), 3.0, "Low")
    assert row["newest"]["kind"] == "TAB_SWITCH"
    assert "turned" not in told[1]


def test_what_pictures_show_is_told_when_it_begins_and_when_it_ends(sides, committed):
    for at in range(12):
        committed(watch, sides.session, facts(at, faces=2))
    for at in range(12, 24):
        committed(watch, sides.session, facts(at, faces=1))
    assert [entry["kind"] for message in messages(sides.candidate) for entry in message["data"]] == ["MULTIPLE_FACES"]
    told = [message["activity"] for message in messages(sides.reviewers, "activity")]
    assert len({activity["id"] for activity in told}) == 1
    assert told[0]["ended_at"] is None and told[-1]["ended_at"] is not None
    assert len([activity for activity in told if activity["ended_at"] is not None]) == 1


def test_what_merely_goes_on_is_told_once_a_second(sides, committed):
    watched = [facts(at, faces=2) for at in range(6)]
    committed(watch, sides.session, *watched)
    activity = SuspiciousActivity.objects.get()
    assert activity.ended_at is None
    monitor = lock_monitor(sides.session.pk)
    assessment = Assessment.objects.get()
    before, heard = news.scores_of(assessment), len(messages(sides.reviewers, "activity"))
    for _time in range(5):
        committed(news.tell_all_found, [news.News(monitor, assessment, [activity], before)])
    assert len(messages(sides.reviewers, "activity")) == heard + 1


def test_it_says_when_a_session_turns_high_and_only_then(sides, committed):
    for number, kind in enumerate(["TAB_SWITCH", "TAB_SWITCH", "TAB_SWITCH", "PASTE", "COPY"]):
        committed(report, sides.session, kind, 10 + 60 * number)
    told = [
        (message["session"]["risk_score"], message.get("turned")) for message in messages(sides.reviewers, "session")
    ]
    assert told[:4] == [(3.0, None), (6.0, None), (9.0, None), (10.0, "High")]
    assert [turned for _score, turned in told[4:]] == [None] * len(told[4:])


def test_the_candidate_is_told_in_their_language(sides, committed):
    user = sides.session.candidate.user
    user.language = "bn"
    user.save()
    committed(report, sides.session)
    (message,) = messages(sides.candidate)
    assert message["data"][0]["event"] == "পরীক্ষার ট্যাব ছেড়ে যাওয়া"


def test_the_reviewers_are_not_told_in_the_language_of_whoever_set_it_off(sides, committed):
    with translation.override("bn"):
        committed(report, sides.session)
    activity, session = messages(sides.reviewers)
    assert activity["activity"]["label"] == session["session"]["newest"]["label"] == "Left the exam tab"
    with translation.override("bn"):
        texts = [wall.in_active_language(json.dumps(message)) for message in (activity, session)]
    told = [json.loads(text) for text in texts]
    assert told[0]["activity"]["label"] == told[1]["session"]["newest"]["label"] == "পরীক্ষার ট্যাব ছেড়ে যাওয়া"
    assert told[1]["session"]["risk_score"] == 3.0


def test_the_candidate_is_not_told_what_staff_noted_for_themselves(sides, committed):
    committed(report, sides.session, "SUSPICIOUS_NOISE", source=MonitoringLog.Source.PROCTOR)
    assert messages(sides.candidate) == []
    assert messages(sides.reviewers, "activity")


def test_what_the_proctor_says_reaches_the_candidate_alone(sides, committed):
    committed(send_message, session=sides.session, text="Look at the camera.", by=make_user())
    (message,) = messages(sides.candidate)
    assert (message["type"], message["text"]) == ("message", "Look at the camera.")
    assert messages(sides.reviewers) == []


class TestLifeCycle:
    @pytest.fixture
    def live(self, db, ears):
        now = timezone.now()
        session = create_session(exam=make_exam(), candidate=make_candidate(), created_at=now)
        session = move_session(session=session, to=SessionStatus.ACTIVE, at=now)
        return Sides(ears, session)

    def test_a_pause_says_why_and_what_is_left(self, live, committed):
        teacher = live.session.exam.owner
        committed(pause_session, session=live.session, by=teacher, as_staff=True, reason="Fire alarm.")
        (status,) = messages(live.candidate)
        assert (status["type"], status["session"], status["reason"]) == ("status", "paused", "Fire alarm.")
        assert 3590 < status["left_s"] <= 3600
        (told,) = messages(live.reviewers)
        assert (told["type"], told["session"]["status"]) == ("session", "paused")

    def test_more_time_moves_the_deadline(self, live, committed):
        committed(extend_session, session=live.session, minutes=10, by=live.session.exam.owner)
        (status,) = messages(live.candidate)
        live.session.refresh_from_db()
        assert (status["session"], status["deadline_at"]) == ("active", live.session.deadline_at.isoformat())
        assert 4190 < status["left_s"] <= 4200

    @pytest.mark.parametrize(
        ("to", "sentence"),
        [
            (SessionStatus.SUBMITTED, "This session was submitted."),
            (SessionStatus.TERMINATED, "This session was ended by the proctor."),
            (SessionStatus.EXPIRED, "Time is up."),
        ],
        ids=str,
    )
    def test_the_end_closes_the_socket_and_says_why(self, live, committed, monkeypatch, to, sentence):
        monkeypatch.setattr("monitoring.queue.send", lambda *_args: None)  # closing the books is another's matter
        by = live.session.exam.owner if to == SessionStatus.TERMINATED else None
        committed(move_session, session=live.session, to=to, by=by, reason="Somebody else sat there.")
        (status,) = messages(live.candidate)
        assert (status["session"], status["left_s"]) == (str(to), 0.0)
        assert status.get("reason") == ("Somebody else sat there." if by else None)
        close = wait_for(lambda: [event for event in live.candidate if event["type"] == "wire.close"])
        assert close == [{"type": "wire.close", "code": 4410, "reason": sentence}]
        assert messages(live.reviewers)[-1]["session"]["status"] == to

    def test_a_candidates_own_reason_is_not_told_back_to_them(self, live, committed):
        user = live.session.candidate.user
        committed(move_session, session=live.session, to=SessionStatus.PAUSED, by=user, reason="tea")
        assert "reason" not in messages(live.candidate)[0]

    def test_the_reviewers_hear_who_comes_and_goes(self, live, committed):
        session_id, now = live.session.pk, timezone.now()
        presence._noted.clear()
        lock_monitor(session_id)
        heard = []
        for step, at in ((presence.seen, 0), (presence.seen, 5), (presence.gone, 6), (presence.seen, 7)):
            committed(step, session_id, now=now + timedelta(seconds=at))
            heard.append([message["session"]["connected"] for message in messages(live.reviewers)])
        assert heard == [[True], [True], [True, False], [True, False, True]]


def test_the_roles_of_the_wall_are_those_of_the_exam(db):
    owner, reviewer, stranger = make_user(), make_user(Role.REVIEWER), make_user()
    admin, candidate = make_user(Role.ADMIN), make_candidate().user
    exam = make_exam(owner)
    exam.reviewers.add(reviewer)
    people = {"owner": owner, "reviewer": reviewer, "stranger": stranger, "admin": admin, "candidate": candidate}
    may = {name: may_look(user.pk, exam.pk) for name, user in people.items()}
    assert may == {"owner": True, "reviewer": True, "stranger": False, "admin": True, "candidate": False}
    make_session(exam, ensure_candidate(email=stranger.email))
    exam.reviewers.add(stranger)
    assert not may_look(stranger.pk, exam.pk)
    make_session(exam, ensure_candidate(email=owner.email))
    assert may_look(owner.pk, exam.pk)
    reviewer.is_active = False
    reviewer.save()
    assert not may_look(reviewer.pk, exam.pk)
