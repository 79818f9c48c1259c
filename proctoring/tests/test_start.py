"""Secrets made once, a demonstration made once, and a web process that loads nothing slow."""

import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from exams.models import Exam, ExamSession
from monitoring.models import Assessment, SuspiciousActivity
from proctoring.dotenv import write_env
from proctoring.management.commands import start

ROOT = Path(__file__).resolve().parents[2]
SLOW = ("torch", "mediapipe", "ultralytics", "weasyprint", "cv2", "av")


def test_it_writes_secrets_once_for_the_owner_only(tmp_path):
    path = tmp_path / ".env"
    assert write_env(path)
    first = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not write_env(path)
    assert path.read_text() == first
    write_env(tmp_path / "other")
    assert (tmp_path / "other").read_text() != first


@pytest.mark.slow
@pytest.mark.django_db
def test_it_shows_a_whole_demonstration_and_adds_nothing_the_second_time(capsys):
    call_command("start", no_server=True)
    said = capsys.readouterr().out
    assert len(re.findall(r"@example.com +\S{16}\n", said)) == 4
    password = re.search(r"admin@example.com +(\S+)", said)[1]
    assert User.objects.get(email="admin@example.com").check_password(password)
    session = ExamSession.objects.get()
    assert f"/admin/exams/examsession/{session.pk}/change/" in said
    assert ":8000/exam/demo/\n" in said
    assert session.report.status == "ready"
    assert set(SuspiciousActivity.objects.values_list("kind", flat=True)) == {"MULTIPLE_FACES", "NO_FACE"}
    assert Assessment.objects.get().risk_level == "Medium"

    call_command("start", no_server=True)
    assert "passwords" not in capsys.readouterr().out
    assert (User.objects.count(), Exam.objects.count(), ExamSession.objects.count()) == (4, 1, 1)


def test_it_says_that_a_port_is_taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} on 127.0.0.1 cannot be used"):
            call_command("start", port=port)


def test_it_loads_no_slow_library_before_work_needs_it():
    code = (
        "import sys, django; django.setup(); import proctoring.asgi, proctoring.urls\n"
        "from django.core.management import call_command; call_command('check')\n"
        f"print([name for name in {SLOW!r} if name in sys.modules])"
    )
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "proctoring.settings_for_tests", "EMBEDDED_WORKER": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.django_db
def test_it_shows_passwords_before_anything_that_may_be_broken_off(capsys, monkeypatch):
    monkeypatch.setattr(start.Command, "_demonstrate", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        call_command("start", no_server=True)
    assert len(re.findall(r"@example.com +\S{16}\n", capsys.readouterr().out)) == 4


def _interrupted(_command):
    raise KeyboardInterrupt


def test_it_shows_no_debugging_pages_to_other_machines():
    assert start._settings_for("127.0.0.1") == {}
    assert start._settings_for("192.0.2.7")["DEBUG"] == "0"
    assert "192.0.2.7" in start._settings_for("192.0.2.7")["ALLOWED_HOSTS"].split(",")
    assert "127.0.0.1" in start._settings_for("0.0.0.0")["ALLOWED_HOSTS"].split(",")
    assert start._shown("2001:db8::1") == "[2001:db8::1]"
