"""The figures are right, cost few queries, name nobody, and are not for everybody."""

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import replace

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from exams.lifecycle import move_session
from exams.models import SessionStatus
from monitoring import meters, observing, services
from monitoring.frame_store import StoredFrame, StoreUnavailable, frame_store
from monitoring.tests.factories import START, facts, make_session
from monitoring.tests.live import Live
from monitoring.tests.storage import free_port
from monitoring.tests.test_server import FullServer, services_are_there, wait_until
from proctoring import metrics
from proctoring.figures import read_token
from proctoring.logs import socket_context

TOKEN = "Tq8mY2-zK4vR7wXpL9sDfG3hJ6bN1cVeA5uO0iQ"


@pytest.fixture(autouse=True)
def spool(settings, tmp_path):
    settings.FRAME_SPOOL = tmp_path / "spool"


def read(text):
    if isinstance(text, bytes):
        text = text.decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figures(client, **headers):
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    return read(answer.content)


def own(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0


def put(session, *, ago, seq=1, stream="frame"):
    frame_store().put(session, StoredFrame(seq=seq, captured_at=time.time() - ago, data=b"x", stream=stream))


# --- who --------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "proxies", "token", "headers", "status"),
    [
        ("127.0.0.1", 0, "", {}, 200),
        ("::1", 0, "", {}, 200),
        ("::ffff:127.0.0.1", 0, "", {}, 200),
        ("127.0.0.1", 0, TOKEN, {}, 200),
        ("127.0.0.1", 1, "", {}, 404),
        ("127.0.0.1", 0, "", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("127.0.0.1", 0, "", {"Forwarded": "for=127.0.0.1"}, 404),
        ("127.0.0.1", 1, "", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("203.0.113.9", 0, "", {}, 404),
        ("203.0.113.9", 0, "", {"Authorization": "Bearer "}, 404),
        ("203.0.113.9", 0, TOKEN, {}, 404),
        ("203.0.113.9", 0, TOKEN, {"Authorization": "Bearer wrong"}, 404),
        ("203.0.113.9", 0, TOKEN, {"Authorization": f"Basic {TOKEN}"}, 404),
        ("203.0.113.9", 0, TOKEN, {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("203.0.113.9", 2, TOKEN, {"Authorization": f"bearer {TOKEN}"}, 200),
        ("127.0.0.1", 0, TOKEN, {"Authorization": "Bearer wrong"}, 404),
    ],
)
def test_it_answers_this_machine_and_who_has_the_token(client, settings, address, proxies, token, headers, status):
    settings.TRUSTED_PROXIES, settings.METRICS_TOKEN = proxies, token
    answer = client.get("/metrics", headers=headers, REMOTE_ADDR=address)
    assert answer.status_code == status
    if status == 404:
        assert answer.json()["code"] == "not_found"


def test_a_weak_token_stops_the_start():
    assert read_token("METRICS_TOKEN", TOKEN) == TOKEN
    assert read_token("METRICS_TOKEN", "") == ""
    with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN is missing or shorter"):
        read_token("METRICS_TOKEN", "letmein")


@pytest.mark.django_db
def test_a_probe_within_is_not_sent_to_https(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/metrics").status_code == 200
    assert client.get("/health").status_code == 200
    assert client.get("/admin/").status_code == 301


@pytest.mark.django_db
def test_prometheus_may_ask_a_process_by_its_address(client, settings):
    settings.ALLOWED_HOSTS = ["exams.example.org"]
    assert client.get("/metrics", headers={"Host": "172.18.0.7:8000"}).status_code == 200
    assert client.get("/health", headers={"Host": "172.18.0.7:8000"}).status_code == 400
    assert client.post("/metrics").status_code == 404
    settings.METRICS_TOKEN, settings.TRUSTED_PROXIES = TOKEN, 1
    assert client.get("/metrics", headers={"Accept": "text/html"}).json()["code"] == "not_found"


# --- what -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_it_shows_what_waits_and_since_when(client):
    assert figures(client)["proctoring_oldest_waiting_seconds", "frame"] == 0
    first, second = uuid.uuid4(), uuid.uuid4()
    put(first, ago=30)
    put(first, ago=40, seq=2)
    put(second, ago=5)
    put(second, ago=12, stream="audio")
    shown = figures(client)
    assert shown["proctoring_waiting", "frame"] == 3 and shown["proctoring_waiting", "audio"] == 1
    assert shown["proctoring_waiting_sessions",] == 2
    assert shown["proctoring_oldest_waiting_seconds", "frame"] == pytest.approx(40, abs=3)
    assert shown["proctoring_oldest_waiting_seconds", "audio"] == pytest.approx(12, abs=3)
    assert shown["proctoring_readable", "queues"] == shown["proctoring_readable", "rows"] == 1


@pytest.mark.django_db
def test_it_shows_sessions_that_are_not_over_and_their_pictures(client):
    running, ended = make_session(), make_session()
    services.count_frames(session_id=running.pk, total=7, skipped=2)
    services.count_frames(session_id=ended.pk, total=100)
    move_session(session=ended, to=SessionStatus.SUBMITTED, at=START.replace(hour=START.hour + 1))
    services.finish_monitoring(session_id=ended.pk)
    shown = figures(client)
    assert shown["proctoring_sessions", "active"] == 1
    assert shown["proctoring_session_frames", "total"] == 7
    assert shown["proctoring_session_frames", "skipped"] == 2
    assert shown["proctoring_session_frames", "unusable"] == 0


@pytest.mark.django_db
def test_it_asks_two_questions_however_many_sessions_there_are(client):
    for seq in range(3):
        put(make_session().pk, ago=1, seq=seq)
    with CaptureQueriesContext(connection) as asked:
        figures(client)
    assert len(asked) == 2


@pytest.mark.django_db
def test_pictures_senses_and_activities_are_counted(client, django_capture_on_commit_callbacks):
    live = Live()
    before = {
        "received": own("proctoring_frames_total", outcome="received"),
        "analysed": own("proctoring_frames_total", outcome="analysed"),
        "unusable": own("proctoring_frames_total", outcome="unusable"),
        "begun": own("proctoring_activities_total", kind="MULTIPLE_FACES"),
        "behind": own("proctoring_behind_seconds_count"),
        "faces": own("proctoring_sense_seconds_count", sense="faces"),
    }
    services.count_frames(session_id=live.session.pk, total=20)
    base, two = live.zero.timestamp(), facts(0, faces=2)
    seen = [replace(two, seq=at, captured_at=base + at, timings_ms={"faces": 12.5}) for at in range(20)]
    lost = [observing.Unreadable(99, base + 30, "broken")]
    with django_capture_on_commit_callbacks(execute=True):
        observing.record_observations(batches={live.session.pk: observing.Batch(facts=seen, unreadable=lost)})
    assert own("proctoring_frames_total", outcome="received") == before["received"] + 20
    assert own("proctoring_frames_total", outcome="analysed") == before["analysed"] + 20
    assert own("proctoring_frames_total", outcome="unusable") == before["unusable"] + 1
    assert own("proctoring_activities_total", kind="MULTIPLE_FACES") == before["begun"] + 1
    assert own("proctoring_behind_seconds_count") == before["behind"] + 20
    assert own("proctoring_sense_seconds_count", sense="faces") == before["faces"] + 20
    # The same again changes no row, and no figure.
    with django_capture_on_commit_callbacks(execute=True):
        observing.record_observations(batches={live.session.pk: observing.Batch(facts=seen)})
    assert own("proctoring_frames_total", outcome="analysed") == before["analysed"] + 20
    assert figures(client)["proctoring_frames_total", "analysed"] == before["analysed"] + 20


def test_kinds_that_clients_make_up_are_one():
    class Made:
        kind, newly_written = "a@example.com was here", True

    before = own("proctoring_activities_total", kind="other")
    meters.count_begun([Made(), Made()])
    assert own("proctoring_activities_total", kind="other") == before + 2


@pytest.mark.django_db
def test_requests_are_measured_by_route_and_name_nobody(client):
    session = make_session()
    client.force_login(session.candidate.user)
    client.get(f"/api/v1/sessions/{session.pk}?search=somebody@example.com")
    client.get("/no/such/page/somebody@example.com")
    client.generic("BREW", "/health")
    answer = client.get("/metrics").content.decode()
    shown = read(answer)
    assert shown["proctoring_http_seconds_count", "200", "GET", "session-detail"] >= 1
    assert shown["proctoring_http_seconds_count", "404", "GET", "none"] >= 1
    assert any(key[0] == "proctoring_http_seconds_count" and "other" in key for key in shown)
    for told in ("example.com", str(session.pk), str(session.candidate.user.pk), "BREW"):
        assert told not in answer
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", answer)


@pytest.mark.django_db
def test_a_part_that_fails_is_said_and_the_rest_is_shown(client, monkeypatch):
    class Away:
        def tally(self):
            raise StoreUnavailable("away")

    monkeypatch.setattr(metrics, "frame_store", Away)
    shown = figures(client)
    assert shown["proctoring_readable", "queues"] == 0 and shown["proctoring_readable", "rows"] == 1
    assert not any(key[0] == "proctoring_waiting" for key in shown)


def test_sockets_are_counted_while_they_are_open():
    async def stays(scope, receive, send):
        held.append((own("proctoring_sockets", side="candidate"), own("proctoring_sockets", side="reviewer")))

    held, before = [], (own("proctoring_sockets", side="candidate"), own("proctoring_sockets", side="reviewer"))
    for path in (f"/ws/{uuid.uuid4()}/", f"/ws/review/{uuid.uuid4()}/"):
        async_to_sync(socket_context(stays))({"type": "websocket", "path": path, "headers": []}, None, None)
    assert held == [(before[0] + 1, before[1]), (before[0], before[1] + 1)]
    assert (own("proctoring_sockets", side="candidate"), own("proctoring_sockets", side="reviewer")) == before


# --- real processes ---------------------------------------------------------------------------------------------------

PUT = """
import sys, django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from monitoring.tests.factories import *
from monitoring import intake
session = make_session()
for seq in range(int(sys.argv[1])):
    intake.take_frame(session=session, seq=seq, captured_at=START.timestamp() + seq, data=two_men_jpeg())
"""


def fetch(port, token=""):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return read(answer.read())


@pytest.mark.slow
@pytest.mark.skipif(not services_are_there(), reason="no PostgreSQL that lets `postgres` in, or no redis-server")
def test_a_real_worker_shows_what_its_children_did(tmp_path):
    server = FullServer(tmp_path)
    worker = free_port()
    server.environ |= {"METRICS_TOKEN": TOKEN, "TRUSTED_PROXIES": "1", "TMPDIR": str(tmp_path)}
    try:
        server.python(PUT, 5)
        server.run("daphne", "-p", str(server.port), "proctoring.asgi:application")
        wait_until(lambda: fetch(server.port, TOKEN)["proctoring_waiting", "frame"] == 5)
        server.environ["METRICS_PORT"] = str(worker)
        server.run("celery", "-A", "proctoring", "worker", "-c", "2", "-l", "WARNING")
        server.environ.pop("METRICS_PORT")
        wait_until(lambda: fetch(worker, TOKEN).get(("proctoring_frames_total", "analysed")) == 5)
        shown = fetch(worker, TOKEN)
        assert shown["proctoring_sense_seconds_count", "faces"] == 5
        assert shown["proctoring_behind_seconds_count",] == 5
        wait_until(lambda: fetch(server.port, TOKEN)["proctoring_waiting", "frame"] == 0)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(worker)
        assert list(tmp_path.glob("proctoring-metrics-*"))
    finally:
        server.remove()


@pytest.mark.slow
def test_the_folder_of_shared_figures_goes_with_its_process(tmp_path):
    code = "import os, django; django.setup(); print(os.environ['PROMETHEUS_MULTIPROC_DIR'])"
    environ = os.environ | {"METRICS_PORT": "9", "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path))
    assert not list(tmp_path.glob("proctoring-metrics-*"))
