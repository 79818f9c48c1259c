"""Whatever happens to server, worker, storage, line or client: what was acknowledged is examined, and it goes on.

Each test runs in both shapes, as real processes on servers of their own. "Examined" allows for what a full queue
thinned out, which is counted.
"""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

import pytest
from websockets.exceptions import ConnectionClosed

from monitoring.tests.faults import (
    GOES_ON_S,
    QUEUE_LENGTH,
    FullShape,
    Line,
    Shape,
    Streamer,
    ZeroServices,
    reckon,
    running,
)
from monitoring.tests.poison import QUIET_S
from monitoring.tests.test_server import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.faults]
HOUR_S = 3600.0
SHORT_TOKEN = """
import django, sys; django.setup()
from datetime import timedelta
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken
from accounts.models import User
user = User.objects.get(candidate__sessions=sys.argv[1])
short = AccessToken.for_user(user)
short.set_exp(lifetime=timedelta(seconds=3))
print(short, RefreshToken.for_user(user))
"""


@pytest.fixture(scope="module", params=[ZeroServices, FullShape], ids=["without services", "PostgreSQL and Redis"])
def deployment(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp("shape")) as shape:
        yield shape


@pytest.fixture
def shape(deployment):
    """All is well when a test begins, whatever the one before did."""
    before = len(deployment.log())
    deployment.begin()
    yield deployment
    print(deployment.log()[before:][-8000:])  # noqa: T201  shown when the test fails


@pytest.fixture
def sitting(shape):
    return shape.sit()


# --- parts that die ---------------------------------------------------------------------------------------------------


def kill_server(shape: Shape, _candidate: Streamer) -> None:
    shape.kill_part("server")
    shape.start_part("server")


def kill_worker(shape: Shape, _candidate: Streamer) -> None:
    shape.kill_part("worker")
    shape.start_part("worker")


def kill_beat(shape: Shape, _candidate: Streamer) -> None:
    shape.kill_part("beat")
    shape.start_part("beat")


def kill_all(shape: Shape, _candidate: Streamer) -> None:
    for part in list(shape.parts):
        shape.kill_part(part)
    for part in shape.PARTS:
        shape.start_part(part)


def kill_redis(shape: Shape, candidate: Streamer) -> None:
    shape.redis.kill()
    try:
        wait_until(lambda: candidate.refusals or candidate.breaks, 30)  # the client has felt it
    finally:
        shape.redis.start()


def crash_postgres(shape: Shape, candidate: Streamer) -> None:
    shape.postgres.kill()
    try:
        with candidate.sitting.socket() as another:
            assert another.rest()[1] == 4503
        candidate.wait_for(20)  # storing a picture asks no database
    finally:
        shape.postgres.start()
    assert [answer_to(candidate.sitting, "")[0] for _ in range(8)] == [200] * 8


def fill_storage(shape: Shape, candidate: Streamer) -> None:
    with shape.full_storage():
        wait_until(lambda: "storage_unavailable" in candidate.refusals, 30)
        time.sleep(3)  # the worker gets done with what it has in hand, and cannot say so


FAULTS = {
    "the server is killed": kill_server,
    "the worker is killed": kill_worker,
    "the beat is killed": kill_beat,
    "all is killed": kill_all,
    "Redis is killed": kill_redis,
    "PostgreSQL crashes": crash_postgres,
    "the storage is full": fill_storage,
}
ONLY_FULL = {kill_worker, kill_beat, kill_all, kill_redis, crash_postgres}
BREAKS_THE_LINE = {kill_server, kill_all}


@pytest.mark.parametrize("happen", FAULTS.values(), ids=FAULTS.keys())
def test_what_was_acknowledged_is_examined_and_the_session_goes_on(shape, sitting, happen):
    if happen in ONLY_FULL and isinstance(shape, ZeroServices):
        pytest.skip("there is no such part in this shape")
    with Streamer(sitting, shape.picture) as candidate:
        candidate.wait_for(20)
        wait_until(sitting.examined)
        happen(shape, candidate)
        over_at = time.monotonic()
        candidate.wait_for(10, GOES_ON_S)
        went_on_s = time.monotonic() - over_at
        acked = candidate.finish()
    reckon(shape, sitting, acked, candidate.heard)
    all_s = time.monotonic() - over_at
    print(f"{went_on_s:.1f} s until pictures were taken, {all_s:.1f} s until all was examined")  # noqa: T201
    assert len(acked) >= 30
    assert len(candidate.heard) >= 3
    assert bool(candidate.breaks) == (happen in BREAKS_THE_LINE)


def test_a_full_queue_is_thinned_out_and_outlives_the_server_and_what_went_is_counted(shape, sitting):
    with shape.without_worker():
        with Streamer(sitting, shape.picture, per_s=100.0) as candidate:
            candidate.wait_for(3 * QUEUE_LENGTH)
            shape.kill_part("server")
            shape.start_part("server")
            candidate.wait_for(2 * QUEUE_LENGTH)
            acked = candidate.finish()
        heard = candidate.heard
        wait_until(lambda: shape.monitor(sitting)["frames_skipped"] >= len(acked) - QUEUE_LENGTH - 4, GOES_ON_S)
        assert sitting.examined() == []
        with sitting.socket() as client:
            # Numbers that wait are taken too, so that a client that lost count doubles none of them.
            assert client.next("hello")["resume_from"]["frame"] == max(acked) + 1
            client.picture(max(acked), shape.picture)
            assert client.answer()["seq"] == max(acked)
    reckon(shape, sitting, acked, heard)
    assert len(sitting.examined()) <= QUEUE_LENGTH + len(heard) + 4


def test_a_model_that_fails_over_a_picture_costs_that_picture_alone(shape, sitting):
    pictures = [shape.picture, shape.poison["all"], shape.picture, shape.poison["sense"], shape.picture]
    with sitting.socket() as client:
        client.next("hello")
        for seq, picture in enumerate(pictures):
            client.picture(seq, picture)
        assert {client.answer()["seq"] for _ in pictures} == set(range(5))
    wait_until(lambda: len(sitting.examined()) == 5)
    counted = shape.monitor(sitting)
    assert (counted["frames_analysed"], counted["frames_unusable"], counted["frames_skipped"]) == (4, 1, 0)
    rows = shape.ask("SELECT session_id, seq, usable, facts FROM monitoring_observation WHERE stream = 'frame'")
    seen = {seq: (usable, _json(facts).get("faces")) for pk, seq, usable, facts in rows if sitting.is_mine(pk)}
    assert {seq: len(faces) for seq, (_usable, faces) in seen.items() if faces} == {0: 2, 2: 2, 4: 2}
    assert not seen[1][0]  # nothing is known of it
    assert seen[3] == (True, None)  # it was seen, but for that sense
    assert shape.log().count("a model fell over") >= 2


def _json(value):
    return json.loads(value) if isinstance(value, str) else value


def test_calls_are_answered_while_redis_is_away(shape, sitting):
    if isinstance(shape, ZeroServices):
        pytest.skip("there is no such part in this shape")
    shape.redis.kill()
    try:
        assert answer_to(sitting, "") == (200, None)
        assert answer_to(sitting, "events", json.dumps({"event_type": "PASTE", "seq": 1}).encode()) == (201, None)
        assert answer_to(sitting, "frames?seq=0", shape.picture, "image/jpeg") == (503, "storage_unavailable")
        with sitting.socket() as client:
            messages, code, _reason = client.rest()
            assert ([message["code"] for message in messages], code) == (["storage_unavailable"], 4503)
    finally:
        shape.redis.start()
    # Nobody pays for connections that were open when it died.
    assert answer_to(sitting, "frames?seq=0", shape.picture, "image/jpeg") == (202, None)
    for _ in range(3):
        with sitting.socket() as client:
            client.next("hello")
    reckon(shape, sitting, {0}, thinned=0)


def answer_to(sitting, what, data=None, media_type="application/json"):
    """Return status and code of the answer to a call."""
    address = f"http://127.0.0.1:{sitting.server.port}/api/v1/sessions/{sitting.id}/{what}".rstrip("/")
    headers = {"Authorization": f"Bearer {sitting.token}", "Content-Type": media_type}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=30) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["code"]


def test_what_the_store_lost_is_counted_as_lost_once_the_session_is_over(shape, sitting):
    with shape.without_worker():
        with Streamer(sitting, shape.picture) as candidate:
            candidate.wait_for(30)
            acked = candidate.finish()
        wait_until(lambda: shape.monitor(sitting)["frames_total"] >= len(acked), GOES_ON_S)
        shape.lose_what_waits()
        with sitting.socket() as client:  # and it goes on
            client.next("hello")
            client.picture(max(acked) + 1, shape.picture)
            assert client.answer()["seq"] == max(acked) + 1
        wait_until(lambda: shape.monitor(sitting)["frames_total"] > len(acked), GOES_ON_S)
    wait_until(lambda: ("frame", max(acked) + 1) in sitting.examined())
    sitting.move("terminated")
    wait_until(lambda: shape.monitor(sitting)["frames_lost"], 60)
    assert shape.monitor(sitting)["frames_lost"] == len(acked)


# --- lines that die ---------------------------------------------------------------------------------------------------


def test_a_line_that_died_quietly_is_noticed_and_is_in_nobodys_way(shape, sitting):
    other, silent = shape.sit(), shape.sit()
    with ExitStack() as stack:
        line = stack.enter_context(Line(shape.port))
        for one in (sitting, other):
            client = stack.enter_context(one.socket(port=line.port, ping_interval=None, close_timeout=0.1))
            client.next("hello")
            client.picture(0, shape.picture)
            assert client.answer()["seq"] == 0
        nobody = stack.enter_context(silent.socket(ping_interval=None))  # whose line lives, and answers by itself
        line.die()
        died_at = time.monotonic()
        with sitting.socket() as client:  # the one comes back at once, while the server believes in the old line
            assert client.next("hello", GOES_ON_S)["resume_from"]["frame"] == 1
            client.picture(1, shape.picture)
            assert client.answer(GOES_ON_S)["seq"] == 1
            wait_until(lambda: is_gone(shape, other), QUIET_S - 1)
            assert time.monotonic() - died_at > 5  # it was given some time to answer
            assert not is_gone(shape, sitting)
            assert not is_gone(shape, silent)
            assert nobody.rest(QUIET_S)[1] == 4408
            wait_until(lambda: is_gone(shape, silent))
    reckon(shape, sitting, {0, 1}, thinned=0)


def is_gone(shape, sitting):
    """Say whether the server knows that nobody is at the other end."""
    rows = shape.ask("SELECT session_id, gone_at FROM monitoring_sessionmonitor")
    return next(gone_at is not None for pk, gone_at in rows if sitting.is_mine(pk))


def test_a_client_that_reads_nothing_holds_up_nobody_and_finds_all_its_answers(shape, sitting):
    other = shape.sit()
    with sitting.socket(max_queue=1, close_timeout=0.5) as slow, other.socket() as client:
        slow.next("hello")
        client.next("hello")
        for seq in range(150):
            slow.picture(seq, shape.picture)
        client.picture(0, shape.picture)
        assert client.answer(GOES_ON_S)["seq"] == 0
        wait_until(lambda: len(sitting.examined()) + shape.monitor(sitting)["frames_skipped"] >= 150)
        answers = [slow.answer() for _ in range(150)]
    assert sorted(answer["seq"] for answer in answers) == list(range(150))
    reckon(shape, sitting, set(range(150)))


# --- clients that are wrong -------------------------------------------------------------------------------------------


def test_numbers_that_come_twice_late_or_again_are_taken_once(shape, sitting):
    numbers = [*range(30), *range(0, 30, 2)]
    random.Random(4).shuffle(numbers)
    began = time.time() - 60
    for _ in range(2):  # as it comes, and all of it again after the line broke
        with sitting.socket() as client:
            client.next("hello")
            for seq in numbers:
                client.picture(seq, shape.picture, at=began + seq)
            assert sorted(client.answer()["seq"] for _ in numbers) == sorted(numbers)
        wait_until(lambda: len(sitting.examined()) >= 30)
    reckon(shape, sitting, set(range(30)), thinned=0)
    assert sitting.examined() == [("frame", seq) for seq in range(30)]
    assert shape.monitor(sitting)["frames_analysed"] == 30


@pytest.mark.parametrize("wrong_s", [-5 * HOUR_S, 5 * HOUR_S], ids=["slow", "fast"])
def test_a_clock_that_is_hours_off_is_refused_until_it_is_set_by_the_servers(shape, sitting, wrong_s):
    with sitting.socket() as client:
        hello = client.next("hello")
        own_clock = time.time() + wrong_s
        client.picture(0, shape.picture, at=own_clock)
        refused = client.answer()
        assert (refused["type"], refused["code"], refused["seq"]) == ("error", "bad_captured_at", 0)
        client.send(type="event", seq=0, event="TAB_SWITCH", captured_at=own_clock * 1000)
        assert client.answer() == {"type": "ack", "stream": "event", "seq": 0}
        behind_s = hello["time"] / 1000 - own_clock
        client.picture(0, shape.picture, at=time.time() + wrong_s + behind_s)
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 0}
    reckon(shape, sitting, {0}, thinned=0)
    rows = shape.ask("SELECT session_id, kind, started_at FROM monitoring_suspiciousactivity")
    [started_at] = [str(at) for pk, kind, at in rows if sitting.is_mine(pk) and kind == "TAB_SWITCH"]
    [began_at] = [at for pk, at in shape.ask("SELECT id, started_at FROM exams_examsession") if sitting.is_mine(pk)]
    # Whatever its clock says, the event happened while the session ran.
    assert str(began_at) <= started_at <= str(datetime.now(UTC))


def test_a_token_that_expires_in_the_middle_ends_nothing_but_opens_nothing_either(shape, sitting):
    short, refresh = shape.python(SHORT_TOKEN, sitting.id).split()
    with sitting.socket(f"?token={short}") as client:
        client.next("hello")
        wait_until(lambda: refused_with(sitting, short) == 401, 20)
        client.picture(0, shape.picture)  # whoever was let in stays
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 0}
    with sitting.socket(f"?token={short}") as client:
        messages, code, _reason = client.rest()
        assert ([message["code"] for message in messages], code) == (["not_authenticated"], 4401)
    renewed = sitting.renew(refresh)
    ticket = sitting.call("ticket", renewed)["ticket"]
    with sitting.socket(f"?ticket={ticket}") as client:
        assert client.next("hello", GOES_ON_S)["resume_from"]["frame"] == 1
        client.picture(1, shape.picture)
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 1}
    reckon(shape, sitting, {0, 1}, thinned=0)


def refused_with(sitting, token):
    """Return the status with which a call is refused; None if it is not."""
    try:
        sitting.call("ticket", token)
    except urllib.error.HTTPError as error:
        return error.code
    return None


def test_ten_thousand_malformed_messages_are_answered_or_closed_and_hurt_nobody_else(shape, sitting):
    neighbour = shape.sit()
    with sitting.socket() as client, neighbour.socket() as other:
        client.next("hello")
        other.next("hello")
        with suppress(ConnectionClosed):  # it is closed while we go on
            for number in range(10_000):
                client.socket.send("{" if number % 2 else b"nothing")
        messages, code, _reason = client.rest()
        assert (code, messages[-1]["code"]) == (4429, "flood")
        assert {message["code"] for message in messages} <= {"bad_json", "bad_header", "too_fast", "flood"}
        assert len(messages) < 400
        other.picture(1, shape.picture)
        assert other.answer() == {"type": "ack", "stream": "frame", "seq": 1}
        with sitting.socket() as again:
            again.next("hello")
            with suppress(ConnectionClosed):
                for _ in range(10_000):
                    again.socket.send("{")
            messages, code, _reason = again.rest()
            assert (len(messages) < 400, code) == (True, 4429)  # a new socket brings no new patience
    reckon(shape, neighbour, {1}, thinned=0)
