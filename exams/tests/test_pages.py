"""The candidate page: what is served, to whom, under which policy, and that its parts fit together."""

import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from exams.kinds import RiskLevel
from exams.page_texts import page_texts

pytestmark = pytest.mark.django_db
STATIC = Path(__file__).resolve().parents[2] / "static"
SCRIPTS = sorted((STATIC / "candidate").glob("*.js"))
ADDRESSES = ["/exam/", "/exam/demo/", "/exam/there-is-no-such-exam/"]
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
FOREIGN = re.compile(r"""(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}""")


def page(address="/exam/demo/", **headers):
    return Client().get(address, headers=headers)


@pytest.mark.parametrize("address", ADDRESSES)
def test_anyone_gets_the_page_and_it_tells_nothing_of_exams(address):
    answer = page(address)
    assert answer.status_code == 200
    known = page("/exam/").content.decode()
    code = address.removeprefix("/exam/").strip("/")
    same = answer.content.decode().replace(f'data-exam="{code}"', 'data-exam=""').replace(f'"{address}"', '"/exam/"')
    token = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
    assert token.sub("", same) == token.sub("", known)


@pytest.mark.parametrize("address", ["/exam/de%22mo/", "/exam/a/b/", "/exam/<script>/"])
def test_it_takes_only_codes_that_exams_can_have(address):
    assert page(address).status_code == 404


@pytest.mark.parametrize("language", ["en", "bn"])
def test_nothing_runs_that_stands_in_the_page(language):
    answer = page(accept_language=language)
    text = answer.content.decode()
    policy = dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["worker-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert "camera=(self)" in answer["Permissions-Policy"]
    assert "microphone=(self)" in answer["Permissions-Policy"]
    assert answer["Cache-Control"] == "private, no-store"
    assert INLINE.findall(text) == []
    assert FOREIGN.findall(text) == []
    # A block of data is none of code.
    assert re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text) == []


def test_every_file_that_the_page_and_its_scripts_name_is_served():
    named = re.findall(r'(?:src|href)="/static/([^"]+)"', page().content.decode())
    assert len(named) == 3
    assert [name for name in named if finders.find(name) is None] == []
    for script in SCRIPTS:
        for name in re.findall(r'from "(\.[^"]+)"', script.read_text()):
            assert (script.parent / name).resolve().is_file(), f"{script.name}: {name}"


def test_scripts_send_nothing_to_strangers_and_make_no_code_of_text():
    for script in SCRIPTS:
        source = script.read_text()
        assert FOREIGN.findall(source) == [], script.name
        assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write", source)
        assert 'setAttribute("style"' not in source, script.name


def test_every_element_that_scripts_look_for_is_in_the_page_once():
    text = page().content.decode()
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    looked_for = {name for script in SCRIPTS for name in re.findall(r'\bat\("([\w-]+)"\)', script.read_text())}
    assert len(looked_for) > 40
    assert looked_for - set(ids) == set()
    steps = set(re.findall(r'data-step="(\w+)"', text))
    shown = {name for script in SCRIPTS for name in re.findall(r'\bshow\("(\w+)"\)', script.read_text())}
    assert shown | set(re.findall(r'data-go="(\w+)"', text)) <= steps


def test_scripts_know_every_sentence_and_no_sentence_is_for_nothing():
    source = "\n".join(script.read_text() for script in SCRIPTS)
    texts = page_texts()
    asked = set(re.findall(r'\btext\("(\w+)"', source)) | set(re.findall(r'DeviceProblem\("(\w+)"', source))
    assert asked - set(texts) == set()
    built = {f"line_{state}" for state in ("connecting", "online", "offline", "fallback", "closed")}
    built |= {f"check_{state}" for state in ("good", "look", "wait", "unknown")} | {
        "submitted",
        "terminated",
        "expired",
    }
    built |= {f"level_{level}" for level in RiskLevel.values}
    assert built <= set(texts)
    assert {name for name in texts if name not in built and f'"{name}"' not in source} == set()


def test_sentences_come_with_the_page_and_placeholders_are_filled_by_name():
    text = page().content.decode()
    block = re.search(r'<script id="texts" type="application/json">(.*?)</script>', text)
    assert block is not None
    assert json.loads(block[1]) == page_texts()
    assert all(not re.search(r"%[sd]|\{\w*\}", sentence) for sentence in page_texts().values())


def test_every_field_has_a_label_and_every_step_a_heading_that_can_have_the_focus():
    text = page().content.decode()
    labels = set(re.findall(r'<label for="([^"]+)"', text))
    fields = set(re.findall(r'<(?:input|select|textarea)(?![^>]*type="hidden")[^>]*\bid="([^"]+)"', text))
    assert len(fields) > 5
    assert fields == labels
    sections = text.split("<section")[1:]
    assert len(sections) == len(re.findall("data-step=", text))
    assert all(re.search(r'<h1 tabindex="-1"', part) for part in sections)


def test_the_reader_chooses_the_language_and_the_page_remembers():
    client = Client(enforce_csrf_checks=True)
    first = client.get("/exam/demo/", headers={"accept-language": "en"})
    assert '<html lang="en">' in first.content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', first.content.decode())[1]
    sent = {"language": "bn", "next": "/exam/demo/"}
    assert client.post(reverse("candidate-language"), sent).status_code == 403
    answer = client.post(reverse("candidate-language"), sent | {"csrfmiddlewaretoken": token})
    assert (answer.status_code, answer["Location"]) == (302, "/exam/demo/")
    again = client.get("/exam/demo/", headers={"accept-language": "en"}).content.decode()
    assert '<html lang="bn">' in again
    assert 'value="bn" lang="bn" aria-current="true"' in again


def test_it_leads_to_no_other_site_after_the_choice():
    client = Client()
    answer = client.post(reverse("candidate-language"), {"language": "bn", "next": "https://example.org/"})
    assert answer["Location"] == "/"


def test_the_editor_is_served_from_here_with_its_licence():
    folder = STATIC / "vendor/codemirror"
    pinned = json.loads((folder / "package.json").read_text())
    versions = [*pinned["dependencies"].values(), *pinned["devDependencies"].values()]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
    assert "Permission is hereby granted" in (folder / "LICENSE").read_text()
    used = set(re.findall(r"\bcm\.(\w+)", (STATIC / "candidate/editor.js").read_text()))
    exported = set(re.findall(r"\w+", (folder / "entry.js").read_text().rpartition("export {")[2])) | {"grammars"}
    assert used - exported == set()
