"""Lists of what was reported, found and observed: who sees which rows, how they are narrowed, and what is written."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Role
from accounts.tests.client import client_of
from exams.lifecycle import move_session
from exams.models import SessionStatus
from exams.services import add_policy_version
from monitoring import services
from monitoring.clearing import clear_logs
from monitoring.models import MonitoringLog, Observation, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.review import decide_activity
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

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def report(session, event_type, at=3, **fields):
    return services.record_event(
        session_id=session.pk,
        event_type=event_type,
        occurred_at=START + timedelta(seconds=at),
        **{"source": "browser", **fields},
    )


@pytest.fixture
def session():
    """Nobody in view for six seconds, a tab switch and two copies."""
    session = make_session()
    watch(session, *[facts(at, faces=0, objects={}) for at in range(6)])
    report(session, "TAB_SWITCH", 3, severity=2)
    report(session, "COPY", 4)
    report(session, "COPY", 20)
    return session


def of(user, session, what, query=""):
    return client_of(user).get(f"/api/v1/sessions/{session.pk}/{what}{query}")


def across(user, what, query=""):
    return client_of(user).get(f"/api/v1/{what}{query}")


def post(user, session, what, **body):
    return client_of(user).post(f"/api/v1/sessions/{session.pk}/{what}", data=body)


def column(answer, name):
    assert answer.status_code == 200, answer.content
    return [row[name] for row in answer.json()["results"]]


# --- reading ----------------------------------------------------------------------------------------------------------


def test_staff_read_every_log_entry_in_order_of_time(session):
    answer = of(session.exam.owner, session, "logs")
    assert column(answer, "event_type") == ["TAB_SWITCH", "COPY", "COPY"]
    row = answer.json()["results"][0]
    assert (row["label"], row["severity"], row["source"]) == ("Left the exam tab", 2, "browser")
    assert (row["session"], row["exam"], row["candidate"]) == (
        str(session.pk),
        session.exam.code,
        str(session.candidate.pk),
    )


def test_the_candidate_reads_only_how_often(session):
    answer = of(session.candidate.user, session, "logs")
    assert answer.json()["results"] == [
        {"event_type": "COPY", "label": "Copied something", "count": 2, "last_at": "2026-03-02T09:00:20Z"},
        {"event_type": "TAB_SWITCH", "label": "Left the exam tab", "count": 1, "last_at": "2026-03-02T09:00:03Z"},
    ]
    answer = of(session.candidate.user, session, "activities", "?verdict=confirmed")
    assert [(row["kind"], row["count"]) for row in answer.json()["results"]] == [
        ("COPY", 2),
        ("NO_FACE", 1),
        ("TAB_SWITCH", 1),
    ]
    assert set(answer.json()["results"][0]) == {"kind", "label", "count", "last_at"}
    assert of(session.candidate.user, session, "observations").status_code == 403


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ("?event_type=copy", ["COPY", "COPY"]),
        ("?event_type=PASTE", []),
        ("?severity=medium", ["TAB_SWITCH"]),
        ("?severity=1", ["COPY", "COPY"]),
        ("?source=server", []),
        ("?occurred_after=2026-03-02T09:00:04Z", ["COPY", "COPY"]),
        ("?occurred_before=2026-03-02T09:00:04Z", ["TAB_SWITCH"]),
        ("?ordering=-occurred_at", ["COPY", "COPY", "TAB_SWITCH"]),
        ("?page_size=1&page=2", ["COPY"]),
    ],
)
def test_it_narrows_and_orders_the_log(session, query, events):
    assert column(of(session.exam.owner, session, "logs", query), "event_type") == events


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("", ["NO_FACE", "TAB_SWITCH", "COPY", "COPY"]),
        ("?kind=no face", ["NO_FACE"]),
        ("?severity=high", []),
        ("?severity=2", ["TAB_SWITCH"]),
        ("?verdict=confirmed", ["NO_FACE"]),
        ("?verdict=dismissed", ["TAB_SWITCH"]),
        ("?verdict=escalated", []),
        ("?verdict=undecided", ["COPY", "COPY"]),
        ("?started_after=2026-03-02T09:00:04Z&started_before=2026-03-02T09:00:20Z", ["COPY"]),
        ("?ordering=-started_at", ["COPY", "COPY", "TAB_SWITCH", "NO_FACE"]),
    ],
)
def test_it_narrows_activities_also_by_the_latest_verdict(session, query, kinds):
    for kind, verdicts in (("NO_FACE", ["dismissed", "confirmed"]), ("TAB_SWITCH", ["confirmed", "dismissed"])):
        for verdict in verdicts:
            activity = SuspiciousActivity.objects.get(kind=kind)
            decide_activity(activity=activity, verdict=verdict, reason="Seen.", reviewer=session.exam.owner)
    assert column(of(session.exam.owner, session, "activities", query), "kind") == kinds


def test_it_shows_an_activity_with_its_sentence_numbers_verdict_and_fingerprint(session):
    watch(session, *[facts(at, yaw=40) for at in range(30, 36)], pictures={})
    stream = [facts(at, faces=2) for at in range(40, 46)]
    watch(session, *stream, pictures={item.seq: lambda: b"\xff\xd8 picture" for item in stream})
    row = of(session.exam.owner, session, "activities", "?kind=MULTIPLE_FACES").json()["results"][0]
    activity = SuspiciousActivity.objects.get(kind="MULTIPLE_FACES")
    assert row["explanation"].startswith("2 faces were in the picture")
    assert (row["detail"]["faces"], row["verdict"], row["ended_at"]) == (2, "undecided", None)
    assert row["evidence"]["sha256"] == activity.evidence.sha256
    turned = of(session.exam.owner, session, "activities", "?kind=LOOKING_AWAY").json()["results"][0]
    assert turned["evidence"] is None


def test_it_narrows_observations(session):
    Observation.objects.create(session=session, stream="audio", seq=1, captured_at=START)
    owner = session.exam.owner
    assert len(column(of(owner, session, "observations"), "seq")) == 7
    assert column(of(owner, session, "observations", "?stream=audio"), "usable") == [None]
    assert len(column(of(owner, session, "observations", "?usable=true"), "seq")) == 6
    assert column(of(owner, session, "observations", "?usable=false"), "seq") == []
    late = "?captured_after=2026-03-02T09:00:04Z&stream=frame"
    assert column(of(owner, session, "observations", late), "seq") == [40, 50]
    assert of(owner, session, "observations").json()["results"][0]["facts"]["faces"] == []


@pytest.mark.parametrize(
    ("what", "query", "field"),
    [
        ("logs", "?severity=9", "severity"),
        ("logs", "?source=nobody", "source"),
        ("logs", "?occurred_after=yesterday", "occurred_after"),
        ("logs", "?occurred_after=0001-01-01T00:00:00Z", "occurred_after"),
        ("activities", "?verdict=maybe", "verdict"),
        ("observations", "?stream=video", "stream"),
        ("logs", "?session=7", "session"),
        ("activities", "?candidate=x", "candidate"),
    ],
)
def test_it_names_a_filter_that_cannot_be_used(session, what, query, field):
    answer = across(session.exam.owner, what, query)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_it_shows_activities_of_the_assessment_that_counts_only(session):
    end_session(session, 60)
    session.refresh_from_db()
    policy, _ = add_policy_version(exam=session.exam, settings={"kinds": {"NO_FACE": {"enabled": False}}})
    rescore_session(session=session, policy=policy)
    for answer in (of(session.exam.owner, session, "activities"), across(session.exam.owner, "activities")):
        assert sorted(column(answer, "kind")) == ["COPY", "COPY", "TAB_SWITCH"]
    summary = of(session.candidate.user, session, "activities").json()["results"]
    assert [(row["kind"], row["count"]) for row in summary] == [("COPY", 2), ("TAB_SWITCH", 1)]


def test_it_leaves_out_what_was_set_aside(session):
    clear_logs(session=session, reason="A fire drill.", by=make_user(Role.ADMIN))
    assert column(of(session.exam.owner, session, "logs"), "event_type") == []
    assert column(across(session.exam.owner, "logs"), "event_type") == []
    assert of(session.candidate.user, session, "logs").json()["results"] == []
    assert column(of(session.exam.owner, session, "activities"), "kind") == ["NO_FACE"]
    assert MonitoringLog.objects.count() == 3


# --- across sessions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["logs", "activities", "observations"])
def test_staff_see_the_rows_of_their_exams_and_candidates_none(session, what):
    stranger, admin, reviewer = make_user(Role.TEACHER), make_user(Role.ADMIN), make_user(Role.REVIEWER)
    other = make_session(exam=make_exam(owner=stranger))
    watch(other, *[facts(at, faces=0, objects={}) for at in range(4)])
    report(other, "PRINT")
    session.exam.reviewers.add(reviewer)
    own = {str(session.pk)}
    assert set(column(across(session.exam.owner, what), "session")) == own
    assert set(column(across(reviewer, what), "session")) == own
    assert set(column(across(stranger, what), "session")) == {str(other.pk)}
    assert set(column(across(admin, what), "session")) == own | {str(other.pk)}
    assert across(session.candidate.user, what).status_code == 403
    assert across(None, what).status_code == 401
    assert of(stranger, session, what).status_code == 404
    assert of(make_candidate().user, session, what).status_code == (403 if what == "observations" else 404)


@pytest.mark.parametrize("what", ["logs", "activities", "observations"])
def test_it_narrows_rows_by_exam_session_and_candidate(session, what):
    second = make_session(exam=session.exam)
    watch(second, *[facts(at, faces=0, objects={}) for at in range(4)])
    report(second, "PRINT")
    third = make_session(exam=make_exam(owner=session.exam.owner))
    watch(third, *[facts(at, faces=0, objects={}) for at in range(4)])
    report(third, "PRINT")

    def sessions(query):
        return set(column(across(session.exam.owner, what, query), "session"))

    both = {str(session.pk), str(second.pk)}
    assert sessions(f"?exam={session.exam.pk}") == sessions(f"?exam={session.exam.code}") == both
    assert sessions(f"?session={second.pk}") == {str(second.pk)}
    assert sessions(f"?candidate={third.candidate.pk}") == {str(third.pk)}
    assert sessions("?exam=nowhere") == set()


@pytest.mark.parametrize("what", ["logs", "activities", "observations"])
def test_its_lists_take_a_constant_number_of_queries(session, what):
    owner = session.exam.owner

    def queries(address):
        client = client_of(owner)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    addresses = [f"/api/v1/{what}", f"/api/v1/sessions/{session.pk}/{what}"]
    before = [queries(address) for address in addresses]
    for number in range(5):
        more = make_session(exam=session.exam)
        watch(more, *[facts(at, faces=0, objects={}) for at in range(4)])
        report(more, "PRINT")
        report(session, f"OWN_{number}", 30 + number)
    assert [queries(address) for address in addresses] == before
    assert max(before) <= 8


# --- writing ----------------------------------------------------------------------------------------------------------


def test_the_candidate_writes_into_the_log_as_the_client(session):
    answer = post(session.candidate.user, session, "logs", event_type="PASTE", detail={"length": 12}, seq=3)
    assert (answer.status_code, answer.json()["source"], answer.json()["label"]) == (201, "client", "Pasted something")
    log = MonitoringLog.objects.get(event_type="PASTE")
    assert (log.source, log.detail, log.seq, log.pk) == ("client", {"length": 12}, 3, answer.json()["id"])
    assert SuspiciousActivity.objects.get(kind="PASTE").detail["reported_by"] == "client"
    again = post(session.candidate.user, session, "logs", event_type="PASTE", seq=3)
    assert (again.status_code, again.json()["id"]) == (200, log.pk)
    assert MonitoringLog.objects.filter(event_type="PASTE").count() == 1


def test_staff_write_into_the_log_as_the_proctor_at_any_time(session):
    end_session(session, 60)
    answer = post(session.exam.owner, session, "logs", event_type="note", detail={"text": "Called the candidate."})
    assert (answer.status_code, answer.json()["event_type"], answer.json()["source"]) == (201, "NOTE", "proctor")
    assert MonitoringLog.objects.get(event_type="NOTE").detail == {"text": "Called the candidate."}
    assert not SuspiciousActivity.objects.filter(kind="NOTE").exists()


def test_a_report_of_an_instant_becomes_an_activity_that_says_who_reported_it(session):
    answer = post(session.candidate.user, session, "activities", kind="second screen", severity="high")
    assert answer.status_code == 201
    assert (answer.json()["kind"], answer.json()["activity"]["severity"]) == ("SECOND_SCREEN", 3)
    activity = SuspiciousActivity.objects.get(kind="SECOND_SCREEN")
    assert activity.detail["reported_by"] == "client"
    told = post(session.exam.owner, session, "activities", kind="A whisper", occurred_at="2026-03-02T09:00:30Z")
    assert told.json()["activity"]["kind"] == "A whisper"
    assert SuspiciousActivity.objects.get(kind="A whisper").detail["reported_by"] == "proctor"
    sources = MonitoringLog.objects.filter(event_type__in=["SECOND_SCREEN", "A whisper"]).order_by("id")
    assert list(sources.values_list("source", flat=True)) == ["client", "proctor"]


@pytest.mark.parametrize("kind", ["PHONE", "NO_FACE", "ACTIVITY"])
def test_a_report_of_what_pictures_decide_is_written_down(session, kind):
    before = SuspiciousActivity.objects.count()
    answer = post(session.candidate.user, session, "activities", kind=kind)
    assert (answer.status_code, answer.json()) == (201, {"kind": kind, "activity": None})
    assert MonitoringLog.objects.filter(event_type=kind, source="client").count() == 1
    assert SuspiciousActivity.objects.count() == before


@pytest.mark.parametrize(("what", "body"), [("logs", {"event_type": "COPY"}), ("activities", {"kind": "COPY"})])
def test_the_candidate_writes_only_while_the_session_is_on(session, what, body):
    move_session(session=session, to=SessionStatus.SUBMITTED)
    answer = post(session.candidate.user, session, what, **body)
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert MonitoringLog.objects.count() == 3


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("logs", {}, "event_type"),
        ("logs", {"event_type": "<>"}, "event_type"),
        ("logs", {"event_type": "COPY", "detail": []}, "detail"),
        ("activities", {}, "kind"),
        ("activities", {"kind": "x" * 65}, "kind"),
        ("activities", {"kind": "COPY", "severity": 5}, "severity"),
        ("activities", {"kind": "ACTIVITY", "detail": {"keys": "abc"}}, "detail"),
    ],
)
def test_it_names_what_is_wrong_with_a_report(session, what, body, field):
    for user in (session.candidate.user, session.exam.owner):
        answer = post(user, session, what, **body)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert MonitoringLog.objects.count() == 3


@pytest.mark.parametrize(("what", "body"), [("logs", {"event_type": "COPY"}), ("activities", {"kind": "COPY"})])
def test_strangers_write_nothing(session, what, body):
    for user in (make_candidate().user, make_user(Role.TEACHER), make_user(Role.REVIEWER)):
        assert post(user, session, what, **body).status_code == 404
    assert post(None, session, what, **body).status_code == 401
    assert MonitoringLog.objects.count() == 3
