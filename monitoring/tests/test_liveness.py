"""From signs of a recording, a print or a virtual camera to an activity, and what must not become one."""

import json
from dataclasses import replace

import pytest
from django.core.management import call_command

from accounts.tests.client import client_of
from exams.policy import Policy, parse_policy
from exams.services import add_policy_version
from monitoring import rules
from monitoring.cues import print_look, read_cues, wanted_facts
from monitoring.evaluation import composed
from monitoring.evaluation.labels import read_samples
from monitoring.models import MonitoringLog, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.services import seen_moment
from monitoring.tests.factories import end_session, facts, make_session, watch
from vision.tests.media import media_folder
from vision.types import Liveness

KIND, POLICY = "SPOOF_SUSPECTED", Policy()
ALIVE = Liveness()


def seen(at=0.0, liveness=ALIVE, looks=None, **fields):
    return replace(facts(at, **fields), liveness=liveness, live_looks=looks)


# --- cues -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observation", "expected", "by"),
    [
        (seen(), False, None),
        (seen(liveness=None), None, None),
        (seen(liveness=Liveness(frozen_s=29)), False, None),
        (seen(liveness=Liveness(frozen_s=30)), True, "frozen"),
        (seen(liveness=Liveness(repeats=3, in_order=7)), False, None),
        (seen(liveness=Liveness(repeats=4)), True, "loop"),
        (seen(liveness=Liveness(in_order=8)), True, "loop"),
        (seen(looks=(0.01,)), False, None),  # one look accuses nobody
        (seen(looks=(0.01, 0.02)), False, None),
        (seen(looks=(0.01, 0.9, 0.02)), False, None),
        (seen(looks=(0.01, 0.02, 0.9, 0.1)), True, "print"),
        (seen(looks=(0.3, 0.4, 0.3, 0.4)), False, None),
    ],
)
def test_it_says_what_speaks_against_a_live_picture(observation, expected, by):
    cue = read_cues(observation, POLICY)[KIND]
    assert (cue.value, cue.detail.get("by")) == (expected, by)


def test_thresholds_are_the_policys_and_a_muted_sense_says_nothing():
    still = seen(liveness=Liveness(frozen_s=40), looks=(0.3, 0.3, 0.3))
    assert read_cues(still, parse_policy({"thresholds": {"frozen_s": 60}}))[KIND].value is False
    assert read_cues(still, parse_policy({"thresholds": {"frozen_s": 60, "living_score": 0.4}}))[KIND].value is True
    muted = wanted_facts(still, POLICY.without(["liveness"]))
    assert (muted.liveness, muted.live_looks) == (None, None)
    assert [print_look(seen(looks=looks), POLICY.thresholds).value for looks in (None, (0.9, 0.1), (0.1, 0.9))] == [
        None,
        True,
        False,
    ]


def test_one_picture_opens_nothing_and_a_stretch_is_one_activity():
    state, changes = rules.initial_state(), []
    stream = [seen(at) for at in range(3)] + [seen(3, Liveness(repeats=4))] + [seen(at) for at in range(4, 8)]
    stream += [seen(at, Liveness(frozen_s=at)) for at in range(30, 50)] + [seen(at) for at in range(50, 65)]
    for one in stream:
        state, more = rules.step(state, seen_moment(one, POLICY), POLICY)
        changes += [change for change in more if change.kind == KIND]
    (opened,) = [change for change in changes if change.action == "open"]
    (closed,) = [change for change in changes if change.action == "close"]
    assert opened.detail["by"] == "frozen"
    start = seen(0).captured_at
    assert (closed.started_at - start, closed.ended_at - start) == (30, 50)


# --- the name of the camera -------------------------------------------------------------------------------------------


@pytest.fixture
def session(db):
    return make_session()


def send(session, **event):
    return client_of(session.candidate.user).post(f"/api/v1/sessions/{session.pk}/events", data=event)


@pytest.mark.database
def test_a_virtual_camera_is_told_at_once_and_explained(session):
    answer = send(session, event_type="CAMERA_ON", detail={"label": "OBS Virtual Camera"})
    assert [one["kind"] for one in answer.json()["activities"]] == [KIND]
    activity = SuspiciousActivity.objects.get()
    assert activity.explanation == "The camera “OBS Virtual Camera” is a program that can show recordings."
    assert (activity.severity, activity.confidence) == (2, 1.0)
    send(session, event_type="CAMERA_ON", detail={"label": "OBS Virtual Camera"})
    assert SuspiciousActivity.objects.count() == 1, "it rests"


@pytest.mark.database
@pytest.mark.parametrize("label", ["fake_device_0", "Integrated Camera", "DroidCam Source 2", ["OBS Virtual Camera"]])
def test_other_cameras_are_only_written_down(session, label):
    assert send(session, event_type="CAMERA_ON", detail={"label": label}).json()["activities"] == []
    assert MonitoringLog.objects.get().detail == {"label": label}


@pytest.mark.database
def test_what_is_not_looked_for_is_not_told(session):
    policy, _ = add_policy_version(exam=session.exam, settings={"kinds": {KIND: {"enabled": False}}})
    send(session, event_type="CAMERA_ON", detail={"label": "ManyCam"})
    end_session(session, 20)
    session.refresh_from_db()
    result = rescore_session(session=session, policy=policy)
    assert (result.activities_before, result.activities_after) == (1, 0)


# --- judged again -----------------------------------------------------------------------------------------------------


@pytest.mark.database
def test_another_threshold_changes_the_activities_without_any_model(session):
    watch(session, *(seen(at, Liveness(frozen_s=at)) for at in range(46)))
    end_session(session, 46)
    session.refresh_from_db()
    (found,) = SuspiciousActivity.objects.all()
    assert (found.kind, found.detail["by"]) == (KIND, "frozen")
    assert found.explanation.startswith("Nothing at all moved in the picture for more than 31 s")
    policy, _ = add_policy_version(exam=session.exam, settings={"thresholds": {"frozen_s": 60}})
    assert rescore_session(session=session, policy=policy).activities_after == 0


# --- composed recordings ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_real_clip_shown_as_a_camera_is_found_out_frozen_and_on_repeat():
    clips = [sample for sample in read_samples(media_folder()) if "h1579" in sample.name]
    figures = composed.shown_recordings(clips, POLICY)
    assert (figures.clips, figures.recall.hits, figures.recall.n) == (2, 2, 2)


def test_the_evaluation_asks_for_it(capsys, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    (tmp_path / "labels.jsonl").write_text('{"file": "broken.mp4", "kind": "video", "labels": {"faces": 1}}')
    call_command("evaluate", str(tmp_path), "--only", composed.SHOWN_RECORDING, "--weights", "bundled", "--json")
    (row,) = json.loads(capsys.readouterr().out)["runs"]["bundled"]["clips"]
    assert (row["kind"], row["clips"]) == (composed.SHOWN_RECORDING, 0), "what cannot be read composes nothing"
