"""Statistics and the overview of whoever runs exams."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Role
from accounts.tests.client import client_of
from exams.models import CodeSubmission, Problem
from exams.services import add_policy_version
from monitoring import services
from monitoring.frame_store import StoredFrame, frame_store
from monitoring.models import LogClearing, MonitoringLog, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.review import decide_activity, decide_session
from monitoring.statistics import percentile
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
from vision.types import Sense

pytestmark = [pytest.mark.django_db, pytest.mark.database]
STATS, OVERVIEW = "/api/v1/monitoring/stats", "/api/v1/admin/stats"
CANDIDATES, SESSIONS = "/api/v1/admin/candidates", "/api/v1/admin/sessions"


def watched_session(exam, candidate=None, *, tabs=0):
    """A session with an empty seat for ten seconds and some tab switches."""
    session = make_session(exam, candidate or make_candidate())
    watch(session, *[facts(at, faces=0, objects={}) for at in range(10)])
    watch(session, *[facts(at, objects={"person": 0.9}) for at in range(10, 20)])
    for number in range(tabs):
        at = START + timedelta(seconds=20 + 10 * number)
        services.record_event(session_id=session.pk, event_type="TAB_SWITCH", source="browser", occurred_at=at)
    end_session(session, 20 + 10 * tabs)
    session.refresh_from_db()
    return session


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.MEDIA_ROOT, settings.FRAME_SPOOL = tmp_path / "media", tmp_path / "spool"


@pytest.fixture
def people():
    return {
        "nobody": None,
        "candidate": make_user(Role.CANDIDATE),
        "owner": make_user(Role.TEACHER),
        "another teacher": make_user(Role.TEACHER),
        "assigned reviewer": make_user(Role.REVIEWER),
        "another reviewer": make_user(Role.REVIEWER),
        "admin": make_user(Role.ADMIN),
    }


@pytest.fixture
def exam(people):
    exam = make_exam(people["owner"], code="algebra", title="Algebra I")
    exam.reviewers.add(people["assigned reviewer"])
    return exam


@pytest.fixture
def other_exam(people):
    return make_exam(people["another teacher"], code="botany")


def get(user, address, **query):
    answer = client_of(user).get(address, query)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def counts(rows, name):
    return {row[name]: row["count"] for row in rows if row["count"]}


def queries_of(user, address):
    client = client_of(user)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


STAFF_CALLS = [("nobody", 401), ("candidate", 403), ("owner", 200), ("assigned reviewer", 200), ("admin", 200)]
TEACHER_CALLS = [("nobody", 401), ("candidate", 403), ("owner", 200), ("assigned reviewer", 403), ("admin", 200)]


@pytest.mark.parametrize(("who", "status"), STAFF_CALLS)
def test_it_gives_statistics_to_staff_only(people, who, status):
    assert client_of(people[who]).get(STATS).status_code == status


@pytest.mark.parametrize("address", [OVERVIEW, CANDIDATES, SESSIONS])
@pytest.mark.parametrize(("who", "status"), TEACHER_CALLS)
def test_it_gives_the_overview_to_those_who_run_exams_only(people, address, who, status):
    assert client_of(people[who]).get(address).status_code == status


def test_it_counts_activities_in_every_way(people, exam, other_exam):
    first, second = watched_session(exam, tabs=2), watched_session(exam)
    watched_session(other_exam, tabs=1)
    for session, verdict in ((first, "confirmed"), (second, "confirmed"), (second, "dismissed")):
        activity = session.activities.get(kind="NO_FACE")
        decide_activity(activity=activity, verdict=verdict, reason="x", reviewer=people["owner"])
    found = get(people["owner"], STATS)["activities"]
    assert found["total"] == 4
    assert found["by_kind"] == [
        {"kind": "NO_FACE", "label": "Nobody in view", "count": 2},
        {"kind": "TAB_SWITCH", "label": "Left the exam tab", "count": 2},
    ]
    assert counts(found["by_severity"], "severity") == {1: 4}
    assert found["by_exam"] == [{"id": str(exam.pk), "code": "algebra", "title": "Algebra I", "count": 4}]
    assert found["by_day"] == [{"day": "2026-03-02", "count": 4}]
    assert counts(found["by_verdict"], "verdict") == {"confirmed": 1, "dismissed": 1, "undecided": 2}


def test_it_counts_days_in_utc_whatever_the_zone_of_the_server(people, exam, settings):
    settings.TIME_ZONE = "Asia/Dhaka"
    session = watched_session(exam)
    days = [datetime(2026, 3, 2, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)]
    for number, day in enumerate(days):
        SuspiciousActivity.objects.create(
            assessment=session.assessments.get(),
            session=session,
            kind=f"KIND_{number}",
            confidence=1,
            started_at=day,
            ended_at=day + timedelta(seconds=1),
            explanation="x",
        )
    with timezone.override("Asia/Dhaka"):
        found = get(people["owner"], STATS)["activities"]["by_day"]
    assert found == [{"day": "2026-03-02", "count": 2}, {"day": "2026-03-03", "count": 1}]


def test_it_describes_risk_and_coverage(people, exam):
    for tabs in (0, 0, 1, 2):  # 2, 2, 5 and 8 points
        watched_session(exam, tabs=tabs)
    make_session(exam).assessments.all().delete()
    found = get(people["owner"], STATS)
    assert found["sessions"]["total"] == 5
    assert counts(found["sessions"]["by_level"], "level") == {"Low": 2, "Medium": 2, "unwatched": 1}
    assert found["risk"] == {"mean": 4.25, "p50": 2, "p75": 5, "p90": 8, "p95": 8, "max": 8}
    means = {row["sense"]: row["mean"] for row in found["coverage"]}
    assert 0.5 < means["faces"] <= 1
    assert means["eyes"] == 0


def test_it_leaves_a_sense_out_where_it_was_switched_off(people, exam):
    session = watched_session(exam)
    session.assessments.update(coverage={"faces": 0.5})
    means = {row["sense"]: row["mean"] for row in get(people["owner"], STATS)["coverage"]}
    assert (means["faces"], means["eyes"]) == (0.5, None)


def test_it_counts_nothing_where_nothing_is(people):
    found = get(people["owner"], STATS)
    assert (found["activities"]["total"], found["sessions"]["total"]) == (0, 0)
    assert set(found["risk"].values()) == {None}
    assert get(people["owner"], OVERVIEW)["sessions"]["total"] == 0


@pytest.mark.parametrize(
    ("query", "activities", "sessions"),
    [
        ({}, 4, 3),
        ({"exam": "algebra"}, 3, 2),
        ({"exam": "nowhere"}, 0, 0),
        ({"kind": "TAB_SWITCH"}, 1, 1),
        ({"kind": "NO_FACE"}, 3, 3),
        ({"after": "2026-03-02T09:00:10Z"}, 1, 0),
        ({"before": "2026-03-02T09:00:10Z"}, 3, 3),
        ({"after": "2026-03-03"}, 0, 0),
    ],
)
def test_it_counts_what_is_asked_for(people, exam, other_exam, query, activities, sessions):
    watched_session(exam, tabs=1)
    watched_session(exam)
    watched_session(other_exam)
    found = get(people["admin"], STATS, **query)
    assert (found["activities"]["total"], found["sessions"]["total"]) == (activities, sessions)


@pytest.mark.parametrize("query", [{"after": "soon"}, {"before": "0001-01-01"}, {"exam": "x" * 51}, {"kind": "K" * 65}])
def test_it_refuses_questions_that_make_no_sense(people, query):
    answer = client_of(people["admin"]).get(STATS, query)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, list(query))


@pytest.mark.parametrize(
    ("who", "total"),
    [("owner", 1), ("assigned reviewer", 1), ("another teacher", 2), ("another reviewer", 0), ("admin", 3)],
)
def test_it_counts_the_exams_that_the_caller_sees(people, exam, other_exam, who, total):
    watched_session(exam)
    watched_session(other_exam, tabs=1)
    assert get(people[who], STATS)["activities"]["total"] == total
    assert get(people["owner"], STATS, exam="botany")["activities"]["total"] == 0


def test_it_counts_the_assessment_that_counts(people, exam):
    session = watched_session(exam)
    policy, _new = add_policy_version(exam=exam, settings={"trust_zero_risk": 21})
    rescore_session(session=session, policy=policy)
    found = get(people["owner"], STATS)
    assert (found["activities"]["total"], found["sessions"]["total"]) == (1, 1)


@pytest.mark.parametrize(("percent", "value"), [(1, 1.0), (50, 1.0), (51, 2.0), (75, 2.0), (76, 9.0), (100, 9.0)])
def test_it_finds_the_value_that_a_share_does_not_exceed(percent, value):
    assert percentile([(1.0, 2), (2.0, 1), (9.0, 1)], percent) == value


def test_it_gives_an_overview_of_what_is_going_on(people, exam, other_exam):
    ended, live = watched_session(exam, tabs=1), make_session(exam)
    watched_session(other_exam)
    problem = Problem.objects.create(exam=exam, number=1, title="One")
    now = timezone.now()
    for version, days_ago in enumerate((0, 3, 30), start=1):
        CodeSubmission.objects.create(
            session=ended,
            problem=problem,
            version=version,
            language="python",
            code="1",
            sha256="0" * 64,
            submitted_at=now - timedelta(days=days_ago),
        )
    clearing = LogClearing.objects.create(session=ended, reason="x", cleared_by=people["admin"])
    MonitoringLog.objects.create(session=ended, event_type="X", source="client", occurred_at=now, clearing=clearing)
    frame_store().put(live.pk, StoredFrame(1, START.timestamp(), b"picture"))
    found = get(people["owner"], OVERVIEW)
    assert found["users"] is None
    assert found["exams"] == 1
    assert (found["sessions"]["total"], found["sessions"]["live_now"]) == (2, 1)
    assert counts(found["sessions"]["by_status"], "status") == {"active": 1, "submitted": 1}
    assert counts(found["sessions"]["by_level"], "level") == {"Low": 1, "Medium": 1}
    assert found["activities"]["total"] == 2
    assert found["logs"] == {"total": 1, "today": 1, "last_7_days": 1}
    assert found["submissions"] == {"total": 3, "today": 1, "last_7_days": 2}
    assert found["waiting"] == {"items": 1, "sessions": 1}
    assert sum(found["reports"].values()) == 2
    assert {row["sense"] for row in found["detectors"]} == set(Sense)
    assert get(people["another teacher"], OVERVIEW)["waiting"] == {"items": 0, "sessions": 0}


def test_it_counts_users_by_role_for_admins(people, exam):
    both = make_user(Role.TEACHER)
    both.groups.add(*make_user(Role.REVIEWER).groups.all())
    found = get(people["admin"], OVERVIEW)["users"]
    assert found == {"total": 8, "candidate": 1, "reviewer": 4, "teacher": 3, "admin": 1}


def test_it_lists_candidates_with_their_sittings_and_highest_risk(people, exam, other_exam):
    one, two = make_candidate("one@example.com", "Rahima One"), make_candidate("two@example.com", "Karim Two")
    watched_session(exam, one)
    last = watched_session(exam, one, tabs=2)
    watched_session(other_exam, one, tabs=3)
    exam.assignments.create(candidate=two)
    make_candidate("stranger@example.com")
    rows = get(people["owner"], CANDIDATES)["results"]
    assert [row["email"] for row in rows] == ["one@example.com", "two@example.com"]
    assert (rows[0]["session_count"], rows[0]["highest_risk"], rows[0]["highest_risk_level"]) == (2, 8, "Medium")
    assert datetime.fromisoformat(rows[0]["last_session_at"]) == last.created_at
    assert rows[1]["session_count"] == 0
    assert rows[1]["last_session_at"] is rows[1]["highest_risk"] is rows[1]["highest_risk_level"] is None
    everybody = get(people["admin"], CANDIDATES, ordering="-highest_risk")["results"]
    assert len(everybody) == 4
    assert (everybody[0]["email"], everybody[0]["session_count"], everybody[0]["highest_risk"]) == (
        "one@example.com",
        3,
        11,
    )
    assert everybody[-1]["highest_risk"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"search": "RAHIMA"}, ["one@example.com"]),
        ({"search": "two@"}, ["two@example.com"]),
        ({"search": "4711"}, ["two@example.com"]),
        ({"search": "%"}, []),
        ({"exam": "algebra"}, ["one@example.com", "two@example.com"]),
        ({"exam": "botany"}, []),
        ({"has_sessions": "true"}, ["one@example.com"]),
        ({"has_sessions": "false"}, ["two@example.com"]),
        ({"risk_level": "Low"}, ["one@example.com"]),
        ({"risk_level": "High"}, []),
        ({"last_session_after": "2026-03-02T00:00:00Z"}, ["one@example.com"]),
        ({"last_session_before": "2026-03-02T00:00:00Z"}, []),
        ({"ordering": "-email"}, ["two@example.com", "one@example.com"]),
        ({"ordering": "highest_risk"}, ["one@example.com", "two@example.com"]),
        ({"ordering": "password"}, ["one@example.com", "two@example.com"]),
    ],
)
def test_it_finds_and_orders_candidates(people, exam, other_exam, query, found):
    one, two = make_candidate("one@example.com", "Rahima One"), make_candidate("two@example.com", "Karim Two")
    two.external_id = "4711"
    two.save()
    watched_session(exam, one)
    watched_session(other_exam, make_candidate())
    exam.assignments.create(candidate=two)
    assert [row["email"] for row in get(people["owner"], CANDIDATES, **query)["results"]] == found


def test_it_lists_sessions_with_risk_and_outcome(people, exam, other_exam):
    calm, risky, unwatched = watched_session(exam), watched_session(exam, tabs=2), make_session(exam)
    unwatched.assessments.all().delete()
    other = watched_session(other_exam)
    decide_session(session=risky, outcome="escalated", reason="x", reviewer=people["assigned reviewer"])
    decide_session(session=risky, outcome="violation", reason="x", reviewer=people["owner"])
    rows = get(people["owner"], SESSIONS, ordering="-risk_score")["results"]
    assert [row["id"] for row in rows] == [str(one.pk) for one in (risky, calm, unwatched)]
    shown = [(row["risk_score"], row["risk_level"], row["activity_count"], row["outcome"]) for row in rows]
    assert shown == [(8, "Medium", 3, "violation"), (2, "Low", 1, None), (None, None, 0, None)]
    assert str(other.pk) in {row["id"] for row in get(people["admin"], SESSIONS)["results"]}
    for query, found in (({"outcome": "violation"}, risky), ({"outcome": "undecided", "risk_level": "Low"}, calm)):
        assert [row["id"] for row in get(people["owner"], SESSIONS, **query)["results"]] == [str(found.pk)]


def events_of(session):
    return f"/api/v1/admin/sessions/{session.pk}/events"


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("nobody", 401),
        ("candidate", 403),
        ("owner", 200),
        ("another teacher", 404),
        ("assigned reviewer", 403),
        ("admin", 200),
    ],
)
def test_it_lists_the_events_of_a_session_to_those_who_run_its_exam(people, exam, who, status):
    assert client_of(people[who]).get(events_of(watched_session(exam))).status_code == status


def test_it_lists_what_was_reported_and_found_by_time(people, exam):
    session = watched_session(exam, tabs=1)
    at = START + timedelta(seconds=5)
    services.record_event(session_id=session.pk, event_type="SOMETHING", source="server", occurred_at=at)
    future = timezone.now() + timedelta(days=400)
    services.record_event(session_id=session.pk, event_type="LATER", source="browser", occurred_at=future)
    activity = session.activities.get(kind="NO_FACE")
    decide_activity(activity=activity, verdict="confirmed", reason="x", reviewer=people["owner"])
    rows = get(people["owner"], events_of(session))["results"]
    assert [(row["type"], row["kind"]) for row in rows] == [
        ("activity", "NO_FACE"),
        ("log", "SOMETHING"),
        ("log", "TAB_SWITCH"),
        ("activity", "TAB_SWITCH"),
        ("log", "LATER"),
    ]
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert datetime.fromisoformat(rows[-1]["at"]) < timezone.now()  # nobody reports what is still to come
    assert (rows[0]["activity"]["id"], rows[0]["activity"]["verdict"]) == (str(activity.pk), "confirmed")
    assert rows[0]["activity"]["explanation"].startswith("No face and no person could be seen.")
    assert rows[0]["log"] is rows[1]["activity"] is None
    assert rows[1]["log"]["source"] == "server"
    newest = get(people["owner"], events_of(session), ordering="-at")["results"]
    assert newest == rows[::-1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"type": "activity"}, ["NO_FACE", "TAB_SWITCH"]),
        ({"type": "log"}, ["TAB_SWITCH"]),
        ({"type": "log", "kind": "NO_FACE"}, []),
        ({"kind": "NO_FACE"}, ["NO_FACE"]),
        ({"kind": "tabSwitch", "type": "log"}, ["TAB_SWITCH"]),
        ({"severity": "1"}, ["NO_FACE", "TAB_SWITCH", "TAB_SWITCH"]),
        ({"severity": "high"}, []),
        ({"after": "2026-03-02T09:00:20Z"}, ["TAB_SWITCH", "TAB_SWITCH"]),
        ({"before": "2026-03-02T09:00:20Z"}, ["NO_FACE"]),
    ],
)
def test_it_narrows_the_events_down(people, exam, query, found):
    page = get(people["owner"], events_of(watched_session(exam, tabs=1)), **query)
    assert [row["kind"] for row in page["results"]] == found
    assert page["count"] == len(found)


@pytest.mark.parametrize("query", [{"type": "dream"}, {"severity": "9"}, {"after": "soon"}])
def test_it_refuses_filters_that_make_no_sense(people, exam, query):
    answer = client_of(people["owner"]).get(events_of(make_session(exam)), query)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, list(query))


def test_it_lists_events_in_pages_without_those_set_aside(people, exam):
    session = watched_session(exam, tabs=3)
    clearing = LogClearing.objects.create(session=session, reason="x", cleared_by=people["admin"])
    MonitoringLog.objects.create(session=session, event_type="X", source="client", occurred_at=START, clearing=clearing)
    whole = get(people["owner"], events_of(session))
    assert whole["count"] == 7
    paged = [
        row for page in (1, 2, 3) for row in get(people["owner"], events_of(session), page=page, page_size=3)["results"]
    ]
    assert paged == whole["results"]


@pytest.mark.parametrize("address", [STATS, OVERVIEW, CANDIDATES, SESSIONS, "events"])
@pytest.mark.parametrize("who", ["owner", "admin"])
def test_it_asks_as_many_questions_for_many_rows_as_for_one(people, exam, address, who):
    session = watched_session(exam, tabs=1)
    address = events_of(session) if address == "events" else address
    few = queries_of(people[who], address)
    for number in range(12):
        another = watched_session(exam, tabs=1)
        at = START + timedelta(seconds=number)
        services.record_event(session_id=session.pk, event_type=f"E{number}", source="browser", occurred_at=at)
        activity = another.activities.first()
        decide_activity(activity=activity, verdict="confirmed", reason="x", reviewer=people["owner"])
        decide_session(session=another, outcome="clear", reason="x", reviewer=people["owner"])
    assert queries_of(people[who], address) == few
    assert few <= 14
