"""Pictures of people and the database can be read by nobody else on the machine."""

import configparser
import os
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEEP = """
import django; django.setup()
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
default_storage.save("evidence/2026/one.jpg", ContentFile(b"a face"))
"""


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    (folder / "static").mkdir()

    def run(*command):
        environ = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")} | {
            "DJANGO_SETTINGS_MODULE": "proctoring.settings",
            "READ_DOT_ENV": "0",
            "DEBUG": "1",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "VAR_DIR": str(folder / "var"),
            "STATIC_ROOT": str(folder / "static"),
            "PYTHONPATH": str(ROOT),
        }
        # Whoever calls it may give away what they make; 022 is usual.
        done = subprocess.run(
            [sys.executable, *command], env=environ, cwd=ROOT, check=False, capture_output=True, umask=0o022
        )
        assert done.returncode == 0, done.stderr.decode()
        return folder

    return run


def test_the_database_that_a_command_makes_is_private(run):
    folder = run("manage.py", "migrate", "--verbosity=0", "contenttypes")
    assert mode(folder / "var") == 0o700
    assert {mode(path) for path in (folder / "var").glob("db.sqlite3*")} == {0o600}


def test_a_picture_that_is_kept_is_private_whoever_started_the_server(run):
    media = run("-c", KEEP) / "var" / "media"
    assert mode(media / "evidence" / "2026" / "one.jpg") == 0o600
    assert {mode(path) for path in (media, media / "evidence", media / "evidence" / "2026")} == {0o700}


def test_static_files_may_be_served_by_another_user(run):
    folder = run("manage.py", "collectstatic", "--noinput", "--verbosity=0") / "static"
    found = list(folder.rglob("*"))
    assert found and {mode(path) for path in found} == {0o644, 0o755}


@pytest.mark.parametrize("unit", sorted((ROOT / "deploy" / "systemd").glob("*.service")), ids=lambda path: path.stem)
def test_units_make_nothing_that_others_can_read(unit):
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.read_string(unit.read_text())
    assert read["Service"]["umask"] == "0077"


def test_render_makes_nothing_that_others_can_read():
    before, _, after = (ROOT / "deploy" / "render-start").read_text().partition("umask 077")
    assert after and "python" not in before
