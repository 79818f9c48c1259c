"""Turns at the cores, among processes that really run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import IO

import pytest

from monitoring import turns

HOLD = """
import sys
sys.path.insert(0, "")
from monitoring import turns
turns._shared.append(open(int(sys.argv[1]), "r+b", buffering=0, closefd=False))
with turns.turn(60):
    print("has it", flush=True)
    sys.stdin.readline()
print("gave it back", flush=True)
sys.stdin.readline()
"""

SHORT_S, LONG_S = 0.05, 60.0

Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def on_one_core(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker on one core that has begun to share it."""
    monkeypatch.setattr(turns, "_shared", [])
    monkeypatch.setattr(turns, "_cores", lambda: 1)
    turns.share_turns()
    shared = _shared_file()
    yield
    shared.close()


@pytest.fixture
def another_holds() -> Iterator[Start]:
    """Start another process of the worker, which takes its turn."""
    started = []

    def start() -> subprocess.Popen[str]:
        shared = _shared_file().fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(shared)],
            pass_fds=[shared],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert _says(process) == "has it"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _shared_file() -> IO[bytes]:
    return turns._shared[0]


def _says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_who_comes_while_another_has_the_core_waits_until_it_is_given_back(another_holds: Start) -> None:
    other, order = another_holds(), []

    def give_back(_seconds: float) -> None:
        order.append("waited")
        _go_on(other)
        order.append(_says(other))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("monitoring.turns.time.sleep", give_back)
        with turns.turn(LONG_S):
            order.append("has it")
    assert order == ["waited", "gave it back", "has it"]


def test_a_process_that_is_killed_gives_its_turn_back(another_holds: Start) -> None:
    other = another_holds()
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert turns._take(SHORT_S) == 0


def test_nobody_waits_for_long_where_a_model_hangs(another_holds: Start) -> None:
    another_holds()
    assert turns._take(SHORT_S) is None
    done = []
    with turns.turn(SHORT_S):
        done.append("went on")
    assert done == ["went on"]


def test_each_core_has_a_turn_of_its_own(another_holds: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    another_holds()
    monkeypatch.setattr(turns, "_cores", lambda: 2)
    assert turns._take(SHORT_S) == 1


def test_what_fails_within_gives_the_turn_back(another_holds: Start) -> None:
    with pytest.raises(ValueError, match="no picture"), turns.turn(LONG_S):
        raise ValueError("no picture")
    another_holds()
    assert turns._take(SHORT_S) is None  # the other one has the turn that was given back


def test_where_nothing_is_shared_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_shared", [])
    assert turns._take(SHORT_S) is None
