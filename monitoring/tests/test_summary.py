"""A session as people see it."""

import pytest

from accounts.models import Role
from monitoring import summary
from monitoring.explain import duration_text
from monitoring.models import Assessment, Observation
from monitoring.review import decide_activity
from monitoring.selectors import current_assessment
from monitoring.session_record import Recorded
from monitoring.session_strips import observed_in
from monitoring.tests.factories import end_session, facts, make_session, make_user, watch
from monitoring.timeline import Stretch
from vision.types import Condition

pytestmark = pytest.mark.django_db


@pytest.fixture
def session():
    """Ten clear seconds, ten dark ones, ten in which nobody was there."""
    session = make_session()
    watch(session, *[facts(at, objects={"person": 0.9}) for at in range(10)])
    watch(session, *[facts(at, condition=Condition.DARK) for at in range(10, 20)])
    watch(session, *[facts(at, faces=0, objects={}) for at in range(20, 30)])
    end_session(session, 30)
    session.refresh_from_db()
    return session


def timeline_of(session):
    assessment = current_assessment(session)
    assert assessment is not None
    activities = summary.activities_of(assessment, session)
    recorded = Recorded.of(session, None)
    policy = assessment.policy.rules
    return recorded.timeline(policy, activities, observed_in(session, policy.thresholds), link="#")


@pytest.mark.database
def test_it_tells_what_was_examined(session):
    assert timeline_of(session).examined == (Stretch(0, 10), Stretch(20, 30))


@pytest.mark.database
def test_it_takes_faces_for_an_examined_picture_where_the_camera_sense_is_off(session):
    Observation.objects.update(usable=None)
    assert timeline_of(session).examined == (Stretch(0, 10), Stretch(20, 30))


def test_it_has_a_lane_for_each_kind_with_links(session):
    lanes = {lane.label: lane.bars for lane in timeline_of(session).lanes}
    assert set(lanes) == {"Nobody in view", "Too dark to see"}
    (bar,) = lanes["Nobody in view"]
    assert (bar.start_s, bar.end_s, bar.dismissed) == (20, 30, False)
    assert bar.link == f"#{session.activities.get(kind='NO_FACE').pk}"


def test_it_marks_what_a_reviewer_dismissed(session):
    activity = session.activities.get(kind="NO_FACE")
    decide_activity(activity=activity, verdict="dismissed", reason="A break.", reviewer=make_user(Role.REVIEWER))
    bars = [bar for lane in timeline_of(session).lanes for bar in lane.bars]
    assert [bar.title.endswith("dismissed") for bar in bars] == [bar.dismissed for bar in bars]
    assert sum(bar.dismissed for bar in bars) == 1


def test_it_says_of_each_sense_how_much_was_examined_and_why_nothing(session):
    assessment = Assessment.objects.get(session=session)
    rows = {row.sense: row for row in summary.coverage_of(assessment)}
    assert rows["faces"].percent == pytest.approx(66, abs=1)
    assert rows["eyes"].share == 0
    assert rows["eyes"].note.startswith("Not examined at any time.")
    assessment.policy.rules  # noqa: B018  reads the settings before they are changed beneath it
    assessment.policy.__dict__["rules"] = type(assessment.policy.rules)(senses=("faces",))
    off = {row.sense: row for row in summary.coverage_of(assessment)}["eyes"]
    assert (off.share, off.note) == (None, "Switched off by the exam's policy.")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (4.5, "4.5 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3720, "1 h 02 min")],
)
def test_it_writes_durations_in_words(seconds, text):
    assert duration_text(seconds) == text


def test_it_never_rounds_coverage_up_to_a_hundred():
    assert summary.SenseCoverage("faces", "Faces", 0.9999, "").percent == 99
    assert summary.SenseCoverage("faces", "Faces", 1.0, "").percent == 100
