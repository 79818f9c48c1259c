"""The candidate page after a decision: what counted, with its picture, and the appeal."""

import secrets
from contextlib import closing

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
PREPARE = """
import django, sys; django.setup()
from accounts.models import Role
from accounts.services import ensure_user
from monitoring.review import decide_activity, decide_session
from monitoring.tests.factories import make_exam, make_user
from monitoring.tests.reviewers import activity_of, convict, ended_session
name, password = sys.argv[1:]
exam = make_exam(make_user(email="t" + name + "@example.com"), code=name)
exam.max_attempts = 1
exam.save()
session = ended_session(exam)
user = session.candidate.user
user.language = "en"
user.set_password(password)
user.save()
convict(session, make_user(Role.REVIEWER, "r" + name + "@example.com"))
print(user.email)
"""
DECIDE = """
import django, sys; django.setup()
from accounts.models import Role
from exams.models import ExamSession
from monitoring.review import decide_session
from monitoring.tests.factories import make_user
session = ExamSession.objects.get(exam__code=sys.argv[1])
another = make_user(Role.REVIEWER, "a" + sys.argv[1] + "@example.com")
decide_session(session=session, outcome="clear", reason="Nobody was away.", reviewer=another)
"""
IS_DRAWN = "document.querySelector('#outcome-activities img')?.naturalWidth > 0"
TEXT = "I was there.\nThe lamp went out."


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = SocketServer(tmp_path_factory.mktemp("server"))
    try:
        server.begin()
        yield server
    finally:
        server.remove()


def test_a_candidate_sees_what_counted_appeals_and_reads_what_came_of_it(server, tmp_path):
    name, password = secrets.token_hex(8), secrets.token_urlsafe(12)
    email = server.python(PREPARE, name, password)
    with chromium(tmp_path / "profile") as window, closing(Line(server.port)) as line:
        candidate = CandidatePage(window, line)
        page = candidate.page
        page.route("**/outcome/evidence/**", lambda route: route.fulfill(status=503, json={"detail": "Later."}))
        candidate.open(f"/exam/{name}/#outcome")
        candidate.sign_in(email, password)
        page.wait_for_selector("[data-step=outcome]")
        page.wait_for_selector("#outcome-activities:not([data-shown]) li:has-text('Nobody in view')")
        assert page.locator("#outcome-activities img").count() == 0
        page.unroute("**/outcome/evidence/**")
        page.click("#outcome-again")
        wait_until(lambda: page.evaluate(IS_DRAWN))
        assert "Nobody in view" in page.inner_text("#outcome-activities")
        assert page.inner_text("#appeal-says").startswith("You may appeal until")

        page.click("#appeal-form .main")  # nothing is sent without a word
        assert page.is_visible("#appeal-form")
        page.fill("#appeal-text", TEXT)
        page.click("#appeal-form .main")
        page.wait_for_selector("#appeal-sent")
        assert page.is_hidden("#appeal-form")
        assert page.inner_text("#appeal-sent .statement") == TEXT
        assert "the rules were broken" in page.inner_text("#outcome-sentence")

        server.python(DECIDE, name)
        page.click("#outcome-again")
        page.wait_for_selector("#appeal-says:has-text('changed the outcome')")
        assert "nothing to object to" in page.inner_text("#outcome-sentence")
        assert candidate.complaints == []
