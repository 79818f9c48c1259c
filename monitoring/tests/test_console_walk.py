"""One session through the whole console in a real browser: from the hall that is live to the appeal and the PDF."""

import secrets
import time
from contextlib import closing, contextmanager

import pytest
from websockets.sync.client import connect

from monitoring.tests.candidate_page import CandidatePage
from monitoring.tests.chromium import CHROMIUM, chromium
from monitoring.tests.line import Line
from monitoring.tests.sockets import Client, SocketServer
from monitoring.tests.test_server import wait_until

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe or playwright is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium"),
]
PREPARE = """
import django, sys; django.setup()
from datetime import timedelta
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken
from accounts.models import Role
from accounts.services import ensure_user
from exams.lifecycle import move_session
from exams.models import SessionStatus
from exams.services import create_session
from monitoring import services
from monitoring.tests.factories import make_candidate, make_exam
name, password = sys.argv[1:]
staff = [ensure_user(email=f"{who}-{name}@example.com", role=role, password=password)[0] for who, role in (
    ("teacher", Role.TEACHER), ("first", Role.REVIEWER), ("second", Role.REVIEWER), ("third", Role.REVIEWER))]
exam = make_exam(staff[0], code=name, title="Algebra", max_attempts=1)
exam.reviewers.add(*staff[1:])
candidate = make_candidate(f"candidate-{name}@example.com", full_name="Candidate One")
candidate.user.language = "en"
candidate.user.set_password(password)
candidate.user.save()
began = timezone.now() - timedelta(minutes=6)
session = create_session(exam=exam, candidate=candidate, created_at=began)
session = move_session(session=session, to=SessionStatus.ACTIVE, at=began)
services.open_monitor(session=session)
print(session.pk, AccessToken.for_user(candidate.user))
"""
END = """
import django, sys; django.setup()
from exams.lifecycle import move_session
from exams.models import ExamSession
session = ExamSession.objects.get(pk=sys.argv[1])
move_session(session=session, to="submitted")
"""
SWITCHES, EVERY_S, PICTURES = 9, 30, 8
KEYS = ["c", "d", "c", "c", "d", "c", "c", "d", "c", "c"]
SAYS = {"c": "confirmed", "d": "dismissed"}
APPEAL = "The other person was my sister, who brought me water."


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = SocketServer(tmp_path_factory.mktemp("server"))
    try:
        server.begin()
        wait_until(lambda: server.health()["checks"]["workers"]["ok"])
        yield server
    finally:
        server.remove()


class Console:
    """The console in one tab, for one member of staff after the other."""

    def __init__(self, server, page, name, password):
        self.server, self.page, self.name, self.password, self.complaints = server, page, name, password, []
        self.address, self.barriers = f"http://127.0.0.1:{server.port}", {}
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def sign_in(self, who):
        """Come in as somebody else, to the dashboard."""
        # Each answer renews the CSRF cookie that its request brought: were that thrown away, one that comes late would
        # put it back between the sign-in form and its answer. Who signs out keeps it, as people do.
        if self.page.locator("#logout-form").count():
            with self.page.expect_navigation():
                self.page.click("#logout-form button")
        self.page.goto(f"{self.address}/admin/")
        self.page.fill("#id_username", f"{who}-{self.name}@example.com")
        self.page.fill("#id_password", self.password)
        with self.page.expect_navigation():
            self.page.press("#id_password", "Enter")
        assert "Waiting for review" in self.page.inner_text("body")

    def take_next(self, tab):
        """Go from the dashboard to the queue and take what is first there, which opens it."""
        self.page.click(".tiles a:has-text('Review queue')")
        self.page.click(f"a[href='?tab={tab}']")
        self.look(f"queue {tab}")
        self.page.click("button[value=next]")
        self.page.wait_for_selector("#session-desk .turn:has-text('You have taken this session')")

    def decide(self, outcome, reason, leaning=""):
        """Decide on the session, and be told so."""
        self.page.fill("#reason-session", reason)
        if leaning:
            self.page.select_option("#leaning", leaning)
        self.page.click(f"#verdict button[value={outcome}]")
        self.page.wait_for_selector(".messagelist .success")

    def look(self, what):
        """Note what keeps people out of this page."""
        found = axe.Axe().run(self.page).response["violations"]
        grave = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        if grave:
            self.barriers[what] = grave


@contextmanager
def sitting(server, session, token):
    """Sit the exam meanwhile: two people in the picture, and tabs that were switched over the last minutes."""
    address = f"ws://127.0.0.1:{server.port}/ws/proctoring/{session}/?token={token}"
    with connect(address, compression=None) as socket:
        report_all(server, Client(socket))
        yield


def report_all(server, client):
    """Send pictures and events until each is acknowledged."""
    client.next("hello")
    now = time.time()
    for seq in range(SWITCHES):
        at = now - 310 + EVERY_S * seq
        client.send(type="event", seq=seq, event="TAB_SWITCH", captured_at=at * 1000)
    for seq in range(PICTURES):
        client.picture(seq, server.picture, at=now - PICTURES + seq)
    for _ in range(SWITCHES + PICTURES):
        assert client.answer()["type"] == "ack"


def test_from_the_hall_to_the_appeal_and_the_pdf(server, tmp_path):
    name, password = secrets.token_hex(6), secrets.token_urlsafe(12)
    session, token = server.python(PREPARE, name, password).split()
    with chromium(tmp_path / "staff") as window:
        console = Console(server, window.new_page(), name, password)
        with sitting(server, session, token):
            see_the_hall(console, session)
        server.python(END, session)
        review_first(console)
        review_second(console)
    with chromium(tmp_path / "candidate") as window, closing(Line(server.port)) as line:
        appeal(CandidatePage(window, line), name, password)
    with chromium(tmp_path / "others") as window:
        console = Console(server, window.new_page(), name, password)
        decide_on_appeal(console)
        get_the_pdf(console, session)
    assert (console.complaints, console.barriers) == ([], {})
    told = server.ask("SELECT verdict FROM monitoring_reviewdecision WHERE activity_id IS NULL ORDER BY decided_at")
    assert [verdict for (verdict,) in told] == ["escalated", "concern", "clear"]


def see_the_hall(console, session):
    """The teacher comes from the dashboard to the live wall, sees who is not alone, and opens the session."""
    console.sign_in("teacher")
    console.look("dashboard")
    console.page.click("a:has-text('Live wall')")
    if "/wall/" not in console.page.url or console.page.url.endswith("/wall/"):
        console.page.click(".console a[href*='/wall/']")
    tile = console.page.locator(".wall-tile", has_text="Candidate One")
    tile.wait_for()
    tile.locator("text=Several faces").wait_for()
    console.look("wall")
    with console.page.context.expect_page() as opened:  # beside the wall, which goes on
        tile.locator(f"a[href*='{session}']").first.click()
    opened.value.wait_for_selector("#session-desk h1:has-text('Candidate One')")
    opened.value.close()


def review_first(console):
    """The first reviewer takes it from the queue, decides ten activities by keys alone, and hands it on."""
    console.sign_in("first")
    console.take_next("first")
    page = console.page
    page.wait_for_selector("html[data-desk=ready]")
    console.look("session")
    before = int(page.get_attribute("#undecided", "data-count"))
    assert before >= len(KEYS)
    page.keyboard.press("j")
    for number, key in enumerate(KEYS):
        page.keyboard.press(key)
        page.keyboard.type(f"Seen, number {number}.")
        page.keyboard.press("Enter")
        left = before - number - 1
        wait_until(lambda left=left: int(page.get_attribute("#undecided", "data-count")) == left, 10)
    given = console.server.ask("SELECT verdict FROM monitoring_reviewdecision WHERE activity_id IS NOT NULL")
    assert sorted(verdict for (verdict,) in given) == sorted(SAYS[key] for key in KEYS)
    console.decide("escalated", "Somebody else should look.", leaning="concern")


def review_second(console):
    """The second reviewer sees nothing of what the first decided, and comes to the same."""
    console.sign_in("second")
    console.take_next("second")
    page = console.page
    assert "Seen, number" not in page.inner_text("#session-desk")
    assert page.locator(".card .badge-verdict-confirmed").count() == 0
    console.look("second review")
    page.locator(".card", has_text="Several faces").first.locator("input[name=reason]").first.fill("Two people.")
    page.locator(".card", has_text="Several faces").first.locator("button[value=confirmed]").click()
    page.wait_for_selector(".card .badge-verdict-confirmed")
    console.decide("concern", "Two people were there.")
    assert "Somebody else should look." in page.inner_text("#verdict")


def appeal(candidate, name, password):
    """The candidate reads what came of it, and appeals."""
    candidate.open(f"/exam/{name}/#outcome")
    candidate.sign_in(f"candidate-{name}@example.com", password)
    page = candidate.page
    page.wait_for_selector("#outcome-sentence:has-text('cause for concern')")
    page.fill("#appeal-text", APPEAL)
    page.click("#appeal-form .main")
    page.wait_for_selector("#appeal-sent")
    assert candidate.complaints == []


def decide_on_appeal(console):
    """A third reviewer reads the appeal and not the verdicts, and decides otherwise."""
    console.sign_in("third")
    console.take_next("appeal")
    page = console.page
    assert APPEAL in page.inner_text(".turn")
    assert "Two people were there." not in page.inner_text("#session-desk")
    console.look("appeal")
    console.decide("clear", "Water is allowed.")


def get_the_pdf(console, session):
    """The teacher has the PDF made anew and opens it."""
    console.sign_in("teacher")
    page = console.page
    page.goto(f"{console.address}/admin/exams/examsession/{session}/change/")
    assert "Water is allowed." in page.inner_text("#verdict")
    page.click("form[action$='/make/'] button")
    address = f"{console.address}/admin/reports/sessionreport/{session}/pdf/"
    wait_until(lambda: page.request.get(address).headers["content-type"] == "application/pdf", 60)
    assert page.request.get(address).body().startswith(b"%PDF")
