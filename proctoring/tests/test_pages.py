"""The schema and its two pages come from this server alone."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

FOREIGN = re.compile(r"""(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}""")


@pytest.mark.parametrize("address", ["/docs", "/docs?script=", "/redoc"])
def test_it_shows_the_interface_without_a_foreign_host(address):
    answer = Client().get(address)
    assert answer.status_code == 200
    assert FOREIGN.findall(answer.content.decode()) == []
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy.replace("http-equiv", "")
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("address", ["/docs", "/redoc"])
def test_it_runs_no_script_that_stands_in_the_page_and_serves_every_file_it_names(address):
    page = Client().get(address).content.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    files = re.findall(r'(?:src|href)="/static/([^"]+)"', page)
    assert len(files) >= 3
    assert [file for file in files if finders.find(file) is None] == []


def test_it_gives_the_description_as_yaml_and_json_to_anyone():
    client = Client()
    assert client.get("/schema")["Content-Type"].startswith("application/vnd.oai.openapi")
    document = client.get("/schema", HTTP_ACCEPT="application/json").json()
    assert document["openapi"].startswith("3.1")
    # Whatever credentials come along, it is open to anyone.
    assert client.get("/schema", HTTP_AUTHORIZATION="Bearer nonsense").status_code == 200


def test_it_names_the_description_at_the_front_door():
    about = Client().get("/").json()
    for name in ("docs", "redoc", "schema", "health"):
        assert Client().get(about[name]).status_code in (200, 503)
