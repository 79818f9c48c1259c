"""A real server and real clients of its sockets."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from monitoring import wire
from monitoring.tests.test_server import Server, wait_until

PREPARE = """
import django; django.setup()
from django.core.management import call_command
from monitoring.tests.factories import two_men_jpeg
call_command("migrate", verbosity=0)
print(two_men_jpeg().hex())
"""
OPEN = """
import django, sys; django.setup()
from datetime import timedelta
from django.utils import timezone
from exams.lifecycle import move_session
from exams.models import SessionStatus
from exams.services import create_session
from exams.tickets import issue_ticket
from monitoring import services
from monitoring.tests.factories import make_candidate, make_exam, make_user
from rest_framework_simplejwt.tokens import AccessToken
import uuid
began = timezone.now() - timedelta(minutes=5)
name = uuid.uuid4().hex
exam = make_exam(make_user(email="t" + name + "@example.com"), code=name)
for number in range(int(sys.argv[1])):
    candidate = make_candidate(f"{name}-{number}@example.com")
    session = create_session(exam=exam, candidate=candidate, created_at=began)
    session = move_session(session=session, to=SessionStatus.ACTIVE, at=began)
    services.open_monitor(session=session)
    tickets = [issue_ticket(session=session, user=candidate.user)[0] for _ in range(2)]
    print(session.pk, AccessToken.for_user(candidate.user), *tickets)
"""
MOVE = """
import django, sys; django.setup()
from exams.lifecycle import move_session
from exams.models import ExamSession
move_session(session=ExamSession.objects.get(pk=sys.argv[1]), to=sys.argv[2], reason="seen twice")
"""
SWITCH_OFF = """
import django, sys; django.setup()
from accounts.models import User
User.objects.filter(candidate__sessions=sys.argv[1]).update(is_active=False)
"""
SOON_S = 10.0


class SocketServer(Server):
    """A server of its own with a picture to send."""

    def __init__(self, folder, **environ):
        super().__init__(folder)
        self.environ |= environ
        self.picture = bytes.fromhex(self.python(PREPARE))

    def is_up(self):
        try:
            return bool(self.health())
        except urllib.error.HTTPError as error:
            return error.code == 503  # no worker has told of itself yet, but the server answers

    def begin(self):
        self.start()
        wait_until(self.is_up)

    def log(self):
        return (self.folder / "server.log").read_text()


class Sitting:
    """An active session that began five minutes ago, and the right to open its socket."""

    def __init__(self, server, made=""):
        self.server = server
        self.id, self.token, *self.tickets = (made or server.python(OPEN, 1)).split()

    @classmethod
    def several(cls, server, count):
        """Return the sessions of so many candidates of one exam."""
        return [cls(server, made) for made in server.python(OPEN, count).splitlines()]

    def address(self, query="", path="/ws/proctoring/{}/", port=None):
        return f"ws://127.0.0.1:{port or self.server.port}{path.format(self.id)}{query}"

    @contextmanager
    def socket(self, query=None, path="/ws/proctoring/{}/", port=None, **options):
        """Open a socket, by token if nothing else is said, and give its client."""
        address = self.address(f"?token={self.token}" if query is None else query, path, port)
        with connect(address, compression=None, **options) as socket:
            yield Client(socket)

    def move(self, to):
        self.server.python(MOVE, self.id, to)

    def call(self, what, token=None):
        """Make a call of the interface."""
        address = f"http://127.0.0.1:{self.server.port}/api/v1/sessions/{self.id}/{what}"
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(address, b"{}", headers), timeout=30) as answer:
            return json.load(answer)

    def renew(self, refresh):
        """Return a fresh access token."""
        address = f"http://127.0.0.1:{self.server.port}/api/v1/auth/refresh"
        request = urllib.request.Request(
            address, json.dumps({"refresh": refresh}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["access"]

    def examined(self):
        """Return the numbers of the pictures and chunks that were examined."""
        rows = self.server.ask("SELECT stream, seq, session_id FROM monitoring_observation")
        return sorted((stream, seq) for stream, seq, pk in rows if self.is_mine(pk))

    def is_mine(self, pk):
        """Say whether this is the session's key as a database gives it."""
        return str(pk).replace("-", "") == self.id.replace("-", "")


class Client:
    """One end of a socket."""

    def __init__(self, socket):
        self.socket = socket

    def send(self, **message):
        self.socket.send(json.dumps(message))

    def picture(self, seq, data, at=None, stream=0, rate=0):
        ms = int((time.time() if at is None else at) * 1000)
        self.socket.send(wire.HEADER.pack(1, stream, rate, seq, ms) + data)

    def next(self, kind, seconds=SOON_S):
        """Return the next message of this type; others are passed over."""
        deadline = time.monotonic() + seconds
        while True:
            message = json.loads(self.socket.recv(timeout=max(0.01, deadline - time.monotonic())))
            if message["type"] == kind:
                return message

    def answer(self, seconds=SOON_S):
        """Return the next acknowledgement or error."""
        deadline = time.monotonic() + seconds
        while True:
            message = json.loads(self.socket.recv(timeout=max(0.01, deadline - time.monotonic())))
            if message["type"] in ("ack", "error"):
                return message

    def rest(self, seconds=SOON_S):
        """Return all messages until the server closes, its code and its reason."""
        messages, deadline = [], time.monotonic() + seconds
        try:
            while True:
                messages.append(json.loads(self.socket.recv(timeout=max(0.01, deadline - time.monotonic()))))
        except ConnectionClosed as closed:
            return messages, closed.rcvd.code, closed.rcvd.reason


def status_of(call):
    """Return the HTTP status with which a socket is refused."""
    try:
        with call as client:
            return client.next("hello")
    except InvalidStatus as refused:
        return refused.response.status_code
