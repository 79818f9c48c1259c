"""The candidate page where signing in, time or the list of what was noted goes another way than usual."""

import json
import re
import secrets
import time
import urllib.request
from contextlib import closing
from itertools import pairwise

import pytest

from monitoring.tests.candidate_page import CandidatePage
from monitoring.tests.chromium import CHROMIUM, chromium
from monitoring.tests.line import Line
from monitoring.tests.sockets import SocketServer
from monitoring.tests.test_server import wait_until

pytest.importorskip("playwright", reason="playwright is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium"),
]
SOON_S = 10.0
DEVICES = {"Camera switched on", "Microphone switched on"}
PREPARE = """
import django, sys; django.setup()
from datetime import timedelta
from django.utils import timezone
from accounts.models import Role
from accounts.services import ensure_user
from exams.authoring import assign_candidates
from exams.lifecycle import move_session
from exams.models import SessionStatus
from exams.services import create_session
from monitoring import services
from monitoring.tests.factories import make_exam, make_user
name, password = sys.argv[1:]
exam = make_exam(make_user(email="t" + name + "@example.com"), code=name)
emails = [who + name + "@example.com" for who in ("own", "other")]
for email in emails:
    user, _made = ensure_user(email=email, role=Role.CANDIDATE, password=password)
    user.language = "en"
    user.save()
assign_candidates(exam=exam, wanted=[{"email": emails[0]}])
began = timezone.now() - timedelta(minutes=5)
session = create_session(exam=exam, candidate=ensure_user(email=emails[0], role=Role.CANDIDATE)[0].candidate,
                         created_at=began)
session = move_session(session=session, to=SessionStatus.ACTIVE, at=began)
services.open_monitor(session=session)
print(session.pk)
"""
DEADLINE = """
import django, sys; django.setup()
from datetime import timedelta
from django.utils import timezone
from accounts.tokens import issue_tokens
from exams.authoring import add_problem
from exams.models import ExamSession
found = ExamSession.objects.filter(pk=sys.argv[1])
found.update(deadline_at=timezone.now() + timedelta(seconds=float(sys.argv[2])))
session = found.get()
if not session.exam.problems.exists():
    add_problem(exam=session.exam, title="Sum", statement="Add them up.", points=5)
print(session.deadline_at.timestamp(), issue_tokens(user=session.exam.owner).access)
"""
LOSE_REFRESH = """async () => {
  const right = globalThis.fetch;
  const refresh = sessionStorage.getItem("proctoring.refresh");
  const headers = { "Content-Type": "application/json" };
  // The server gives new tokens, but nobody hears of it.
  await right("/api/v1/auth/refresh", { method: "POST", headers, body: JSON.stringify({ refresh }) });
  let old = null;
  globalThis.fetch = (url, options) => {
    const bearer = options?.headers?.Authorization;
    old ??= bearer;
    if (!bearer || bearer !== old) return right(url, options);
    return Promise.resolve(Response.json({ code: "token_not_valid", detail: "Too old." }, { status: 401 }));
  };
}"""
TIME_UP = """async () => {
  const { Sitting } = await import("/static/candidate/exam.js");
  const running = new Map();
  const [begin, end] = [globalThis.setInterval, globalThis.clearInterval];
  globalThis.setInterval = (work, ms) => {
    const id = begin(work, ms);
    running.set(id, ms);
    return id;
  };
  globalThis.clearInterval = (id) => {
    running.delete(id);
    end(id);
  };
  const time = { left_s: 0.2, break_left_s: 0, pause_ends_at: null };
  const session = { id: "s", exam: { id: "e", title: "E" }, status: "active", time, policy: {} };
  const answers = { "sessions/s": { ...session, status: "expired" } };
  const api = { get: async (path) => answers[path] ?? { results: [] }, post: async () => ({}) };
  const sitting = new Sitting(api, session);
  const nothing = async () => {};
  sitting.client = Object.assign(new EventTarget(), { start: nothing, stop: nothing, forget: nothing });
  const { status } = await sitting.run();
  await new Promise((resolve) => setTimeout(resolve, 100));
  return [status, [...running.values()]];
}"""
NOTED = """async () => {
  const { readEarlier, showEarlier, showNoted } = await import("/static/candidate/log.js");
  const time = new Date().toISOString();
  const found = (kind, count) => ({ kind, label: kind, count, last_at: time });
  const logged = (event_type, count) => ({ event_type, label: event_type, count, last_at: time });
  const lists = {
    logs: [logged("ACTIVITY", 9), logged("COPY", 2), logged("PROCTOR_MESSAGE", 1), logged("CAMERA_ON", 1)],
    activities: [found("COPY", 1), found("NO_FACE", 1)],
  };
  showEarlier(await readEarlier({ get: async (path) => ({ results: lists[/\\w+(?=\\?)/.exec(path)[0]] }) }, "s"));
  showNoted({ data: [{ event: "Keys", kind: "ACTIVITY", time }] });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const said = document.getElementById("polite").textContent;
  showNoted({ data: [{ event: "Keys", kind: "ACTIVITY", time }, { event: "Paste", kind: "PASTE", time }] });
  await new Promise((resolve) => setTimeout(resolve, 100));
  return [said, document.getElementById("polite").textContent];
}"""


ASKED = """async () => {
  const [{ openDevices }, { openStream }] =
    await Promise.all([import("/static/candidate/devices.js"), import("/static/proctor/devices.js")]);
  const asked = [];
  navigator.mediaDevices.getUserMedia = async (wanted) => asked.push(JSON.stringify(wanted));
  await openDevices({ sound: true });
  await openStream({ video: true, audio: true });
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "OverconstrainedError"));
  const error = await openDevices({ sound: true }).catch(({ detail }) => detail);
  return [asked, error];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = SocketServer(tmp_path_factory.mktemp("server"))
    try:
        server.begin()
        yield server
    finally:
        server.remove()


@pytest.fixture
def candidate(server, tmp_path):
    with chromium(tmp_path / "profile") as window, closing(Line(server.port)) as line:
        yield CandidatePage(window, line)


@pytest.fixture
def seat(server):
    """Return code, addresses and password of an exam that is being sat; the second address is somebody else's."""
    name, password = secrets.token_hex(8), secrets.token_urlsafe(12)
    session = server.python(PREPARE, name, password)
    return {"code": name, "session": session, "password": password, "own": f"own{name}@example.com"} | {
        "other": f"other{name}@example.com"
    }


def sit_down(candidate, seat):
    candidate.open(f"/exam/{seat['code']}/")
    candidate.sign_in(seat["own"], seat["password"])
    go_on(candidate)


def go_on(candidate):
    candidate.page.click("#ready-go")
    candidate.page.wait_for_selector("#exam-line[data-state=online]", timeout=30_000)


def lose_the_sign_in(candidate):
    """Have the answer to a refresh lost, and the access token refused with the next call."""
    candidate.page.evaluate(LOSE_REFRESH)
    candidate.page.click("#exam-finish")
    candidate.page.click("#finish-yes")
    candidate.page.wait_for_selector("[data-step=signin]")


def captured(server, seat):
    """Return when the pictures that were examined were taken, in seconds since 1970."""
    own = seat["session"].replace("-", "")
    return sorted(
        at
        for (at,) in server.ask(
            "SELECT (julianday(captured_at) - 2440587.5) * 86400 FROM monitoring_observation "
            f"WHERE replace(session_id, '-', '') = '{own}' AND stream = 'frame'"
        )
    )


def call(server, path, token, **sent):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    address = f"http://127.0.0.1:{server.port}/api/v1/{path}"
    request = urllib.request.Request(address, json.dumps(sent).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def pictures(server, seat):
    own = seat["session"].replace("-", "")
    query = (
        f"SELECT count(*) FROM monitoring_observation WHERE replace(session_id, '-', '') = '{own}' AND stream = 'frame'"
    )
    return server.ask(query)[0][0]


def test_signing_in_again_shows_the_same_exam_and_loses_nothing(server, candidate, seat):
    sit_down(candidate, seat)
    lose_the_sign_in(candidate)
    candidate.page.fill("#signin-email", seat["own"])
    candidate.page.evaluate("Promise.all([1, 2].map(() => fetch('/health')))")
    assert candidate.page.evaluate("document.activeElement.id") == "signin-email"
    assert candidate.page.evaluate("document.querySelector('dialog:modal') === null")
    candidate.sign_in(seat["own"], seat["password"])
    candidate.page.wait_for_selector("[data-step=exam]")
    candidate.wait_for_line("online")
    before = pictures(server, seat)
    wait_until(lambda: pictures(server, seat) >= before + 3, 20)
    assert candidate.page.is_hidden("#paused") and candidate.page.is_visible("#exam-finish")
    assert candidate.page.text_content("#who") == seat["own"]
    candidate.finish()
    assert (candidate.refused, candidate.complaints) == ([], [])


def test_once_it_is_being_handed_in_there_is_no_way_back(candidate, seat):
    sit_down(candidate, seat)
    held = []
    candidate.page.route("**/final-submit", lambda route: held.append(route))  # noqa: PLW0108  it wants a function
    candidate.page.click("#exam-finish")
    with candidate.page.expect_request("**/final-submit"):
        candidate.page.click("#finish-yes")
    assert candidate.page.is_disabled("#finish-no")
    candidate.page.keyboard.press("Escape")
    assert candidate.page.is_visible("#finish")
    held[0].continue_()
    candidate.page.wait_for_selector("[data-step=outcome]", timeout=60_000)


def test_who_is_offline_when_time_is_up_loses_nothing_and_gets_the_time_back(server, candidate, seat):
    server.python(DEADLINE, seat["session"], 3600)
    sit_down(candidate, seat)
    candidate.write("# on the line")
    candidate.hand_in(1)
    deadline, token = server.python(DEADLINE, seat["session"], 25).split()
    candidate.page.wait_for_selector("#exam-time:text-matches('^00:')")  # the socket has told it
    candidate.go_offline()
    candidate.wait_for_line("offline")
    candidate.page.wait_for_selector("#paused-title:has-text('Time is up')", timeout=60_000)
    assert candidate.page.evaluate("document.getElementById('desk').inert")
    assert "Go on working" not in candidate.page.text_content("#exam-line")
    time.sleep(35)  # the server has looked which sessions are overdue
    before = len(captured(server, seat))
    candidate.come_back()
    candidate.wait_for_line("online")
    wait_until(lambda: captured(server, seat)[-1:] > [float(deadline) - 3], 60)
    times = captured(server, seat)
    assert len(times) >= before + 10 and times[-1] < float(deadline) + 1
    assert max(later - earlier for earlier, later in pairwise(times)) < 3
    call(server, f"sessions/{seat['session']}/extend", token, lost_time=True)
    candidate.page.wait_for_selector("#paused", state="hidden")
    wait_until(lambda: captured(server, seat)[-1] > float(deadline) + 30, 30)
    candidate.write(" and on")
    candidate.hand_in(2)
    candidate.finish()
    assert candidate.page.text_content("#outcome-title") == "Your exam is handed in"


def test_somebody_else_who_signs_in_does_not_sit_on_in_it(server, candidate, seat):
    sit_down(candidate, seat)
    lose_the_sign_in(candidate)
    candidate.sign_in(seat["other"], seat["password"])
    candidate.page.wait_for_selector("[data-step=wrong]")
    assert candidate.page.evaluate("document.getElementById('own-video').srcObject") is None


def test_nobody_asks_any_more_when_the_first_answer_is_that_it_is_over(server, candidate):
    candidate.open("/exam/")
    assert candidate.page.evaluate(TIME_UP) == ["expired", []]


def test_counts_are_not_listed_and_nothing_is_announced_twice(server, candidate):
    candidate.open("/exam/")
    assert candidate.page.evaluate(NOTED) == ["", "Noted: Paste"]
    shown = [re.sub(r"^\S+(\s[AP]M)?\s+", "", text) for text in candidate.page.locator("#log li").all_text_contents()]
    assert sorted(shown) == ["CAMERA_ON", "COPY (2 times)", "NO_FACE", "Paste"]
    assert candidate.page.get_attribute("[role=log]", "aria-live") == "off"


def test_loading_again_lists_what_was_listed_before(candidate, seat):
    sit_down(candidate, seat)
    wait_until(lambda: set(candidate.noted()) >= DEVICES, SOON_S)
    candidate.load_again()
    go_on(candidate)
    wait_until(lambda: set(candidate.noted()) >= DEVICES, SOON_S)
    assert sorted(entry for entry in candidate.noted() if entry in DEVICES) == sorted(DEVICES)


def test_the_check_measures_what_the_exam_will_hear_and_see(server, candidate):
    candidate.open("/exam/")
    (check, exam), error = candidate.page.evaluate(ASKED)
    assert check == exam
    assert error.startswith("No camera or no microphone was found.")
