"""The live wall as a proctor uses it: a real browser, a real server, and candidates on real sockets."""

import re
import secrets
import time
from contextlib import ExitStack, closing

import pytest
from websockets.sync.client import connect

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
SOON_MS = 20_000
PREPARE = """
import django, sys, uuid; django.setup()
from datetime import timedelta
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken
from accounts.models import Role
from accounts.services import ensure_user
from exams.lifecycle import move_session
from exams.models import SessionStatus
from exams.services import add_policy_version, create_session
from monitoring import services
from monitoring.tests.factories import make_candidate, make_exam
password, names = sys.argv[1], sys.argv[2:]
code = uuid.uuid4().hex
email = "t" + code + "@example.com"
exam = make_exam(ensure_user(email=email, role=Role.TEACHER, password=password)[0], code=code, title="Algebra")
# Candidates who send nothing are no news here.
add_policy_version(exam=exam, settings={"silent_after_s": 600})
print(exam.pk, email)
began = timezone.now() - timedelta(minutes=1)
for name in names:
    candidate = make_candidate(f"{name}-{code}@example.com", full_name=name)
    session = create_session(exam=exam, candidate=candidate, created_at=began)
    session = move_session(session=session, to=SessionStatus.ACTIVE, at=began)
    services.open_monitor(session=session)
    print(name, session.pk, AccessToken.for_user(candidate.user))
"""

END = """
import django, sys; django.setup()
from exams.lifecycle import move_session
from exams.models import ExamSession
move_session(session=ExamSession.objects.get(pk=sys.argv[1]), to="terminated", reason="x")
"""
IS_PAINTED = """(canvas) => {
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const brush = copy.getContext("2d");
  brush.drawImage(canvas, 0, 0);
  const seen = brush.getImageData(0, 0, copy.width, copy.height).data;
  return new Set(new Uint32Array(seen.buffer)).size;
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = SocketServer(tmp_path_factory.mktemp("server"))
    try:
        server.begin()
        wait_until(lambda: server.health()["checks"]["workers"]["ok"])
        yield server
    finally:
        server.remove()


class Hall:
    """An exam that three candidates sit, each on a socket."""

    def __init__(self, server, sockets):
        self.server, self.password, self._sockets = server, secrets.token_urlsafe(16), sockets
        first, *rest = server.python(PREPARE, self.password, "Ada", "Bo", "Cy").splitlines()
        self.exam, self.teacher = first.split()
        self.sessions = {name: (pk, token) for name, pk, token in map(str.split, rest)}
        self.seats = {name: self._sit(*there) for name, there in self.sessions.items()}

    def _sit(self, session, token):
        address = f"ws://127.0.0.1:{self.server.port}/ws/proctoring/{session}/?token={token}"
        client = Client(self._sockets.enter_context(connect(address, compression=None)))
        client.next("hello")
        return client

    def minutes_given(self, name):
        pk = self.sessions[name][0].replace("-", "")
        return self.server.ask(f"SELECT extended_minutes FROM exams_examsession WHERE id = '{pk}'")[0][0]


@pytest.fixture
def hall(server):
    with ExitStack() as sockets:
        yield Hall(server, sockets)


class Wall:
    """One tab with the wall; remembers what the browser complained of."""

    def __init__(self, page, hall, line):
        self.page, self.complaints = page, []
        page.set_default_timeout(SOON_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{line.address}/admin/exams/examsession/wall/{hall.exam}/")
        page.fill("#id_username", hall.teacher)
        page.fill("#id_password", hall.password)
        page.click("[type=submit]")
        page.wait_for_selector(".wall-tile")

    def tile(self, name):
        return self.page.locator(".wall-tile", has=self.page.locator(".wall-name", has_text=name))

    def names(self):
        return self.page.locator(".wall-name").all_inner_texts()

    def wait_for_line(self, state):
        self.page.wait_for_selector(f"#wall-line[data-state={state}]")

    def act(self, name, action):
        self.tile(name).locator(".wall-menu").click()
        self.page.click(f".wall-action-{action}")
        self.page.wait_for_selector("#wall-dialog[open]")

    def confirm(self):
        self.page.click("#wall-dialog-yes")
        self.page.wait_for_selector("#wall-dialog", state="hidden")


@pytest.fixture
def line(server):
    with closing(Line(server.port)) as line:
        yield line


@pytest.fixture
def wall(tmp_path, hall, line):
    with chromium(tmp_path / "profile") as window:
        wall = Wall(window.pages[0], hall, line)
        yield wall
        assert wall.complaints == []


def test_the_wall_shows_the_last_picture_and_what_is_found_in_it(server, hall, wall):
    wall.wait_for_line("live")
    assert sorted(wall.names()) == ["Ada", "Bo", "Cy"]
    seat, ada = hall.seats["Ada"], wall.tile("Ada")
    assert ada.locator(".wall-picture").is_hidden()
    wait_until(lambda: "Connected" in ada.inner_text())
    for seq in range(40):  # several pictures in a row accuse, and the page asks for them every other second
        seat.picture(seq, server.picture)
        seat.answer()
        if "Several faces" in ada.inner_text() and ada.locator(".wall-picture").is_visible():
            break
        time.sleep(0.5)
    assert "2 people" in ada.inner_text()
    assert wall.page.evaluate(IS_PAINTED, ada.locator(".wall-picture").element_handle()) > 1000
    assert wall.tile("Bo").locator(".wall-picture").is_hidden()
    wait_until(lambda: wall.names()[0] == "Ada")


def test_what_the_proctor_does_reaches_the_candidate(hall, wall):
    wall.wait_for_line("live")
    wall.act("Bo", "message")
    wall.page.fill("#wall-text", "Please look at the screen.")
    wall.confirm()
    assert hall.seats["Bo"].next("message")["text"] == "Please look at the screen."

    wall.act("Bo", "extend")
    wall.page.fill("#wall-minutes", "7")
    assert hall.minutes_given("Bo") == 0
    assert re.search(r"\b5\d min left", wall.tile("Bo").inner_text())
    wall.confirm()
    wait_until(lambda: hall.minutes_given("Bo") == 7)
    wait_until(lambda: re.search(r"1 h \d min left", wall.tile("Bo").inner_text()))

    wall.act("Bo", "pause")
    wall.confirm()
    wait_until(lambda: hall.seats["Bo"].next("status")["session"] == "paused")
    wait_until(lambda: "paused" in wall.tile("Bo").inner_text())
    wall.act("Bo", "resume")
    wall.confirm()
    wait_until(lambda: "paused" not in wall.tile("Bo").inner_text())


def test_a_session_is_terminated_for_a_reason_only(hall, wall):
    wall.wait_for_line("live")
    wall.act("Cy", "terminate")
    wall.page.click("#wall-dialog-yes")
    assert wall.page.locator("#wall-dialog").is_visible()
    wall.page.fill("#wall-reason", "Somebody else took the place.")
    wall.confirm()
    messages, code, _reason = hall.seats["Cy"].rest()
    assert code == 4410
    assert [one["reason"] for one in messages if one["type"] == "status"] == ["Somebody else took the place."]
    wait_until(lambda: "Over" in wall.tile("Cy").inner_text())
    wait_until(lambda: sorted(wall.names()) == ["Ada", "Bo"])


def test_what_cannot_be_done_is_said_in_the_dialog(server, hall, wall):
    wall.wait_for_line("live")
    wall.act("Cy", "pause")
    session = hall.sessions["Cy"][0]
    server.python(END, session)
    wall.page.click("#wall-dialog-yes")
    wall.page.wait_for_selector("#wall-dialog-wrong:not(:empty)")
    assert "That did not work" in wall.page.inner_text("#wall-dialog-wrong")


def test_nothing_moves_under_the_mouse_until_it_is_asked_for(hall, wall):
    wall.wait_for_line("live")
    wait_until(lambda: wall.names() == ["Ada", "Bo", "Cy"])
    wall.tile("Ada").hover()
    for seq in range(2):
        hall.seats["Cy"].send(type="event", event=("DEVTOOLS_OPEN", "TAB_SWITCH")[seq], seq=seq)
        hall.seats["Cy"].answer()
    # The tile tells it at once; its place waits.
    wait_until(lambda: "Left the exam tab" in wall.tile("Cy").inner_text())
    wall.page.wait_for_selector("#wall-reorder:not([hidden])")
    assert wall.names() == ["Ada", "Bo", "Cy"]
    wall.page.click("#wall-reorder")
    wait_until(lambda: wall.names() == ["Cy", "Ada", "Bo"])
    assert wall.page.locator("#wall-reorder").is_hidden()


def test_filters_and_sizes_show_what_is_wanted_and_are_remembered(hall, wall):
    wall.wait_for_line("live")
    wait_until(lambda: len(wall.names()) == 3)
    wall.page.fill("[name=name]", "bo")
    assert wall.names() == ["Bo"]
    wall.page.fill("[name=name]", "")
    wall.page.select_option("[name=level]", "High")
    assert wall.page.inner_text("#wall-empty") == "No session matches these filters."
    wall.page.select_option("[name=level]", "")
    hall.seats["Cy"].send(type="event", event="TAB_SWITCH", seq=0)
    wait_until(lambda: "Left the exam tab" in wall.tile("Cy").inner_text())
    wall.page.check("[name=quiet]")
    wait_until(lambda: "Ada" not in wall.names())
    wall.page.check("[name=size][value='4']", force=True)
    wall.page.reload()
    wall.page.wait_for_selector("#wall-line[data-state=live]")
    assert wall.page.is_checked("[name=quiet]")
    assert wall.page.get_attribute("#wall", "data-size") == "4"


def test_without_its_socket_the_wall_says_so_and_asks_until_it_is_back(hall, line, wall):
    wall.wait_for_line("live")
    line.carries_sockets = False
    line.cut()
    line.mend()
    wall.wait_for_line("polling")
    assert "The live connection is lost" in wall.page.inner_text("#wall-line")
    hall.seats["Bo"].send(type="event", event="TAB_SWITCH", seq=0)
    wait_until(lambda: "Left the exam tab" in wall.tile("Bo").inner_text())
    line.carries_sockets = True
    wall.page.wait_for_selector("#wall-line[data-state=live]", timeout=60_000)


def test_who_is_signed_out_is_told_and_asked_no_more(hall, line, wall):
    wall.wait_for_line("live")
    wall.page.context.clear_cookies()
    line.cut()
    line.mend()
    wall.page.wait_for_selector("#wall-line[data-state=refused]", timeout=60_000)


def test_the_wall_can_be_used_by_everybody(wall):
    wall.wait_for_line("live")
    for opened in (None, "terminate"):
        if opened:
            wall.act("Ada", opened)
        found = axe.Axe().run(wall.page, context="main", options={"runOnly": ["wcag2a", "wcag2aa"]}).response
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


def test_the_dashboard_leads_to_the_wall_and_can_be_used_by_everybody(hall, line, wall):
    hall.seats["Ada"].send(type="event", event="TAB_SWITCH", seq=0)
    hall.seats["Ada"].answer()
    page = wall.page
    page.goto(f"{line.address}/admin/")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page, context=".board", options={"runOnly": ["wcag2a", "wcag2aa"]}).response
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    tables = page.locator(".board .columns details")
    assert tables.count() == 2
    assert not tables.first.evaluate("(one) => one.open")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tables.evaluate_all("(all) => all.every((one) => one.open)")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not tables.first.evaluate("(one) => one.open")
    page.click(f"a[href$='/wall/{hall.exam}/']")
    page.wait_for_selector("#wall-line[data-state=live]")
