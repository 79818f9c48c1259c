"""Signs of life: cheap, noted once in a while, and enough to say who is there."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.client import client_of
from exams.services import create_session
from monitoring import presence, services
from monitoring.models import SessionMonitor, SuspiciousActivity
from monitoring.tests.factories import START, make_candidate, make_exam, make_session, make_user
from monitoring.tests.live import Live

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _own_queue(no_worker):
    """Nothing waits but what a test puts there."""


def row():
    return SessionMonitor.objects.get()


def test_a_client_is_there_for_15_seconds_after_its_last_sign():
    live = Live()
    assert not presence.is_connected(row(), now=live.time(0))
    live.live(0)
    there = {at: presence.is_connected(row(), now=live.time(at)) for at in (0, 15, 15.1)}
    assert there == {0: True, 15: True, 15.1: False}


def test_a_client_is_gone_when_its_connection_closes_and_back_with_its_next_sign():
    live = Live()
    live.live(0)
    presence.gone(live.session.pk, now=live.time(1))
    assert not presence.is_connected(row(), now=live.time(1))
    live.live(2)
    assert presence.is_connected(row(), now=live.time(2))


def test_many_signs_cost_a_query_and_an_update_now_and_then(django_assert_num_queries):
    live = Live()
    live.live(-50, -40, -30, -20, -10)
    with django_assert_num_queries(2):
        live.live(0, 0.5, 1, 3.9)
    with django_assert_num_queries(2):
        live.live(4)
    assert row().last_seen_at == live.time(4)


@pytest.mark.parametrize("count", [2, 30])
def test_a_hall_costs_as_much_as_two(count):
    """Whoever comes, whoever is there, and what came in from them is each noted for all together."""
    sessions = [make_session().pk for _ in range(count)]
    with CaptureQueriesContext(connection) as came:
        presence.seen(*sessions, now=START)
    with CaptureQueriesContext(connection) as there:
        presence.seen(*sessions, now=START + timedelta(seconds=8))
    with CaptureQueriesContext(connection) as counted:
        services.count_received(counts=dict.fromkeys(sessions, 5))
    assert (len(came), len(there), len(counted)) == (6, 5, 4)
    rows = SessionMonitor.objects.values_list("last_seen_at", "gone_at", "frames_total")
    assert set(rows) == {(START + timedelta(seconds=8), None, 5)}


def test_who_comes_back_ends_their_own_gap_and_nobody_elses():
    here, away, new = (make_session().pk for _ in range(3))
    presence.seen(here, away, now=START)
    presence.seen(here, now=START + timedelta(seconds=30))
    presence.watch_silence(now=START + timedelta(seconds=31))
    presence.seen(here, away, new, now=START + timedelta(seconds=40))
    gaps = SuspiciousActivity.objects.filter(kind="NETWORK_GAP").values_list("session", "started_at", "ended_at")
    assert sorted(gaps, key=str) == sorted(
        [
            (here, START, START + timedelta(seconds=30)),
            (away, START, START + timedelta(seconds=40)),
        ],
        key=str,
    )
    assert set(SessionMonitor.objects.values_list("last_seen_at", flat=True)) == {START + timedelta(seconds=40)}


def test_a_sign_before_the_beginning_or_after_the_end_changes_nothing():
    session = create_session(exam=make_exam(), candidate=make_candidate())
    presence.seen(session.pk)
    assert not SessionMonitor.objects.exists()
    live = Live()
    SessionMonitor.objects.update(finished_at=live.time(0))
    live.live(5)
    assert row().last_seen_at is None


@pytest.mark.parametrize(
    ("method", "what"),
    [
        ("post", "/events"),
        ("post", "/frames"),
        ("post", "/audio"),
        ("post", "/ticket"),
        ("get", ""),
        ("get", "/summary"),
    ],
)
def test_what_the_candidate_does_is_a_sign_of_life_and_looking_is_none(method, what):
    live = Live()
    getattr(client_of(live.session.candidate.user), method)(f"/api/v1/sessions/{live.session.pk}{what}")
    assert presence.is_connected(row()) == (method == "post")


def test_calls_by_staff_are_none():
    live = Live()
    answer = client_of(live.session.exam.owner).post(f"/api/v1/sessions/{live.session.pk}/pause", {})
    assert answer.status_code == 200
    assert client_of(make_user()).post(f"/api/v1/sessions/{live.session.pk}/pause", {}).status_code == 404
    assert row().last_seen_at is None
