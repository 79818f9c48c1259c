"""News on its whole way: a real server, real sockets, and in the full shape a Redis and a worker of their own."""

import json
import os
import time
import urllib.request
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from monitoring.tests.mail_server import MailServer
from monitoring.tests.test_server import FullServer, Server, services_are_there, wait_until

PREPARE = """
import django; django.setup()
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken
from accounts.models import Role
from exams.lifecycle import move_session
from exams.models import SessionStatus
from exams.services import create_session
from monitoring.tests.factories import make_candidate, make_exam, make_user, two_men_jpeg
call_command("migrate", verbosity=0)
exam = make_exam(make_user(email="teacher@example.com"), title="Algebra", mail_when_high=True)
session = create_session(exam=exam, candidate=make_candidate(full_name="Ada"))
move_session(session=session, to=SessionStatus.ACTIVE, at=timezone.now() - timedelta(minutes=1))
people = (exam.owner, session.candidate.user, make_user(Role.TEACHER))
print(exam.pk, session.pk, *map(AccessToken.for_user, people), two_men_jpeg().hex())
"""
SOON_S = 10.0

pytestmark = pytest.mark.slow


class Hall:
    """An exam that is sat at a server of its own."""

    def __init__(self, server, mail=()):
        self.server, self.mail = server, mail
        exam, session, teacher, candidate, stranger, picture = server.python(PREPARE).split()
        self.exam, self.session, self.picture = exam, session, bytes.fromhex(picture)
        self.tokens = {"teacher": teacher, "candidate": candidate, "stranger": stranger}

    def socket(self, address, who):
        token = self.tokens.get(who)
        query = f"?token={token}" if token else ""
        return connect(f"ws://127.0.0.1:{self.server.port}/{address}/{query}", max_size=2**22)

    def wall(self, who="teacher"):
        return self.socket(f"ws/review/{self.exam}", who)

    def seat(self):
        return self.socket(f"ws/proctoring/{self.session}", "candidate")

    def post(self, what, data, who="candidate", media_type="application/json"):
        address = f"http://127.0.0.1:{self.server.port}/api/v1/sessions/{self.session}/{what}"
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": media_type}
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=30) as answer:
            return answer.status


def hear(socket, wanted, seconds=SOON_S):
    """Return the first message of which this is true; fail if none comes in time."""
    deadline = time.monotonic() + seconds
    heard = []
    while (left := deadline - time.monotonic()) > 0:
        try:
            message = json.loads(socket.recv(timeout=left))
        except TimeoutError:
            break
        heard.append(message)
        if wanted(message):
            return message
    raise AssertionError(f"not heard; only {heard}")


def of_type(*types):
    return lambda message: message["type"] in types


@contextmanager
def running(server):
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module", params=[Server, FullServer], ids=["without services", "PostgreSQL and Redis"])
def hall(request, tmp_path_factory):
    if request.param is FullServer and not services_are_there():
        pytest.skip("no PostgreSQL that lets `postgres` in, or no redis-server")
    with MailServer() as mail_server, running(request.param(tmp_path_factory.mktemp("server"))) as server:
        host, port = mail_server.address
        backend = "django.core.mail.backends.smtp.EmailBackend"
        server.environ |= {"EMAIL_BACKEND": backend, "EMAIL_HOST": host, "EMAIL_PORT": str(port)}
        hall = Hall(server, mail_server.taken)
        server.start()
        wait_until(lambda: server.health()["checks"]["workers"]["ok"])
        yield hall


def test_a_reported_event_reaches_both_sides(hall):
    with hall.wall() as wall, hall.seat() as seat:
        first = hear(wall, of_type("wall"))
        assert [(row["id"], row["candidate"]) for row in first["sessions"]] == [(hall.session, "Ada")]
        hear(seat, of_type("hello"))
        assert hall.post("events", {"event_type": "TAB_SWITCH", "seq": 1}) == 201
        told = hear(wall, of_type("activity"))
        assert (told["session"], told["activity"]["kind"]) == (hall.session, "TAB_SWITCH")
        assert hear(wall, lambda m: m["type"] == "session" and m["session"]["risk_score"] == 3.0)
        logged = hear(seat, of_type("logs"))
        assert [entry["kind"] for entry in logged["data"]] == ["TAB_SWITCH"]


def test_what_a_worker_sees_reaches_both_sides(hall):
    with hall.wall() as wall, hall.seat() as seat:
        hear(wall, of_type("wall"))
        now = time.time()
        for number in range(12):
            at = round((now - 12 + number) * 1000)
            address = f"frames?seq={100 + number}&captured_at={at}"
            assert hall.post(address, hall.picture, media_type="image/jpeg") == 202
        seen = hear(wall, lambda m: m["type"] == "activity" and m["activity"]["kind"] == "MULTIPLE_FACES", 60)
        assert seen["session"] == hall.session
        logged = hear(seat, lambda m: m["type"] == "logs" and m["data"][0]["kind"] == "MULTIPLE_FACES")
        assert logged["data"][0]["event"] == "Several faces"


def test_the_wall_shows_who_is_there(hall):
    def presence(message):
        return message["type"] == "session" and message["session"]["connected"] is wanted

    with hall.wall() as wall:
        wanted = True
        with hall.seat() as seat:
            hear(seat, of_type("hello"))
            hear(wall, presence, 10)
            wanted = False
        hear(wall, presence, 10)


def test_what_the_proctor_says_and_does_reaches_the_candidate(hall):
    with hall.wall() as wall, hall.seat() as seat:
        hear(seat, of_type("hello"))
        assert hall.post("message", {"text": "Look at the camera."}, "teacher") in (200, 201)
        assert hear(seat, of_type("message"))["text"] == "Look at the camera."
        assert hall.post("pause", {"reason": "Fire alarm."}, "teacher") == 200
        status = hear(seat, of_type("status"))
        assert (status["session"], status["reason"]) == ("paused", "Fire alarm.")
        assert hear(wall, lambda m: m["type"] == "session" and m["session"]["status"] == "paused")
        assert hall.post("resume", {}, "teacher") == 200
        assert hear(seat, lambda m: m["type"] == "status" and m["session"] == "active")


@pytest.mark.parametrize(("who", "code"), [("nobody", 4401), ("candidate", 4403), ("stranger", 4403)])
def test_the_wall_is_for_staff_of_the_exam(hall, who, code):
    with hall.wall(who) as wall:
        assert json.loads(wall.recv(timeout=5))["type"] == "error"
        with pytest.raises(ConnectionClosed) as closed:
            wall.recv(timeout=5)
    assert closed.value.rcvd.code == code


def test_the_wall_answers_what_it_understands_and_closes_on_a_flood(hall):
    with hall.wall() as wall:
        hear(wall, of_type("wall"))
        wall.send('{"type": "ping"}')
        assert abs(hear(wall, of_type("pong"))["time"] / 1000 - time.time()) < 5
        wall.send('{"type": "hello"}')
        assert hear(wall, of_type("wall"))["exam"] == hall.exam
        for bad in ("", "[]", "{", '{"type": 7}', "x" * 5000, b"\x00\x01"):
            wall.send(bad)
            assert hear(wall, of_type("error"))["code"] == "bad_message"
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  when it closes is the server's choice
            for _number in range(200):
                wall.send('{"type": "ping"}')
            for _number in range(400):
                wall.recv(timeout=5)
    assert closed.value.rcvd.code == 4429
    with hall.wall() as wall:
        assert hear(wall, of_type("wall"))


def test_a_session_that_turns_high_is_told_at_once_and_by_mail(hall):
    with hall.wall() as wall:
        hear(wall, of_type("wall"))
        kinds = ["TAB_SWITCH", "PASTE", "COPY", "PRINT", "DEVTOOLS", "SECOND_SCREEN", "RIGHT_CLICK"]
        hall.post("events", [{"event_type": kind, "seq": 50 + number} for number, kind in enumerate(kinds)])
        turned = hear(wall, lambda m: m["type"] == "session" and m.get("turned"))
        assert (turned["turned"], turned["session"]["risk_level"]) == ("High", "High")
    wait_until(lambda: hall.mail, 10)
    ((to, message),) = hall.mail
    assert (to, message["Subject"]) == ("teacher@example.com", "High risk in a session of Algebra")
    assert hall.session in message.get_payload(decode=True).decode()


def test_the_end_closes_the_candidates_socket_and_is_told_last(hall):
    """The session is over afterwards, so this stands at the end."""
    with hall.wall() as wall, hall.seat() as seat:
        hear(seat, of_type("hello"))
        assert hall.post("terminate", {"reason": "Somebody else sat there."}, "teacher") == 200
        status = hear(seat, of_type("status"))
        assert (status["session"], status["reason"]) == ("terminated", "Somebody else sat there.")
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012
            while True:
                seat.recv(timeout=5)
        assert closed.value.rcvd.code == 4410
        assert closed.value.rcvd.reason == "This session was ended by the proctor."
        assert hear(wall, lambda m: m["type"] == "session" and m["session"]["status"] == "terminated")


QUICK = """
from daphne.cli import CommandLineInterface
import django; django.setup()
from monitoring.consumers import review
review.RECHECK_S = 0.5
CommandLineInterface.entrypoint()
"""
COOKIE = """
import django, sys; django.setup()
from django.test import Client
from accounts.models import Role
from exams.models import Exam
from monitoring.tests.factories import make_user
reviewer, client = make_user(Role.REVIEWER), Client()
Exam.objects.get(pk=sys.argv[1]).reviewers.add(reviewer)
client.force_login(reviewer)
print(client.cookies["sessionid"].value)
"""
SEND_AWAY = """
import django, sys; django.setup()
from exams.models import Exam
Exam.objects.get(pk=sys.argv[1]).reviewers.clear()
"""


class QuickServer(Server):
    """Asks twice a second whether a reviewer still may look."""

    def start(self):
        (self.folder / "quick_server.py").write_text(QUICK)
        self.environ["PYTHONPATH"] += os.pathsep + str(self.folder)
        self.run("quick_server", "-p", str(self.port), "proctoring.asgi:application")


def test_a_reviewer_signed_in_to_the_admin_looks_for_as_long_as_they_may(tmp_path):
    with running(QuickServer(tmp_path)) as server:
        hall = Hall(server)
        server.start()
        wait_until(server.health)
        cookie = {"Cookie": f"sessionid={server.python(COOKIE, hall.exam)}"}
        own = Origin(f"http://127.0.0.1:{server.port}")
        address = f"ws://127.0.0.1:{server.port}/ws/review/{hall.exam}/"
        with connect(address, origin=own, additional_headers=cookie) as wall:
            for _time in range(3):
                assert hear(wall, of_type("wall"), 5)["exam"] == hall.exam
            server.python(SEND_AWAY, hall.exam)
            with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012
                while True:
                    wall.recv(timeout=5)
        assert closed.value.rcvd.code == 4403
