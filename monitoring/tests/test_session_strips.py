"""The narrow rows of a session's timeline."""

from dataclasses import replace
from datetime import timedelta

import pytest

from accounts.models import Role
from exams.lifecycle import move_session
from exams.models import SessionStatus
from exams.policy import Thresholds
from monitoring import session_strips, summary
from monitoring.models import MonitoringLog, Silence
from monitoring.notes import add_note
from monitoring.review import decide_activity
from monitoring.selectors import current_assessment
from monitoring.session_strips import Moment
from monitoring.tests.factories import START, facts, make_session, make_user, watch
from monitoring.timeline import Mark, Strip, Timeline, draw
from vision.types import Condition

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def at(seconds):
    return START + timedelta(seconds=seconds)


def spans(strip):
    return [(mark.start_s, mark.end_s, mark.look) for mark in strip.marks]


def test_it_reads_from_stored_facts_who_was_in_view():
    session = make_session()
    seen = [facts(0), facts(1, faces=0), facts(2, faces=2), facts(3, faces=3), facts(4, faces=None)]
    watch(session, *seen, facts(5, condition=Condition.DARK))
    moments = session_strips.observed_in(session, Thresholds()).moments
    assert [(one.at, one.examined) for one in moments] == [
        (0, True),
        (1, True),
        (2, True),
        (3, True),
        (4, True),
        (5, False),
    ]
    assert [one.in_view for one in moments] == ["one", "nobody", "several", "several", None, None]
    assert {one.apart for one in moments} == {None}


def test_posters_are_not_in_view():
    session = make_session()
    alone, beside = (facts(number, faces=count) for number, count in ((0, 1), (1, 2)))
    limits = Thresholds()
    poster = replace(alone, faces=(replace(alone.faces[0], alike_s=limits.picture_beside_s),))
    with_poster = replace(beside, faces=(beside.faces[0], replace(beside.faces[1], still_s=limits.poster_s)))
    watch(session, poster, with_poster)
    assert [one.in_view for one in session_strips.observed_in(session, limits).moments] == ["nobody", "one"]


def test_a_look_stands_until_the_next_but_not_over_a_gap():
    looks = [(0, "one"), (1, "one"), (2, "nobody"), (20, "nobody"), (21, None), (22, "several")]
    moments = [Moment(when, True, look, None) for when, look in looks]
    strip = session_strips.presence_strip(moments, max_gap_s=5, end_s=24)
    assert spans(strip) == [(0, 2, "one"), (2, 7, "nobody"), (20, 21, "nobody"), (22, 24, "several")]
    assert strip.marks[1].title == "Nobody in view, 0:02 – 0:07"


def test_it_shows_when_the_line_was_lost_the_camera_silent_and_the_session_paused():
    session = make_session()
    Silence.objects.create(session=session, kind="NETWORK_GAP", started_at=at(10), ended_at=at(20))
    Silence.objects.create(session=session, kind="CAMERA_SILENT", started_at=at(50))
    session = move_session(session=session, to=SessionStatus.PAUSED, at=at(30))
    session = move_session(session=session, to=SessionStatus.ACTIVE, at=at(40))
    session = move_session(session=session, to=SessionStatus.PAUSED, at=at(70))
    rows = list(session.silences.all()), list(session.transitions.order_by("at", "id"))
    strip = session_strips.connection_strip(session, *rows, end_s=90)
    assert spans(strip) == [(10, 20, "lost"), (30, 40, "paused"), (50, 90, "silent"), (70, 90, "paused")]


def logged(session, seconds, event_type, source="browser"):
    return MonitoringLog.objects.create(
        session=session, event_type=event_type, source=source, occurred_at=at(seconds), detail={}
    )


def test_events_that_cannot_be_told_apart_are_one_mark():
    session = make_session()
    logs = [logged(session, seconds, "PASTE") for seconds in (100, 100.4, 300)]
    logs += [logged(session, 100.2, "COPY"), logged(session, 200, "NOTE", source="proctor")]
    strip = session_strips.events_strip(session, logs, length_s=600)
    assert spans(strip) == [(100, 100.4, "event"), (300, 300, "event")]
    assert strip.marks[0].title == "Pasted something ×2, Copied something, 1:40"


def test_it_shows_what_reviewers_left_on_the_session():
    session, reviewer = make_session(), make_user(Role.REVIEWER)
    watch(session, *[facts(when, faces=0, objects={}) for when in range(6)])
    activity = session.activities.get()
    decide_activity(activity=activity, verdict="dismissed", reason="A break.", reviewer=reviewer)
    note = add_note(session=session, author=reviewer, text="x" * 200, at_s=40)
    items = summary.activities_of(current_assessment(session), session)
    logs = [logged(session, 50, "NOTE", source="proctor"), logged(session, 60, "PASTE")]
    strip = session_strips.marks_strip(session, [note], items, logs)
    assert spans(strip) == [(0, 0, "verdict"), (40, 40, "note"), (50, 50, "note")]
    assert [mark.link for mark in strip.marks] == [f"#activity-{activity.pk}", f"#note-{note.pk}", ""]
    assert "dismissed" in strip.marks[0].title
    assert len(strip.marks[1].title) < 120


def test_strips_are_drawn_above_and_below_the_lanes_with_their_times_and_escaped():
    evil = Strip("<b>", (Mark(10, 20, "lost", "<script>", link='"><i>'),))
    svg = draw(Timeline(100, (), (), above=(evil,), below=(Strip("Reviewers", ()),)), description="x")
    assert "<script>" not in svg
    assert "<b>" not in svg
    assert "<i>" not in svg
    assert 'data-s="10.000" data-e="20.000"' in svg
    assert svg.index("&lt;b&gt;") < svg.index("No suspicious activity") < svg.index("Reviewers")
