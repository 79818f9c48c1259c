"""A real daphne takes bodies up to a size and for a time; what is over is neither kept nor waited for."""

import http.client
import json
import socket
import time
from pathlib import Path

import pytest

from monitoring.tests.test_server import ROOT, Server, wait_until
from proctoring.sockets import STRANGERS_BYTES, largest_body, refusal

WITHIN_S = 3
# The same server in a hurry: a minute is long in a test.
HASTY = f"""
import sys
import proctoring.asgi
from daphne.cli import CommandLineInterface
from proctoring import sockets
sockets.COMPLETE_WITHIN_S = {WITHIN_S}.0
CommandLineInterface().run(sys.argv[1:])
"""
LOGIN = "/api/v1/auth/login"
KNOWN = {"Authorization": "Bearer x"}
MEGABYTE = 1024**2

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    (folder / "hasty.py").write_text(HASTY)
    made = Server(folder)
    made.environ |= {
        "EMBEDDED_WORKER": "0",
        "PYTHONPATH": f"{ROOT}:{folder}",
        "ALLOWED_ORIGINS": "https://desk.example",
    }
    made.python(
        "import django; django.setup(); from django.core.management import call_command as c; c('migrate', verbosity=0)"
    )
    made.run("hasty", "-p", str(made.port), "proctoring.asgi:application")
    wait_until(lambda: ask(made, "/health")[0] == 200)
    yield made
    made.remove()


def ask(server, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    method = "GET" if body is None else "POST"
    connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
    answer = connection.getresponse()
    return answer.status, answer.read()


def begin(server, path=LOGIN, length=1000, *lines):
    """Open a connection and send the head of a request, whose body is still to come."""
    opened = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines]
    if length is not None:
        head.append(f"Content-Length: {length}")
    opened.sendall("\r\n".join([*head, "", ""]).encode())
    return opened


def all_of(opened):
    received = b""
    while piece := opened.recv(65536):
        received += piece
    return received


def unfinished_files(server):
    """How many bytes of bodies the server keeps in files that have no name any more."""
    sizes = []
    for link in Path(f"/proc/{server.processes[0].pid}/fd").iterdir():
        try:
            if "(deleted)" in str(link.readlink()):
                sizes.append(link.stat().st_size)
        except FileNotFoundError:
            continue
    return sum(sizes)


def test_a_body_that_is_announced_as_too_large_is_refused_before_it_comes(server):
    with begin(server, LOGIN, 900_000_000_000, "Accept-Language: bn", "Origin: https://desk.example") as opened:
        opened.settimeout(2)
        head, _, body = opened.recv(65536).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"Access-Control-Allow-Origin: https://desk.example" in head
        told = json.loads(body)
        assert (told["type"], told["code"]) == ("too_large", "too_large")
        assert told["detail"] == "এটি একবারে গ্রহণযোগ্য আকারের চেয়ে বড়।"


def send_on(opened, seconds, piece, check):
    """Send pieces until the server ends it; returns after how many seconds it did."""
    began = time.monotonic()
    opened.settimeout(0.2)
    while time.monotonic() < began + seconds:
        check()
        try:
            opened.sendall(piece)
            if opened.recv(100) == b"":
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - began


def test_who_sends_on_is_cut_off_and_nothing_of_it_is_kept(server):
    def nothing_is_kept():
        assert unfinished_files(server) < MEGABYTE

    with begin(server, LOGIN, 900_000_000_000) as opened:
        assert send_on(opened, 20, bytes(MEGABYTE), nothing_is_kept) < 15


def test_the_refusal_reaches_who_sends_all_before_they_read(server):
    with begin(server, LOGIN, 8 * MEGABYTE) as opened:
        opened.sendall(bytes(4 * MEGABYTE))
        assert unfinished_files(server) == 0
    status, body = ask(server, LOGIN, bytes(8 * MEGABYTE))
    assert (status, json.loads(body)["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("path", "headers", "size", "is_taken"),
    [
        (LOGIN, {}, STRANGERS_BYTES - 10, True),
        (LOGIN, {}, STRANGERS_BYTES + 10, False),
        (LOGIN, KNOWN, 5 * MEGABYTE, True),
        (LOGIN, {"Cookie": "sessionid=x"}, 5 * MEGABYTE, True),
        (LOGIN, KNOWN, 20 * MEGABYTE, True),
        (LOGIN, KNOWN, 20 * MEGABYTE + 1, False),
        ("/api/v1/auth/login/face", {}, 5 * MEGABYTE, True),
        ("/api/v1/auth/register?x=1", {}, 5 * MEGABYTE, True),
        ("/admin/login/", {}, 21 * MEGABYTE, False),
    ],
)
def test_as_much_is_taken_as_any_call_needs(server, path, headers, size, is_taken):
    answered, _body = ask(server, path, b"x" * size, headers)
    assert answered < 500 and (answered != 413) == is_taken


def test_chunks_are_counted_as_they_come(server):
    with begin(server, LOGIN, None, "Transfer-Encoding: chunked") as opened:
        piece = b"10000\r\n" + bytes(65536) + b"\r\n"
        for _ in range(STRANGERS_BYTES // 65536 + 2):
            opened.sendall(piece)
        assert opened.recv(65536).startswith(b"HTTP/1.1 413 ")
        assert unfinished_files(server) == 0


def test_a_few_chunks_are_refused_by_the_interface_as_ever(server):
    with begin(server, LOGIN, None, "Transfer-Encoding: chunked", "Connection: close") as opened:
        opened.sendall(b"2\r\n{}\r\n0\r\n\r\n")
        assert b"length_required" in all_of(opened)


def test_nobody_who_waits_to_be_asked_is_asked_for_too_much(server):
    with begin(server, LOGIN, 2 * MEGABYTE, "Expect: 100-continue") as opened:
        opened.settimeout(2)
        assert opened.recv(65536).startswith(b"HTTP/1.1 413 ")
    with begin(server, LOGIN, 2, "Expect: 100-continue", "Connection: close") as opened:
        assert opened.recv(100).startswith(b"HTTP/1.1 100 ")
        opened.sendall(b"{}")
        assert b" 400 " in all_of(opened)


@pytest.mark.parametrize("part", ["head", "body"])
def test_what_trickles_in_is_ended(server, part):
    with begin(server) if part == "body" else socket.create_connection(("127.0.0.1", server.port)) as opened:
        if part == "head":
            opened.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert WITHIN_S - 1 < send_on(opened, 3 * WITHIN_S, b"x", lambda: None) < 2 * WITHIN_S


def test_a_body_that_takes_its_time_but_comes_is_answered_and_the_line_stays_open(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for _ in range(2):
        connection.putrequest("POST", LOGIN)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "2")
        connection.endheaders()
        time.sleep(WITHIN_S * 0.6)
        connection.send(b"{}")
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (400, "invalid")


def test_forms_are_not_read_twice(server):
    """Twisted's own reading of a form of so many fields held everybody up for seconds."""
    with begin(server, LOGIN, STRANGERS_BYTES - 1, "Content-Type: application/x-www-form-urlencoded") as opened:
        opened.sendall((b"a=1&" * STRANGERS_BYTES)[: STRANGERS_BYTES - 1])
        began = time.monotonic()
        assert ask(server, "/health")[0] == 200
        assert time.monotonic() - began < 1


def test_how_much_a_path_may_bring(settings):
    settings.MAX_REQUEST_BYTES = 7 * MEGABYTE
    assert largest_body(b"/api/v1/auth/login", is_known=False) == MEGABYTE
    assert largest_body(b"/api/v1/auth/login/face?x", is_known=False) == 7 * MEGABYTE
    assert largest_body(b"/api/v1/?/api/v1/auth/login/face", is_known=False) == MEGABYTE
    assert largest_body(b"/api/v1/auth/login", is_known=True) == 7 * MEGABYTE
    assert largest_body(b"/admin/\xff", is_known=False) == 7 * MEGABYTE


def test_the_refusal_says_nothing_of_origins_that_may_not_read_it(settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://desk.example"]
    assert b"Access-Control" not in refusal("", "https://elsewhere.example\r\nX: y")
