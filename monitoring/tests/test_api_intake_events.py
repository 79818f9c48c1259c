"""Events of the browser: one or many, known and unknown, repeated, late, and too much."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Role
from accounts.tests.client import client_of
from exams.lifecycle import move_session
from exams.models import SessionStatus
from exams.services import add_policy_version
from monitoring import services
from monitoring.models import Assessment, MonitoringLog, SessionMonitor, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.tests.factories import START, end_session, facts, make_session, make_user, watch

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def session():
    return make_session()


@pytest.fixture
def client(session):
    return client_of(session.candidate.user)


def send(client, session, body):
    return client.post(f"/api/v1/sessions/{session.pk}/events", data=body)


def at(seconds):
    return (START + timedelta(seconds=seconds)).isoformat()


def test_it_turns_an_event_into_a_log_entry_and_an_activity(client, session):
    body = {"event_type": "TAB_SWITCH", "severity": 2, "detail": {"duration_s": 4}, "occurred_at": at(5), "seq": 7}
    answer = send(client, session, body)
    assert answer.status_code == 201
    assert (answer.json()["accepted"], answer.json()["repeated"]) == (1, 0)
    (told,) = answer.json()["activities"]
    assert (told["kind"], told["severity"], told["started_at"]) == ("TAB_SWITCH", 2, "2026-03-02T09:00:05Z")
    log = MonitoringLog.objects.get()
    assert (log.event_type, log.source, log.severity, log.seq) == ("TAB_SWITCH", "browser", 2, 7)
    assert (log.detail, log.occurred_at) == ({"duration_s": 4}, START + timedelta(seconds=5))
    activity = SuspiciousActivity.objects.get()
    assert (str(activity.pk), activity.ended_at - activity.started_at) == (told["id"], timedelta(seconds=4))
    assert Assessment.objects.get().risk_score == 6


@pytest.mark.parametrize("wrap", [lambda events: events, lambda events: {"events": events}])
def test_it_takes_many_at_once_in_order_of_time(client, session, wrap):
    events = [{"event_type": "COPY", "occurred_at": at(20)}, {"event_type": "COPY", "occurred_at": at(5)}]
    answer = send(client, session, wrap([*events, {"event_type": "PASTE", "occurred_at": at(9)}]))
    assert (answer.status_code, answer.json()["accepted"]) == (201, 3)
    assert list(SuspiciousActivity.objects.values_list("kind", "started_at")) == [
        ("COPY", START + timedelta(seconds=5)),
        ("PASTE", START + timedelta(seconds=9)),
        ("COPY", START + timedelta(seconds=20)),
    ]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("tab_switch", "TAB_SWITCH"),
        ("Tab Switch", "TAB_SWITCH"),
        ("tabSwitch", "TAB_SWITCH"),
        ("window-blur", "WINDOW_BLUR"),
        ("contextmenu", "contextmenu"),
        ("context menu", "RIGHT_CLICK"),
        ("my own: event.v2", "my own: event.v2"),
    ],
)
def test_it_knows_usual_spellings_and_keeps_unknown_names_as_they_are(client, session, told, kept):
    assert send(client, session, {"event_type": told}).status_code == 201
    assert MonitoringLog.objects.get().event_type == kept
    assert SuspiciousActivity.objects.get().kind == kept


@pytest.mark.parametrize(
    ("event_type", "weight"),
    [("TAB_SWITCH", 3), ("WINDOW_BLUR", 1), ("PRINT", 1), ("something new", 1), ("NETWORK_GAP", 0), ("USER_IDLE", 0)],
)
def test_it_weighs_events_as_the_policy_says(client, session, event_type, weight):
    send(client, session, {"event_type": event_type})
    assert SuspiciousActivity.objects.count() == 1
    assert Assessment.objects.get().risk_score == weight


@pytest.mark.parametrize("event_type", ["ACTIVITY", "CAMERA_ON", "MIC_ON", "NOTE", "LOOKING_AWAY", "NO_FACE"])
def test_it_only_writes_down_what_says_nothing_against_anybody_and_what_pictures_decide(client, session, event_type):
    answer = send(client, session, {"event_type": event_type, "severity": "high"})
    assert answer.json() == {"accepted": 1, "repeated": 0, "activities": []}
    assert MonitoringLog.objects.get().event_type == event_type
    assert not SuspiciousActivity.objects.exists()


def test_it_keeps_of_what_was_typed_only_how_often(client, session):
    detail = {"keys": 40, "mouse": 7, "text": "my password", "last_key": "a"}
    assert send(client, session, {"event_type": "activity", "detail": detail}).status_code == 201
    assert MonitoringLog.objects.get().detail == {"keys": 40, "mouse": 7}


@pytest.mark.parametrize("count", ["forty", 1.5, -1, True, None, ["a"], 10**9])
def test_it_refuses_counts_that_are_none(client, session, count):
    answer = send(client, session, {"events": [{"event_type": "ACTIVITY", "detail": {"keys": count}}]})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["events.0.detail"])
    assert not MonitoringLog.objects.exists()


def test_it_takes_a_number_once_whatever_is_repeated(client, session):
    first = {"event_type": "COPY", "seq": 1, "occurred_at": at(1)}
    assert send(client, session, first).json()["repeated"] == 0
    again = [first, {"event_type": "PASTE", "seq": 2}, {"event_type": "PRINT", "seq": 2}, {"event_type": "CUT"}]
    answer = send(client, session, again)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["repeated"]) == (201, 2, 2)
    assert sorted(MonitoringLog.objects.values_list("event_type", flat=True)) == ["COPY", "CUT", "PASTE"]
    assert SuspiciousActivity.objects.count() == 3


def test_it_counts_numbers_for_each_session(client, session):
    other = make_session()
    for one in (session, other):
        assert send(client_of(one.candidate.user), one, {"event_type": "COPY", "seq": 1}).json()["accepted"] == 1


def test_it_does_not_disturb_pictures_that_still_wait(client, session):
    """A candidate who reports all the time must not make pictures of a moment ago too late to count."""
    for second in range(6):
        send(client, session, {"event_type": "MY_OWN", "occurred_at": at(10 + second)})
    watch(session, *[facts(second, faces=0, objects={}) for second in range(5)])
    assert SuspiciousActivity.objects.filter(kind="NO_FACE").exists()


def test_it_gives_the_same_live_and_judged_again(client, session):
    send(client, session, [{"event_type": "COPY", "occurred_at": at(second)} for second in (2, 4, 9)])
    watch(session, *[facts(second, faces=0, objects={}) for second in range(8)])
    send(client, session, {"event_type": "TAB_SWITCH", "occurred_at": at(3)})
    end_session(session, 20)
    session.refresh_from_db()
    before = Assessment.objects.get()
    policy, _ = add_policy_version(exam=session.exam, settings={"trust_zero_risk": 21})
    assert not rescore_session(session=session, policy=policy).changed
    after = Assessment.objects.get(is_current=True)
    fields = ("kind", "started_at", "ended_at", "severity", "explanation")
    assert list(after.activities.values_list(*fields)) == list(before.activities.values_list(*fields))
    assert (after.coverage, after.compliance_score) == (before.coverage, before.compliance_score)


@pytest.mark.parametrize("told", ["2020-01-01T00:00:00Z", "2150-01-01T00:00:00Z", 1_000_000_000_000])
def test_it_believes_a_time_only_within_the_session(client, session, told):
    send(client, session, {"event_type": "COPY", "occurred_at": told})
    assert START <= SuspiciousActivity.objects.get().started_at <= timezone.now()


def test_it_only_writes_down_what_happens_during_a_pause(client, session):
    move_session(session=session, to=SessionStatus.PAUSED, at=START + timedelta(seconds=30))
    answer = send(client, session, [{"event_type": name, "occurred_at": at(40)} for name in ("TAB_SWITCH", "COPY")])
    assert answer.json() == {"accepted": 2, "repeated": 0, "activities": []}
    move_session(session=session, to=SessionStatus.ACTIVE, at=START + timedelta(seconds=60))
    late = [{"event_type": "PASTE", "occurred_at": at(50)}, {"event_type": "CUT", "occurred_at": at(70)}]
    assert [item["kind"] for item in send(client, session, late).json()["activities"]] == ["CUT"]
    assert MonitoringLog.objects.count() == 4
    end_session(session, 100)
    session.refresh_from_db()
    policy, _ = add_policy_version(exam=session.exam, settings={"trust_zero_risk": 21})
    rescore_session(session=session, policy=policy)
    assert list(Assessment.objects.get(is_current=True).activities.values_list("kind", flat=True)) == ["CUT"]


@pytest.mark.parametrize("to", [SessionStatus.SUBMITTED, SessionStatus.TERMINATED])
def test_it_takes_nothing_once_the_session_is_over(client, session, to):
    move_session(session=session, to=to)
    answer = send(client, session, {"event_type": "COPY"})
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert not MonitoringLog.objects.exists()


def test_it_is_for_the_candidate_of_the_session_alone(session):
    assert send(client_of(), session, {"event_type": "COPY"}).status_code == 401
    assert send(client_of(make_session().candidate.user), session, {"event_type": "COPY"}).status_code == 404
    for staff in (session.exam.owner, make_user(Role.ADMIN), make_user(Role.REVIEWER)):
        assert send(client_of(staff), session, {"event_type": "COPY"}).status_code == 403
    assert not MonitoringLog.objects.exists()


def deep(levels):
    detail: dict[str, Any] = {"end": 1}
    for _ in range(levels - 1):
        detail = {"x": detail}
    return detail


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"event_type": None}, "event_type"),
        ({"event_type": ""}, "event_type"),
        ({"event_type": "x" * 65}, "event_type"),
        ({"event_type": "<script>"}, "event_type"),
        ({"event_type": ["COPY"]}, "event_type"),
        ({"severity": 0}, "severity"),
        ({"severity": 4}, "severity"),
        ({"severity": True}, "severity"),
        ({"severity": "grave"}, "severity"),
        ({"severity": [1]}, "severity"),
        ({"detail": "text"}, "detail"),
        ({"detail": [1]}, "detail"),
        ({"detail": {"text": "x" * 9000}}, "detail"),
        ({"detail": deep(9)}, "detail"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": -1}, "occurred_at"),
        ({"occurred_at": 2**62}, "occurred_at"),
        ({"occurred_at": True}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59Z"}, "occurred_at"),
        ({"seq": -1}, "seq"),
        ({"seq": 2**53}, "seq"),
        ({"seq": "first"}, "seq"),
        ({"seq": 1.5}, "seq"),
    ],
)
def test_it_names_what_is_wrong_and_takes_all_or_nothing(client, session, fields, name):
    body = {"events": [{"event_type": "COPY"}, {"event_type": "COPY", **fields}]}
    answer = send(client, session, body)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [f"events.1.{name}"])
    assert list(send(client, session, body["events"][1]).json()["fields"]) == [name]
    assert not MonitoringLog.objects.exists()
    assert SessionMonitor.objects.get().state["kinds"] == {}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"events": []},
        {"events": None},
        {"events": "COPY"},
        ["COPY"],
        "COPY",
        None,
        7,
        [{"event_type": "COPY"}] * 501,
        {"events": [[{"event_type": "COPY"}]]},
    ],
)
def test_it_refuses_what_is_no_event_and_too_many(client, session, body):
    assert send(client, session, body).status_code == 400
    assert not MonitoringLog.objects.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b'{"event_type": "COPY\\u0000"}',
        b'{"event_type": "COPY", "detail": {"x": NaN}}',
        b'{"event_type": "COPY", "occurred_at": 1e999}',
        b"{",
    ],
)
def test_it_refuses_what_no_database_could_keep(client, session, raw):
    address = f"/api/v1/sessions/{session.pk}/events"
    assert client.post(address, data=raw, content_type="application/json").status_code == 400
    assert not MonitoringLog.objects.exists()


def test_it_takes_500_at_once_in_a_constant_number_of_queries(client, session, django_assert_max_num_queries):
    def events(count, first):
        return [{"event_type": "COPY", "seq": first + n, "occurred_at": at(first)} for n in range(count)]

    assert send(client, session, events(1, 0)).status_code == 201
    with django_assert_max_num_queries(30):
        assert send(client, session, events(500, 1000)).json()["accepted"] == 500
    assert MonitoringLog.objects.count() == 501


def test_it_keeps_the_state_small_whatever_names_are_made_up(client, session):
    send(client, session, [{"event_type": f"made up {n}"} for n in range(150)])
    assert MonitoringLog.objects.count() == 150
    assert len(SessionMonitor.objects.get().state["kinds"]) == 100
    assert [item["kind"] for item in send(client, session, {"event_type": "COPY"}).json()["activities"]] == ["COPY"]


def test_it_believes_no_mark_that_the_server_makes(client, session):
    send(client, session, {"event_type": "COPY", "detail": {"reported_by": "proctor", "severity": 3, "positives": 9}})
    activity = SuspiciousActivity.objects.get()
    assert (activity.severity, activity.detail) == (1, {"positives": 1, "examined": 1})


def test_it_opens_the_books_of_a_session_whose_monitor_was_never_made(client, session):
    SessionMonitor.objects.all().delete()
    Assessment.objects.all().delete()
    assert send(client, session, {"event_type": "COPY"}).status_code == 201
    assert Assessment.objects.get().risk_score == 1


def test_it_writes_down_and_does_not_fold_what_comes_when_the_books_are_closed(session):
    end_session(session, 10)
    report = services.Report("COPY", START)
    recorded = services.record_events(session_id=session.pk, reports=[report], source="proctor")
    assert (len(recorded.logs), recorded.activities) == (1, [])
