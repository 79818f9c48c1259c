"""Sound over HTTP: stored like pictures, counted apart, written down as not examined, and never kept."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Role
from accounts.tests.client import client_of
from exams.lifecycle import move_session
from exams.models import SessionStatus
from monitoring import analysis
from monitoring.frame_store import StoredFrame, frame_store
from monitoring.models import Assessment, MonitoringLog, Observation, SessionMonitor
from monitoring.tests.factories import START, facts, make_session, make_user, two_men_jpeg, watch
from monitoring.tests.pictures import sound, tone
from vision.sound import wrap_pcm

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
    assert (row.usable, row.facts) == (None, {"duration_s": 0.5, "rate": 16_000, "channels": 1, "examined": []})


@pytest.mark.parametrize(
    ("form", "codec", "media_type"),
    [
        ("flac", "flac", "audio/flac"),
        ("ogg", "libopus", "audio/ogg"),
        ("webm", "libopus", "audio/webm;codecs=opus"),
        ("mp3", "libmp3lame", "audio/mpeg"),
    ],
)
def test_it_writes_down_what_came_as_not_examined_and_discards_the_voice(client, session, form, codec, media_type):
    data = sound(form, codec, 1.0)
    answer = send(client, session, data, media_type, "?seq=7&captured_at=2026-03-02T09:00:05Z")
    assert answer.status_code == 202
    (row,) = hear(session)
    assert (row.seq, row.captured_at, row.usable) == (7, START + timedelta(seconds=5), None)
    assert row.facts == {"duration_s": 1.0, "rate": 48_000, "channels": 1, "examined": []}
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


def test_it_disturbs_neither_rules_nor_coverage_nor_the_counters_of_pictures(client, session):
    def kept():
        monitor = dict(SessionMonitor.objects.values().get())
        del monitor["last_seen_at"]  # whoever sends sound is there
        return monitor, Assessment.objects.values().get()

    watch(session, *[facts(at, faces=0, objects={}) for at in range(5)])
    before = kept()
    for seq in range(5):
        send(client, session, query=f"?seq={seq}")
    assert len(hear(session)) == 5
    assert kept() == before


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
    assert [(row.seq, row.usable) for row in rows] == [(1, False), (2, None)]
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
