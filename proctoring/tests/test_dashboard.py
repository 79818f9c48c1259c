"""The console's first page: who finds what on it, that it costs the same for any number of rows, and its parts."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import formats, timezone, translation

from accounts.models import Role
from exams.models import ExamSession
from monitoring.services import record_event
from monitoring.tests.factories import START, make_candidate, make_exam, make_session, make_user
from monitoring.tests.test_admin import sign_in
from proctoring import embedded, health
from proctoring.templatetags import dashboard

pytestmark = pytest.mark.django_db
INDEX = "/admin/"
SEES = [
    ("nobody", None),
    ("candidate", None),
    ("owner", True),
    ("another teacher", False),
    ("assigned reviewer", True),
    ("another reviewer", False),
    ("admin", True),
]


@pytest.fixture(autouse=True)
def fresh_cache():
    cache.clear()


@pytest.fixture
def exam():
    now = timezone.now()
    window = {"opens_at": now - timedelta(hours=1), "closes_at": now + timedelta(hours=1)}
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), code="algebra", title="Algebra of today", **window)
    exam.reviewers.add(make_user(Role.REVIEWER, "assigned@example.com"))
    return exam


def page(client):
    answer = client.get(INDEX)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(("who", "sees"), SEES)
def test_each_person_finds_their_exams_of_today(client, exam, who, sees):
    make_session(exam)
    sign_in(client, who)
    if sees is None:
        assert client.get(INDEX).status_code == 302
        return
    text = page(client)
    assert ("Algebra of today" in text) is sees
    assert (reverse("admin:monitoring_wall_exam", args=[exam.pk]) in text) is sees


@pytest.mark.parametrize("who", ["owner", "assigned reviewer", "admin"])
def test_the_list_of_what_can_be_administered_is_still_there(client, exam, who):
    sign_in(client, who)
    text = page(client)
    assert reverse("admin:exams_examsession_changelist") in text
    assert "recent-actions-module" in text


def test_fifty_sessions_take_as_many_queries_as_one(client, exam):
    sign_in(client, "owner")

    def add():
        session = make_session(exam, make_candidate(), ended_after_s=60)
        for kind in ("TAB_SWITCH", "PASTE"):
            record_event(session_id=session.pk, event_type=kind, source="browser", occurred_at=START)
        make_session(make_exam(exam.owner))

    def queries():
        with CaptureQueriesContext(connection) as asked:
            page(client)
        return len(asked)

    add()
    queries()  # the first request of a process asks more
    one = queries()
    for _number in range(49):
        add()
    assert queries() == one


def test_every_picture_has_a_table_that_says_the_same(client, exam):
    session = make_session(exam)
    now = timezone.now()
    ExamSession.objects.update(created_at=now)
    for number in range(3):
        record_event(session_id=session.pk, event_type="PASTE", source="browser", occurred_at=now)
        record_event(session_id=session.pk, event_type=f"KIND_{number}", source="browser", occurred_at=now)
    sign_in(client, "owner")
    text = page(client)
    assert text.count('<svg class="chart"') == text.count("<summary>The same as a table") == 2
    assert re.search(r'aria-label="Suspicious activities by day: \d+ in all"', text)
    drawn = sum(int(number) for number in re.findall(r"<title>[^<]*: (\d+)</title>", text.partition("board-risk")[0]))
    table = text.partition("<tbody>")[2].partition('id="board-risk"')[0]
    assert drawn == sum(int(total) for total in re.findall(r'<td class="num">(\d+)</td></tr>', table))
    assert drawn == 4


def test_it_needs_no_script_or_style_within_the_page(client, exam):
    make_session(exam)
    sign_in(client, "owner")
    text = page(client).partition('class="console board"')[2].partition('id="content-main"')[0]
    assert "<script" not in text
    assert "style=" not in text


def test_names_from_outside_do_no_harm(client):
    exam = make_exam(make_user(Role.TEACHER, "owner@example.com"), title="<script>alert(1)</script>")
    session = make_session(exam)
    event = "<img src=x onerror=alert(2)>"
    record_event(session_id=session.pk, event_type=event, source="browser", occurred_at=timezone.now())
    sign_in(client, "owner")
    text = page(client)
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)" not in text
    assert "<img src=x" not in text


def test_a_worker_that_does_not_run_is_told(client, exam, settings):
    settings.EMBEDDED_WORKER = True
    sign_in(client, "owner")
    assert "No worker answers" in page(client)
    embedded._ready.set()
    try:
        assert "runs inside this server" in page(client)
    finally:
        embedded._ready.clear()


def test_workers_elsewhere_are_asked_now_and_then_only(client, exam):
    sign_in(client, "owner")
    assert "No worker answers" in page(client)
    assert cache.get("dashboard:workers") == health.workers_now()
    cache.set("dashboard:workers", {"ok": True, "count": 3}, 60)
    text = page(client)
    assert "answer on the queues" in text
    assert '<p class="big">3</p>' in text


def test_every_sense_is_listed_with_its_model_or_why_it_is_missing(client, exam, settings):
    sign_in(client, "owner")
    listed = page(client).partition('id="board-detectors"')[2].partition("</ul>")[0]
    from vision.loading import availability

    assert listed.count("<li") == len(availability())
    assert listed.count("is-missing") == sum(not found.available for found in availability().values())


def test_what_is_missing_is_told_without_a_click(client, exam, monkeypatch):
    sign_in(client, "owner")
    found = [{"sense": "faces", "label": "Faces", "available": True, "model": "a", "reason": ""}]
    gone = {"sense": "objects", "label": "Objects", "available": False, "model": "", "reason": "No weights."}
    for shown, begins in (
        ([*found, gone], "<details open><summary>Missing: Objects"),
        (found, "<details><summary>1 is"),
    ):
        monkeypatch.setattr(dashboard, "detectors_here", lambda shown=shown: shown)
        assert begins in page(client).partition('id="board-detectors"')[2]


def test_it_leads_to_the_next_session_where_one_waits(client, exam):
    sign_in(client, "assigned reviewer")
    assert 'value="next"' not in page(client)
    session = make_session(exam, ended_after_s=60)
    form = page(client).partition('<form method="post" action="' + reverse("admin:monitoring_queue"))[2]
    assert "csrfmiddlewaretoken" in form.partition("</form>")[0]
    sent = client.post(reverse("admin:monitoring_queue"), {"action": "next", "tab": "first"})
    assert sent.headers["Location"] == reverse("admin:exams_examsession_change", args=[session.pk])


def test_who_may_not_decide_is_not_led_to_it(client, exam):
    make_session(exam, ended_after_s=60)
    user = sign_in(client, "assigned reviewer")
    user.groups.get().permissions.remove(Permission.objects.get(codename="add_reviewdecision"))
    assert 'value="next"' not in page(client)


def test_pages_say_in_which_zone_times_are_and_lead_nowhere_that_is_for_programs(client, exam, settings):
    settings.TIME_ZONE = "Asia/Dhaka"
    sign_in(client, "owner")
    text = page(client)
    assert "Times are in Asia/Dhaka." in text
    assert "View site" not in text


@pytest.mark.parametrize("language", ["en", "bn"])
def test_lists_write_times_as_the_console_does(language):
    with translation.override(language):
        assert formats.localize(datetime(2026, 3, 2, 17, 5, tzinfo=UTC)) == "2026-03-02 17:05"
        assert formats.localize(date(2026, 3, 2)) == "2026-03-02"


def test_from_the_exams_page_its_wall_and_results_are_a_click_away(client, exam):
    own = [reverse(f"admin:exams_exam_report_{form}", args=[exam.pk]) for form in ("pdf", "csv")]
    own.append(reverse("admin:monitoring_wall_exam", args=[exam.pk]))
    for who, offered in (("owner", True), ("assigned reviewer", False)):
        sign_in(client, who)
        text = client.get(reverse("admin:exams_exam_change", args=[exam.pk])).content.decode()
        assert [address in text for address in own] == [offered] * 3
        assert all(client.get(address).status_code == 200 for address in own if offered)
