"""The newest picture on the page of a running session, in a real browser: it comes by itself, or says there is none."""

import time

import pytest

from monitoring.tests.chromium import CHROMIUM, chromium
from monitoring.tests.demo_exam import DemoServer
from monitoring.tests.sockets import Sitting
from monitoring.tests.test_session_desk import Desk

pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe or playwright is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium"),
]
ASSIGN = """
import sys, django; django.setup()
from accounts.models import User
from exams.models import ExamSession
ExamSession.objects.get(pk=sys.argv[1]).exam.reviewers.add(User.objects.get(email="reviewer@example.com"))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = DemoServer(tmp_path_factory.mktemp("server"))
    try:
        server.begin()
        yield server
    finally:
        server.remove()


def test_it_comes_by_itself_while_the_page_is_open_and_says_so_when_no_more_come(server, tmp_path):
    sitting = Sitting(server)
    server.session = sitting.id
    server.python(ASSIGN, sitting.id)
    with chromium(tmp_path / "profile") as window, sitting.socket() as client:
        desk = Desk(window, server)
        desk.open()
        now = desk.page.locator(".face[data-live]")
        assert now.locator(".no-picture").is_visible()
        client.next("hello")
        for seq in range(40):
            client.picture(seq, server.picture, at=time.time())
            assert client.answer()["type"] == "ack"
            if now.get_attribute("data-shown") is not None:
                break
            desk.page.wait_for_timeout(1000)
        image = now.locator("img")
        assert image.evaluate("image => image.naturalWidth") == 320
        assert image.get_attribute("alt").startswith("The newest picture of the running session.")
        assert now.locator("a").get_attribute("href").endswith("/identity/now/")
        assert now.locator(".face-says").all_inner_texts() == ["Live: the newest picture, at most a minute old."]
        assert desk.barriers() == []
        sitting.move("submitted")
        desk.page.wait_for_selector(".face.is-gone")
        assert now.locator(".face-says").all_inner_texts() == ["Live: no newer picture came in the last minute."]
        assert image.is_visible()  # the last one stays, and is told to be old
        assert desk.complaints == []
