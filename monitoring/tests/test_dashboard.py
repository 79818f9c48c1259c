"""The figures of the console's first page: what is counted, for whom, and in how many queries."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import Role
from exams.kinds import RiskLevel
from exams.lifecycle import move_session
from exams.models import ExamSession, SessionStatus
from exams.services import create_session
from monitoring import dashboard, services
from monitoring.dashboard_charts import COLOURS, Column, draw_columns
from monitoring.frame_store import StoredFrame, frame_store
from monitoring.models import Assessment, SessionMonitor, SuspiciousActivity
from monitoring.reading import minutes_to_read
from monitoring.review import decide_activity, decide_session
from monitoring.services import record_event
from monitoring.tests.factories import START, end_session, make_candidate, make_exam, make_session, make_user

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def report(session, kind="TAB_SWITCH", after_s=10):
    record_event(
        session_id=session.pk, event_type=kind, source="browser", occurred_at=START + timedelta(seconds=after_s)
    )


@pytest.fixture
def owner():
    return make_user(Role.TEACHER)


@pytest.mark.database
@pytest.mark.parametrize(
    ("opens", "closes", "is_of_today"),
    [
        (-HOUR, HOUR, True),
        (-DAY, DAY, True),
        (2 * HOUR, 3 * HOUR, True),
        (-5 * HOUR, -4 * HOUR, True),
        (-HOUR, None, True),
        (None, HOUR, True),
        (None, None, False),
        (None, 2 * DAY, False),
        (-3 * DAY, -2 * DAY, False),
        (DAY, DAY + HOUR, False),
    ],
)
def test_an_exam_is_of_today_where_its_window_touches_the_day(owner, opens, closes, is_of_today):
    opens_at, closes_at = (None if at is None else NOON + at for at in (opens, closes))
    exam = make_exam(owner, opens_at=opens_at, closes_at=closes_at)
    assert dashboard.exams_today(owner, now=NOON) == ([exam] if is_of_today else [])


@pytest.mark.database
def test_an_exam_without_a_window_is_of_today_where_it_is_sat(owner):
    idle, sat, done = (make_exam(owner) for _number in range(3))
    make_session(sat)
    make_session(done, ended_after_s=60)
    before = make_exam(owner)
    make_session(before, ended_after_s=60)
    ExamSession.objects.filter(exam=before).update(started_at=START - DAY, ended_at=START - DAY + HOUR)
    assert dashboard.exams_today(owner, now=NOON) == [sat, done]
    assert idle not in dashboard.exams_today(owner, now=NOON)


@pytest.mark.database
def test_it_counts_who_sits_an_exam_who_stands_at_high_and_who_is_done(owner):
    exam = make_exam(owner)
    risky = make_session(exam)
    make_session(exam)
    make_session(exam, ended_after_s=60)
    Assessment.objects.filter(session=risky).update(risk_level=RiskLevel.HIGH)
    [shown] = dashboard.exams_today(owner, now=NOON)
    assert (shown.live, shown.high, shown.done_today) == (2, 1, 1)


@pytest.mark.database
def test_it_counts_open_sessions_by_state_and_who_of_them_is_away(owner):
    exam = make_exam(owner)
    here, gone, never, paused = (make_session(exam) for _number in range(4))
    move_session(session=paused, to=SessionStatus.PAUSED)
    create_session(exam=exam, candidate=make_candidate())
    make_session(exam, ended_after_s=5)
    now = timezone.now()
    monitors = SessionMonitor.objects
    monitors.filter(pk=here.pk).update(last_seen_at=now)
    monitors.filter(pk=gone.pk).update(last_seen_at=now - timedelta(seconds=5), gone_at=now - timedelta(seconds=3))
    monitors.filter(pk=never.pk).update(last_seen_at=None)
    live = dashboard.live_of(owner)
    assert (live.active, live.paused, live.checking, live.away, live.total) == (3, 1, 1, 2, 5)


@pytest.mark.database
def test_what_waits_for_reviewers_is_what_is_over_and_has_no_outcome(owner):
    exam = make_exam(owner)
    waiting, decided = make_session(exam), make_session(exam)
    for session in (waiting, decided):
        report(session, "TAB_SWITCH", 10)
        report(session, "PASTE", 20)
        end_session(session, 60)
    report(make_session(exam))  # still open
    decide_session(session=ExamSession.objects.get(pk=decided.pk), outcome="clear", reason="x", reviewer=owner)
    queue = dashboard.queue_of(owner)
    assert (queue.sessions, queue.undecided) == (1, 2)
    assert {level: count for level, _label, count in queue.by_level} == {"Low": 1, "Medium": 0, "High": 0}
    assert queue.reading_s == 60 * minutes_to_read(sessions=1, activities=2)
    activity = SuspiciousActivity.objects.filter(session=waiting).first()
    decide_activity(activity=activity, verdict="dismissed", reason="x", reviewer=owner)
    assert dashboard.queue_of(owner).undecided == 1
    decide_activity(activity=activity, verdict="withdrawn", reason="x", reviewer=owner)
    assert dashboard.queue_of(owner).undecided == 2
    decide_activity(activity=activity, verdict="confirmed", reason="x", reviewer=owner)
    assert dashboard.queue_of(owner).undecided == 1
    assert dashboard.queue_of(owner).handed_on == 0
    decide_session(session=ExamSession.objects.get(pk=waiting.pk), outcome="escalated", reason="x", reviewer=owner)
    handed_on = dashboard.queue_of(owner)
    assert (handed_on.sessions, handed_on.handed_on) == (0, 1)


def test_nothing_to_read_takes_no_time(owner):
    assert dashboard.queue_of(owner).reading_s == 0


@pytest.mark.database
def test_sessions_are_counted_by_risk_score_each_in_one_step(owner):
    exam = make_exam(owner)
    scores = [0, 1.9, 2, 4.9, 5, 9.9, 10, 15, 20, 99]
    for score in scores:
        Assessment.objects.filter(session=make_session(exam)).update(risk_score=score)
    ExamSession.objects.update(created_at=NOON - DAY)
    old = make_session(exam)
    ExamSession.objects.filter(pk=old.pk).update(created_at=NOON - 31 * DAY)
    steps = dashboard.risk_of(owner, now=NOON)
    assert [step.count for step in steps] == [2, 2, 2, 1, 1, 2]
    assert [step.label for step in steps] == ["0–2", "2–5", "5–10", "10–15", "15–20", "20+"]


@pytest.mark.database
def test_activities_are_counted_by_kind_and_day_and_rare_kinds_together(owner):
    session = make_session(make_exam(owner))
    kinds = ("TAB_SWITCH", "PASTE", "COPY", "PRINT", "CUT", "RIGHT_CLICK", "SECOND_SCREEN")
    for number, kind in enumerate(kinds):
        for again in range(3 if number < 5 else 1):
            report(session, kind, 100 * again + number)
    for cut in SuspiciousActivity.objects.filter(kind="CUT"):
        cut.started_at, cut.ended_at = cut.started_at - DAY, cut.ended_at - DAY
        cut.save()
    counted = dashboard.kinds_of(owner, now=NOON)
    assert (len(counted.days), counted.days[-1]) == (dashboard.KINDS_DAYS, NOON.date())
    labels = [label for label, _counts in counted.kinds]
    assert len(labels) == dashboard.SHOWN_KINDS + 1
    assert labels[-1] == ""
    (_day, _counts, before), (_today, counts, today) = counted.rows[-2:]
    assert (before, today) == (3, 14)
    assert counts[-1] == 2


def test_what_a_superseded_policy_found_is_not_counted(owner):
    session = make_session(make_exam(owner))
    report(session)
    Assessment.objects.update(is_current=False)
    assert dashboard.kinds_of(owner, now=NOON).kinds == ()
    assert sum(step.count for step in dashboard.risk_of(owner, now=NOON + DAY)) == 0


def test_the_lag_is_how_long_the_oldest_item_waits(spool):
    assert (dashboard.lag_now().items, dashboard.lag_now().oldest_s) == (0, 0.0)
    session, now = make_session(), timezone.now().timestamp()
    for seq, age in ((1, 30), (2, 10)):
        frame_store().put(session.pk, StoredFrame(seq, now - age, b"\xff\xd8 picture"))
    lag = dashboard.lag_now()
    assert (lag.items, lag.sessions) == (2, 1)
    assert 30 <= lag.oldest_s < 60


def test_queues_that_cannot_be_read_are_told_as_such(settings):
    settings.FRAME_STORE, settings.REDIS_URL = "redis", "redis://127.0.0.1:1/0"
    assert dashboard.lag_now().items is None


def people(exam):
    reviewer, stranger, admin = make_user(Role.REVIEWER), make_user(Role.TEACHER), make_user(Role.ADMIN)
    exam.reviewers.add(reviewer)
    everybody = {"owner": exam.owner, "reviewer": reviewer, "stranger": stranger, "admin": admin}
    return everybody | {"candidate": make_user(Role.CANDIDATE)}


@pytest.mark.database
def test_each_person_is_told_of_their_exams_only(owner):
    exam = make_exam(owner)
    report(make_session(exam))
    report(make_session(exam, ended_after_s=60))
    seen = {}
    for name, user in people(exam).items():
        live, queue = dashboard.live_of(user).total, dashboard.queue_of(user).sessions
        risk = sum(step.count for step in dashboard.risk_of(user, now=NOON))
        kinds = len(dashboard.kinds_of(user, now=NOON).kinds)
        seen[name] = (len(dashboard.exams_today(user, now=NOON)), live, queue, risk, kinds)
    mine, nothing = (1, 1, 1, 2, 1), (0, 0, 0, 0, 0)
    assert seen == {"owner": mine, "reviewer": mine, "stranger": nothing, "admin": mine, "candidate": nothing}


def test_services_are_not_counted_twice_where_an_exam_is_owned_and_reviewed(owner):
    exam = make_exam(owner)
    exam.reviewers.add(owner)
    make_session(exam)
    services.open_monitor(session=ExamSession.objects.get())
    assert dashboard.live_of(owner).total == 1
    assert [one.live for one in dashboard.exams_today(owner, now=NOON)] == [1]


# --- the pictures -----------------------------------------------------------------------------------------------------


def drawn(columns, **options):
    return ET.fromstring(draw_columns(columns, description="What <it> shows", **options))


def rects(svg):
    return svg.findall("{http://www.w3.org/2000/svg}rect")


def test_a_column_is_as_tall_as_what_it_shows():
    svg = drawn([Column("a", ((0, "x", 10), (1, "y", 30))), Column("b", ((0, "x", 20),))])
    first, second, third = (float(rect.get("height")) for rect in rects(svg))
    assert (second + 0.8) / (first + 0.8) == pytest.approx(3, abs=0.02)
    assert (third + 0.8) / (first + 0.8) == pytest.approx(2, abs=0.02)
    assert [rect.get("fill") for rect in rects(svg)] == [COLOURS[0], COLOURS[1], COLOURS[0]]
    assert svg.get("aria-label") == "What <it> shows"


def test_what_is_nothing_is_not_drawn():
    assert rects(drawn([Column("a", ((0, "x", 0),))])) == []
    assert rects(drawn([])) == []


def test_words_from_outside_cannot_break_out_of_the_picture():
    svg = drawn([Column("<b>", ((0, '"><script>', 3),))])
    assert rects(svg)[0][0].text == '<b>, "><script>: 3'


@pytest.mark.parametrize("tallest", [1, 3, 7, 10, 99, 100, 101, 12345])
def test_the_scale_ends_above_the_tallest_column_and_has_few_marks(tallest):
    svg = drawn([Column("a", ((0, "x", tallest),))])
    marks = svg.findall("{http://www.w3.org/2000/svg}line")
    assert 2 <= len(marks) <= 6
    [rect] = rects(svg)
    assert float(rect.get("y")) >= 13
