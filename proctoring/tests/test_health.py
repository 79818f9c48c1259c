"""What the health pages say."""

import pytest
from django.db import connection

from proctoring import health


@pytest.mark.django_db
def test_it_says_of_every_part_and_every_detector_whether_it_works(client, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PROCTORING_MODELS", str(tmp_path))
    settings.EMBEDDED_WORKER = True  # not running here
    answer = client.get("/health/ready")
    body = answer.json()
    assert answer.status_code == 503
    assert body["checks"]["database"] == {"ok": True, "engine": connection.vendor}
    assert body["checks"]["cache"]["ok"]
    assert not body["checks"]["workers"]["ok"]
    assert body["detectors"]["faces"]["available"]
    assert not body["detectors"]["objects"]["available"]
    assert "fetch_models" in body["detectors"]["objects"]["reason"]


def test_it_is_alive_without_a_database(client):
    assert client.get("/health").json() == {"status": "ok"}


def test_it_says_what_it_is(client):
    assert client.get("/").json()["name"] == "proctoring"


def test_it_says_which_part_fails_without_saying_how():
    def broken():
        raise ConnectionError("password=hunter2")

    assert health._guarded(broken) == {"ok": False, "reason": "ConnectionError"}
