"""docs/from-the-seeds.md has every address of the five systems, and every address of ours in it is real.

The lists were written by hand from the documents of the five systems.
"""

import re
from pathlib import Path

import pytest
from django.urls import Resolver404, resolve
from drf_spectacular.generators import SchemaGenerator

PAGE = (Path(__file__).resolve().parents[2] / "docs/from-the-seeds.md").read_text(encoding="utf-8")

SEEDS = {
    "AI Proctoring API": [
        "GET /",
        "GET /health",
        "WS /ws/{session_id}",
        "POST /generate_report/{session_id}",
    ],
    "360° Proctor": [
        "GET /docs",
        "GET /redoc",
        "WS /api/v1/proctoring/ws/{session_id}?token={jwt_token}",
    ],
    "Exam Proctoring Backend": [
        "GET /docs",
        "GET /redoc",
        "GET /health/",
        "POST /auth/register",
        "POST /auth/login",
        "POST /submissions/",
        "POST /logs/",
        "POST /monitoring/analyze",
        "POST /api/auth/register",
        "POST /api/auth/login",
        "POST /api/auth/start-exam/{candidate_id}",
        "POST /api/auth/end-exam/{session_token}",
        "POST /api/monitoring/data",
        "POST /api/monitoring/log",
        "GET /api/monitoring/logs",
        "POST /api/monitoring/suspicious-activity",
        "POST /api/submissions/submit",
        "GET /api/submissions/submissions",
        "GET /api/submissions/submissions/{problem_id}",
        "POST /api/submissions/final-submit",
        "POST /api/ai-monitoring/analyze",
        "GET /api/ai-monitoring/results",
        "GET /api/ai-monitoring/stats",
        "GET /api/admin/stats",
        "GET /api/admin/candidates",
        "GET /api/admin/exam-sessions",
        "POST /api/admin/exam-sessions/{session_id}/terminate",
    ],
    "Proctoring AI System": [
        "POST /api/v1/auth/signup",
        "POST /api/v1/auth/login/password",
        "POST /api/v1/auth/login/face",
        "POST /api/v1/exam/start/{user_id}",
        "POST /api/v1/exam/stop/{user_id}",
        "POST /api/v1/exam/pause/{user_id}",
        "POST /api/v1/exam/resume/{user_id}",
        "GET /api/v1/exam/summary/{user_id}",
        "POST /api/v1/exam/clear-logs/{user_id}",
        "WS /ws/{user_id}",
    ],
    "ProctorBE": [
        "GET /",
        "GET /docs",
        "GET /redoc",
        "POST /auth/register",
        "POST /auth/login",
        "POST /exams/",
        "GET /exams/",
        "POST /sessions/start",
        "POST /sessions/end",
        "POST /events/",
        "GET /admin/sessions",
        "GET /admin/sessions/{session_id}/events",
        "POST /cv/analyze-frame",
    ],
}
VARIABLES = {"DATABASE_URL", "SECRET_KEY", "JWT_SECRET", "REDIS_URL", "ALLOWED_ORIGINS", "PORT", "PYTHON_VERSION"}
EVENTS = {"NO_FRAME_RECEIVED", "INVALID_IMAGE", "NO_FACE", "MULTIPLE_FACES", "LOOKING_AWAY", "TAB_SWITCH"}
CALL = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE|WS) /[^`]*)`")


def section(name):
    return re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]


def rows(name):
    """Give their call, the cell of ours and the note of every row of the section's first table."""
    table = re.search(r"\| theirs \| ours \| what is different \|\n\|---\|---\|---\|\n((?:\|.*\n)+)", section(name))[1]
    for line in table.splitlines():
        theirs, ours, note = (cell.strip() for cell in line.strip("|").split("|"))
        yield CALL.fullmatch(theirs)[1], ours, note


def our_calls():
    """Give every call of ours that the page names, in tables and text."""
    found = set()
    for name in SEEDS:
        for _theirs, ours, note in rows(name):
            found |= {*CALL.findall(ours), *CALL.findall(note)}
    without_addresses = "".join(re.sub(r"\| theirs \|.*?\n\n", "", section(name), flags=re.DOTALL) for name in SEEDS)
    return found | set(CALL.findall(without_addresses)) | set(CALL.findall(section("Different on purpose")))


def shape(path):
    return re.sub(r"\{\w+\}", "{}", path.partition("?")[0])


@pytest.fixture(scope="module")
def offered():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return {(method.upper(), shape(path)) for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize("name", SEEDS)
def test_it_has_every_address_of_each_system_once(name):
    assert sorted(theirs for theirs, _ours, _note in rows(name)) == sorted(SEEDS[name])


@pytest.mark.parametrize("name", SEEDS)
def test_it_gives_every_address_one_of_ours(name):
    assert [theirs for theirs, ours, _note in rows(name) if not CALL.fullmatch(ours)] == []
    for theirs, ours, _note in rows(name):
        method, address = CALL.fullmatch(ours)[1].split(" ", 1)
        assert method == theirs.split()[0], theirs
        assert address.startswith(("/api/v1/", "/ws/")) or address in ("/", "/health", "/docs", "/redoc"), theirs


@pytest.mark.parametrize("call", sorted(call for call in our_calls() if not call.startswith("WS ")))
def test_it_names_only_calls_that_exist(offered, call):
    method, address = call.split(" ", 1)
    if address in ("/docs", "/redoc"):
        assert resolve(address)
    else:
        assert (method, shape(address)) in offered


def test_it_names_only_socket_addresses_of_the_interface():
    sockets = {shape(call.split(" ", 1)[1]) for call in our_calls() if call.startswith("WS ")}
    assert sockets == {"/ws/proctoring/{}/", "/ws/{}", "/api/v1/proctoring/ws/{}"}


def test_it_has_every_variable_and_event_name():
    variables = section("Variables")
    assert {name for name in VARIABLES if f"| `{name}` |" not in variables} == set()
    events = section("Events")
    assert {name for name in EVENTS if f"`{name}`" not in events} == set()


def test_it_does_not_find_what_is_not_there(offered):
    assert ("POST", "/api/v1/generate_report/{}") not in offered
    with pytest.raises(Resolver404):
        resolve("/generate_report/1")
    assert len(our_calls()) > 45
