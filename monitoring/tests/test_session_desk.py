"""The session page in a real browser: decided by the keys alone, zoomed, listened to, and without barriers."""

import json

import pytest

from monitoring.tests.chromium import CHROMIUM, chromium
from monitoring.tests.demo_exam import DemoServer
from monitoring.tests.test_server import wait_until

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe or playwright is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium"),
]
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'"
)
DECIDED = 10
FOUND = """
import django; django.setup()
import hashlib
from datetime import timedelta
from django.core.files.base import ContentFile
from exams.models import CodeSubmission, Exam, Problem
from monitoring.models import Assessment, Evidence, SuspiciousActivity
from monitoring.services import record_event
from monitoring.tests.factories import START, end_session, facts, make_candidate, make_session, two_men_jpeg, watch
from vision.sound import RATE, as_wav
import numpy as np
exam = Exam.objects.get(code="demo")
session = make_session(exam, make_candidate("desk@example.com", "Candidate One"))
seen = [facts(at, faces=2 if 20 <= at < 26 else 1) for at in range(40)]
watch(session, *seen, pictures={one.seq: two_men_jpeg for one in seen})
for number in range(11):
    at = START + timedelta(seconds=60 + 20 * number)
    record_event(session_id=session.pk, event_type="TAB_SWITCH", source="browser", occurred_at=at)
heard = SuspiciousActivity.objects.create(
    assessment=Assessment.objects.get(session=session), session=session, kind="SPEECH", confidence=0.9,
    started_at=START + timedelta(seconds=5), ended_at=START + timedelta(seconds=9), explanation="Somebody spoke.",
    detail={"positives": 3, "examined": 4},
)
sound = as_wav((0.1 * np.sin(np.arange(RATE * 8) / 9)).astype("float32"), RATE)
evidence = Evidence(
    activity=heard, sha256=hashlib.sha256(sound).hexdigest(), media_type="audio/wav", seq=1,
    captured_at=heard.started_at,
)
evidence.file.save("speech.wav", ContentFile(sound))
problem = Problem.objects.filter(exam=exam).first()
for version, code in enumerate(("one", "two"), start=1):
    CodeSubmission.objects.create(
        session=session, problem=problem, version=version, language="python", code=code, sha256="0" * 64
    )
end_session(session, 400)
print(session.pk)
"""


class DeskServer(DemoServer):
    """A server with one session in which thirteen activities were found, one of them heard."""

    def __init__(self, folder):
        super().__init__(folder)
        self.session = self.python(FOUND).strip()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = DeskServer(tmp_path_factory.mktemp("server"))
    try:
        server.begin()
        yield server
    finally:
        server.remove()


@pytest.fixture
def desk(server, tmp_path):
    with chromium(tmp_path / "profile") as window:
        yield Desk(window, server)


class Desk:
    """A reviewer in front of the session page, with nothing but keys."""

    def __init__(self, window, server):
        self.server, self.page, self.complaints = server, window.new_page(), []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.page.goto(f"{server.address}/admin/login/?next=/admin/password_change/")
        self.page.fill("#id_username", "reviewer@example.com")
        self.page.fill("#id_password", server.password)
        self.page.press("#id_password", "Enter")
        self.page.wait_for_selector("#id_new_password1")
        self.page.route("**/examsession/**", self._strictly)

    def _hear(self, message):
        if message.type == "error" and "favicon" not in json.dumps(message.location):
            self.complaints.append(message.text)

    def _strictly(self, route):
        """Have the browser refuse every script and style that stands within the page."""
        if route.request.resource_type != "document":
            route.continue_()
            return
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": STRICT})

    def open(self, what="change"):
        self.page.goto(f"{self.server.address}/admin/exams/examsession/{self.server.session}/{what}/")
        if what == "change":
            self.page.wait_for_selector("html[data-desk=ready]")

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def write(self, words):
        self.page.keyboard.type(words)
        self.page.keyboard.press("Enter")

    def undecided(self):
        return int(self.page.get_attribute("#undecided", "data-count"))

    def in_focus(self):
        return self.page.evaluate("document.activeElement.querySelector('h3')?.firstChild.textContent.trim()")

    def barriers(self):
        found = axe.Axe().run(self.page).response["violations"]
        return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]

    def verdicts(self):
        rows = self.server.ask("SELECT verdict, reason FROM monitoring_reviewdecision ORDER BY decided_at")
        return [tuple(row) for row in rows]


def test_ten_activities_are_decided_by_the_keys_alone(desk):
    desk.open()
    before = desk.undecided()
    verdicts = [("c", "confirmed"), ("d", "dismissed"), ("e", "escalated")] * 4
    desk.press("j")
    for number, (key, _verdict) in enumerate(verdicts[:DECIDED]):
        desk.press(key)
        desk.write(f"Seen, number {number}.")
        wait_until(lambda told=number: desk.undecided() == before - told - 1, 10)
    given = [(verdict, f"Seen, number {number}.") for number, (_key, verdict) in enumerate(verdicts[:DECIDED])]
    assert desk.verdicts() == given
    assert len(set(desk.server.ask("SELECT activity_id FROM monitoring_reviewdecision"))) == DECIDED

    desk.press("k", "u")
    desk.press("Enter")
    wait_until(lambda: desk.undecided() == before - DECIDED + 1, 10)
    assert desk.verdicts() == [*given, ("withdrawn", "Taken back.")]

    desk.press("n")
    desk.write("The clock behind shows 9:02.")
    desk.page.wait_for_selector("#notes li:has-text('The clock behind shows 9:02.')")
    assert desk.page.locator(".card .decisions:has-text('The clock behind shows 9:02.')").count() == 1
    assert desk.page.locator("#notes #note-form").is_visible()
    assert desk.complaints == []


def test_a_key_leads_to_the_outcome_and_escape_back(desk):
    desk.open()
    desk.press("j")
    first = desk.in_focus()
    desk.press("o")
    assert desk.page.evaluate("document.activeElement.id") == "reason-session"
    desk.page.keyboard.type("no")  # written, and no command
    assert desk.page.input_value("#reason-session") == "no"
    desk.press("Escape")
    assert desk.in_focus() == first
    assert desk.complaints == []


def test_what_is_written_is_no_command_and_keys_can_be_switched_off(desk):
    desk.open()
    decided = desk.verdicts()
    desk.press("j", "c")
    desk.page.keyboard.type("jkcdexun?")
    assert desk.page.evaluate("document.activeElement.value") == "jkcdexun?"
    desk.press("Escape")
    first = desk.in_focus()
    desk.press("?")
    assert desk.page.locator("#keys").is_visible()
    assert desk.barriers() == []
    desk.page.locator("#keys-on").press("Space")
    desk.press("Escape", "j", "j")
    assert desk.in_focus() == first
    desk.page.locator("#keys-open").press("Enter")
    desk.page.locator("#keys-on").press("Space")
    desk.press("Escape")
    assert desk.verdicts() == decided
    assert desk.complaints == []


def test_the_sound_plays_and_the_timeline_zooms_and_shows_the_nearest_picture(desk):
    desk.open()
    desk.press("j")
    assert desk.in_focus() == "Somebody speaks"
    desk.press("Space")
    playing = "!document.querySelector('.card.is-current audio').paused"
    wait_until(lambda: desk.page.evaluate(playing), 10)
    desk.press("Space")
    wait_until(lambda: not desk.page.evaluate(playing), 10)

    assert desk.page.inner_text(".zoom-says") == "0:00 – 6:40"
    desk.press("+", "+")
    assert desk.page.inner_text(".zoom-says") == "0:04 – 1:44"
    bars = "[...document.querySelectorAll('.timeline a:not([data-out]) .tl-bar')].map(bar => Number(bar.dataset.s))"
    assert max(desk.page.evaluate(bars)) <= 104
    desk.press("0")
    assert max(desk.page.evaluate(bars)) > 104

    slider = desk.page.locator("#scrub-at")
    slider.press("End")
    assert "after" not in desk.page.inner_text(".scrub-what")
    slider.press("Home")
    assert desk.page.inner_text(".scrub-what").startswith("Several faces, 0:2")
    assert desk.page.evaluate("document.querySelector('.scrub-picture img').src").endswith("/picture/")
    assert desk.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("what", ["change", "answers"])
def test_it_keeps_nobody_out(desk, what, scheme):
    desk.page.emulate_media(color_scheme=scheme)
    desk.open(what)
    if what == "change":
        desk.press("j", "x")
        assert desk.page.inner_text(".bulk-count") == "1 chosen"
    assert desk.barriers() == []
    assert desk.complaints == []


def test_nothing_that_was_written_is_lost(desk):
    desk.open()
    page, before = desk.page, desk.undecided()
    first, second = (page.locator(".card:not([data-verdict])").nth(number) for number in (0, 1))
    first_id, second_id = (card.get_attribute("data-id") for card in (first, second))
    page.fill("#note-text", "Half a note")
    page.fill(f"#reason-{second_id}", "Half a reason")

    page.route("**/decide/", lambda route: route.abort())
    page.fill(f"#reason-{first_id}", "Seen.")
    page.click(f"#activity-{first_id} .decide-confirmed")
    page.wait_for_selector(f"#activity-{first_id} .errornote:has-text('could not be reached')")
    assert (page.input_value(f"#reason-{first_id}"), desk.undecided()) == ("Seen.", before)

    page.unroute("**/decide/")
    page.click(f"#activity-{first_id} .decide-confirmed")
    page.wait_for_selector(f"#activity-{first_id}[data-verdict=confirmed]")
    assert page.input_value(f"#reason-{first_id}") == ""
    assert page.input_value("#note-text") == "Half a note"
    assert page.input_value(f"#reason-{second_id}") == "Half a reason"

    page.fill("#note-at", "1h")
    assert page.locator("#note-at:invalid").count() == 1  # which the browser says by itself, also without scripts
    page.fill("#note-at", "9999999")
    page.click("#note-form button")
    page.wait_for_selector("#notes .errornote")
    assert (page.input_value("#note-text"), page.input_value("#note-at")) == ("Half a note", "9999999")
    page.fill("#note-at", "1:00")
    page.click("#note-form button")
    page.wait_for_selector("#notes li:has-text('Half a note')")
    assert page.input_value("#note-text") == ""


def test_several_are_decided_together(desk):
    desk.open()
    before, decided = desk.undecided(), len(desk.verdicts())
    assert before > 1
    desk.page.locator("#bulk-all").press("Enter")
    desk.page.locator("#bulk-reason").fill("Allowed in this exam.")
    desk.page.locator("#bulk button[value=dismissed]").press("Enter")
    desk.page.wait_for_selector(".messagelist .success")
    assert desk.undecided() == 0
    assert desk.verdicts()[decided:] == [("dismissed", "Allowed in this exam.")] * before
