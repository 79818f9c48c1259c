"""A lost connection is kept as what it is: nobody is accused of it, and its time can be given back, once."""

import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.urls import reverse

from accounts.models import Role
from accounts.tests.client import client_of
from exams.lifecycle import StepRefused
from exams.models import ExamSession, SessionStatus
from monitoring.lost_time import give_back_time, lost_seconds
from monitoring.models import Assessment, MonitoringLog, Silence, SuspiciousActivity
from monitoring.services import Report, finish_monitoring, record_events
from monitoring.tests.factories import make_user
from monitoring.tests.live import Live
from monitoring.tests.test_server import FullServer, Server, services_are_there, wait_until

GAP, SILENT = "NETWORK_GAP", "CAMERA_SILENT"
pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _own_queue(no_worker):
    """Nothing waits but what a test puts there."""


def lost(first=10, last=100):
    """Return a session whose client was away between two moments, as beats noticed."""
    live = Live()
    live.send(0)
    live.live(first)
    live.beat(*range(first + 1, last, 5))
    live.live(last)
    return live


def session_now():
    return ExamSession.objects.get()


def test_a_client_that_falls_silent_altogether_has_lost_its_connection():
    live = Live()
    live.send(-2, -1)
    live.live(0, 8)
    live.beat(20, 27)
    assert live.spans() == []
    live.beat(28, 33)
    assert live.spans() == [(GAP, 8, None)]
    live.live(50)
    assert live.spans() == [(GAP, 8, 50)]
    assert (Assessment.objects.get().risk_score, SuspiciousActivity.objects.get().severity) == (0, 1)


def test_a_gap_that_no_beat_noticed_is_kept_at_the_return():
    live = Live()
    live.live(0, 40)
    assert live.spans() == [(GAP, 0, 40)]
    live.live(50, 69)
    assert live.spans() == [(GAP, 0, 40)]


def test_a_client_that_never_came_is_lost_since_the_beginning():
    live = Live()
    live.beat(-41)
    assert live.spans() == []
    live.beat(-36)
    assert live.spans() == [(GAP, -60, None)]


def test_a_camera_that_was_silent_before_the_line_failed_is_silent_until_then():
    live = Live()
    live.live(-50, -40, -30)
    live.beat(-30)
    assert live.spans() == [(SILENT, -60, None)]
    live.beat(-10)
    assert live.spans() == [(SILENT, -60, -30), (GAP, -30, None)]
    live.live(0)
    live.beat(5, 10, 15)
    assert live.spans() == [(SILENT, -60, -30), (GAP, -30, 0)]
    live.live(10, 21)
    live.beat(22)
    assert live.spans() == [(SILENT, -60, -30), (GAP, -30, 0), (SILENT, 0, None)]


def test_what_was_captured_offline_is_judged_in_its_order_and_the_gap_stays():
    live = lost()
    live.send(*range(12, 40), faces=0, objects={})
    live.send(*range(40, 110), objects={"person": 0.9})
    spans = dict.fromkeys(live.spans())
    assert list(spans) == [(GAP, 10, 100)]
    nobody = SuspiciousActivity.objects.get(kind="NO_FACE")
    assert (nobody.started_at, nobody.ended_at) == (live.time(12), live.time(40))


def test_it_ends_with_a_pause_and_with_the_session():
    live = Live()
    live.live(-50)
    live.beat(-25)
    live.step(SessionStatus.PAUSED, -20)
    live.beat(-15)
    assert live.spans() == [(GAP, -50, -20)]
    live.step(SessionStatus.ACTIVE, 0)
    live.beat(19, 24)
    live.step(SessionStatus.EXPIRED, 30)
    finish_monitoring(session_id=live.session.pk)
    assert live.spans() == [(GAP, -50, -20), (GAP, 0, 30)]


@pytest.mark.parametrize(
    ("detail", "at", "activities"),
    [
        ({"seconds": 34}, -19, 1),
        ({"seconds": 34}, -54, 1),
        ({}, -17, 1),
        ({"seconds": 8}, -5, 2),
        ({"seconds": "many"}, -5, 2),
    ],
    ids=["told at its end", "told at its beginning", "told without a length", "another", "another, without sense"],
)
def test_a_gap_that_the_client_reports_as_well_is_one_activity(detail, at, activities):
    live = Live()
    live.live(-55, -20)
    record_events(session_id=live.session.pk, reports=[Report(GAP, live.time(at), detail=detail)], source="browser")
    assert SuspiciousActivity.objects.filter(kind=GAP).count() == activities
    assert (MonitoringLog.objects.count(), Silence.objects.count()) == (1, 1)


def test_time_is_given_back_in_whole_minutes_and_once_for_each_gap():
    live = lost(10, 100)
    owner, before = live.session.exam.owner, session_now().deadline_at
    assert lost_seconds(live.session) == 90
    give_back_time(session=live.session, by=owner)
    assert (session_now().deadline_at - before).total_seconds() == 120
    step = live.session.transitions.order_by("id").last()
    assert (step.reason, step.by) == ("+2 min: connection lost for 90 s", owner)
    with pytest.raises(StepRefused) as refused:
        give_back_time(session=live.session, by=owner)
    assert refused.value.code == "no_lost_time"
    live.live(160)
    give_back_time(session=live.session, by=owner)
    assert session_now().extended_minutes == 3


def test_a_gap_that_goes_on_is_given_back_when_it_is_over():
    live = Live()
    live.live(0)
    live.beat(30)
    with pytest.raises(StepRefused):
        give_back_time(session=live.session, by=live.session.exam.owner)
    live.live(45)
    assert lost_seconds(live.session) == 45


def test_a_session_that_may_not_be_extended_so_far_keeps_its_gaps():
    live = lost(10, 100)
    ExamSession.objects.update(extended_minutes=24 * 60 - 1)
    with pytest.raises(StepRefused):
        give_back_time(session=live.session, by=live.session.exam.owner)
    assert lost_seconds(live.session) == 90


def test_staff_gives_time_back_over_http():
    live = lost(10, 100)
    address, owner = f"/api/v1/sessions/{live.session.pk}/extend", client_of(live.session.exam.owner)
    answer = owner.post(address, {"lost_time": True})
    assert (answer.status_code, answer.json()["time"]["extended_minutes"]) == (200, 2)
    again = owner.post(address, {"lost_time": True})
    assert (again.status_code, again.json()["code"]) == (409, "no_lost_time")
    for sent in ({"lost_time": True, "minutes": 5}, {"lost_time": False}, {}):
        refused = owner.post(address, sent)
        assert (refused.status_code, list(refused.json()["fields"])) == (400, ["minutes"])
    assert client_of(live.session.candidate.user).post(address, {"lost_time": True}).status_code == 403
    assert session_now().extended_minutes == 2


def test_staff_gives_time_back_with_one_click(client):
    live = lost(10, 100)
    page = reverse("admin:exams_examsession_change", args=[live.session.pk])
    button = reverse("admin:exams_examsession_give_back", args=[live.session.pk])
    client.force_login(live.session.exam.owner)
    assert button in client.get(page).content.decode()
    assert client.get(button).status_code == 405
    assert "Time given back: 2 min." in client.post(button, follow=True).content.decode()
    assert session_now().extended_minutes == 2
    assert button not in client.get(page).content.decode()
    assert "has not been given back already" in client.post(button, follow=True).content.decode()
    assert session_now().extended_minutes == 2


@pytest.mark.parametrize(
    ("role", "status"), [(Role.TEACHER, 404), (Role.REVIEWER, 404), (Role.CANDIDATE, 302), (Role.ADMIN, 302)]
)
def test_the_click_is_for_staff_of_the_exam(client, role, status):
    live = lost(10, 100)
    client.force_login(make_user(role))
    answer = client.post(reverse("admin:exams_examsession_give_back", args=[live.session.pk]))
    assert answer.status_code == status
    assert session_now().extended_minutes == (2 if role == Role.ADMIN else 0)


PREPARE = """
import django; django.setup()
from django.core.management import call_command
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken
from exams.lifecycle import move_session
from exams.services import add_policy_version, create_session
from monitoring import services
from monitoring.tests.factories import make_candidate, make_exam, two_men_jpeg
call_command("migrate", verbosity=0)
exam = make_exam()
add_policy_version(exam=exam, settings={"silent_after_s": 10})
for _ in range(2):
    session = create_session(exam=exam, candidate=make_candidate())
    services.open_monitor(session=move_session(session=session, to="active"))
    print(session.pk, AccessToken.for_user(session.candidate.user))
print(two_men_jpeg().hex())
"""


class Caller:
    """A candidate who calls a real server."""

    def __init__(self, server, line):
        self.server, (self.session, self.token) = server, line.split()

    def call(self, what="", data=None, media_type="image/jpeg"):
        address = f"http://127.0.0.1:{self.server.port}/api/v1/sessions/{self.session}{what}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": media_type}
        with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=30) as answer:
            return json.load(answer)

    def spans(self):
        session = self.session.replace("-", "")
        return self.server.ask(
            f"SELECT kind, ended_at IS NOT NULL FROM monitoring_suspiciousactivity WHERE session_id = '{session}' "
            f"AND kind IN ('{GAP}', '{SILENT}') ORDER BY started_at"
        )


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.remove()


@pytest.mark.slow
def test_the_beat_of_a_real_server_notices_both(server):
    *lines, picture = server.python(PREPARE).splitlines()
    server.start()
    wait_until(lambda: server.health()["checks"]["workers"]["ok"])
    alive, away = (Caller(server, line) for line in lines)
    events, note = "/events", (b'{"event_type": "ACTIVITY", "detail": {"keys": 1}}', "application/json")
    away.call(events, *note)

    def silent():
        alive.call(events, *note)
        time.sleep(1)
        return alive.spans() == [(SILENT, 0)]

    wait_until(silent)
    wait_until(lambda: (GAP, 0) in away.spans())
    alive.call("/frames?seq=1", bytes.fromhex(picture))
    away.call("/frames?seq=1", bytes.fromhex(picture))
    wait_until(lambda: (SILENT, 1) in alive.spans() and (GAP, 1) in away.spans())
    assert SILENT not in dict(away.spans())


MANY = """
import django; django.setup()
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from exams.lifecycle import move_session
from exams.services import create_session
from monitoring import services
from monitoring.tests.factories import make_candidate, make_exam
call_command("migrate", verbosity=0)
exam, began = make_exam(), timezone.now() - timedelta(seconds=60)
for _ in range(30):
    session = create_session(exam=exam, candidate=make_candidate(), created_at=began)
    services.open_monitor(session=move_session(session=session, to="active", at=began))
"""
BEATS = """
import sys, time, django; django.setup()
from datetime import timedelta
from django.utils import timezone
from monitoring import presence
from monitoring.models import SessionMonitor
time.sleep(max(0, float(sys.argv[1]) - time.time()))
for _ in range(5):
    for pk in SessionMonitor.objects.values_list("pk", flat=True):
        # Row by row: all in one statement, three of these would lock one another out.
        SessionMonitor.objects.filter(pk=pk).update(silence_due_at=timezone.now())
        presence.look_at(session_id=pk, now=timezone.now())
    presence.watch_silence()
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Server, FullServer], ids=["without services", "PostgreSQL and Redis"])
def test_beats_at_the_same_moment_keep_one_gap_for_each_session(kind, tmp_path):
    if kind is FullServer and not services_are_there():
        pytest.skip("no PostgreSQL that lets `postgres` in, or no redis-server")
    server = kind(tmp_path)
    try:
        server.python(MANY)
        at = time.time() + 4
        with ThreadPoolExecutor(3) as beats:
            list(beats.map(lambda _: server.python(BEATS, at), range(3)))
        for table in ("monitoring_silence", "monitoring_suspiciousactivity"):
            counts = f"SELECT count(*), count(DISTINCT session_id), count(DISTINCT kind) FROM {table}"
            assert server.ask(counts) == [(30, 30, 1)]
    finally:
        server.remove()
