"""A camera that falls silent is noticed, and so is the difference between that and a line that failed."""

from datetime import UTC, datetime, timedelta

import pytest

from exams.models import SessionStatus
from exams.policy import PolicyError, parse_policy
from exams.services import add_policy_version
from monitoring import silence
from monitoring.frame_store import StoredFrame, frame_store
from monitoring.models import Assessment, MonitoringLog, SessionMonitor, Silence, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.review import decide_activity
from monitoring.services import finish_monitoring, record_event
from monitoring.tests.factories import make_user
from monitoring.tests.live import Live

ZERO = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SILENT = "CAMERA_SILENT"
pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _own_queue(spool):
    """Nothing waits but what a test puts there."""


def at(seconds):
    return None if seconds is None else ZERO + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("seen", "picture", "examined", "now", "lost", "silent"),
    [
        pytest.param(100, 99, 100, 101, None, None, id="all is well"),
        pytest.param(100, 81, 81, 101, None, None, id="19 s without a picture"),
        pytest.param(100, 80, 80, 101, None, 80, id="20 s without a picture"),
        pytest.param(100, None, None, 101, None, 0, id="never a picture since the beginning"),
        pytest.param(None, None, None, 19, None, None, id="19 s and nothing at all yet"),
        pytest.param(None, None, None, 20, 0, None, id="nothing at all since the beginning"),
        pytest.param(100, 99, 100, 120, 100, None, id="gone for 20 s"),
        pytest.param(108, 100, 101, 127, None, None, id="pictures stopped 8 s before the client, not lost yet"),
        pytest.param(108, 100, 101, 128, 108, None, id="pictures stopped 8 s before the client, lost"),
        pytest.param(150, 100, 101, 170, 150, None, id="silent before it was lost"),
        pytest.param(None, 99, 100, 110, None, None, id="pictures are signs of life too"),
        pytest.param(100, 130, 100, 119, None, None, id="a client whose clock runs ahead"),
        pytest.param(130, 60, 125, 131, None, None, id="old pictures were examined a moment ago"),
    ],
)
def test_it_tells_a_silent_camera_from_a_lost_connection(seen, picture, examined, now, lost, silent):
    signs = silence.Signs(ZERO, at(seen), at(picture), at(examined))
    verdict = silence.judge(signs, parse_policy({}), at(now))
    assert (verdict.lost_since, verdict.silent_since) == (at(lost), at(silent))
    assert verdict.look_again_at > at(now)


def test_it_waits_as_long_as_the_policy_says():
    signs = silence.Signs(ZERO, at(50), at(15), at(15))
    waits = {s: silence.judge(signs, parse_policy({"silent_after_s": s}), at(51)).silent_since for s in (10, 35, 36)}
    assert waits == {10: at(15), 35: at(15), 36: None}


@pytest.mark.parametrize("policy", [{"senses": []}, {"kinds": {SILENT: {"enabled": False}}}], ids=["senses", "kind"])
def test_it_misses_no_pictures_that_nobody_wants(policy):
    verdict = silence.judge(silence.Signs(ZERO, at(100)), parse_policy(policy), at(101))
    assert verdict.silent_since is None


@pytest.mark.parametrize("seconds", [9.9, 600.1, -1, "20", True])
def test_a_policy_waits_from_10_seconds_to_10_minutes(seconds):
    with pytest.raises(PolicyError, match="silent_after_s"):
        parse_policy({"silent_after_s": seconds})


@pytest.mark.parametrize(
    ("end", "seen", "left"),
    [
        pytest.param(None, [], [], id="goes on"),
        pytest.param(None, [30], [(0, 30)], id="ends with the first picture"),
        pytest.param(None, [30, 31, 80], [(0, 30), (31, 80)], id="two silences"),
        pytest.param(None, [5, 6], [], id="too short to be one"),
        pytest.param(60, [25], [(0, 25), (25, 60)], id="cut in two"),
        pytest.param(60, [60, 61], [(0, 60)], id="pictures after it"),
        pytest.param(60, [-5], [(0, 60)], id="pictures before it"),
        pytest.param(60, list(range(61)), [], id="pictures all through it"),
        pytest.param(60, list(range(30)), [(29, 60)], id="pictures in its first half"),
        pytest.param(60, [55, 25, 40], [(0, 25)], id="out of order"),
    ],
)
def test_it_takes_from_a_silence_what_was_seen_after_all(end, seen, left):
    found = silence.cut(ZERO, at(end), [at(s) for s in seen], timedelta(seconds=20))
    assert found == [(at(a), at(b)) for a, b in left]


def test_an_activity_opens_once_and_ends_with_the_first_picture():
    live = Live()
    live.send(-3, -2, -1)
    live.live(10, 22)
    live.beat(22)
    assert live.spans() == [(SILENT, -1, None)]
    live.live(30)
    live.beat(25, 30, 30, 35)
    assert live.spans() == [(SILENT, -1, None)]
    live.send(33)
    assert live.spans() == [(SILENT, -1, 33)]
    live.live(40)
    live.send(34, 35, 36)
    live.beat(45)
    assert live.spans() == [(SILENT, -1, 33)]


def test_it_weighs_two_points_and_says_why():
    live = Live()
    live.live(-55, -45, -35, -25)
    live.beat(-24)
    activity = SuspiciousActivity.objects.get()
    assert (activity.kind, activity.severity, activity.confidence) == (SILENT, 2, 1)
    assert activity.explanation == "The candidate's side was connected, but no picture came from the camera."
    assessment = Assessment.objects.get()
    assert [assessment.risk_score, assessment.breakdown[0]["kind"]] == [2, SILENT]


def test_a_session_that_never_sent_a_picture_is_silent_from_its_beginning():
    live = Live()
    live.live(-50, -40)
    live.beat(-40)
    assert live.spans() == [(SILENT, -60, None)]


def test_pictures_that_still_wait_are_not_missed():
    live = Live()
    live.live(0, 10, 20)
    frame_store().put(live.session.pk, StoredFrame(1, live.time(-30).timestamp(), b"waits"))
    live.beat(20)
    assert live.spans() == []
    frame_store().discard(live.session.pk, [1])
    live.beat(25)
    assert live.spans() == [(SILENT, -60, None)]


def test_it_ends_with_a_pause_and_begins_anew_after_it():
    live = Live()
    live.live(-50, -40, -30)
    live.beat(-30)
    live.step(SessionStatus.PAUSED, -25)
    live.live(-20, -10, 0)
    live.beat(-20, 0)
    assert live.spans() == [(SILENT, -60, -25)]
    live.step(SessionStatus.ACTIVE, 5)
    live.live(10, 20)
    live.beat(20)
    assert live.spans() == [(SILENT, -60, -25)]
    live.live(26)
    live.beat(40)
    assert live.spans() == [(SILENT, -60, -25), (SILENT, 5, None)]


def test_it_ends_with_the_session():
    live = Live()
    live.live(-50, -40)
    live.beat(-40)
    live.step(SessionStatus.SUBMITTED, 0)
    finish_monitoring(session_id=live.session.pk)
    live.beat(20, 60)
    assert live.spans() == [(SILENT, -60, 0)]
    assert SessionMonitor.objects.get().silence_due_at is None


def test_pictures_that_come_late_withdraw_it():
    live = Live()
    live.send(-3, -2, -1)
    live.live(10, 22)
    live.beat(22)
    live.send(40)
    assert live.spans() == [(SILENT, -1, 40)]
    assert Assessment.objects.get().risk_score == 2
    live.send(*range(0, 40, 5))
    assert live.spans() == []
    assert Assessment.objects.get().risk_score == 0


def test_pictures_that_come_late_leave_what_they_do_not_cover():
    live = Live()
    live.live(0, 10, 20)
    live.beat(20)
    live.send(50)
    live.send(-30, -29, -28)
    assert live.spans() == [(SILENT, -60, -30), (SILENT, -28, 50)]
    live.send(-45)
    assert live.spans() == [(SILENT, -28, 50)]
    live.send(-20, 20)
    assert live.spans() == [(SILENT, -20, 20), (SILENT, 20, 50)]


def test_pictures_that_come_long_after_leave_a_word_in_the_log():
    live = Live()
    live.live(0, 10, 20)
    live.beat(20)
    live.send(1)
    assert not MonitoringLog.objects.exists()
    live.send(-45, -44)
    log = MonitoringLog.objects.get()
    assert (log.event_type, log.source, log.detail["pictures"]) == (SILENT, "server", 2)
    assert log.detail["pictures_came_late_s"] >= 44


def test_what_was_judged_stays_with_its_verdict():
    live = Live()
    live.live(-50, -40)
    live.beat(-40)
    activity = SuspiciousActivity.objects.get()
    decide_activity(activity=activity, verdict="dismissed", reason="A broken camera.", reviewer=make_user())
    live.send(*range(-55, 0, 5))
    assert live.spans() == [(SILENT, -60, -55)]
    assert activity.decisions.count() == 1


def test_a_recording_is_never_silent():
    live = Live(source="recording")
    live.beat(0, 100)
    assert live.spans() == []
    assert SessionMonitor.objects.get().silence_due_at is None


def test_nobody_is_missed_whose_camera_is_not_wanted():
    live = Live(policy={"senses": []})
    live.live(0, 10, 20, 30)
    live.beat(30)
    assert live.spans() == []


def test_another_policy_keeps_only_what_it_would_have_waited_for():
    live = Live()
    live.live(-50, -40)
    live.beat(-40)
    live.send(-30, -20, -10)
    live.step(SessionStatus.SUBMITTED, 0)
    finish_monitoring(session_id=live.session.pk)
    live.session.refresh_from_db()
    for seconds, kinds in ((30, [SILENT]), (31, [])):
        policy, _ = add_policy_version(exam=live.session.exam, settings={"silent_after_s": seconds})
        rescore_session(session=live.session, policy=policy)
        assert list(SuspiciousActivity.objects.filter(assessment__policy=policy).values_list("kind")) == [
            (kind,) for kind in kinds
        ]
    assert Silence.objects.count() == 1


def test_a_report_from_outside_accuses_nobody():
    live = Live()
    record_event(session_id=live.session.pk, event_type=SILENT, source="browser", occurred_at=live.time(0))
    assert live.spans() == []


def test_a_beat_costs_the_same_queries_for_many_sessions_that_are_well(django_assert_num_queries):
    many = [Live() for _ in range(30)]
    for live in many:
        live.live(0)
        live.send(0)
    with django_assert_num_queries(
        7
    ):  # those due, sessions, policies, what goes on, one update, and a savepoint around
        many[0].beat(1)
    with django_assert_num_queries(3):
        many[0].beat(2)
    assert not Silence.objects.exists()
