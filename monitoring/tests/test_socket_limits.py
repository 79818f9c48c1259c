"""What a socket refuses for the sake of others, and how long the right to an open one lasts, on a real server."""

import base64
import json
import os
import time
import urllib.request
from contextlib import ExitStack, suppress

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from monitoring import wire
from monitoring.consumers import reading
from monitoring.tests.sockets import Client, Sitting, SocketServer

pytestmark = pytest.mark.slow

QUICK = """
from daphne.cli import CommandLineInterface
import django; django.setup()
from monitoring.consumers import budget, review
review.RECHECK_S = 0.5
budget.FAILURES_PER_S, budget.MOST_FAILURES = 0.1, 20.0
budget.OPENINGS_PER_S = 0.1
CommandLineInterface.entrypoint()
"""
SIGN_IN = """
import django, sys; django.setup()
from accounts.models import User
from accounts.tokens import SIGN_IN, issue_tokens
from exams.models import ExamSession
from exams.tickets import issue_ticket
from rest_framework_simplejwt.tokens import AccessToken
session = ExamSession.objects.get(pk=sys.argv[1])
user = session.candidate.user
tokens = issue_tokens(user=user)
ticket = issue_ticket(session=session, user=user, sign_in=AccessToken(tokens.access)[SIGN_IN])[0]
print(tokens.access, tokens.refresh, ticket)
"""
TEACHER = """
import django, sys; django.setup()
from accounts.tokens import issue_tokens
from exams.models import ExamSession
exam = ExamSession.objects.get(pk=sys.argv[1]).exam
tokens = issue_tokens(user=exam.owner)
print(exam.pk, exam.owner.pk, tokens.access, tokens.refresh)
"""
NEW_PASSWORD = """
import django, sys; django.setup()
from accounts.models import User
user = User.objects.get(pk=sys.argv[1])
user.set_password("quite-another-password")
user.save()
"""
OWNER = """
import django, sys; django.setup()
from exams.models import ExamSession
print(ExamSession.objects.get(pk=sys.argv[1]).candidate.user_id)
"""


SECOND = """
import django, sys; django.setup()
from datetime import timedelta
from django.utils import timezone
from exams.lifecycle import move_session
from exams.models import ExamSession, SessionStatus
from exams.services import create_session
from monitoring import services
from monitoring.tests.factories import make_exam
candidate = ExamSession.objects.get(pk=sys.argv[1]).candidate
began = timezone.now() - timedelta(minutes=5)
session = create_session(exam=make_exam(), candidate=candidate, created_at=began)
session = move_session(session=session, to=SessionStatus.ACTIVE, at=began)
services.open_monitor(session=session)
print(session.pk, sys.argv[2])
"""


class QuickServer(SocketServer):
    """Asks twice a second whether a reviewer still may look, and has little patience with strangers."""

    def start(self):
        (self.folder / "quick_server.py").write_text(QUICK)
        self.environ["PYTHONPATH"] += os.pathsep + str(self.folder)
        self.run("quick_server", "-p", str(self.port), "proctoring.asgi:application")

    def post(self, path, body):
        """Make a call that needs no sign-in."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = QuickServer(tmp_path_factory.mktemp("server"))
    try:
        server.begin()
        yield server
    finally:
        server.remove()


@pytest.fixture
def sitting(server):
    return Sitting(server)


# --- what is too large ------------------------------------------------------------------------------------------------

EMPTY_LISTS = "[" + ",".join(["[]"] * 3_800_000) + "]"
LARGE = {
    "lists": f'{{"type":"event","event":"X","detail":{{"a":{EMPTY_LISTS}}}}}',
    "lists in a ping": f'{{"type":"ping","x":{EMPTY_LISTS}}}',
    "lists in a picture": f'{{"type":"frame","data":"","x":{EMPTY_LISTS}}}',
    "a few lists more than fit": json.dumps({"type": "event", "event": "X", "detail": {"a": [[]] * 9_000}}),
    "one long text": json.dumps({"type": "event", "event": "X", "detail": {"a": "x" * 70_000}}),
    "a long hello": json.dumps({"type": "hello", "last_acked": {"a": "x" * 70_000}}),
    "a picture within": json.dumps({"x": {"type": "frame"}, "type": "event", "event": "x" * 70_000}),
    "a long string": json.dumps("x" * 70_000),
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE.keys())
def test_only_pictures_and_sound_are_large(sitting, text):
    with sitting.socket() as client:
        client.next("hello")
        client.socket.send(text)
        answer = client.answer()
        assert (answer["type"], answer["code"]) == ("error", "too_large")
        client.send(type="ping")
        client.next("pong")


@pytest.mark.parametrize("name", ["lists", "lists in a ping", "lists in a picture"])
def test_what_is_full_of_lists_is_refused_before_anybody_reads_it(monkeypatch, name):
    def loads(_text):
        raise AssertionError("Python reads JSON without letting anybody else run")

    monkeypatch.setattr(json, "loads", loads)
    with pytest.raises(wire.BadMessage) as refused:
        reading.large_text(LARGE[name])
    assert refused.value.code == "too_large"


@pytest.mark.parametrize("order", [("type", "seq", "data"), ("data", "seq", "type"), ("seq", "data", "type")])
def test_a_large_picture_is_taken_in_whatever_order_its_fields_come(sitting, server, order):
    data = base64.b64encode(server.picture + bytes(200_000)).decode()
    told = {"type": "frame", "seq": 3, "data": data}
    with sitting.socket() as client:
        client.next("hello")
        client.send(**{name: told[name] for name in order})
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 3}


# --- what is too much -------------------------------------------------------------------------------------------------


def test_a_flood_in_one_session_leaves_room_for_another_of_the_same_user(sitting, server):
    other = Sitting(server, server.python(SECOND, sitting.id, sitting.token))
    with sitting.socket() as flooded, other.socket() as calm:
        flooded.next("hello")
        calm.next("hello")
        with suppress(ConnectionClosed):  # it is closed while we go on
            for _ in range(10_000):
                flooded.socket.send("{")
        assert flooded.rest()[1] == 4429
        calm.picture(1, server.picture)
        assert calm.answer() == {"type": "ack", "stream": "frame", "seq": 1}
        for _ in range(10):
            calm.socket.send("{")
            assert calm.answer()["code"] == "bad_json"


# --- how long the right to a socket lasts -----------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["token", "ticket"])
def test_signing_out_closes_the_sockets_of_that_sign_in_and_no_other(sitting, server, by):
    access, refresh, ticket = server.python(SIGN_IN, sitting.id).split()
    query = f"?token={access}" if by == "token" else f"?ticket={ticket}"
    with sitting.socket(query) as client:
        client.next("hello")
        assert server.post("auth/logout", {"refresh": server.python(SIGN_IN, sitting.id).split()[1]}) == 204
        assert server.post("auth/refresh", {"refresh": refresh}) == 200  # of which tokens are used up as well
        time.sleep(5)  # the hall has looked twice
        client.picture(0, server.picture)
        assert client.answer() == {"type": "ack", "stream": "frame", "seq": 0}
    access, refresh, ticket = server.python(SIGN_IN, sitting.id).split()
    query = f"?token={access}" if by == "token" else f"?ticket={ticket}"
    with sitting.socket(query) as client:
        client.next("hello")
        assert server.post("auth/logout", {"refresh": refresh}) == 204
        messages, code, reason = client.rest()
        assert (messages[-1]["code"], code) == ("not_authenticated", 4401)
        assert "sign in" in reason
    with sitting.socket(f"?token={access}") as client:
        assert client.rest()[1] == 4401


def test_a_new_password_closes_the_socket_that_rests_on_the_old_one(sitting, server):
    user_id = server.python(OWNER, sitting.id)
    with sitting.socket() as client:
        client.next("hello")
        server.python(NEW_PASSWORD, user_id)
        messages, code, _reason = client.rest()
        assert (messages[-1]["code"], code) == ("not_authenticated", 4401)


@pytest.mark.parametrize("what", ["password", "sign out"])
def test_a_reviewer_whose_sign_in_has_ended_sees_no_further_wall(sitting, server, what):
    exam, user_id, access, refresh = server.python(TEACHER, sitting.id).split()
    with connect(f"ws://127.0.0.1:{server.port}/ws/review/{exam}/?token={access}", compression=None) as socket:
        wall = Client(socket)
        for _ in range(3):  # it is looked at again, and holds
            wall.next("wall")
        if what == "password":
            server.python(NEW_PASSWORD, user_id)
        else:
            server.post("auth/logout", {"refresh": refresh})
        messages, code, _reason = wall.rest()
    assert (messages[-1]["code"], code) == ("not_signed_in", 4401)


# --- strangers at the door --------------------------------------------------------------------------------------------


def test_a_crowd_of_strangers_is_not_let_to_the_door_and_keeps_nobody_out(sitting, server):
    """Behind one address with them, whoever shows something good comes in."""
    path = f"ws://127.0.0.1:{server.port}/ws/proctoring/{sitting.id}/"
    wall = f"ws://127.0.0.1:{server.port}/ws/review/{server.python(TEACHER, sitting.id).split()[0]}/"
    assert stranger(path, "?ticket=nonsense") == 4401
    refused_within(40, path, "?ticket=nonsense")
    refused_within(40, path, f"?ticket={sitting.tickets[0][:-1]}")
    refused_within(40, wall, "?token=a.b.c")
    with ExitStack() as sockets:
        for query in (f"?ticket={sitting.tickets[0]}", None):
            assert sockets.enter_context(sitting.socket(query)).next("hello")["session"] == sitting.id
    refused_within(40, path, "?ticket=nonsense")
    time.sleep(20)
    assert stranger(path, "?ticket=nonsense") == 4401


def refused_within(tries, path, query):
    """Fail unless somebody is turned away at the door itself; a slow machine lets one in now and then."""
    assert any(stranger(path, query) == 403 for _ in range(tries))


def stranger(path, query):
    """Return the code with which somebody is closed, or the status with which they are refused."""
    try:
        with connect(path + query, compression=None, close_timeout=1) as socket:
            return Client(socket).rest()[1]
    except InvalidStatus as error:
        return error.response.status_code


def test_one_account_opens_no_crowd_of_sockets_either(sitting, server):
    path = f"ws://127.0.0.1:{server.port}/ws/proctoring/00000000-0000-4000-8000-000000000000/"
    codes = [stranger(path, f"?token={sitting.token}") for _ in range(60)]
    assert (codes[0], codes[-1]) == (4404, 4429)
