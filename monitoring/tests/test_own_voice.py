"""The candidate's voice at the system check: sent once, learnt by the workers, and told from another's in the exam."""

import base64
import json

import numpy as np
import pytest

from accounts.tests.client import client_of
from exams.kinds import Kind
from exams.lifecycle import move_session
from exams.models import ExamSession, SessionStatus
from exams.services import create_session
from monitoring import analysis, intake, own_voice, services
from monitoring.frame_store import StoredFrame, frame_store
from monitoring.models import MonitoringLog, Observation, SessionMonitor, SuspiciousActivity
from monitoring.tests.factories import START, agree, end_session, make_candidate, make_exam
from vision.analyzers import speakers
from vision.recorded_sound import read_sounds
from vision.sound import RATE, as_wav
from vision.tests.media import media_folder

pytestmark = [pytest.mark.django_db, pytest.mark.database]

CHECK = {"camera": {"available": True, "faces": 1}, "microphone": {"available": True}}
POINTS = [{"x": 0.5, "y": 0.5, "yaw": 2.0, "pitch": 1.0, "horizontal": 0.0, "vertical": 0.0}] * 5


@pytest.fixture
def session(no_worker, settings):
    settings.FRAME_WAIT_S = 0
    return create_session(exam=make_exam(open_to_all=True), candidate=agree(make_candidate()), created_at=START)


def spoken(speaker, clip, seconds):
    """Return the beginning of one of a labelled speaker's clips."""
    import av

    folder = media_folder()
    rows = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]
    path = [folder / row["file"] for row in rows if row["labels"].get("speaker") == speaker][clip]
    parts = [item.samples for item in read_sounds(av.open(str(path)), 0.0)]
    return np.concatenate(parts)[: round(seconds * RATE)]


def check(session, samples=None, **more):
    """Take the system check, with a sample of sound or without; returns what is answered."""
    told = {**CHECK, **more}
    if samples is not None:
        voice = base64.b64encode(samples if isinstance(samples, bytes) else as_wav(samples, RATE)).decode()
        told["microphone"] = {"available": True, "voice": voice}
    return client_of(session.candidate.user).post(f"/api/v1/sessions/{session.pk}/check", told)


def learn(session, samples):
    """Send a sample, let the worker work, and ask again; returns the answer."""
    assert check(session, samples).json()["voice"] == "waiting"
    analysis.analyze_waiting(session_ids=[session.pk], streams=["audio"])
    return check(session).json()


def sit(session, samples):
    """Begin the exam and let this be heard in it; returns the kinds that were noticed."""
    session = move_session(session=ExamSession.objects.get(pk=session.pk), to=SessionStatus.ACTIVE, at=START)
    services.open_monitor(session=session)
    for number, start in enumerate(range(0, len(samples), 4 * RATE)):
        data = as_wav(samples[start : start + 4 * RATE], RATE)
        frame_store().put(session.pk, StoredFrame(number, START.timestamp() + 4 * number, data, "audio"))
    analysis.analyze_waiting(session_ids=[session.pk], streams=["audio"])
    return set(SuspiciousActivity.objects.values_list("kind", flat=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "heard"), [("ls_1688", {Kind.SPEECH}), ("ls_2033", {Kind.SPEECH, Kind.BACKGROUND_VOICE})]
)
def test_another_voice_is_told_from_the_one_that_was_learnt(session, other, heard):
    """Composed: one reads at the check, then the same or another speaks in the exam."""
    answer = learn(session, spoken("ls_1688", 0, 8))
    assert (answer["voice"], answer["findings"]) == ("known", [])
    assert sit(session, spoken(other, 1, 8)) == heard
    facts = Observation.objects.get(seq=0).facts
    assert facts["knows_candidate"] and all(0 < turn["own"] <= 1 for turn in facts["turns"])


@pytest.mark.slow
@pytest.mark.slow
def test_a_voice_is_not_compared_through_another_microphone(session):
    """Composed: another's voice, which would be told, after the browser said that devices changed."""
    learn(session, spoken("ls_1688", 0, 8))
    MonitoringLog.objects.create(session=session, event_type="DEVICE_CHANGE", source="browser", occurred_at=START)
    assert sit(session, spoken("ls_2033", 1, 8)) == {Kind.SPEECH}
    assert not speakers.knows_candidate(SessionMonitor.objects.get(pk=session.pk).sound_memory)


def test_nothing_of_it_stays_but_numbers_and_these_go_with_the_end(session):
    learn(session, spoken("ls_1688", 0, 8))
    monitor = SessionMonitor.objects.get()
    (voice,) = monitor.sound_memory["voices"]
    assert voice["number"] == 0 and len(base64.b64decode(voice["mean"])) == 256
    assert frame_store().waiting(session.pk) == 0 and not Observation.objects.exists()
    kept = json.dumps(ExamSession.objects.get(pk=session.pk).system_check)
    assert "mean" not in kept and len(kept) < 1000
    move_session(session=session, to=SessionStatus.ACTIVE, at=START)
    end_session(session, 30)
    assert SessionMonitor.objects.get().sound_memory == {}


@pytest.mark.slow
def test_two_voices_are_not_learnt_as_one_nor_is_a_word(session):
    """Composed of two labelled speakers, one after the other."""
    both = np.concatenate([spoken("ls_1688", 0, 4), spoken("ls_2033", 0, 4)])
    answer = learn(session, both)
    assert (answer["voice"], answer["findings"][0]["code"]) == ("several", "voice_several")
    assert answer["passed"]  # advice: nobody is kept from the exam by what a model hears
    assert learn(session, spoken("ls_1688", 0, 2))["voice"] == "short"
    assert learn(session, 1e-3 * spoken("ls_1688", 0, 8))["voice"] in ("quiet", "unheard")
    assert sit(session, spoken("ls_2033", 1, 8)) == {Kind.SPEECH}


@pytest.mark.parametrize("samples", [np.zeros(6 * RATE), 0.05 * np.sin(np.arange(6 * RATE) * 0.2)])
def test_silence_and_a_hum_are_no_voice(session, samples):
    answer = learn(session, samples)
    assert (answer["voice"], answer["findings"][0]["code"]) == ("unheard", "voice_unheard")


def test_it_may_be_left_out(session):
    assert check(session).json()["voice"] is None
    assert not SessionMonitor.objects.exists()


def test_where_voices_are_not_told_apart_no_sample_is_taken(session):
    ExamSession.objects.filter(pk=session.pk).update(muted=["sound"])
    assert check(session, np.zeros(RATE)).json()["voice"] is None
    assert frame_store().waiting(session.pk) == 0


@pytest.mark.parametrize("data", [b"", b"no sound", as_wav(np.zeros(61 * 8_000), 8_000)])
def test_what_is_no_sound_is_refused(session, data):
    answer = check(session, data)
    assert answer.status_code in (400, 413, 415) and not SessionMonitor.objects.exists()


def test_a_sample_that_cannot_be_decoded_or_ends_processes_is_given_up(session, monkeypatch):
    assert learn(session, as_wav(np.zeros(RATE), RATE)[:60])["voice"] == "unheard"
    monkeypatch.setattr(analysis, "MOST_DEATHS", 0)
    assert learn(session, np.zeros(RATE))["voice"] == "failed"


def test_no_client_can_teach_a_voice_in_the_middle_of_an_exam(session):
    with pytest.raises(intake.IntakeRefused):
        intake.check_numbers(START, own_voice.SAMPLE_FROM, START.timestamp())


def test_a_gaze_that_was_calibrated_after_the_voice_still_counts(session):
    learn(session, np.zeros(6 * RATE))
    assert SessionMonitor.objects.get().memory == {}
    check(session, calibration={"points": POINTS})
    session = move_session(session=ExamSession.objects.get(pk=session.pk), to=SessionStatus.ACTIVE, at=START)
    services.open_monitor(session=session)
    assert "usual" in SessionMonitor.objects.get().memory
