"""Sessions over HTTP: making one, listing them, looking at one and summing it up."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Role
from accounts.tests.client import client_of
from exams.kinds import RiskLevel
from exams.lifecycle import move_session
from exams.models import ExamAssignment, ExamSession, SessionStatus, SocketTicket
from exams.services import create_session
from exams.tickets import take_ticket
from monitoring import services
from monitoring.models import Assessment, MonitoringLog
from monitoring.review import decide_activity
from monitoring.tests.factories import (
    START,
    agree,
    end_session,
    facts,
    make_candidate,
    make_exam,
    make_session,
    make_user,
    watch,
)

pytestmark = [pytest.mark.django_db, pytest.mark.database]
URL = "/api/v1/sessions"
SCORES = ("risk_score", "risk_level", "reviewed_risk_score", "trust_score", "compliance_score")


@pytest.fixture
def teacher():
    return make_user()


@pytest.fixture
def candidate():
    return agree(make_candidate("nusrat@example.com", "Nusrat Jahan"))


@pytest.fixture
def exam(teacher, candidate):
    exam = make_exam(owner=teacher, code="algebra-1")
    ExamAssignment.objects.create(exam=exam, candidate=candidate, muted=["gaze"], extra_minutes=15, break_minutes=5)
    return exam


def create(user, **sent):
    return client_of(user).post(URL, sent)


def watched(exam=None, candidate=None, **exam_fields):
    """Return an ended session in which the seat was empty for ten seconds; NO_FACE weighs 2."""
    session = make_session(exam or make_exam(**exam_fields), candidate)
    watch(session, *[facts(at, objects={"person": 0.9}) for at in range(10)])
    watch(session, *[facts(at, faces=0, objects={}) for at in range(10, 20)])
    end_session(session, 20)
    session.refresh_from_db()
    return session


def test_a_candidate_makes_a_session_and_gets_the_socket(exam, candidate):
    answer = create(candidate.user, exam="algebra-1")
    assert answer.status_code == 201
    body = answer.json()
    session = ExamSession.objects.get(pk=body["id"])
    assert (session.exam, session.candidate, session.status, session.muted) == (exam, candidate, "created", ["gaze"])
    assert (body["status"], body["accommodations"]["muted"], body["time"]["left_s"]) == ("created", ["gaze"], 4500)
    assert body["policy"]["senses"] == [
        "camera",
        "faces",
        "mouth",
        "hands",
        "objects",
        "identity",
        "liveness",
        "level",
        "speech",
        "speakers",
    ]
    assert (body["socket"]["url"], body["socket"]["expires_in"]) == (f"/ws/proctoring/{session.pk}/", 60)
    assert take_ticket(ticket=body["socket"]["ticket"], session_id=session.pk) == candidate.user


def test_an_exam_is_named_by_its_id_as_well(exam, candidate):
    assert create(candidate.user, exam=str(exam.pk)).status_code == 201


def test_a_teacher_and_an_admin_make_a_session_for_a_candidate_without_their_ticket(exam, candidate, teacher):
    answer = create(teacher, exam="algebra-1", candidate="NUSRAT@example.com")
    assert (answer.status_code, answer.json()["socket"]) == (201, None)
    move_session(session=ExamSession.objects.get(), to=SessionStatus.TERMINATED)
    assert create(make_user(Role.ADMIN), exam="algebra-1", candidate=str(candidate.pk)).status_code == 201
    assert (ExamSession.objects.count(), SocketTicket.objects.count()) == (2, 0)


@pytest.mark.parametrize(
    ("who", "status"), [("reviewer", 403), ("teacher who reviews", 403), ("other teacher", 404), ("candidate", 403)]
)
def test_others_make_no_sessions_for_candidates(exam, candidate, who, status):
    user = {
        "reviewer": lambda: make_user(Role.REVIEWER),
        "candidate": lambda: candidate.user,
    }.get(who, make_user)()
    if who in ("reviewer", "teacher who reviews"):
        exam.reviewers.add(user)
    assert create(user, exam="algebra-1", candidate=str(candidate.pk)).status_code == status
    assert not ExamSession.objects.exists()


def test_an_exam_that_a_candidate_may_not_sit_is_not_there(exam):
    stranger = agree(make_candidate())
    for name in ("algebra-1", str(exam.pk), str(uuid4()), "nothing"):
        assert create(stranger.user, exam=name).status_code == 404
    assert not ExamSession.objects.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"opens_at": timezone.now() + timedelta(hours=1)}, "outside_window"),
        ({"closes_at": timezone.now() - timedelta(hours=1)}, "outside_window"),
        ({"max_attempts": 1}, "no_attempts_left"),
        ({}, "consent_required"),
    ],
)
def test_it_says_why_no_session_is_made(exam, candidate, change, code):
    type(exam).objects.update(**change)
    if code == "no_attempts_left":
        watched(exam, candidate)
    elif not change:
        candidate.user.consents.update(withdrawn_at=timezone.now())
    count = ExamSession.objects.count()
    answer = create(candidate.user, exam="algebra-1")
    assert (answer.status_code, answer.json()["code"], answer.json()["type"]) == (409, code, "conflict")
    assert ExamSession.objects.count() == count


def test_it_names_the_session_that_is_open(exam, candidate):
    first = create(candidate.user, exam="algebra-1").json()["id"]
    answer = create(candidate.user, exam="algebra-1")
    assert (answer.status_code, answer.json()["code"]) == (409, "already_open")
    assert first in answer.json()["detail"]
    assert ExamSession.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "exam"),
        ({"exam": None}, "exam"),
        ({"exam": ["algebra-1"]}, "exam"),
        ({"exam": "x" * 51}, "exam"),
        ({"exam": "algebra-1", "candidate": "nobody@example.com"}, "candidate"),
        ({"exam": "algebra-1", "candidate": None}, "candidate"),
        ({"exam": "algebra-1"}, "candidate"),
    ],
)
def test_it_names_the_field_that_is_wrong(exam, teacher, sent, field):
    answer = create(teacher, **sent)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert not ExamSession.objects.exists()


def test_everybody_lists_what_is_theirs(exam, candidate, teacher):
    own, other = make_session(exam, candidate), make_session()
    reviewer = make_user(Role.REVIEWER)
    other.exam.reviewers.add(reviewer)
    seen = {
        candidate.user: [own],
        teacher: [own],
        reviewer: [other],
        make_user(Role.ADMIN): [own, other],
        make_user(): [],
        make_candidate().user: [],
    }
    for user, sessions in seen.items():
        body = client_of(user).get(URL).json()
        assert {row["id"] for row in body["results"]} == {str(session.pk) for session in sessions}
        assert body["count"] == len(sessions)
        for session in (own, other):
            status = 200 if session in sessions else 404
            assert client_of(user).get(f"{URL}/{session.pk}").status_code == status
            assert client_of(user).get(f"{URL}/{session.pk}/summary").status_code == status
    assert client_of().get(URL).status_code == 401


@pytest.mark.parametrize(
    ("sees", "scores", "breakdown"), [("nothing", False, False), ("scores", True, False), ("breakdown", True, True)]
)
def test_a_candidate_is_told_what_the_exam_allows_once_it_is_over(sees, scores, breakdown):
    session = watched(candidate_sees=sees)
    owner = client_of(session.candidate.user)
    for row in (owner.get(URL).json()["results"][0], owner.get(f"{URL}/{session.pk}").json()):
        assert row["risk_score"] == (2 if scores else None)
        assert (row["trust_score"] is not None, row["reviewed_risk_score"]) == (scores, None)
    summary = owner.get(f"{URL}/{session.pk}/summary").json()
    assert summary["scores"]["risk_score"] == (2 if scores else None)
    assert (summary["scores"]["breakdown"] is not None) == breakdown
    assert [item["kind"] for item in summary["timeline"]] == (["NO_FACE"] if breakdown else [])
    assert (len(summary["activities_by_kind"]) == 1) == breakdown
    assert summary["frames"]["analysed"] == 20


def test_a_candidate_is_told_no_scores_while_it_runs_but_staff_is():
    session = make_session(make_exam(candidate_sees="breakdown"))
    watch(session, *[facts(at, faces=0, objects={}) for at in range(10)])
    for user, risk in ((session.candidate.user, None), (session.exam.owner, 2)):
        client = client_of(user)
        assert client.get(f"{URL}/{session.pk}").json()["risk_score"] == risk
        assert client.get(f"{URL}/{session.pk}/summary").json()["scores"]["risk_score"] == risk
        assert client.get(URL).json()["results"][0]["risk_score"] == risk


def test_the_list_is_filtered_and_ordered_for_staff(exam, candidate, teacher):
    ended, open_one = watched(exam), make_session(exam, candidate)
    never_watched = create_session(exam=exam, candidate=make_candidate(), created_at=START - timedelta(days=1))
    recorded = create_session(exam=exam, candidate=candidate, source=ExamSession.Source.RECORDING)
    Assessment.objects.filter(session=open_one).update(risk_score=12, risk_level=RiskLevel.HIGH)
    late = (START + timedelta(seconds=20)).isoformat().replace("+00:00", "Z")
    wanted = {
        "exam=algebra-1": {ended, open_one, never_watched, recorded},
        f"exam={exam.pk}": {ended, open_one, never_watched, recorded},
        "exam=other": set(),
        f"candidate={candidate.pk}": {open_one, recorded},
        "status=submitted&status=active": {ended, open_one},
        "source=recording": {recorded},
        "risk_level=High": {open_one},
        "risk_level=Low": {ended},
        f"ended_after={late}": {ended},
        f"ended_before={late}": set(),
        f"started_before={late}": {ended, open_one},
        f"started_after={late}": set(),
        "search=nusrat": {open_one, recorded},
        "search=ALGEBRA": {ended, open_one, never_watched, recorded},
    }
    client = client_of(teacher)
    for query, sessions in wanted.items():
        found = client.get(f"{URL}?{query}").json()["results"]
        assert {row["id"] for row in found} == {str(session.pk) for session in sessions}, query
    by_risk = [row["id"] for row in client.get(f"{URL}?ordering=-risk_score").json()["results"]]
    assert by_risk[:2] == [str(open_one.pk), str(ended.pk)]
    oldest = client.get(f"{URL}?ordering=created_at").json()["results"][0]
    assert (oldest["id"], oldest["risk_score"]) == (str(never_watched.pk), None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=lost", "status"),
        ("candidate=me", "candidate"),
        ("risk_level=9", "risk_level"),
        ("started_after=9999-12-31T23:59:59-23:00", "started_after"),
        ("ended_before=yesterday", "ended_before"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(teacher, query, field):
    answer = client_of(teacher).get(f"{URL}?{query}")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_neither_order_nor_filter_give_scores_away():
    candidate = make_candidate()
    low, high = (watched(candidate=candidate, candidate_sees=sees) for sees in ("nothing", "scores"))
    Assessment.objects.filter(session=high).update(risk_score=12, risk_level=RiskLevel.HIGH)
    ExamSession.objects.filter(pk=high.pk).update(created_at=START - timedelta(days=1))
    client = client_of(candidate.user)
    assert [row["id"] for row in client.get(f"{URL}?ordering=-risk_score").json()["results"]] == [
        str(low.pk),
        str(high.pk),
    ]
    assert client.get(f"{URL}?risk_level=Low").json()["count"] == 0
    assert client.get(f"{URL}?risk_level=High").json()["count"] == 1


def test_the_list_costs_as_many_queries_for_one_as_for_many(exam, teacher):
    def cost(query=""):
        with CaptureQueriesContext(connection) as queries:
            assert client_of(teacher).get(f"{URL}{query}").status_code == 200
        return len(queries)

    watched(exam)
    one = cost()
    for _ in range(8):
        watched(exam)
    assert cost() == one <= 6
    assert cost("?ordering=-risk_score&risk_level=Low") == one


def test_a_page_shows_each_session_once_in_a_stable_order(exam, teacher):
    for _ in range(5):
        make_session(exam)  # all made at the same moment
    pages = [client_of(teacher).get(f"{URL}?page_size=2&page={page}").json()["results"] for page in (1, 2, 3)]
    assert len({row["id"] for page in pages for row in page}) == 5


def test_a_session_tells_clock_arrangements_rules_and_messages(exam, candidate):
    session = make_session(exam, candidate)
    now = timezone.now()
    ExamSession.objects.update(started_at=now, deadline_at=now + timedelta(minutes=75))
    for source, text in (("proctor", "Look here."), ("client", "I am the proctor.")):
        MonitoringLog.objects.create(
            session=session, event_type="PROCTOR_MESSAGE", source=source, detail={"text": text}, occurred_at=START
        )
    body = client_of(candidate.user).get(f"{URL}/{session.pk}").json()
    assert body["messages"] == [{"text": "Look here.", "sent_at": "2026-03-02T09:00:00Z"}]
    assert body["time"]["left_s"] == pytest.approx(4500, abs=10)
    assert (body["time"]["allowed_s"], body["time"]["break_left_s"], body["time"]["paused"]) == (4500, 300, False)
    assert body["accommodations"] == {
        "extra_minutes": 15,
        "time_factor": 1.0,
        "break_minutes": 5,
        "muted": ["gaze"],
    }
    assert (body["policy"]["frames_per_second"], body["system_check"]) == (1.0, None)


def test_a_summary_counts_and_sums_up(exam, candidate, teacher):
    session = make_session(exam, candidate)
    ExamSession.objects.update(deadline_at=START + timedelta(seconds=4500))
    watch(session, *[facts(at, faces=0, objects={}) for at in range(10)])
    for name in ("TAB_SWITCH", "COPY", "COPY"):
        services.record_event(session_id=session.pk, event_type=name, source="browser", occurred_at=START)
    move_session(session=session, to=SessionStatus.PAUSED, at=START + timedelta(seconds=10))
    move_session(session=session, to=SessionStatus.ACTIVE, at=START + timedelta(seconds=30))
    end_session(session, 40)
    activity = session.activities.get(kind="NO_FACE")
    decide_activity(activity=activity, verdict="dismissed", reason="Agreed.", reviewer=teacher)
    body = client_of(teacher).get(f"{URL}/{session.pk}/summary").json()
    assert body["durations"] == {
        "total_s": 40.0,
        "active_s": 20.0,
        "paused_s": 20.0,
        "breaks_s": 0.0,
        "allowed_s": 4500.0,
    }
    counted = {row["event_type"]: row["count"] for row in body["events"]}
    assert counted == {"COPY": 2, "TAB_SWITCH": 1}
    assert {row["kind"]: row["count"] for row in body["activities_by_kind"]} == {
        "NO_FACE": 1,
        "TAB_SWITCH": 1,
        "COPY": 1,
    }
    verdicts = {item["kind"]: item["verdict"] for item in body["timeline"]}
    assert verdicts == {"NO_FACE": "dismissed", "TAB_SWITCH": None, "COPY": None}
    assert body["scores"]["risk_score"] - body["scores"]["reviewed_risk_score"] == 2
    notes = {row["sense"]: (row["share"], row["note"]) for row in body["coverage"]}
    assert notes["eyes"] == notes["head"] == (None, "Muted for this candidate.")
    assert notes["faces"][0] > 0
    assert [step["to_status"] for step in body["steps"]] == ["active", "paused", "active", "submitted"]


def test_a_summary_of_what_was_never_watched_is_empty(exam, candidate, teacher):
    session = create_session(exam=exam, candidate=candidate)
    body = client_of(teacher).get(f"{URL}/{session.pk}/summary").json()
    assert (body["coverage"], body["timeline"], body["frames"]["total"]) == ([], [], 0)
    assert all(body["scores"][name] is None for name in SCORES)
