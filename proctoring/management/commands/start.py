"""Prepare everything a newcomer needs and start the server; ``make run`` calls it."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts.models import Role
from accounts.services import ensure_user
from exams.models import Exam, ExamSession, SessionStatus

DEMO_USERS = {
    "admin@example.com": Role.ADMIN,
    "teacher@example.com": Role.TEACHER,
    "reviewer@example.com": Role.REVIEWER,
    "student@example.com": Role.CANDIDATE,
}
DEMO_EXAM = "demo"
DEMO_RECORDING = "demonstration.mp4"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  only compared


class Command(BaseCommand):
    """See ``help``."""

    help = "Migrate, make the demonstration once (users, exam, a proctored recording) and start the server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("--host", default=settings.HOST, help="address to listen on (default: HOST or 127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port to listen on (default: PORT or 8000)")
        parser.add_argument("--no-server", action="store_true", help="prepare only")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, show, serve."""
        host, port = options["host"], options["port"]
        if not options["no_server"]:
            _refuse_taken_port(host, port)
        call_command("migrate", verbosity=0)
        self._show_passwords(_make_users())
        self._demonstrate()
        self._show_addresses(host, port)
        if not options["no_server"]:
            self.stdout.flush()
            daphne = Path(sys.executable).with_name("daphne")
            command = [str(daphne), "-b", host, "-p", str(port), "--no-server-name", "proctoring.asgi:application"]
            # The server takes this process over, so that Ctrl-C and signals reach it directly.
            os.execve(sys.executable, [sys.executable, *command], os.environ | _settings_for(host))  # noqa: S606

    def _demonstrate(self) -> None:
        if not Exam.objects.filter(code=DEMO_EXAM).exists():
            call_command("seed_exams", verbosity=0, stdout=_Quiet())
        done = ExamSession.objects.filter(recording_name=DEMO_RECORDING, status=SessionStatus.SUBMITTED)
        if done.exists():
            return
        self._fetch_weights()
        from vision.demo import build_demo_recording

        self.stdout.write("Proctoring a demonstration recording")
        with TemporaryDirectory() as folder:
            recording = Path(folder) / DEMO_RECORDING
            build_demo_recording(recording)
            call_command("replay", recording, stdout=self.stdout)
        session = done.latest("created_at")
        call_command("regenerate_reports", session=str(session.pk), stdout=_Quiet())

    def _fetch_weights(self) -> None:
        try:
            call_command("fetch_models", stdout=_Quiet())
        except CommandError as error:
            from vision.loading import availability
            from vision.types import Sense

            if availability()[Sense.OBJECTS].available:
                return  # by weights that were put there
            self.stdout.write(
                f"Phones, books and extra people will not be looked for: {error} "
                "Everything else works; `manage.py fetch_models` tries again."
            )

    def _show_passwords(self, passwords: dict[str, str]) -> None:
        """At once, since nobody could sign in if what follows were broken off."""
        if passwords:
            lines = ["Users made now; these passwords are shown once and kept nowhere:"]
            self.stdout.write(
                "\n".join([*lines, *(f"  {email:<22} {password}" for email, password in passwords.items())])
            )

    def _show_addresses(self, host: str, port: int) -> None:
        base = f"http://{_shown(host)}:{port}"
        lines = ["", "Ready.", f"  candidate page    {base}/exam/{DEMO_EXAM}/", f"  reviewer console  {base}/admin/"]
        session = ExamSession.objects.filter(recording_name=DEMO_RECORDING, status=SessionStatus.SUBMITTED).first()
        if session is not None:
            lines.append(f"  the demonstration {base}/admin/exams/examsession/{session.pk}/change/")
        lines += [f"  the interface     {base}/docs", f"  health            {base}/health/ready", ""]
        self.stdout.write("\n".join(lines))


class _Quiet:
    """Swallows what a command says when it is called as a step of another one."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return


def _make_users() -> dict[str, str]:
    """Make the demonstration's users who are missing; returns their passwords."""
    passwords = {}
    for email, role in DEMO_USERS.items():
        password = secrets.token_urlsafe(12)
        _user, created = ensure_user(email=email, role=role, password=password)
        if created:
            passwords[email] = password
    return passwords


def _shown(host: str) -> str:
    if host in (*LOOPBACK, *ANY_ADDRESS):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _settings_for(host: str) -> dict[str, str]:
    """Return what the server's environment needs so that it answers to the names it is reached by.

    Where other machines can reach it, nobody must see the debugging pages.
    """
    if host in LOOPBACK:
        return {}
    addresses = [item.address for items in psutil.net_if_addrs().values() for item in items]
    own = [socket.gethostname(), *addresses] if host in ANY_ADDRESS else [host]
    names = [*settings.ALLOWED_HOSTS, "localhost", *(f"[{name}]" if ":" in name else name for name in own)]
    return {"DEBUG": "0", "ALLOWED_HOSTS": ",".join(dict.fromkeys(name for name in names if "%" not in name))}


def _refuse_taken_port(host: str, port: int) -> None:
    if not 0 < port < 65536:
        raise CommandError(f"{port} is not a port; choose one between 1 and 65535, for example PORT=8001.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise CommandError(
            f"Port {port} on {host} cannot be used ({error.strerror}); choose another one, for example PORT={port + 1}."
        ) from error
