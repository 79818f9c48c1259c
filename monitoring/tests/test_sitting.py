"""A candidate sits the demonstration exam in a real browser while a reviewer watches: the whole road."""

import json
import re
import secrets
import time
import uuid
from contextlib import closing, contextmanager
from datetime import datetime

import pytest

from monitoring.tests.candidate_page import POINTS, CandidatePage
from monitoring.tests.chromium import CHROMIUM, chromium
from monitoring.tests.demo_exam import SOON_S, Console, Reviewer, demo_server
from monitoring.tests.line import Line
from monitoring.tests.recordings import Recordings
from monitoring.tests.test_own_voice import spoken
from monitoring.tests.test_server import wait_until
from vision.sound import RATE, as_wav

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe or playwright is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium"),
]
STORY = (("present", 15), ("MULTIPLE_FACES", 9), ("present", 10), ("NO_FACE", 10), ("present", 18))
"""What the camera shows from the beginning of the exam on, in seconds."""

BENGALI = re.compile(r"[\u0980-\u09ff]")
MOST_TABS = 60
AWAY_S = 20
FIRST, SECOND = "def total(numbers):", "\nreturn sum(numbers)"
CODE = "def total(numbers):\n    return sum(numbers)"
CODE_BY_KEYS = "total = sum"
OTHER_CODE = "same = lambda word: word == word[::-1]"


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    with demo_server(getattr(request, "param", "zero"), tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    made = Recordings(tmp_path_factory.mktemp("recordings"))
    return {"camera": made.camera(STORY), "microphone": made.microphone()}


@pytest.fixture
def browse(tmp_path, server, recordings):
    """Return a function that opens the candidate page in a browser of its own."""

    @contextmanager
    def open_page(**options):
        with chromium(tmp_path / "profile", **(recordings | options)) as window, closing(Line(server.port)) as line:
            yield CandidatePage(window, line)

    return open_page


def session_of(server, email):
    """Return id and status of the candidate's only session."""
    query = f"""SELECT s.id, s.status FROM exams_examsession s JOIN accounts_candidate c ON c.id = s.candidate_id
                JOIN accounts_user u ON u.id = c.user_id WHERE u.email = '{email}'"""
    [(pk, status)] = server.ask(query)
    return str(uuid.UUID(str(pk))), status


def stored(server, session):
    """Return what is kept of pictures, sound and events, as the client numbers them."""
    examined = server.ask("SELECT session_id, stream, seq FROM monitoring_observation")
    logs = server.ask("SELECT session_id, 'event', seq FROM monitoring_monitoringlog WHERE source = 'browser'")
    return sorted((stream, seq) for pk, stream, seq in (*examined, *logs) if uuid.UUID(str(pk)) == uuid.UUID(session))


@pytest.mark.parametrize("server", ["zero", "full"], indirect=True, ids=["without services", "PostgreSQL and Redis"])
def test_a_candidate_sits_the_exam_and_the_reviewer_sees_it_all(server, browse):
    email = f"candidate-{secrets.token_hex(4)}@example.com"
    with browse() as candidate:
        reviewer, console = Reviewer(server, come_in(candidate, server, email)), Console(server)
        prepare(candidate)
        with reviewer.watching():
            candidate.begin()
            session, _status = session_of(server, email)
            reviewer.sees_session(id=session, status="active", connected=True)
            work(candidate)
            be_seen_with_somebody(candidate, reviewer, console, session)
            switch_the_tab(candidate, reviewer, console, session)
            lose_the_line(candidate, reviewer, console, session)
            hand_in_all(candidate, reviewer, console, session)
    assert (candidate.refused, candidate.complaints) == ([], [])
    see_what_is_kept(candidate, reviewer, session)


def come_in(candidate, server, email):
    """Register, find no exam, be assigned one, and sign in again; returns the exam's id."""
    candidate.open()
    candidate.register("Candidate One", email, server.password)
    candidate.page.wait_for_selector("[data-step=wrong]")
    exam = server.assign(email)
    candidate.sign_out()
    candidate.sign_in(email, server.password)
    return exam


def prepare(candidate):
    """Agree, pass the check and look at the points."""
    candidate.agree()
    candidate.pass_check()
    candidate.calibrate()


def work(candidate):
    """Hand in one answer, then a better one."""
    assert candidate.camera_is_on()
    candidate.write(FIRST)
    candidate.hand_in(1)
    candidate.write(SECOND)  # the editor indents it
    candidate.hand_in(2)


def be_seen_with_somebody(candidate, reviewer, console, session):
    """The camera shows a second face; everybody is told while it lasts."""
    seen, told_at = reviewer.sees("MULTIPLE_FACES", 40)
    assert seen["explanation"]
    assert told_at - seconds(seen["started_at"]) < SOON_S
    reviewer.waits_for(lambda message: message["type"] == "session" and message["session"]["risk_score"] >= 4)
    wait_until(lambda: "Several faces" in candidate.noted(), SOON_S)
    console.shows(session, "Several faces")


def switch_the_tab(candidate, reviewer, console, session):
    """Bring another tab to the front and come back."""
    other = candidate.page.context.new_page()
    other.bring_to_front()
    reviewer.sees("TAB_SWITCH")
    other.close()
    candidate.page.bring_to_front()
    wait_until(lambda: "Left the exam tab" in candidate.noted(), SOON_S)
    console.shows(session, "Left the exam tab")


def lose_the_line(candidate, reviewer, console, session):
    """Be without a connection for a while, go on working, and come back."""
    reviewer.heard.clear()
    lost_at = time.time()
    candidate.go_offline()
    candidate.wait_for_line("offline")
    candidate.choose_problem(2)
    candidate.write(OTHER_CODE)
    reviewer.sees("NETWORK_GAP", AWAY_S + SOON_S, ended_at=None)
    reviewer.sees_session(id=session, connected=False)
    console.shows(session, "not connected", "Connection lost")
    wait_until(lambda: time.time() - lost_at > AWAY_S)
    assert candidate.line() == "offline"
    candidate.come_back()
    back_at = time.time()
    candidate.wait_for_line("online")
    gap = reviewer.waits_for(lambda message: is_over(message, "NETWORK_GAP"))["activity"]
    assert seconds(gap["ended_at"]) - seconds(gap["started_at"]) >= AWAY_S - 5
    reviewer.sees_session(id=session, connected=True)
    # What happened meanwhile was captured, and is seen with its own time.
    empty, _told_at = reviewer.sees("NO_FACE", 30)
    assert lost_at < seconds(empty["started_at"]) < back_at


def is_over(message, kind):
    shown = message.get("activity") or {}
    return shown.get("kind") == kind and shown["ended_at"] is not None


def seconds(time_told):
    return datetime.fromisoformat(time_told).timestamp()


def hand_in_all(candidate, reviewer, console, session):
    """Finish with an answer that was not handed in: it is, and the session is over."""
    candidate.finish()
    candidate.page.wait_for_selector("#outcome-answers:has-text('2 of 2')")
    reviewer.sees_session(id=session, status="submitted")
    told = ("Several faces", "Left the exam tab", "Connection lost", "Nobody in view")
    console.shows(session, "<dd>submitted</dd>", *told)


def see_what_is_kept(candidate, reviewer, session):
    """What the server acknowledged is kept, once, and nothing else; the gap weighs nothing."""
    acked = sorted(set(candidate.acked))
    assert {stream for stream, _seq in acked} == {"frame", "audio", "event"}
    wait_until(lambda: stored(reviewer.server, session) == acked)
    rows = reviewer.reads(f"sessions/{session}/submissions")["results"]
    assert sorted(row["code"] for row in rows if row["is_final"]) == [CODE, OTHER_CODE]
    assert len(rows) == 3
    summary = reviewer.reads(f"sessions/{session}/summary")
    points = {line["kind"]: line["points"] for line in summary["scores"]["breakdown"]}
    # The browser's camera is a recording that comes back, and that is found out.
    assert points.pop("SPOOF_SUSPECTED") == 2
    assert points == {"MULTIPLE_FACES": 4, "TAB_SWITCH": 3, "NO_FACE": 2, "NETWORK_GAP": 0, "SPEECH": 0}
    assert summary["frames"]["skipped"] == summary["frames"]["unusable"] == 0
    assert summary["frames"]["analysed"] >= summary["durations"]["active_s"] * 0.8


def test_who_reads_the_sentence_aloud_is_known_by_their_voice(server, browse, tmp_path):
    email = f"candidate-{secrets.token_hex(4)}@example.com"
    server.call("POST", "auth/register", {"email": email, "password": server.password, "full_name": "Candidate Three"})
    server.assign(email)
    microphone = tmp_path / "reader.wav"
    microphone.write_bytes(as_wav(0.5 * spoken("ls_1688", 0, 12), RATE))
    with browse(microphone=microphone) as candidate:
        candidate.open()
        candidate.sign_in(email, server.password)
        candidate.agree()
        candidate.page.click("#check-open")
        keys = Keys(candidate.page)
        keys.press("#voice-go")
        candidate.page.wait_for_selector("#voice-progress:visible")
        candidate.page.wait_for_selector("#voice-says:has-text('Your voice is known')", timeout=60_000)
    assert (candidate.refused, candidate.complaints) == ([], [])
    ((memory,),) = server.ask("SELECT sound_memory FROM monitoring_sessionmonitor ORDER BY rowid DESC LIMIT 1")
    assert [voice["number"] for voice in json.loads(memory)["voices"]] == [0]


# --- without mouse and English ----------------------------------------------------------------------------------------


def test_it_is_sat_in_bangla_with_the_keyboard_alone_and_without_barriers(server, browse):
    email = f"candidate-{secrets.token_hex(4)}@example.com"
    server.call("POST", "auth/register", {"email": email, "password": server.password, "full_name": "Candidate Two"})
    server.assign(email)
    with browse(language="bn") as candidate:
        candidate.open()
        keys = Keys(candidate.page)
        keys.read("signin")
        keys.type_into("#signin-email", email)
        keys.type_into("#signin-password", server.password)
        keys.press("#signin-form .main")
        keys.read("consent")
        keys.press("#consent-yes")
        keys.read("check")
        keys.press("#check-open")
        candidate.page.wait_for_selector("[data-check=microphone][data-state=good]")
        keys.press("#check-send")
        keys.read("calibrate")
        keys.press("#calibrate-go")
        keys.look_at_points()
        keys.read("ready")
        keys.press("#ready-go")
        keys.read("exam")
        wait_until(lambda: any(BENGALI.search(noted) for noted in candidate.noted()), SOON_S)
        keys.type_into("#editor", CODE_BY_KEYS)
        candidate.load_again()
        keys.press("#ready-go")
        candidate.page.wait_for_selector(f"#editor .cm-content:has-text('{CODE_BY_KEYS}')")
        keys.go_to("#editor")
        candidate.page.keyboard.press("Escape")  # from here on Tab leaves the editor
        keys.press("#editor-submit")
        candidate.page.wait_for_selector("#problem-list [data-standing=sent]")
        keys.press("#exam-finish")
        keys.press("#finish-yes")
        keys.read("outcome")
        candidate.load_again()
        keys.read("outcome")
    assert (candidate.refused, candidate.complaints) == ([], [])
    assert session_of(server, email)[1] == "submitted"


class Keys:
    """Who uses the page with the keys alone, and reads every step of it."""

    def __init__(self, page):
        self.page = page

    def read(self, step):
        """Wait for a step, and see that its heading has the focus, that it is in Bangla and keeps nobody out."""
        section = self.page.wait_for_selector(f"[data-step={step}]", timeout=60_000)
        heading = section.query_selector("h1")
        wait_until(lambda: heading.evaluate("heading => heading === document.activeElement"), SOON_S)
        assert self.page.get_attribute("html", "lang") == "bn"
        if step not in ("ready", "exam"):  # headed by the exam's own title
            assert BENGALI.search(heading.inner_text())
        assert [(found["id"], found["nodes"]) for found in axe.Axe().run(self.page).response["violations"]] == []

    def go_to(self, selector):
        for _key in range(MOST_TABS):
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"no key leads to {selector}")

    def press(self, selector):
        self.page.wait_for_selector(selector)
        self.go_to(selector)
        self.page.keyboard.press("Enter")

    def type_into(self, selector, words):
        self.go_to(selector)
        self.page.keyboard.type(words)

    def look_at_points(self):
        labels = [""]
        for _point in range(POINTS):
            wait_until(lambda: self._label() not in labels, SOON_S)
            labels.append(self._label())
            self.page.keyboard.press("Enter")
        assert all(BENGALI.search(label) for label in labels[1:])

    def _label(self):
        return self.page.get_attribute("#point", "aria-label") or ""
