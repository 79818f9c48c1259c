"""The demonstration exam on a server of its own, and who watches it: by the socket and in the console."""

import json
import re
import secrets
import threading
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager, suppress

import psycopg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from monitoring.tests.sockets import SocketServer
from monitoring.tests.storage import private_postgres, private_redis
from monitoring.tests.test_server import wait_until

PREPARE = """
import sys, django; django.setup()
from django.core.management import call_command
from accounts.models import Role
from accounts.services import ensure_user
for email, role in (("teacher@example.com", Role.TEACHER), ("reviewer@example.com", Role.REVIEWER)):
    ensure_user(email=email, role=role, password=sys.argv[1])
call_command("seed_exams", verbosity=0)
"""
SOON_S = 10.0


class DemoServer(SocketServer):
    """A server of its own with the demonstration exam, where everybody has the same password."""

    def __init__(self, folder, **environ):
        # What is downloaded differs between machines; what comes with the packages does not.
        super().__init__(folder, PROCTORING_MODELS=str(folder / "models"), **environ)
        self.password = secrets.token_urlsafe(12)
        self.python(PREPARE, self.password)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def call(self, method, path, body=None, token=""):
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/api/v1/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def token(self, email):
        return self.call("POST", "auth/login", {"email": email, "password": self.password})["access"]

    def assign(self, email):
        """Have the teacher assign the candidate; returns the exam's id."""
        token = self.token("teacher@example.com")
        [exam] = self.call("GET", "exams?code=demo", token=token)["results"]
        self.call("POST", f"exams/{exam['id']}/candidates", {"email": email}, token)
        return exam["id"]


class FullDemoServer(DemoServer):
    """The same with PostgreSQL and Redis of its own, and with worker and beat as processes of their own."""

    def __init__(self, folder, postgres, redis):
        super().__init__(folder, DATABASE_URL=postgres.url, REDIS_URL=redis.url)

    def start(self):
        super().start()
        self.run("celery", "-A", "proctoring", "worker", "-c", "1", "-l", "WARNING")
        self.run("celery", "-A", "proctoring", "beat", "-s", str(self.folder / "beat"), "--pidfile=", "-l", "WARNING")

    def begin(self):
        super().begin()
        wait_until(lambda: self.is_up() and self.health()["status"] == "ok")

    def ask(self, query):
        with psycopg.connect(self.environ["DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(query).fetchall()


@contextmanager
def demo_server(shape, folder):
    """Run the demonstration in one of the two shapes, zero or full; skips the test where its services are missing."""
    with ExitStack() as stack:
        if shape == "full":
            postgres = stack.enter_context(private_postgres())
            redis = stack.enter_context(private_redis(folder, "--appendonly", "yes"))
            server: DemoServer = FullDemoServer(folder, postgres, redis)
        else:
            server = DemoServer(folder)
        stack.callback(server.remove)
        server.begin()
        yield server


class Reviewer:
    """Who watches the wall of an exam: keeps everything that the socket tells."""

    def __init__(self, server, exam):
        self.server, self.heard = server, []
        self.token = server.token("reviewer@example.com")
        self.address = f"ws://127.0.0.1:{server.port}/ws/review/{exam}/?token={self.token}"

    @contextmanager
    def watching(self):
        with connect(self.address, max_size=2**22) as socket:
            thread = threading.Thread(target=self._listen, args=(socket,), daemon=True)
            thread.start()
            self.waits_for(lambda message: message["type"] == "wall")
            yield
        thread.join(10)

    def _listen(self, socket):
        with suppress(ConnectionClosed):
            for text in socket:
                self.heard.append({**json.loads(text), "heard_at": time.time()})

    def reads(self, path):
        return self.server.call("GET", path, token=self.token)

    def waits_for(self, wanted, seconds=SOON_S):
        """Return the first message of which this is true, whether it came already or comes in time."""
        found = []

        def is_there():
            found[:] = [message for message in list(self.heard) if wanted(message)]
            return bool(found)

        wait_until(is_there, seconds)
        return found[0]

    def sees(self, kind, seconds=SOON_S, **wanted):
        """Return an activity of this kind, and when it was told."""

        def is_it(message):
            shown = message.get("activity") or {}
            return shown.get("kind") == kind and all(shown[name] == value for name, value in wanted.items())

        message = self.waits_for(is_it, seconds)
        return message["activity"], message["heard_at"]

    def sees_session(self, seconds=SOON_S, **wanted):
        """Return a session's row that stands so."""

        def is_it(message):
            row = message.get("session") if message["type"] == "session" else None
            return row is not None and all(row[name] == value for name, value in wanted.items())

        return self.waits_for(is_it, seconds)["session"]


class Console:
    """The reviewer's console, as a browser without scripts sees it."""

    def __init__(self, server):
        self.base = f"{server.address}/admin"
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = self.read("login/")
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        fields = {"username": "reviewer@example.com", "password": server.password, "csrfmiddlewaretoken": token}
        page = self.read("login/?next=/admin/", urllib.parse.urlencode(fields).encode())
        assert "reviewer@example.com" in page or "Log out" in page

    def read(self, path, data=None):
        with self.opener.open(f"{self.base}/{path}", data, timeout=30) as answer:
            return answer.read().decode()

    def shows(self, session, *sentences, seconds=SOON_S):
        """Wait until the session's page shows all of these."""
        path = f"exams/examsession/{session}/change/"
        wait_until(lambda: all(sentence in self.read(path) for sentence in sentences), seconds)
