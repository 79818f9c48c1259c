"""The command that fetches the weights, on a mirror folder."""

import hashlib
import io
import json

import pytest
from django.core.management import CommandError, call_command

from vision import weights

CONTENT = bytes(range(256)) * 512


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("PROCTORING_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "mirror"
    folder.mkdir()
    return folder


def test_the_command_fetches_from_a_mirror_once(mirror, monkeypatch):
    digest = hashlib.sha256(CONTENT).hexdigest()
    entry = weights.Weight("net.onnx", digest, len(CONTENT), None, "MIT", "tests")
    monkeypatch.setattr(weights, "WEIGHTS", (entry,))
    (mirror / "net.onnx").write_bytes(CONTENT)
    actions = []
    for _ in range(2):
        out = io.StringIO()
        call_command("fetch_models", "--from", str(mirror), "--json", stdout=out)
        actions.append(json.loads(out.getvalue())["weights"][0]["action"])
    assert actions == ["copied", "present"]
    out = io.StringIO()
    call_command("fetch_models", stdout=out)
    assert "net.onnx" in out.getvalue() and "verified" in out.getvalue()


@pytest.mark.parametrize("folder", ["nowhere", "mirror"])
def test_the_command_says_one_sentence_about_a_useless_mirror(mirror, tmp_path, folder):
    with pytest.raises(CommandError, match=r"mirror folder .*\.$"):
        call_command("fetch_models", "--from", str(tmp_path / folder))


def test_the_command_refuses_a_falsified_file(mirror):
    (mirror / weights.WEIGHTS[0].name).write_bytes(b"not the weights")
    with pytest.raises(CommandError, match=r"is refused: its SHA-256 is not the pinned one\.$"):
        call_command("fetch_models", "--from", str(mirror))
    assert weights.find(weights.WEIGHTS[0].name) is None
