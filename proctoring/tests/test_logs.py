"""Lines say whose they are and tell no secrets, whoever writes them."""

import asyncio
import json
import logging
import logging.config
import re
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from monitoring.lane import Lane
from monitoring.tests.factories import make_session
from monitoring.tests.test_server import Server, wait_until
from proctoring import logs
from proctoring.celery import app
from proctoring.logs import Belonging, Belongs, JsonLines, TextLines, belonging, logging_settings, mask

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9.c2lnbmF0dXJl-_x"
SECRET = "s3cr3t-Value_9"


def line(form="json", level=logging.ERROR, text="it happened", *args, error=None, **extra):
    """Return what is written for one record, as an object if it is JSON."""
    record = logging.getLogger("somewhere").makeRecord("somewhere", level, "f", 1, text, args, error, extra=extra)
    Belongs().filter(record)
    if form == "text":
        return TextLines("%(levelname)s %(name)s%(belongs)s %(message)s").format(record)
    written = JsonLines().format(record)
    assert "\n" not in written
    return json.loads(written)


def test_a_line_of_json_says_what_when_and_whose():
    with belonging(Belonging(request_id="r-12345678", session_id="s", task_id="t")):
        said = line("json", logging.WARNING, "%s items", 3, status_code=503)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", said.pop("time"))
    assert said == {
        "level": "WARNING",
        "logger": "somewhere",
        "message": "3 items",
        "request_id": "r-12345678",
        "session_id": "s",
        "task_id": "t",
        "status_code": 503,
    }


def test_a_line_of_text_says_whose_it_is_and_else_nothing_more():
    assert line("text") == "ERROR somewhere it happened"
    with belonging(Belonging(session_id="s", task_id="t")):
        assert line("text") == "ERROR somewhere session=s task=t it happened"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"GET /ws/proctoring/1/?ticket={SECRET}", "GET /ws/proctoring/1/?"),
        (f'1.2.3.4:5 - "GET /api/v1/x?a=1&token={SECRET} HTTP/1.1" 200', '" 200'),
        (f"https://exams.example.org?next={SECRET} failed", " failed"),
        (f"token={SECRET} refused", " refused"),
        (f"refresh_token: '{SECRET}'", "refresh_token: '"),
        (f"{{'password': '{SECRET}', 'email': 'a@b.c'}}", "'email': 'a@b.c'"),
        (f'{{"ticket": "{SECRET}", "seq": 1}}', '"seq": 1'),
        (f"password='{SECRET} and more' came", " came"),
        (f"Authorization: Bearer {SECRET}", "Authorization: Bearer"),
        (f"(b'authorization', b'Bearer {SECRET}')", "(b'authorization'"),
        (f"authorization=Basic {SECRET}", ""),
        (f"Sec-WebSocket-Protocol: bearer, {SECRET}", "bearer, "),
        (f"Cookie: sessionid={SECRET}; theme=dark", "theme=dark"),
        (f"postgres://me:{SECRET}@host:5432/db is away", "@host:5432/db is away"),
        (f"redis://:{SECRET}@host/0", "@host/0"),
        (f"bad token {JWT} came", "bad token *** came"),
    ],
    ids=lambda value: value if len(value) < 25 else value[:24],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_told(form, text, kept):
    said = line(form, logging.ERROR, "%s", text)
    said = said if form == "text" else said["message"]
    assert SECRET not in said and "and more" not in said and JWT not in said
    assert kept in said and "***" in said


def test_tracebacks_and_extras_tell_no_secret():
    try:
        raise ValueError(f"no such ticket={SECRET} at /x?y={SECRET} for {JWT}")  # noqa: TRY301
    except ValueError:
        error = sys.exc_info()
    for form in ("text", "json"):
        said = str(line(form, error=error, request=f"<WSGIRequest: GET '/x?ticket={SECRET}'>", url=f"/x?y={SECRET}"))
        assert "ValueError" in said and "Traceback" in said
        assert SECRET not in said and JWT not in said


@pytest.mark.parametrize(
    "text",
    ["3 items of session 1 were skipped", "Why? Because it = 3.", "access to the exam", "12:30:00 a token was used"],
)
def test_other_lines_are_left_alone(text):
    assert mask(text) == text


def test_a_long_line_is_masked_in_no_time():
    assert len(mask("ab-_" * 100_000)) == 400_000


@pytest.fixture
def stream(tmp_path):
    """Set up logging as settings do, into a file, and put back what was there."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = logging_settings(form="json", level="INFO")["loggers"]
    before = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in names}
    set_up = logging_settings(form="json", level="INFO")
    path = tmp_path / "log"
    set_up["handlers"]["console"] |= {"class": "logging.FileHandler", "filename": str(path)}
    logging.config.dictConfig(set_up)
    yield lambda: [json.loads(each) for each in path.read_text().splitlines()]
    root.handlers[0].close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, (its, its_level) in before.items():
        logging.getLogger(name).handlers[:] = its
        logging.getLogger(name).setLevel(its_level)


@pytest.mark.parametrize("name", ["django.server", "uvicorn.access", "uvicorn.error", "celery.task", "daphne.server"])
def test_lines_of_servers_are_masked_too_and_written_once(stream, name):
    logging.getLogger(name).info('%s - "GET %s HTTP/1.1" %d', "1.2.3.4:5", f"/ws/?token={SECRET}", 200)
    (said,) = stream()
    assert said["logger"] == name and said["message"].endswith('"GET /ws/?*** HTTP/1.1" 200')


@pytest.mark.django_db
def test_a_request_bears_an_id_its_user_and_its_session(stream):
    session = make_session()
    client = Client(headers={"X-Request-ID": "proxy-4711.a"})
    client.force_login(session.candidate.user)
    answer = client.get(f"/api/v1/sessions/{session.pk}?ticket={SECRET}")
    assert answer.status_code == 200 and answer["X-Request-ID"] == "proxy-4711.a"
    said = stream()[-1]
    assert (said["logger"], said["request_id"], said["status_code"]) == ("proctoring.access", "proxy-4711.a", 200)
    assert said["message"] == f"GET /api/v1/sessions/{session.pk} 200"
    assert said["session_id"] == str(session.pk)
    assert said["user_id"] == str(session.candidate.user.pk)


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "with space in it", 'quote"quote', "tab\tinside", "ä" * 10, "../../etc/passwd"]
)
def test_an_id_that_is_not_sane_is_replaced(given):
    made = logs.sane_id(given)
    assert re.fullmatch(r"[0-9a-f]{32}", made)


def test_a_line_cannot_be_forged_by_an_address(stream, client):
    client.get("/no\nsuch%0apage")
    access = [said for said in stream() if said["logger"] == "proctoring.access"]
    assert len(access) == 1 and "\n" not in access[0]["message"]


def test_what_django_writes_of_a_bad_answer_belongs_to_the_request(stream, client):
    client.get("/no/such/page", headers={"X-Request-ID": "proxy-4712.b"})
    said = next(each for each in stream() if each["logger"] == "django.request")
    assert said["request_id"] == "proxy-4712.b" and "request" not in said


def test_what_follows_a_request_belongs_to_nothing(client):
    client.get("/health")
    assert "request_id" not in line()


def test_a_task_bears_its_id_its_session_and_the_id_of_the_request(stream):
    @app.task(name="proctoring.tests.note")
    def note(session_id):
        logging.getLogger("somewhere").warning("in the task")

    session = str(uuid.uuid4())
    headers = {}
    with belonging(Belonging(request_id="asked-12345")):
        logs._send_along(headers=headers)
    note.apply((session,), task_id="task-1", headers=headers).get()
    said = next(each for each in stream() if each["message"] == "in the task")
    assert (said["task_id"], said["session_id"]) == ("task-1", session)
    assert headers == {"request_id": "asked-12345"}
    assert "task_id" not in line()


def test_what_is_done_for_many_sockets_belongs_to_none_of_them(stream):
    async def note():
        logging.getLogger("somewhere").warning("for all")

    async def serve():
        with belonging(Belonging(request_id="asked-12345", session_id="s")):
            Lane()._start(note())
        await asyncio.sleep(0.01)

    asyncio.run(serve())
    said = next(each for each in stream() if each["message"] == "for all")
    assert not {"request_id", "session_id"} & set(said)


@pytest.mark.parametrize(("name", "text"), [("LOG_LEVEL", "LOUD"), ("LOG_FORMAT", "xml")])
def test_a_choice_that_is_none_stops_the_start(name, text):
    with pytest.raises(ImproperlyConfigured, match=f"{name} must be one of"):
        logs.read_log_choice(name, text, ("A", "B"))


@pytest.mark.slow
def test_a_real_server_writes_no_ticket_anywhere(tmp_path):
    server = Server(tmp_path)
    server.environ |= {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG", "EMBEDDED_WORKER": "0", "DEBUG": "0"}
    server.environ["ALLOWED_HOSTS"] = "127.0.0.1"
    try:
        server.python(
            "import django; django.setup()\nfrom django.core.management import call_command as c; c('migrate')"
        )
        server.start()
        wait_until(lambda: answered(server.port, f"GET /health?token={SECRET} HTTP/1.1\r\n") == 200)
        upgrade = "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        address = f"/ws/proctoring/{uuid.uuid4()}/?ticket={SECRET}"
        answered(server.port, f"GET {address} HTTP/1.1\r\n{upgrade}Authorization: Bearer {SECRET}\r\n")
        wait_until(lambda: "/ closed" in log_of(tmp_path))
    finally:
        server.remove()
    written = log_of(tmp_path)
    assert '"/health' in written or "GET /health 200" in written
    assert SECRET not in written
    ours = [json.loads(each) for each in written.splitlines() if each.startswith('{"')]
    access = {said["message"]: said for said in ours if said["logger"] == "proctoring.access"}
    assert all(said["request_id"] for said in access.values())
    session = address.split("/")[3]
    closed = access[f"WS /ws/proctoring/{session}/ closed"]
    assert closed["session_id"] == session and "duration_ms" in closed


def log_of(folder: Path) -> str:
    return (folder / "server.log").read_text()


def answered(port: int, head: str) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        upgrade = "" if "Upgrade" in head else "close"
        line.sendall(f"{head}Host: 127.0.0.1\r\nConnection: {upgrade or 'Upgrade'}\r\n\r\n".encode())
        return int(line.recv(4096).split()[1])


def test_the_settings_choose_by_the_environment():
    code = "from django.conf import settings as s; print(s.LOG_FORMAT, s.LOGGING['handlers']['console']['formatter'])"
    root = Path(__file__).resolve().parents[2]

    def said(**variables):
        environ = {"DJANGO_SETTINGS_MODULE": "proctoring.settings_for_tests", "PATH": "/usr/bin", **variables}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environ, cwd=root, capture_output=True, text=True, check=False
        )
        return done.stdout.split() or done.stderr.splitlines()[-1]

    assert said() == ["json", "json"]
    assert said(LOG_FORMAT="text") == ["text", "text"]
    assert "LOG_FORMAT must be one of" in said(LOG_FORMAT="xml")
