"""Facts in, activities, evidence and scores out, in real rows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from exams.kinds import RiskLevel
from monitoring import services
from monitoring.models import Assessment, Evidence, MonitoringLog, Observation, SuspiciousActivity
from monitoring.tests.factories import START, end_session, facts, make_session, watch
from vision.types import Condition, Sense

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def empty_seat(first, last):
    return [facts(at, faces=0, objects={}) for at in range(first, last)]


def present(first, last):
    return [facts(at, objects={"person": 0.9}) for at in range(first, last)]


def test_it_turns_an_empty_seat_into_one_activity_with_times_scores_and_a_sentence():
    session = make_session()
    watch(session, *present(0, 10), *empty_seat(10, 20), *present(20, 30))
    assessment = end_session(session, 30)
    activity = SuspiciousActivity.objects.get()
    assert (activity.kind, activity.started_at, activity.ended_at) == (
        "NO_FACE",
        START + timedelta(seconds=10),
        START + timedelta(seconds=20),
    )
    assert activity.explanation == (
        "No face and no person could be seen. This was so in 10 of 10 pictures examined, over 10 s."
    )
    assert (assessment.risk_score, assessment.risk_level, assessment.trust_score) == (2, RiskLevel.LOW, 90)
    seen = {"camera": 1.0, "faces": 1.0, "head": 0.6667, "objects": 1.0}
    assert assessment.coverage == dict.fromkeys(Sense, 0.0) | seen
    assert assessment.compliance_score == 66.7


def test_it_changes_nothing_when_a_batch_comes_twice():
    session = make_session()
    batch = [*present(0, 5), *empty_seat(5, 10)]
    watch(session, *batch)
    before = list(SuspiciousActivity.objects.values())
    watch(session, *batch)
    assert list(SuspiciousActivity.objects.values()) == before
    assert Observation.objects.count() == 10
    session.monitor.refresh_from_db()
    assert session.monitor.frames_analysed == 10


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_it_gives_the_same_rows_however_the_stream_is_cut(cut):
    stream = [*present(0, 8), *empty_seat(8, 18), *present(18, 30)]
    session = make_session()
    watch(session, *stream[:cut])
    watch(session, *stream[cut:])
    end_session(session, 30)
    rows = SuspiciousActivity.objects.values_list("kind", "started_at", "ended_at", "confidence", "explanation")
    sentence = "No face and no person could be seen. This was so in 10 of 10 pictures examined, over 10 s."
    assert list(rows) == [("NO_FACE", START + timedelta(seconds=8), START + timedelta(seconds=18), 1.0, sentence)]


def test_it_accuses_nobody_when_it_cannot_see():
    session = make_session()
    watch(session, *[facts(at, condition=Condition.DARK) for at in range(30)])
    assessment = end_session(session, 30)
    assert set(SuspiciousActivity.objects.values_list("kind", flat=True)) == {"POOR_LIGHT"}
    assert (assessment.risk_score, assessment.compliance_score, assessment.coverage["faces"]) == (0, None, 0.0)
    session.monitor.refresh_from_db()
    assert session.monitor.frames_unusable == 30


def test_it_keeps_the_strongest_picture_as_evidence_and_removes_the_weaker(django_capture_on_commit_callbacks):
    session = make_session()
    pictures = {item.seq: lambda item=item: b"\xff\xd8 picture %d" % item.seq for item in present(0, 40)}
    turned = [facts(at, yaw=degrees) for at, degrees in enumerate([0, 30, 31, 32, 33])]
    watch(session, *turned, pictures=pictures)
    first = Evidence.objects.get()
    assert first.file.read() == b"\xff\xd8 picture 40"
    with django_capture_on_commit_callbacks(execute=True):
        watch(session, facts(5, yaw=56), facts(6, yaw=40), pictures=pictures)
    best = Evidence.objects.get()
    assert (best.seq, best.captured_at) == (50, START + timedelta(seconds=5))
    assert best.file.read() == b"\xff\xd8 picture 50"
    assert best.pk == first.pk
    assert not first.file.storage.exists(first.file.name)


def test_it_writes_nothing_when_the_picture_cannot_be_kept():
    session = make_session()

    def broken():
        raise OSError("disk full")

    stream = empty_seat(0, 6)
    with pytest.raises(OSError, match="disk full"):
        watch(session, *stream, pictures={item.seq: broken for item in stream})
    assert not Observation.objects.exists()
    assert not SuspiciousActivity.objects.exists()


def test_it_takes_a_report_of_the_browser_as_it_is():
    session = make_session()
    services.record_event(
        session_id=session.pk,
        event_type="TAB_SWITCH",
        source=MonitoringLog.Source.BROWSER,
        occurred_at=START + timedelta(seconds=3),
        severity=2,
        detail={"duration_s": 4},
    )
    activity = SuspiciousActivity.objects.get()
    assert (activity.severity, activity.ended_at - activity.started_at) == (2, timedelta(seconds=4))
    assert Assessment.objects.get().risk_score == 6


def test_it_closes_the_books_once():
    session = make_session()
    watch(session, *empty_seat(0, 6))
    end_session(session, 8)
    before = Assessment.objects.values().get()
    services.finish_monitoring(session_id=session.pk)
    assert Assessment.objects.values().get() == before
    assert SuspiciousActivity.objects.get().ended_at == START + timedelta(seconds=8)


def test_it_lets_the_database_refuse_what_cannot_be():
    session = make_session(ended_after_s=10)
    assessment = Assessment.objects.get()
    activity = {
        "assessment": assessment,
        "session": session,
        "kind": "PHONE",
        "confidence": 0.5,
        "started_at": START,
        "explanation": "x",
    }
    for wrong in (
        {"ended_at": START},
        {"confidence": 1.5},
        {"severity": 7},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            SuspiciousActivity.objects.create(**activity | wrong)
    SuspiciousActivity.objects.create(**activity)
    with pytest.raises(IntegrityError), transaction.atomic():
        SuspiciousActivity.objects.create(**activity | {"started_at": START + timedelta(seconds=5)})


def test_it_never_changes_what_was_recorded():
    session = make_session()
    watch(session, *present(0, 1))
    observation = Observation.objects.get()
    observation.facts = {}
    with pytest.raises(ValidationError):
        observation.save()


def test_it_counts_frames_in_the_database():
    session = make_session()
    services.count_frames(session_id=session.pk, total=2, skipped=1)
    services.count_frames(session_id=session.pk, total=1)
    session.monitor.refresh_from_db()
    assert (session.monitor.frames_total, session.monitor.frames_skipped) == (3, 1)


def test_it_stores_a_number_once_even_if_one_batch_brings_it_twice():
    session = make_session()
    watch(session, facts(1), replace(facts(2), seq=10))
    assert Observation.objects.count() == 1


def test_it_changes_nothing_once_the_books_are_closed():
    session = make_session()
    watch(session, *present(0, 5))
    end_session(session, 10)
    before = list(Assessment.objects.values())
    watch(session, *empty_seat(5, 10))
    report(session, "TAB_SWITCH")
    assert list(Assessment.objects.values()) == before
    assert not SuspiciousActivity.objects.exists()
    assert MonitoringLog.objects.count() == 1


def report(session, event_type, **fields):
    values: dict[str, Any] = {
        "source": MonitoringLog.Source.BROWSER,
        "occurred_at": START + timedelta(seconds=3),
    } | fields
    return services.record_event(session_id=session.pk, event_type=event_type, **values)


@pytest.mark.parametrize("duration", ["long", 1e300, -5, None, True, [1]])
def test_it_believes_no_duration_that_makes_no_sense(duration):
    session = make_session()
    report(session, "TAB_SWITCH", detail={"duration_s": duration})
    activity = SuspiciousActivity.objects.get()
    assert activity.ended_at - activity.started_at == timedelta(seconds=1)


def test_it_refuses_a_severity_that_does_not_exist_and_ignores_one_hidden_in_the_detail():
    session = make_session()
    with pytest.raises(services.EventRefused):
        report(session, "TAB_SWITCH", severity=99)
    assert not MonitoringLog.objects.exists()
    report(session, "TAB_SWITCH", detail={"severity": 99})
    assert SuspiciousActivity.objects.get().severity == 1


def test_it_only_writes_down_a_report_of_what_pictures_decide():
    session = make_session()
    assert report(session, "LOOKING_AWAY") == []
    assert MonitoringLog.objects.get().event_type == "LOOKING_AWAY"
    assert not SuspiciousActivity.objects.exists()


def test_it_does_not_let_a_reported_time_to_come_blind_the_rules():
    session = make_session()
    report(session, "COPY", occurred_at=START + timedelta(days=30_000))
    later = timezone.now().timestamp() - START.timestamp() + 5
    watch(session, *[facts(later + at, faces=0, objects={}) for at in range(5)])
    assert SuspiciousActivity.objects.filter(kind="NO_FACE").exists()
