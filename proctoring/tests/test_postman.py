"""The Postman collection is what the interface says, and works from the first request to the last."""

import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from monitoring.tests.test_server import Server, wait_until
from proctoring import postman
from proctoring.postman import Step

OWN_NEWMAN = postman.ROOT / "var/newman/node_modules/.bin/newman"
PREPARE = """
import django; django.setup()
from django.core.management import call_command
from accounts.models import Role
from accounts.services import ensure_user
call_command("migrate", verbosity=0)
ensure_user(email="admin@example.com", role=Role.ADMIN, password="a-long-password")
"""


def newman() -> str | None:
    return shutil.which("newman") or (str(OWN_NEWMAN) if OWN_NEWMAN.exists() else None)


def test_the_committed_file_is_what_the_interface_says(capsys):
    call_command("export_postman", "--check")
    assert "up to date" in capsys.readouterr().out


def test_it_refuses_a_story_that_leaves_calls_out_or_invents_some():
    with pytest.raises(LookupError, match=r"auth_login.*invented"):
        postman.build_collection({"Short": [Step("invented")]}, {}, "")


def test_it_says_that_a_file_is_old(tmp_path):
    old = tmp_path / "collection.json"
    old.write_text("{}", encoding="utf-8")
    with pytest.raises(CommandError, match="not up to date"):
        call_command("export_postman", "--check", "--output", old)


@pytest.mark.slow
@pytest.mark.skipif(newman() is None, reason="no newman; `make check` fetches it where there is npm")
def test_newman_runs_it_against_a_fresh_server(tmp_path):
    server = Server(tmp_path)
    try:
        server.python(PREPARE)
        server.start()
        wait_until(lambda: server.health()["status"] == "ok")
        command = [newman(), "run", postman.COLLECTION.name, "--bail", "--color", "off", "--working-dir", "."]
        variables = {"base_url": f"http://127.0.0.1:{server.port}", "admin_password": "a-long-password"}
        pairs = [part for key, value in variables.items() for part in ("--env-var", f"{key}={value}")]
        done = subprocess.run(
            [*command, *pairs],
            cwd=Path(postman.COLLECTION).parent,
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-4000:]
    finally:
        server.remove()
