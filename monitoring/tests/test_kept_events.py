"""How much a candidate's side may report: a minute, and in one session."""

from datetime import timedelta
from unittest.mock import patch

import pytest
import time_machine
from django.core.cache import cache
from django.utils import timezone

from accounts.tests.client import client_of
from monitoring import kept_events
from monitoring.events import DetailError, check_detail
from monitoring.models import MonitoringLog, SuspiciousActivity
from monitoring.tests.factories import START, make_session

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()
    with time_machine.travel(START + timedelta(seconds=5), tick=False):  # within one minute of the clock
        yield


@pytest.fixture
def session():
    return make_session()


@pytest.fixture
def client(session):
    return client_of(session.candidate.user)


def send(client, session, *events):
    return client.post(f"/api/v1/sessions/{session.pk}/events", data={"events": list(events)})


def notes(count, first=0, size=1000):
    detail = {"d": "x" * size}
    return [{"event_type": "NOTE", "detail": detail, "seq": first + number} for number in range(count)]


def room_for(count, size=1000):
    """Let so many of ``notes`` fit, and half of one."""
    row = kept_events.ROW_BYTES + len('{"d": ""}') + size
    return patch.object(kept_events, "MOST_BYTES", int(row * (count + 0.5)))


def test_events_are_counted_and_not_calls(client, session):
    answers = [send(client, session, *notes(500, first=500 * call, size=1)) for call in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert answers[3].json()["code"] == "throttled"
    assert 0 < int(answers[3]["Retry-After"]) <= 60
    assert MonitoringLog.objects.count() == 1500
    other = make_session()
    assert send(client_of(other.candidate.user), other, *notes(1)).status_code == 201


def test_what_was_refused_is_not_counted(client, session):
    with patch("accounts.throttling.SteadyThrottle.THROTTLE_RATES", {"events": "10/min", "intake": "99/min"}):
        codes = [send(client, session, *notes(n, first=n * 100)).status_code for n in (8, 5, 2, 1)]
    assert codes == [201, 429, 201, 429]


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_no_more_is_kept_of_a_session_than_fits_and_the_log_says_so_once(client, session, is_forgotten):
    with room_for(3):
        assert send(client, session, *notes(3)).status_code == 201
        for first in (10, 20):
            if is_forgotten:
                cache.clear()  # as after a start of the server
            answer = send(client, session, *notes(1, first=first))
            assert (answer.status_code, answer.json()["code"]) == (413, "too_many_events")
            assert answer.json()["detail"]
    rows = MonitoringLog.objects.order_by("id").values_list("source", "event_type")
    assert list(rows) == [("browser", "NOTE")] * 3 + [("server", "NOTE")]
    assert MonitoringLog.objects.latest("id").detail == {"reason": "too_many_events"}
    assert not SuspiciousActivity.objects.exists()


def test_a_full_session_still_answers_to_what_it_has(client, session):
    with room_for(3):
        send(client, session, *notes(3))
        assert send(client, session, *notes(3)).json()["repeated"] == 3
        assert send(client, session, *notes(4)).status_code == 413
        other = make_session()
        assert send(client_of(other.candidate.user), other, *notes(3)).status_code == 201


def test_what_was_repeated_or_not_taken_takes_no_room(client, session):
    with room_for(3):
        for _ in range(5):
            assert send(client, session, *notes(2)).status_code == 201
        with (
            patch("monitoring.services.record_events", side_effect=ValueError("on purpose")),
            pytest.raises(ValueError, match="on purpose"),
        ):
            send(client, session, *notes(1, first=9))
        assert send(client, session, *notes(1, first=9)).status_code == 201
        assert send(client, session, *notes(1, first=10)).status_code == 413


def test_what_the_server_and_the_proctor_write_down_has_room_of_its_own(client, session):
    for source in ("server", "proctor"):
        MonitoringLog.objects.create(
            session=session, event_type="NOTE", source=source, detail={"d": "x" * 9000}, occurred_at=timezone.now()
        )
    with room_for(1):
        assert send(client, session, *notes(1)).status_code == 201


@pytest.mark.parametrize("detail", [{"a": [[]] * 3_000_000}, {"a": "x" * 8193}, {"x" * 8193: 1}, {"a": [[0]] * 3000}])
def test_a_large_detail_is_refused_before_it_is_walked(detail):
    with patch("monitoring.events.json.dumps", side_effect=AssertionError), pytest.raises(DetailError, match="size"):
        check_detail(detail)
