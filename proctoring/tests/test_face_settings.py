"""The key that encrypts faces, and how far two pictures of one person may be apart."""

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from proctoring.checks import face_key
from proctoring.dotenv import write_env
from proctoring.face_settings import read_face_distance, read_face_keys

ROOT = Path(__file__).resolve().parents[2]


def key_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def new_key() -> str:
    return key_of(secrets.token_bytes(32))


def test_it_takes_random_keys_and_none_at_all():
    one, other = new_key(), new_key()
    assert read_face_keys(one, [other]) == (one, [other])
    assert read_face_keys("", []) == ("", [])


@pytest.mark.parametrize(
    "key",
    [
        "short",
        "ÄÖÜ" * 15,
        key_of(secrets.token_bytes(16)),
        key_of(secrets.token_bytes(33)),
        key_of(bytes(32)),
        key_of(bytes(range(32))),
        key_of(b"changeme" * 4),
        key_of(b"0123456789abcdef" * 2),
        "!" + key_of(secrets.token_bytes(32)),
    ],
    ids=range(9),  # the keys differ from run to run, which parallel runs must not
)
def test_it_refuses_what_is_no_random_key_without_showing_it(key):
    for keys in ((key, []), (new_key(), [key])):
        with pytest.raises(ImproperlyConfigured, match=r"^FACE_KEY") as refused:
            read_face_keys(*keys)
        assert key not in str(refused.value)


def test_a_previous_key_needs_a_present_one():
    with pytest.raises(ImproperlyConfigured, match="FACE_KEY is not"):
        read_face_keys("", [new_key()])


@pytest.mark.parametrize("text", ["", "0", "0.2", "0.71", "1", "-0.5", "nan", "0,5", "5e-1", "half"])
def test_it_refuses_distances_that_let_nobody_or_everybody_in(text):
    with pytest.raises(ImproperlyConfigured, match="FACE_MAX_DISTANCE"):
        read_face_distance(text)


def test_it_takes_a_sensible_distance():
    assert read_face_distance("0.45") == 0.45


def test_a_weak_key_stops_the_start():
    environ = {**os.environ, "FACE_KEY": "weak", "READ_DOT_ENV": "0", "DJANGO_SETTINGS_MODULE": "proctoring.settings"}
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "FACE_KEY must be 32 random bytes" in done.stderr.splitlines()[-1]


def test_the_deploy_check_complains_of_a_missing_or_shared_key(settings):
    settings.FACE_KEY = new_key()
    assert face_key(None) == []
    settings.SECRET_KEY = settings.FACE_KEY
    assert [message.id for message in face_key(None)] == ["proctoring.W004"]
    settings.FACE_KEY = ""
    assert [message.id for message in face_key(None)] == ["proctoring.W003"]


def test_a_written_env_file_holds_a_key_of_its_own_for_faces(tmp_path):
    write_env(tmp_path / ".env")
    values = dict(
        line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines() if "=" in line and line[0] != "#"
    )
    assert read_face_keys(values["FACE_KEY"], [])[0]
    assert values["FACE_KEY"] != values["SECRET_KEY"]
