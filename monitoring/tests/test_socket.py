"""The candidate's socket on a real server: who gets in, what is taken, what is answered, and when it closes."""

import base64
import json
import time
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from monitoring.tests.sockets import SWITCH_OFF, Sitting, SocketServer, status_of
from monitoring.tests.test_server import wait_until

pytestmark = pytest.mark.slow
WEEK_S = 7 * 24 * 3600


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = SocketServer(tmp_path_factory.mktemp("server"))
    try:
        server.begin()
        yield server
    finally:
        server.remove()


@pytest.fixture
def sitting(server):
    return Sitting(server)


# --- who gets in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/ws/proctoring/{}/", "/ws/proctoring/{}", "/ws/{}", "/ws/{}/", "/api/v1/proctoring/ws/{}"],
)
def test_it_greets_at_every_address(sitting, path):
    with sitting.socket(path=path) as client:
        hello = client.next("hello")
    assert (hello["session"], hello["status"]) == (sitting.id, "active")
    assert hello["resume_from"] == {"frame": 0, "audio": 0, "event": 0}
    assert hello["policy"]["fps"] == 1.0
    assert 3000 < hello["left_s"] <= 3300
    assert abs(hello["time"] / 1000 - time.time()) < 30


def test_it_takes_a_token_as_a_subprotocol_and_a_ticket_once(sitting):
    with sitting.socket("", subprotocols=["bearer", sitting.token]) as client:
        assert client.next("hello")["session"] == sitting.id
        assert client.socket.subprotocol == "bearer"
    with sitting.socket(f"?ticket={sitting.tickets[0]}") as client:
        assert client.next("hello")["session"] == sitting.id
    with sitting.socket(f"?ticket={sitting.tickets[0]}") as client:
        messages, code, reason = client.rest()
    assert ([message["code"] for message in messages], code) == (["not_authenticated"], 4401)
    assert "ticket" in reason


@pytest.mark.parametrize("query", ["", "?token=", "?token=nonsense", "?ticket=nonsense", "?token=a.b.c&ticket="])
def test_it_closes_to_who_shows_nothing_good(sitting, query):
    with sitting.socket(query) as client:
        assert client.rest()[1] == 4401


def test_it_closes_to_a_stranger_and_to_who_asks_for_what_is_not(sitting, server):
    stranger = Sitting(server)
    with sitting.socket(f"?token={stranger.token}") as client:
        messages, code, _reason = client.rest()
    assert (messages[0]["code"], code) == ("permission_denied", 4403)
    with sitting.socket(f"?ticket={stranger.tickets[0]}") as client:
        assert client.rest()[1] == 4401
    with sitting.socket(path="/ws/00000000-0000-4000-8000-000000000000") as client:
        assert client.rest()[1] == 4404
    assert status_of(sitting.socket(path="/ws/nothing/{}/there")) == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://localhost.evil.example", "http://localhost:99999", "//"]
)
def test_it_refuses_a_page_of_a_foreign_site_whatever_it_shows(sitting, origin):
    assert status_of(sitting.socket(origin=origin)) in (400, 403)  # 400 for what is no origin at all


@pytest.mark.parametrize("origin", ["http://localhost:8000", "http://127.0.0.1", "http://localhost:3000"])
def test_it_lets_in_pages_of_its_own_and_of_allowed_sites(sitting, origin):
    assert status_of(sitting.socket(origin=origin))["session"] == sitting.id


def test_it_closes_when_the_session_ends_and_stays_closed(sitting):
    with sitting.socket() as client:
        client.next("hello")
        sitting.call("end")
        _messages, code, reason = client.rest()
    assert code == 4410
    assert reason
    with sitting.socket() as client:
        assert client.rest()[1] == 4410


def test_it_notices_by_itself_that_a_session_ended_and_that_an_account_was_switched_off(server):
    one, other = Sitting(server), Sitting(server)
    with one.socket() as first, other.socket() as second:
        first.next("hello")
        second.next("hello")
        one.move("terminated")  # in another process, whose channel layer reaches nobody here
        server.python(SWITCH_OFF, other.id)
        assert first.rest()[1] == 4410
        assert second.rest()[1] == 4403


def test_a_newer_socket_takes_over_and_the_older_is_told_why(sitting, server):
    with sitting.socket() as older:
        older.next("hello")
        with sitting.socket() as newer:
            newer.next("hello")
            messages, code, reason = older.rest()
            assert (messages[-1]["code"], code) == ("taken_over", 4409)
            assert "somewhere else" in reason
            newer.picture(1, server.picture)
            assert newer.answer() == {"type": "ack", "stream": "frame", "seq": 1}


# --- what is taken ----------------------------------------------------------------------------------------------------


def test_it_stores_pictures_in_every_way_to_send_them_and_has_them_examined(sitting, server):
    encoded = base64.b64encode(server.picture).decode()
    now = int(time.time() * 1000)
    with sitting.socket() as client:
        client.next("hello")
        client.picture(0, server.picture)
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 0}
        client.send(type="frame", seq=1, captured_at=now, data=encoded)
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 1}
        client.send(type="frame", seq=2, captured_at=now, data=f"data:image/jpeg;base64,{encoded}")
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 2}
        client.socket.send(server.picture)
        client.socket.send(server.picture)
        bare = [client.answer()["seq"] for _ in range(2)]
    assert bare[1] > bare[0] > 10**15
    wait_until(lambda: sitting.examined() == [("frame", seq) for seq in (0, 1, 2, *bare)])


@pytest.mark.parametrize("rate", [0, 16_000, 48_000])
def test_it_takes_raw_samples_as_sound(sitting, rate):
    with sitting.socket() as client:
        client.next("hello")
        client.picture(3, b"\x01\x02" * 16_000, stream=1, rate=rate)
        assert client.answer() == {"type": "ack", "stream": "audio", "seq": 3}
    wait_until(lambda: sitting.examined() == [("audio", 3)])


def test_it_writes_down_events_once_and_tells_what_it_logged(sitting):
    with sitting.socket() as client:
        client.next("hello")
        for _ in range(2):
            client.send(
                type="event", seq=7, event="tabSwitch", captured_at=time.time() * 1000, detail={"duration_s": 4}
            )
            assert client.next("ack") == {"type": "ack", "stream": "event", "seq": 7}
    rows = sitting.server.ask("SELECT event_type, seq FROM monitoring_monitoringlog WHERE seq = 7")
    assert rows == [("TAB_SWITCH", 7)]


def test_it_takes_in_order_what_was_captured_offline_and_says_where_to_go_on(sitting, server):
    with sitting.socket() as client:
        client.next("hello")
        client.picture(5, server.picture)
        client.answer()
    before = time.time() - 60
    with sitting.socket() as client:
        assert client.next("hello")["resume_from"]["frame"] == 6
        for seq in range(3):
            client.picture(seq, server.picture, at=before + seq)
            assert client.answer() == {"type": "ack", "stream": "frame", "seq": seq}
    wait_until(lambda: sitting.examined() == [("frame", seq) for seq in (0, 1, 2, 5)])
    with sitting.socket() as client:
        client.next("hello")
        client.send(type="hello", last_acked={"frame": 0, "audio": "x"})
        acks = [client.next("ack")["seq"] for _ in range(3)]
        assert acks == [1, 2, 5]
        assert client.next("hello")["resume_from"]["frame"] == 6
        client.picture(2, server.picture)
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 2}
    assert len(sitting.examined()) == 4


def test_it_refuses_pictures_during_a_pause_and_takes_them_after_it(sitting, server):
    with sitting.socket() as client:
        client.next("hello")
        sitting.move("paused")
        assert client.next("status")["session"] == "paused"
        client.picture(1, server.picture)
        refused = client.answer()
        assert (refused["code"], refused["stream"], refused["seq"]) == ("wrong_state", "frame", 1)
        sitting.move("active")
        assert client.next("status")["session"] == "active"
        client.picture(1, server.picture)
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 1}


# --- what is wrong ----------------------------------------------------------------------------------------------------

BAD_TEXTS = {
    "no JSON": ("{", "bad_json"),
    "a list": ("[]", "bad_message"),
    "deep": ("[" * 8_000, "bad_json"),
    "no type": ("{}", "bad_message"),
    "unknown type": ('{"type": "dance"}', "unknown_type"),
    "no data": ('{"type": "frame"}', "bad_field"),
    "no base64": ('{"type": "frame", "seq": 1, "data": "%%%"}', "bad_field"),
    "NaN": ('{"type": "frame", "seq": NaN, "data": ""}', "bad_json"),
    "a number as text": ('{"type": "frame", "seq": "1", "data": ""}', "bad_field"),
    "a bad time": ('{"type": "frame", "seq": 1, "captured_at": "soon", "data": ""}', "bad_field"),
    "null character": ('{"type": "event", "event": "COPY", "detail": {"a": "\\u0000"}}', "bad_field"),
    "half a character": ('{"type": "event", "event": "COPY", "detail": {"a": "\\ud800"}}', "bad_field"),
    "a large detail": (
        json.dumps({"type": "event", "event": "COPY", "detail": {"a": "x" * 9000}}),
        "bad_field",
    ),
    "a bad grade": ('{"type": "event", "event": "COPY", "severity": 9}', "bad_field"),
    "no name": ('{"type": "event", "event": "<b>"}', "bad_field"),
}


@pytest.mark.parametrize(("text", "code"), BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_it_answers_a_bad_text_and_goes_on(sitting, text, code):
    with sitting.socket() as client:
        client.next("hello")
        client.socket.send(text)
        answer = client.answer()
        assert (answer["type"], answer["code"]) == ("error", code)
        assert answer["detail"]
        client.send(type="ping")
        assert abs(client.next("pong")["time"] / 1000 - time.time()) < 30


def test_it_answers_bad_pictures_and_goes_on(sitting, server):
    with sitting.socket() as client:
        client.next("hello")
        for data, code in [
            (b"", "bad_header"),
            (b"nothing", "bad_header"),
            (b"\x02" + bytes(40), "bad_header"),
            (b"\x01\x07" + bytes(40), "bad_header"),
            (b"\xff\xd8", "damaged_picture"),
        ]:
            client.socket.send(data)
            assert client.answer()["code"] in (code, "unsupported_picture"), data
        client.picture(4, b"no picture")
        refused = client.answer()
        assert (refused["code"], refused["stream"], refused["seq"]) == ("unsupported_picture", "frame", 4)
        for seq, at, code in [
            (2**60, None, "bad_seq"),
            (1, 1.0, "bad_captured_at"),
            (1, time.time() + WEEK_S, "bad_captured_at"),
        ]:
            client.picture(seq, server.picture, at=at)
            assert client.answer()["code"] == code
        client.picture(4, server.picture)
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 4}


def test_it_closes_to_a_message_that_is_far_too_large(sitting):
    with sitting.socket() as client:
        client.next("hello")
        with suppress(ConnectionClosed):  # it may be closed while we send
            client.socket.send(bytes(13 * 1024**2))
        with pytest.raises(ConnectionClosed):
            client.next("pong")
    with sitting.socket() as client:
        client.next("hello")
        client.socket.send(b"\xff\xd8" + bytes(9 * 1024**2))  # too large for a picture, but answered
        assert client.answer()["code"] == "too_large"


def test_it_speaks_the_language_of_the_browser(sitting):
    with sitting.socket(additional_headers={"Accept-Language": "bn-BD,bn;q=0.9"}) as client:
        client.next("hello")
        client.picture(4, b"no picture")
        assert any("\u0980" <= letter <= "\u09ff" for letter in client.answer()["detail"])


def test_it_refuses_what_comes_too_fast_and_closes_when_that_goes_on(sitting, server):
    small = server.picture
    with sitting.socket() as client:
        client.next("hello")
        for seq in range(100):
            client.picture(seq, small)
        answers = [client.answer() for _ in range(100)]
        refused = [answer for answer in answers if answer["type"] == "error"]
        assert {answer["code"] for answer in refused} == {"too_fast"}
        assert 0 < len(refused) <= 40
        assert sorted(answer["seq"] for answer in answers) == list(range(100))
        taken = sorted(answer["seq"] for answer in answers if answer["type"] == "ack")
    wait_until(lambda: [seq for _stream, seq in sitting.examined()] == taken)


def test_no_token_and_no_ticket_is_in_the_log(sitting, server):
    with sitting.socket(f"?ticket={sitting.tickets[1]}") as client:
        client.next("hello")
    with sitting.socket() as client:
        client.next("hello")
    assert status_of(sitting.socket(origin="https://evil.example")) == 403
    status_of(sitting.socket(path="/ws/nothing/{}/there"))
    sitting.call("ticket?token=secret-of-mine")
    for address in (f"/ws/proctoring/{sitting.id}/", f"/sessions/{sitting.id}/ticket"):
        wait_until(lambda address=address: address in server.log())
    log = server.log()
    for secret in (sitting.token, sitting.token.rpartition(".")[2], *sitting.tickets, "secret-of-mine"):
        assert secret not in log
