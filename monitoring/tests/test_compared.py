"""The candidate's face during an exam: compared where they agreed to it, told in plain words, and kept nowhere."""

import json
from dataclasses import replace

import pytest

from accounts.consents import withdraw_consent
from accounts.face import enrol_face
from accounts.models import Consent, ConsentText, FaceEnrolment
from accounts.tests.client import client_of
from accounts.tests.faces import give_somebody_elses_face
from exams.kinds import DEFAULT_RULES, Kind
from exams.models import ExamAssignment
from exams.policy import PolicyError, parse_policy
from exams.services import add_policy_version
from monitoring import analysis, intake, summary
from monitoring.compared import NOT_COMPARED, with_faces
from monitoring.erasure import erase_session
from monitoring.models import Assessment, Evidence, MonitoringLog, Observation, SessionMonitor, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.tests.factories import START, end_session, make_candidate, make_exam, make_session, watch
from vision.analyzers import identity
from vision.loading import models
from vision.tests.heads import straight, straight_jpeg
from vision.types import Camera, Condition, Likeness, Sense
from vision.types import Observation as Facts

pytestmark = [pytest.mark.django_db, pytest.mark.database]
CLEAR = Camera(Condition.OK, 0.5, 0.2, 300.0)


@pytest.fixture(autouse=True)
def own_spool(settings, tmp_path):
    settings.FRAME_SPOOL = tmp_path


def agree(user, version):
    text = ConsentText.objects.get(purpose="face", version=version)
    return Consent.objects.create(user=user, text=text)


def enrolled_candidate(version=3):
    """Return a candidate whose face is enrolled under a consent of this version."""
    candidate = make_candidate()
    newest = agree(candidate.user, 3)
    enrol_face(user=candidate.user, picture=straight_jpeg(), actor=candidate.user, ip_address=None)
    if version != 3:
        newest.delete()
    if version in (1, 2):
        agree(candidate.user, version)
    return candidate


def sit(candidate, pictures=6, muted=()):
    """Have the man of the pictures sit there for some seconds, and return the session."""
    exam = make_exam()
    ExamAssignment.objects.create(exam=exam, candidate=candidate, muted=list(muted))
    session = make_session(exam, candidate)
    show(session, range(pictures))
    return session


def show(session, numbers):
    for seq in numbers:
        intake.take_frame(session=session, seq=seq, captured_at=START.timestamp() + seq, data=straight_jpeg())
    analysis.analyze_waiting(session_ids=[session.pk], streams=("frame",))


def distances(session):
    rows = Observation.objects.filter(session=session).order_by("seq")
    return [row.facts["identity"]["distance"] for row in rows if "identity" in row.facts]


def note_of(session):
    rows = summary.coverage_of(Assessment.objects.get(session=session, is_current=True))
    return next(row for row in rows if row.sense == "identity")


def test_who_agreed_is_compared_and_recognised():
    session = sit(enrolled_candidate())
    assert len(distances(session)) == 3
    assert max(distances(session)) < 0.2
    assert not SuspiciousActivity.objects.exists()
    end_session(session, 6)
    assert note_of(session).note == ""
    assert note_of(session).share > 0.5


def test_somebody_else_is_told_with_the_picture_as_evidence():
    candidate = enrolled_candidate()
    give_somebody_elses_face(candidate.user)
    session = sit(candidate)
    activity = SuspiciousActivity.objects.get()
    assert (activity.kind, activity.severity) == ("IDENTITY_MISMATCH", 3)
    assert activity.explanation.startswith("The face did not look like the one that the candidate enrolled.")
    assert activity.confidence > 0.9
    assert activity.evidence.file.read() == straight_jpeg()
    assert set(activity.detail) == {"distance", "positives", "examined"}
    assert session.pk == activity.assessment.session_id


@pytest.mark.parametrize("version", [1, None])
def test_who_did_not_agree_to_it_is_not_compared_and_it_is_said_why(version):
    candidate = enrolled_candidate(version)
    give_somebody_elses_face(candidate.user)
    session = sit(candidate)
    assert distances(session) == []
    assert not SuspiciousActivity.objects.exists()
    assert "likeness" not in SessionMonitor.objects.get().memory
    end_session(session, 6)
    assert note_of(session).share == 0
    assert note_of(session).note == f"Not examined at any time. {NOT_COMPARED}"


def test_reviewers_do_not_learn_who_has_a_face_enrolled_and_did_not_agree():
    notes = set()
    for candidate in (make_candidate(), enrolled_candidate(1)):
        session = sit(candidate, pictures=2)
        end_session(session, 2)
        notes.add(note_of(session).note)
    assert len(notes) == 1


def test_a_consent_that_is_withdrawn_counts_from_the_next_picture_on():
    candidate = enrolled_candidate()
    give_somebody_elses_face(candidate.user)
    session = sit(candidate, pictures=2)
    assert len(distances(session)) == 2
    withdraw_consent(user=candidate.user, purpose="face")
    show(session, range(2, 12))
    assert len(distances(session)) == 2
    assert not SuspiciousActivity.objects.exists()


@pytest.mark.parametrize("muted", ["identity", "faces"])
def test_it_is_muted_like_any_other_sense(muted):
    candidate = enrolled_candidate()
    session = sit(candidate, pictures=3, muted=[muted])
    assert bool(distances(session)) is (muted == "faces")


def test_nothing_of_what_the_face_looks_like_is_kept_or_told(caplog):
    candidate = enrolled_candidate()
    give_somebody_elses_face(candidate.user)
    session = sit(candidate)
    face = identity.portray(straight(), models()).embedding
    kept = [
        *Observation.objects.values_list("facts", flat=True),
        *SessionMonitor.objects.values_list("memory", "state"),
    ]
    kept += [*SuspiciousActivity.objects.values_list("detail", "explanation"), *Evidence.objects.values_list("file")]
    kept += list(MonitoringLog.objects.values_list("detail", flat=True))
    told = client_of(session.exam.owner).get(f"/api/v1/sessions/{session.pk}/observations").json()
    everything = json.dumps([kept, told], default=str) + caplog.text
    # Single numbers may be there by chance, since facts have as many digits.
    assert sum(f"{abs(number):.4f}" in everything for number in face) < 10
    assert len(json.dumps(SessionMonitor.objects.get().memory)) < 4096
    assert all(len(row.get("identity", {})) <= 2 for row in Observation.objects.values_list("facts", flat=True))


def test_erasing_a_session_leaves_the_enrolled_face_and_nothing_of_the_comparison(django_capture_on_commit_callbacks):
    candidate = enrolled_candidate()
    session = sit(candidate, pictures=3)
    end_session(session, 3)
    session.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        erase_session(session=session)
    assert not Observation.objects.exists()
    assert FaceEnrolment.objects.filter(user=candidate.user).exists()


def test_faces_of_a_whole_batch_cost_one_query_and_one_for_their_owners(django_assert_num_queries):
    sessions = [make_session(candidate=enrolled_candidate()) for _ in range(2)]
    dues = {session.pk: session.rules.due() for session in sessions}
    with django_assert_num_queries(2):
        found = with_faces(dues)
    assert all(len(due.enrolled) == 128 for due in found.values())
    owners = {session.pk: session.candidate.user_id for session in sessions}
    with django_assert_num_queries(1):
        assert with_faces(dues, owners) == found
    with django_assert_num_queries(0):
        assert with_faces(dues, dict.fromkeys(dues)) == dues
    without = {pk: replace(due, senses=frozenset({Sense.FACES})) for pk, due in dues.items()}
    with django_assert_num_queries(0):
        assert with_faces(without) == without


# --- rules ------------------------------------------------------------------------------------------------------------


def seen(at, apart):
    told = None if apart is None else Likeness(apart, 150)
    return Facts(seq=round(at * 10), captured_at=START.timestamp() + at, camera=CLEAR, faces=(), identity=told)


def kinds_of(*apart, every_s=1.0):
    session = make_session()
    watch(session, *[seen(number * every_s, value) for number, value in enumerate(apart)])
    end_session(session, len(apart) * every_s)
    return session, sorted(SuspiciousActivity.objects.filter(session=session).values_list("kind", flat=True))


@pytest.mark.parametrize(
    ("apart", "expected"),
    [
        ([0.3, 0.25, 0.35, 0.3], []),
        ([0.8], []),
        ([0.8, 0.3, 0.8, 0.3, 0.8, 0.3], []),
        ([0.8, None, 0.3, None, None, 0.8], []),
        ([0.8, 0.8, 0.8], ["IDENTITY_MISMATCH"]),
        ([0.8, None, 0.3, 0.8, 0.8], ["IDENTITY_MISMATCH"]),
        ([0.54] * 4, []),
        ([0.54] * 12, ["IDENTITY_UNSURE"]),
        ([None] * 12, []),
    ],
)
def test_several_pictures_must_agree(apart, expected):
    assert kinds_of(*apart)[1] == expected


def test_not_being_sure_is_no_offence():
    session, _ = kinds_of(*[0.54] * 12)
    assessment = Assessment.objects.get(session=session, is_current=True)
    assert (assessment.risk_score, DEFAULT_RULES[Kind.IDENTITY_UNSURE].weight) == (0, 0)


def test_other_limits_judge_the_distances_that_are_kept():
    session, found = kinds_of(*[0.54] * 5)
    assert found == []
    session.refresh_from_db()
    policy, _ = add_policy_version(exam=session.exam, settings={"thresholds": {"identity_mismatch": 0.52}})
    assert rescore_session(session=session, policy=policy).activities_after == 1


def test_what_is_looked_at_now_and_then_covers_the_time_between():
    session, _ = kinds_of(0.3, *[None] * 19, 0.3, *[None] * 9)
    assert Assessment.objects.get(session=session, is_current=True).coverage["identity"] > 0.95


@pytest.mark.parametrize("limits", [{"identity_unsure": 0.7}, {"identity_mismatch": 0.4}, {"identity_unsure": 0}])
def test_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(PolicyError):
        parse_policy({"thresholds": limits})
    with pytest.raises(PolicyError):
        parse_policy({"identity_every_s": 0})
