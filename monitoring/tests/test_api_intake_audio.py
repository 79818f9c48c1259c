"""Sound over HTTP: stored like pictures, counted apart, listened to, and kept only where it shows something."""

import hashlib
from datetime import timedelta

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Role
from accounts.tests.client import client_of
from exams.lifecycle import move_session
from exams.models import ExamSession, SessionStatus
from exams.services import add_policy_version
from monitoring import analysis
from monitoring.frame_store import StoredFrame, frame_store
from monitoring.models import Assessment, MonitoringLog, Observation, SessionMonitor, SuspiciousActivity
from monitoring.rescoring import rescore_session
from monitoring.sounds import record_sounds
from monitoring.tests.factories import START, end_session, facts, make_session, make_user, two_men_jpeg, watch
from monitoring.tests.pictures import sound, tone
from vision.sound import RATE, as_wav, wrap_pcm
from vision.types import SOUND_SENSES

pytestmark = [pytest.mark.django_db, pytest.mark.database]

WAV = wrap_pcm(tone(0.5), rate=16_000, channels=1)


@pytest.fixture
def session(no_worker):
    return make_session()


@pytest.fixture
def client(session):
    return client_of(session.candidate.user)


def send(client, session, data=WAV, media_type="audio/wav", query="", **headers):
    address = f"/api/v1/sessions/{session.pk}/audio{query}"
    return client.post(address, data=data, content_type=media_type, headers=headers or None)


def waiting(session):
    return frame_store().take(session.pk, 500, "audio")


def hear(session):
    """Let the worker work; return what is written of sound."""
    analysis.analyze_waiting(session_ids=[session.pk])
    return list(Observation.objects.filter(stream="audio").order_by("seq"))


@pytest.mark.parametrize(
    ("media_type", "query"),
    [
        ("audio/L16;rate=16000;channels=1", ""),
        ("audio/l16; rate=16000", ""),
        ("application/octet-stream", "?rate=16000&channels=1"),
    ],
)
def test_it_takes_raw_samples_and_gives_them_a_header(client, session, media_type, query):
    answer = send(client, session, tone(0.5), media_type, query + ("&" if query else "?") + "seq=2")
    assert (answer.status_code, answer.json()["seq"]) == (202, 2)
    assert waiting(session)[0].data == WAV
    (row,) = hear(session)
    assert (row.usable, row.facts["duration_s"], row.facts["speech"]) == (True, 0.5, [])
    assert row.facts["level"]["rms"] == pytest.approx(-15.3, abs=0.1)


@pytest.mark.parametrize(
    ("form", "codec", "media_type"),
    [
        ("flac", "flac", "audio/flac"),
        ("ogg", "libopus", "audio/ogg"),
        ("webm", "libopus", "audio/webm;codecs=opus"),
        ("mp3", "libmp3lame", "audio/mpeg"),
    ],
)
def test_it_listens_to_what_came_and_discards_it(client, session, form, codec, media_type):
    data = sound(form, codec, 1.0)
    answer = send(client, session, data, media_type, "?seq=7&captured_at=2026-03-02T09:00:05Z")
    assert answer.status_code == 202
    (row,) = hear(session)
    assert (row.seq, row.captured_at, row.usable) == (7, START + timedelta(seconds=5), True)
    assert row.facts["duration_s"] == pytest.approx(1.0, abs=0.08) and row.facts["speech"] == row.facts["turns"] == []
    assert not any(path.is_file() for path in session_files(session))


def session_files(session):
    from django.conf import settings

    return list((settings.FRAME_SPOOL / str(session.pk)).glob("*"))


def test_it_takes_a_form_and_numbers_sound_apart_from_pictures(client, session):
    frame_store().put(session.pk, StoredFrame(1, START.timestamp(), two_men_jpeg()))
    file = SimpleUploadedFile("chunk.wav", WAV, content_type="audio/x-wav")
    address = f"/api/v1/sessions/{session.pk}/audio"
    answer = client.post(address, data={"file": file, "seq": "1"}, format="multipart")
    assert (answer.status_code, answer.json()["waiting"]) == (202, 1)  # pictures are what is thinned
    analysis.analyze_waiting(session_ids=[session.pk])
    assert sorted(Observation.objects.values_list("stream", "seq")) == [("audio", 1), ("frame", 1)]


def test_it_acknowledges_a_repeated_chunk_again_and_stores_it_once(client, session):
    for _ in range(2):
        assert send(client, session, query="?seq=1").status_code == 202
    assert len(waiting(session)) == 1
    assert len(hear(session)) == 1
    assert send(client, session, query="?seq=1").status_code == 202
    assert waiting(session) == []


def test_it_repeats_work_after_a_death_without_doubling_anything(client, session):
    for _ in range(2):  # as if the process had died before it could remove it
        frame_store().put(session.pk, StoredFrame(1, START.timestamp(), WAV, "audio"))
        assert len(hear(session)) == 1


def test_it_counts_what_was_heard_and_leaves_what_was_seen_alone(client, session):
    def of_pictures():
        coverage = Assessment.objects.get().coverage
        seen = {sense: share for sense, share in coverage.items() if sense not in SOUND_SENSES}
        monitor = SessionMonitor.objects.get()
        return seen, monitor.frames_total, monitor.frames_analysed, monitor.state["last_at"], monitor.memory

    watch(session, *[facts(at, faces=0, objects={}) for at in range(5)])
    before = of_pictures()
    for seq in range(5):
        query = f"?seq={seq}&captured_at={(START + timedelta(seconds=seq)).isoformat().replace('+00:00', 'Z')}"
        send(client, session, wrap_pcm(tone(1.0), rate=16_000, channels=1), query=query)
    assert len(hear(session)) == 5
    assert of_pictures() == before
    assert Assessment.objects.get().observed["level"] == 4.0


def test_a_noise_is_raised_with_its_sound_as_evidence_and_ends(client, session):
    """One that is loud for seconds, between two stretches of silence."""
    for second in range(10):
        loud = 3 <= second < 6
        samples = np.full(RATE, 0.5) * np.sin(np.arange(RATE) * 0.3) if loud else np.zeros(RATE)
        sent = StoredFrame(second, START.timestamp() + second, as_wav(samples, RATE), "audio")
        frame_store().put(session.pk, sent)
    hear(session)
    activity = SuspiciousActivity.objects.get(kind="LOUD_NOISE")
    assert (activity.started_at, activity.ended_at) == (START + timedelta(seconds=3), START + timedelta(seconds=6))
    assert activity.explanation == (
        "Something was loud that was no speech. This was so in 3 of 3 seconds of sound, over 3 s."
    )
    evidence = activity.evidence
    assert evidence.media_type == "audio/wav" and evidence.file.name.startswith(f"audio/{session.pk}/loud_noise-")
    assert hashlib.sha256(evidence.file.read()).hexdigest() == evidence.sha256
    reviewer = Client()
    reviewer.force_login(session.exam.owner)
    served = reviewer.get(f"/admin/monitoring/evidence/{evidence.pk}/picture/", follow=True)
    assert (served.status_code, served["Content-Type"]) == (200, "audio/wav")
    page = reviewer.get(f"/admin/exams/examsession/{session.pk}/change/").content.decode()
    assert f'<audio controls preload="none" src="/admin/monitoring/evidence/{evidence.pk}/picture/"' in page


def test_sound_that_cannot_be_recorded_holds_nobody_else_up_and_is_tried_again(client, session, monkeypatch):
    other, broken = make_session(), session.pk
    for pk in (broken, other.pk):
        frame_store().put(pk, StoredFrame(1, START.timestamp(), WAV, "audio"))

    def failing(*, session_id, batch):
        if session_id == broken:
            raise RuntimeError("no room")
        return record_sounds(session_id=session_id, batch=batch)

    monkeypatch.setattr(analysis, "record_sounds", failing)
    analysis.analyze_waiting(session_ids=[broken, other.pk])
    assert list(Observation.objects.values_list("session", flat=True)) == [other.pk]
    assert len(waiting(session)) == 1
    monkeypatch.undo()
    assert len(hear(session)) == 2


def test_a_dead_microphone_is_noticed_and_what_is_muted_is_not_listened_to(client, session):
    def silence(pk):
        for number in range(5):
            sent = StoredFrame(number, START.timestamp() + 4 * number, as_wav(np.zeros(4 * RATE), RATE), "audio")
            frame_store().put(pk, sent)

    silence(session.pk)
    hear(session)
    assert SuspiciousActivity.objects.get().kind == "MIC_SILENT"
    other = make_session()
    ExamSession.objects.filter(pk=other.pk).update(muted=["sound"])
    silence(other.pk)
    hear(other)
    assert not SuspiciousActivity.objects.filter(session=other).exists()
    assert (
        list(Observation.objects.filter(session=other).values_list("facts", flat=True))
        == [{"duration_s": 4.0, "knows_candidate": False}] * 5
    )


def test_the_voices_of_people_are_forgotten_with_the_end(client, session):
    SessionMonitor.objects.update(sound_memory={"voices": [{"number": 1}]})
    end_session(session, 30)
    assert SessionMonitor.objects.get().sound_memory == {}


def test_another_policy_judges_what_was_heard_again_without_any_sound(client, session):
    for second in range(10):
        samples = 0.05 * np.sin(np.arange(RATE) * 0.3) if 3 <= second < 6 else np.zeros(RATE)
        sent = StoredFrame(second, START.timestamp() + second, as_wav(samples, RATE), "audio")
        frame_store().put(session.pk, sent)
    hear(session)
    end_session(session, 30)
    assert not SuspiciousActivity.objects.filter(kind="LOUD_NOISE").exists()
    settings = {"thresholds": {"loud_below_full_scale": 35}}
    newer, _is_new = add_policy_version(exam=session.exam, settings=settings)
    rescored = rescore_session(session=ExamSession.objects.get(pk=session.pk), policy=newer)
    found = SuspiciousActivity.objects.get(kind="LOUD_NOISE")
    assert rescored.activities_after == 1 and found.started_at == START + timedelta(seconds=3)


def test_it_refuses_sound_beyond_what_may_wait_and_drops_none_that_was_acknowledged(client, session, settings):
    settings.FRAME_QUEUE_LENGTH = 3
    answers = [send(client, session, query=f"?seq={seq}") for seq in range(5)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert answers[-1].json()["code"] == "queue_full"
    assert [item.seq for item in waiting(session)] == [0, 1, 2]
    hear(session)
    assert send(client, session, query="?seq=3").status_code == 202


@pytest.mark.parametrize(
    ("data", "media_type", "query", "status", "code"),
    [
        (b"", "audio/wav", "", 400, "empty_sound"),
        (b"", "audio/l16;rate=16000", "", 400, "empty_sound"),
        (b"text", "audio/wav", "", 415, "unsupported_sound"),
        (b"text", "text/plain", "", 415, "unsupported_sound"),
        (WAV, "audio/flac", "", 415, "unsupported_sound"),
        (WAV[:30], "audio/wav", "", 400, "damaged_sound"),
        (two_men_jpeg(), "application/octet-stream", "", 415, "unsupported_sound"),
        (bytes(4 * 1024**2 + 2), "audio/l16;rate=48000", "", 413, "too_large"),
        (bytes(2 * 8_000 * 61), "audio/l16;rate=8000", "", 413, "too_large"),
    ],
)
def test_it_refuses_and_logs_what_is_no_sound(client, session, data, media_type, query, status, code):
    answer = send(client, session, data, media_type, query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    log = MonitoringLog.objects.get()
    assert (log.event_type, log.source) == ("INVALID_AUDIO", "server")
    assert waiting(session) == []
    assert send(client, session).status_code == 202


@pytest.mark.parametrize(
    ("media_type", "query", "field"),
    [
        ("audio/l16", "", "rate"),
        ("audio/l16;rate=fast", "", "rate"),
        ("audio/l16;rate=-1", "", "rate"),
        ("audio/l16;rate=16000;channels=0", "", "channels"),
        ("application/octet-stream", "?rate=999999999", "rate"),
    ],
)
def test_it_names_what_raw_samples_lack(client, session, media_type, query, field):
    answer = send(client, session, tone(0.1), media_type, query)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert waiting(session) == []


def test_it_logs_a_chunk_that_cannot_be_decoded_and_goes_on(client, session):
    broken = sound("flac", "flac", 1.0)[:60] + b"\xaa" * 500
    assert send(client, session, broken, "audio/flac", "?seq=1").status_code == 202
    assert send(client, session, query="?seq=2").status_code == 202
    rows = hear(session)
    assert [(row.seq, row.usable) for row in rows] == [(1, False), (2, True)]
    log = MonitoringLog.objects.get()
    assert (log.event_type, log.detail["seq"]) == ("INVALID_AUDIO", 1)
    assert Assessment.objects.get().risk_score == 0


def test_it_says_that_no_sound_came(client, session):
    answer = client.post(f"/api/v1/sessions/{session.pk}/audio", data={}, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (400, "no_sound")
    assert waiting(session) == []


def test_it_takes_no_sound_of_a_session_that_is_over_or_somebody_elses(client, session):
    other = make_session()
    assert send(client, other).status_code == 404
    assert send(client_of(make_user(Role.ADMIN)), session).status_code == 403
    move_session(session=session, to=SessionStatus.SUBMITTED)
    assert send(client, session).status_code == 409
    assert waiting(session) == waiting(other) == []


def test_it_has_sound_that_waits_swept_up(client, session):
    send(client, session)
    assert analysis.sessions_to_sweep() == ([session.pk], [])
    assert frame_store().waiting(session.pk)
    move_session(session=session, to=SessionStatus.SUBMITTED)
    assert analysis.finish_session(session_id=session.pk)
    assert Observation.objects.get().stream == "audio"
