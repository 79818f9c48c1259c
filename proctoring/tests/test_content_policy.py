"""Every page keeps to a strict policy in a real browser, whatever people have written into it."""

import json
import re
import secrets

import pytest
from django.test import Client

from accounts.models import Role
from monitoring.tests.chromium import CHROMIUM, chromium
from monitoring.tests.factories import make_exam, make_user
from monitoring.tests.sockets import SocketServer

EVIL = """'"></textarea></title></script><evil onclick="run()"></evil><script>globalThis.ran=1</script>"""
WORLD = """
import django, json, sys; django.setup()
from django.contrib import admin
from django.test import RequestFactory
from django.urls import reverse
from accounts.models import Role
from accounts.services import ensure_user
from exams.lifecycle import move_session
from exams.models import CodeSubmission, ExamAssignment, Problem
from exams.services import add_policy_version, create_session
from monitoring import cases, notes, review
from monitoring.appeals import appeal_session
from monitoring.models import MonitoringLog
from monitoring.tests.factories import START, make_candidate
from monitoring.tests.reviewers import activity_of, convict, ended_session, hand_on, make_desk
from reports.services import make_report
password, evil = sys.argv[1:]
user = ensure_user(email="admin@example.com", role=Role.ADMIN, password=password, full_name=evil)[0]
desk = make_desk()
exam = desk.exam
exam.title = exam.instructions = evil
exam.code = "algebra"
exam.save()
for who in (desk.first, desk.teacher):
    who.full_name = evil
    who.save()
ended, handed_on = (ended_session(exam, name=evil) for _ in range(2))
running = create_session(exam=exam, candidate=make_candidate())
running = move_session(session=running, to="active")
running.candidate.user.full_name = evil
running.candidate.user.save()
for number, session in enumerate((ended, handed_on)):
    session.recording_name = evil
    session.save()
    session.candidate.external_id = f"{number}{evil}"[:64]
    session.candidate.save()
    for source in ("browser", "proctor"):
        MonitoringLog.objects.create(
            session=session, event_type=evil[:64], source=source, occurred_at=START, detail={"reason": evil, evil: evil}
        )
    activity = activity_of(session)
    activity.explanation, activity.detail = evil, {**activity.detail, evil: evil, "note": evil}
    activity.save()
    notes.add_note(session=session, author=desk.first, text=evil, at_s=1.0)
    notes.add_note(session=session, author=desk.first, text=evil, at_s=2.0, activity=activity)
    problem = Problem.objects.get_or_create(exam=exam, number=1, title=evil, statement=evil)[0]
    for version in (1, 2):
        CodeSubmission.objects.create(
            session=session, problem=problem, version=version, language=evil[:16], code=evil * version, sha256="0" * 64
        )
convict(ended, desk.first)
for decision in ended.decisions.all():
    type(decision).objects.filter(pk=decision.pk).update(reason=evil)
appeal_session(session=ended, text=evil)
review.decide_session(session=ended, outcome="concern", reason=evil, reviewer=desk.second)
hand_on(handed_on, desk.first)
cases.claim_session(session=handed_on, reviewer=desk.second)
ExamAssignment.objects.create(exam=exam, candidate=make_candidate(full_name=evil))
add_policy_version(exam=exam, settings={}, note=evil)
make_report(session=ended)
request = RequestFactory().get("/")
request.user = user
pages = ["/admin/", "/admin/password_change/", "/admin/monitoring/reviewcase/queue/?tab=second"]
for model, options in admin.site._registry.items():
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    pages.append(reverse(f"{name}_changelist"))
    if options.has_add_permission(request):
        pages.append(reverse(f"{name}_add"))
    one = options.get_queryset(request).first()
    if one is not None:
        pages.append(reverse(f"{name}_change", args=[one.pk]))
        pages.append(reverse(f"{name}_history", args=[one.pk]))
        if options.has_delete_permission(request):
            pages.append(reverse(f"{name}_delete", args=[one.pk]))
for session in (ended, handed_on, running):
    pages.append(reverse("admin:exams_examsession_change", args=[session.pk]))
    pages.append(reverse("admin:exams_examsession_answers", args=[session.pk]))
for name in ("exams_exam_copy", "exams_proctoringpolicy_what_if", "monitoring_wall_exam", "exams_exam_change"):
    pages.append(reverse(f"admin:{name}", args=[exam.pk]))
pages += [reverse("admin:exams_examassignment_import"), reverse("admin:monitoring_wall")]
print(json.dumps(list(dict.fromkeys(pages))))
"""
LISTEN = """
globalThis.broken = [];
document.addEventListener("securitypolicyviolation", (event) => {
  broken.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile} ${event.sample}`);
});
"""
# Redoc asks for its maker's logo, which is just what the policy is to keep out.
KEPT_OUT = "img-src: https://cdn.redoc.ly/"
OPEN_TO_ALL = ["/exam/", "/exam/algebra/", "/docs", "/redoc", "/admin/login/", "/nothing-here"]


def directives(answer):
    return dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/admin/", "/admin/exams/exam/", "/admin/login/", "/exam/", "/docs", "/nothing"])
def test_no_page_lets_a_script_run_that_stands_in_it(client, address):
    client.force_login(make_user(Role.ADMIN))
    policy = directives(client.get(address, follow=True, headers={"accept": "text/html"}))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert "object-src" not in policy  # the default holds: none
    if address != "/docs":
        assert policy["style-src"] == "'self'"


@pytest.mark.django_db
def test_the_wall_may_call_its_socket_and_no_other_host(client):
    exam = make_exam()
    client.force_login(exam.owner)
    answer = client.get(f"/admin/exams/examsession/wall/{exam.pk}/")
    assert directives(answer)["connect-src"] == "'self' ws://testserver"
    answer = client.get(f"/admin/exams/examsession/wall/{exam.pk}/", secure=True)
    assert directives(answer)["connect-src"] == "'self' wss://testserver"


def test_a_host_that_is_none_of_ours_gets_a_policy_all_the_same(db):
    answer = Client().get("/admin/", headers={"host": "evil.example", "accept": "text/html"})
    assert answer.status_code == 400
    assert "evil" not in answer.get("Content-Security-Policy", "")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = SocketServer(tmp_path_factory.mktemp("server"), DEBUG="0", ALLOWED_HOSTS="127.0.0.1")
    try:
        server.begin()
        yield server
    finally:
        server.remove()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_no_page_breaks_the_policy_and_nothing_that_was_written_into_it_becomes_a_part_of_it(server, tmp_path):
    pytest.importorskip("playwright", reason="playwright is not installed")
    password = secrets.token_urlsafe(12)
    pages = json.loads(server.python(WORLD, password, EVIL).splitlines()[-1])
    site = f"http://127.0.0.1:{server.port}"
    with chromium(tmp_path / "admin") as window:
        window.add_init_script(LISTEN)
        page = window.new_page()
        page.goto(f"{site}/admin/login/?next=/admin/password_change/")
        page.fill("#id_username", "admin@example.com")
        page.fill("#id_password", password)
        page.press("#id_password", "Enter")
        page.wait_for_selector("#id_new_password1")
        found = {address: look_at(page, site + address) for address in [*OPEN_TO_ALL, *pages]}
    assert {address: wrong for address, (wrong, _evil) in found.items() if wrong} == {}
    assert sum(evil for _wrong, evil in found.values()) > 30, "there was little to become a part of pages"


def look_at(page, address):
    """Say what the page broke or made of the words that were written into it, and whether it shows them."""
    said = []
    page.once("pageerror", lambda error: said.append(str(error)))
    answer = page.goto(address)
    if re.search(r"/wall/.", address):  # it goes on asking
        page.wait_for_selector(".wall-tile")
    else:
        page.wait_for_load_state("networkidle")
    said += [broken for broken in page.evaluate("broken") if not broken.startswith(KEPT_OUT)]
    if answer.status >= 500 or (answer.status == 404) != address.endswith("/nothing-here"):
        said.append(f"status {answer.status}")
    if page.evaluate("Boolean(globalThis.ran || document.querySelector('evil'))"):
        said.append("what somebody wrote is a part of the page")
    return said, page.evaluate("document.body.innerText.includes('<evil')")
