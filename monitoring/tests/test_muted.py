"""Detectors muted for one candidate: nothing is examined, nothing is held against them, and it is said so."""

import pytest

from exams.models import ExamAssignment
from exams.services import add_policy_version
from monitoring import summary
from monitoring.models import Assessment, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.tests.factories import end_session, facts, make_candidate, make_exam, make_session, watch

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def turned_away(muted):
    """Return the ended session of a candidate who was turned by 60 degrees for most of it."""
    exam, candidate = make_exam(), make_candidate()
    ExamAssignment.objects.create(exam=exam, candidate=candidate, muted=muted)
    session = make_session(exam, candidate)
    watch(session, *[facts(at, objects={"person": 0.9}) for at in range(5)])
    watch(session, *[facts(at, yaw=60, objects={"person": 0.9}) for at in range(5, 20)])
    end_session(session, 20)
    session.refresh_from_db()
    return session


def found(session):
    return set(SuspiciousActivity.objects.filter(session=session).values_list("kind", flat=True))


def notes(session):
    rows = summary.coverage_of(Assessment.objects.get(session=session, is_current=True))
    return {row.sense: (row.share, row.note) for row in rows}


MUTED = (None, "Muted for this candidate.")


def test_it_finds_looking_away_where_nothing_is_muted():
    assert found(turned_away([])) == {"LOOKING_AWAY"}


@pytest.mark.parametrize("muted", [["gaze"], ["head", "eyes"]])
def test_it_does_not_look_where_head_and_eyes_are_muted_and_says_so(muted):
    session = turned_away(muted)
    assert found(session) == set()
    told = notes(session)
    assert (told["head"], told["eyes"]) == (MUTED, MUTED)
    assert told["faces"] == (1.0, "")


def test_it_mutes_a_single_kind_and_still_examines_the_sense():
    session = turned_away(["LOOKING_AWAY"])
    assert found(session) == set()
    assert notes(session)["head"] == (1.0, "")


def test_it_counts_no_time_as_observed_for_a_muted_sense():
    session = turned_away(["faces"])
    assessment = Assessment.objects.get()
    assert (assessment.compliance_score, "faces" in assessment.observed) == (None, False)
    assert notes(session)["faces"] == MUTED


def test_it_tells_what_the_policy_switched_off_from_what_is_muted():
    session = turned_away(["gaze"])
    policy, _ = add_policy_version(exam=session.exam, settings={"senses": ["camera", "faces", "head"]})
    rescore_session(session=session, policy=policy)
    told = notes(session)
    assert (told["head"], told["eyes"]) == (MUTED, (None, "Switched off by the exam's policy."))


@pytest.mark.parametrize("dry_run", [True, False])
def test_it_stays_muted_when_another_policy_judges(dry_run):
    session = turned_away(["gaze"])
    policy, _ = add_policy_version(exam=session.exam, settings={"thresholds": {"head_yaw": 5}})
    result = rescore_session(session=session, policy=policy, dry_run=dry_run)
    assert (result.activities_after, found(session)) == (0, set())
