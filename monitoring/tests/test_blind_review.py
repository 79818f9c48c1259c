"""While a second look or an appeal is awaited, no door shows what others decided."""

from __future__ import annotations

import csv
import io

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone

from accounts.services import ensure_candidate
from accounts.tests.client import client_of
from exams.models import ExamSession
from exams.policy import parse_policy
from monitoring.models import Assessment, MonitoringLog, ReviewDecision
from monitoring.review import decide_session
from monitoring.tests.reviewers import (
    FIRSTS_WORDS,
    activity_of,
    convict,
    convict_and_appeal,
    ended_session,
    hand_on,
    make_desk,
)
from monitoring.what_if import try_policy
from reports.exam_context import build_exam_context
from reports.models import SessionReport

pytestmark = [pytest.mark.django_db, pytest.mark.database]
OTHERS = ("second", "teacher", "admin")
ADMIN = "/admin/monitoring"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def desk():
    return make_desk()


@pytest.fixture(params=[hand_on, convict_and_appeal])
def session(desk, request):
    """A session whose activity the first reviewer dismissed, and which waits for somebody else."""
    session = ended_session(desk.exam)
    request.param(session, desk.first)
    return session


def api(user, address):
    answer = client_of(user).get(f"/api/v1/{address}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def page(session):
    return reverse("admin:exams_examsession_change", args=[session.pk])


def content(client, user, address):
    client.force_login(user)
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("who", OTHERS)
def test_the_session_page_hides_verdicts_words_and_the_reviewed_score(client, desk, session, who):
    text = content(client, getattr(desk, who), page(session))
    for secret in (FIRSTS_WORDS, "badge-verdict-", 'class="tl-bar tl-severity-1 tl-dismissed"'):
        assert secret not in text
    assert "is-dismissed" not in text
    assert "hidden until this review is decided" in text
    assert client.get(page(session)).context["assessment"].reviewed_risk_score is None
    assert Assessment.objects.get().reviewed_risk_score == 0, "the row keeps it"


def test_who_decided_before_sees_their_own_words_and_no_form(client, desk, session):
    text = content(client, desk.first, page(session))
    assert FIRSTS_WORDS in text
    assert "somebody else has to look at it now" in text
    assert 'name="outcome"' not in text
    assert 'name="verdict"' not in text


@pytest.mark.parametrize("who", OTHERS)
def test_the_consoles_lists_hide_them(client, desk, session, who):
    user = getattr(desk, who)
    assert client_rows(client, user, "/admin/exams/examsession/")[0].verdict is None
    assert client_rows(client, user, "/admin/exams/examsession/?verdict=none")
    for outcome in ("violation", "escalated"):
        assert not client_rows(client, user, f"/admin/exams/examsession/?verdict={outcome}")
    assert client_rows(client, user, f"{ADMIN}/suspiciousactivity/")[0].verdict is None
    assert not client_rows(client, user, f"{ADMIN}/suspiciousactivity/?verdict=dismissed")
    assert not client_rows(client, user, f"{ADMIN}/reviewdecision/")
    decision = ReviewDecision.objects.first()
    assert client.get(f"{ADMIN}/reviewdecision/{decision.pk}/change/").status_code == 302
    assert client_rows(client, user, f"{ADMIN}/assessment/")[0].shown_risk is None
    shown = content(client, user, f"{ADMIN}/assessment/{Assessment.objects.get().pk}/change/")
    assert "–" in shown.partition("without dismissed activities")[2][:200]


def client_rows(client, user, address):
    client.force_login(user)
    return list(client.get(address).context["cl"].result_list)


@pytest.mark.parametrize("who", OTHERS)
def test_the_interface_hides_them(desk, session, who):
    user, one = getattr(desk, who), f"sessions/{session.pk}"
    (row,) = api(user, "sessions")["results"]
    assert row["reviewed_risk_score"] is None
    assert api(user, one)["reviewed_risk_score"] is None
    summary = api(user, f"{one}/summary")
    assert summary["scores"]["reviewed_risk_score"] is None
    assert summary["scores"]["risk_score"] == 2
    assert [entry["verdict"] for entry in summary["timeline"]] == [None]
    for address in (f"{one}/activities", "activities"):
        assert [found["verdict"] for found in api(user, address)["results"]] == ["undecided"]
        assert api(user, f"{address}?verdict=dismissed")["results"] == []
    verdicts = {each["verdict"]: each["count"] for each in api(user, "monitoring/stats")["activities"]["by_verdict"]}
    assert (verdicts["dismissed"], verdicts["undecided"]) == (0, 1)
    told = api(user, f"{one}/outcome")
    assert (told["decided"], told["outcome"], told["reason"], told["activities"]) == (False, None, "", [])
    assert "not to know" in told["sentence"]
    assert told["appeal"] is None


@pytest.mark.parametrize("who", ["teacher", "admin"])
def test_the_dashboards_calls_hide_them(desk, session, who):
    user = getattr(desk, who)
    (row,) = api(user, "admin/sessions")["results"]
    assert (row["outcome"], row["reviewed_risk_score"]) == (None, None)
    assert api(user, "admin/sessions?outcome=undecided")["count"] == 1
    assert api(user, "admin/sessions?outcome=violation")["count"] == 0
    events = api(user, f"admin/sessions/{session.pk}/events?type=activity")["results"]
    assert [event["activity"]["verdict"] for event in events] == ["undecided"]


@pytest.mark.parametrize("who", [*OTHERS, "first"])
def test_the_report_opens_to_nobody_who_might_read_verdicts_in_it(client, desk, session, who):
    user = getattr(desk, who)
    file = ContentFile(b"%PDF-1.7\n%%EOF\n", name="report.pdf")
    SessionReport.objects.create(session=session, status="ready", file=file, generated_at=timezone.now())
    for name in ("report.pdf", "report.json"):
        answer = client_of(user).get(f"/api/v1/sessions/{session.pk}/{name}")
        assert (answer.status_code, answer.json()["code"]) == (409, "blind_review")
    client.force_login(user)
    address = reverse("admin:reports_sessionreport_open", args=[session.pk])
    for query in ("", "?previous=1"):
        answer = client.get(address + query)
        assert (answer.status_code, answer["Location"]) == (302, page(session))
    text = client.get(page(session)).content.decode()
    assert address not in text
    assert "its report opens afterwards" in text


def test_a_verdict_of_ones_own_is_shown_with_scores_that_tell_nothing_of_others(desk, session):
    sent = {"verdict": "confirmed", "reason": "Seen."}
    answer = client_of(desk.second).post(f"/api/v1/activities/{activity_of(session).pk}/review", sent, format="json")
    assert (answer.status_code, answer.json()["scores"]["reviewed_risk_score"]) == (201, None)
    assert api(desk.second, "activities")["results"][0]["verdict"] == "confirmed"
    assert api(desk.first, "activities")["results"][0]["verdict"] == "dismissed"
    assert api(desk.third, "activities")["results"][0]["verdict"] == "undecided"


@pytest.mark.parametrize("who", [*OTHERS, "first"])
def test_everything_is_shown_once_it_is_decided(client, desk, session, who):
    decide_session(session=session, outcome="violation", reason="Looked anew.", reviewer=desk.third)
    user = getattr(desk, who)
    text = content(client, user, page(session))
    assert FIRSTS_WORDS in text
    assert "Looked anew." in text
    assert api(user, f"sessions/{session.pk}")["reviewed_risk_score"] == 0
    assert api(user, f"sessions/{session.pk}/outcome")["outcome"] == "violation"
    assert len(client_rows(client, user, f"{ADMIN}/reviewdecision/")) == 3


def test_an_appeal_in_the_console_does_not_say_what_it_is_against(client, desk):
    session = ended_session(desk.exam)
    convict_and_appeal(session, desk.first)
    (row,) = client_rows(client, desk.second, f"{ADMIN}/appeal/")
    text = content(client, desk.second, f"{ADMIN}/appeal/{row.pk}/change/")
    assert "I was there all the time." in text
    assert "violation" not in text
    assert not client_rows(client, desk.stranger, f"{ADMIN}/appeal/")


def test_no_table_trial_or_filter_tells_what_is_hidden(client, desk, session):
    client.force_login(desk.teacher)
    results = client.get(reverse("admin:exams_examsession_export")).content.decode("utf-8-sig")
    assert [row["reviewed_risk_score"] for row in csv.DictReader(io.StringIO(results))] == [""]
    assert try_policy(exam=desk.exam, policy=parse_policy({"kinds": {"NO_FACE": {"weight": 9}}})).tried == ()
    report = build_exam_context(desk.exam)
    assert [(line.reviewed_risk_score, line.outcome, line.reviewer) for line in report.lines] == [(None, "", "")]
    assert (report.kinds[0].dismissed, report.reviewers) == (0, ())
    narrowed = client.get("/admin/monitoring/assessment/?reviewed_risk_score__lt=5")
    assert narrowed.status_code == 400, "it is no filter"


def test_a_dispute_has_no_outcome_in_the_exams_report(desk):
    session = ended_session(desk.exam)
    hand_on(session, desk.first, leaning="clear")
    decide_session(session=session, outcome="violation", reason="Clearly so.", reviewer=desk.second)
    (line,) = build_exam_context(desk.exam).lines
    assert (line.outcome, line.reviewer) == ("", "")


def test_a_reviewer_who_sat_the_exam_sees_their_session_as_its_candidate_alone(client, desk):
    session = ended_session(desk.exam)
    ExamSession.objects.filter(pk=session.pk).update(candidate=ensure_candidate(email=desk.second.email, full_name=""))
    convict(session, desk.first)
    evidence = activity_of(session).evidence
    for user, status in ((desk.second, 404), (desk.first, 200)):
        client.force_login(user)
        addresses = [page(session), reverse("admin:exams_examsession_answers", args=[session.pk])]
        found = [client.get(address).status_code for address in addresses]
        found.append(
            client.get(reverse("admin:monitoring_evidence_picture", args=[evidence.pk]), follow=True).status_code
        )
        assert found in ([status] * 3, [status, 403, status])


def test_no_list_and_no_count_tells_such_a_reviewer_of_their_session(desk):
    session = ended_session(desk.exam)
    MonitoringLog.objects.create(session=session, event_type="PASTE", source="browser", occurred_at=timezone.now())
    ExamSession.objects.filter(pk=session.pk).update(candidate=ensure_candidate(email=desk.second.email, full_name=""))
    for user, shown in ((desk.second, False), (desk.first, True)):
        lists = ("activities", "logs", "observations")
        assert [bool(api(user, f"{one}?session={session.pk}")["results"]) for one in lists] == [shown] * 3
        stats = api(user, f"monitoring/stats?exam={desk.exam.code}")
        assert (stats["activities"]["total"] > 0, stats["sessions"]["total"] > 0) == (shown, shown)
