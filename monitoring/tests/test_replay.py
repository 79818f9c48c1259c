"""Recordings through the whole road, with real models on real pictures."""

import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from exams.models import ExamSession
from monitoring.erasure import erase_session
from monitoring.models import (
    Assessment,
    Evidence,
    MonitoringLog,
    Observation,
    SessionMonitor,
    SuspiciousActivity,
)
from monitoring.summary import coverage_of
from monitoring.tests.factories import facts, make_candidate, make_exam, make_session, watch
from vision.demo import build_demo_recording

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MEDIA = Path(os.environ.get("PROCTORING_MEDIA", "/nowhere"))
EXAMS = sorted(MEDIA.glob("exams/*.json"))
needs_media = pytest.mark.skipif(not EXAMS, reason="the labelled media are not here (PROCTORING_MEDIA)")


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "demo.mp4"
    return path, build_demo_recording(path)


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    """Bundled models only, as on a machine without a network."""
    from vision import loading

    monkeypatch.setenv("PROCTORING_MODELS", str(tmp_path))
    own = loading.models()
    loading.use_models(loading.Models())
    yield
    loading.use_models(own)


def replay(capsys, *paths, **options):
    call_command("replay", *paths, json=True, **options)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def found(result, kind):
    return [(item["started_s"], item["ended_s"]) for item in result["activities"] if item["kind"] == kind]


def weighty(result):
    advice = {"POOR_LIGHT", "CAMERA_BLURRED", "RECORDING_GAP", "SPEECH", "HAND_GESTURE"}
    return [item for item in result["activities"] if item["kind"] not in advice]


def test_it_finds_what_the_demonstration_shows_with_bundled_models_only(capsys, demo, no_weights):
    path, timeline = demo
    (result,) = replay(capsys, path)
    parts = {part.kind: (part.start_s, part.end_s) for part in timeline.parts}
    assert [item["kind"] for item in weighty(result)] == ["MULTIPLE_FACES", "NO_FACE"]
    for kind, part in (("MULTIPLE_FACES", "two_people"), ("NO_FACE", "empty")):
        ((start, end),) = found(result, kind)
        assert start == pytest.approx(parts[part][0], abs=2)
        assert end == pytest.approx(parts[part][1], abs=2)
    assert result["coverage"]["faces"] > 0.95
    assert result["coverage"]["objects"] == 0.0
    assert (result["risk_score"], result["risk_level"]) == (6, "Medium")
    assert "fetch_models" in Assessment.objects.get().missing_detectors["objects"]
    notes = {sense.sense: sense.note for sense in coverage_of(Assessment.objects.get())}
    assert "The detector was missing: No object-detection weights" in notes["objects"]


def test_it_gives_everything_that_was_promised_to_machines(capsys, demo):
    (result,) = replay(capsys, demo[0], fps=0.5)
    assert set(result) >= {
        *("session", "exam", "candidate", "frames", "coverage", "activities", "risk_score", "risk_level"),
        *("trust_score", "compliance_score", "breakdown", "report", "timings_ms"),
    }
    assert set(result["frames"]) == {"total", "analysed", "skipped", "unusable", "lost"}
    activity = result["activities"][0]
    assert set(activity) == {"kind", "started_s", "ended_s", "severity", "confidence", "explanation", "evidence"}
    assert Evidence.objects.get(sha256=activity["evidence"]["sha256"]).file.name == activity["evidence"]["file"]


def test_it_makes_a_second_session_of_the_same_file_and_finds_the_same(capsys, demo):
    start = parse_datetime("2026-02-03T10:00:00Z")
    first, second = replay(capsys, demo[0], demo[0], start_at=start.isoformat(), fps=0.5)
    assert first["session"] != second["session"]
    assert first["activities"] != []
    without_files = [
        [{key: value for key, value in item.items() if key != "evidence"} for item in result["activities"]]
        for result in (first, second)
    ]
    assert without_files[0] == without_files[1]
    session = ExamSession.objects.get(pk=first["session"])
    assert (session.started_at, session.status, session.source) == (start, "submitted", "recording")
    assert session.duration.total_seconds() == pytest.approx(48, abs=1)


def test_it_writes_the_report_where_it_was_asked_to(capsys, demo, tmp_path):
    (result,) = replay(capsys, demo[0], fps=0.5, pdf=tmp_path / "report.pdf")
    assert result["report"] == str(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_it_counts_the_part_before_damage_and_logs_the_gap(capsys, demo, tmp_path):
    data = bytearray(demo[0].read_bytes())
    middle = len(data) // 2
    data[middle : middle + 60_000] = bytes(60_000)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    (result,) = replay(capsys, broken)
    whole = 48
    assert 10 <= result["frames"]["analysed"] < whole
    logs = MonitoringLog.objects.filter(event_type="RECORDING_GAP")
    assert logs.count() >= 1
    assert logs[0].detail["reason"]
    assert result["coverage"]["faces"] < 0.99
    assert all(line["points"] == 0 for line in result["breakdown"] if line["kind"] == "RECORDING_GAP")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no recording at"), (b"", "empty"), (b"Dear diary, today I wrote a file.", "video")],
)
def test_it_says_in_one_sentence_what_is_wrong_and_writes_nothing(tmp_path, content, words):
    path = tmp_path / "exam.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=f"(?i){words}") as error:
        call_command("replay", path)
    assert "\n" not in str(error.value)
    assert not ExamSession.objects.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"exam": "nowhere"}, "no exam with the code 'nowhere'"),
        ({"candidate": "nobody@example.com"}, "no candidate with the address 'nobody@example.com'"),
        ({"fps": "fast"}, "'fast' is no sampling rate"),
        ({"fps": 0}, "no sampling rate"),
        ({"start_at": "yesterday"}, "'yesterday' is not a time"),
        ({"start_at": "2026-13-01T00:00"}, "is not a time"),
        ({"pdf": Path("/nowhere/at/all.pdf")}, "folder of /nowhere/at/all.pdf does not exist"),
    ],
)
def test_it_says_what_it_does_not_know(demo, options, words):
    with pytest.raises(CommandError, match=words):
        call_command("replay", demo[0], **options)
    assert not ExamSession.objects.exists()


def test_it_leaves_a_terminated_session_and_no_open_one_when_broken_off(demo, monkeypatch):
    from monitoring import replay as replaying

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(replaying, "analyze_frames", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replaying.replay_recording(path=demo[0], exam=make_exam(), candidate=make_candidate())
    session = ExamSession.objects.get()
    assert session.status == "terminated"
    assert session.transitions.last().reason == "replay broken off: KeyboardInterrupt"


def test_it_erases_a_session_with_every_picture(capsys, demo, django_capture_on_commit_callbacks):
    (result,) = replay(capsys, demo[0], fps=0.5)
    files = [item.file for item in Evidence.objects.all()]
    assert files
    with django_capture_on_commit_callbacks(execute=True):
        erase_session(session=ExamSession.objects.get(pk=result["session"]))
    for model in (ExamSession, Observation, Assessment, SuspiciousActivity, Evidence, MonitoringLog):
        assert not model.objects.exists()
    assert not any(file.storage.exists(file.name) for file in files)


@needs_media
@pytest.mark.parametrize("timeline", EXAMS, ids=lambda path: path.stem)
def test_it_finds_the_staged_moments_of_an_exam_and_is_silent_in_the_calm(capsys, timeline):
    (result,) = replay(capsys, timeline.with_suffix(".mp4"))
    stages = json.loads(timeline.read_text())["timeline"]
    for stage in stages:
        if stage["kind"] in ("NO_FACE", "MULTIPLE_FACES"):
            assert any(
                abs(start - stage["start_s"]) <= 2 and abs(end - stage["end_s"]) <= 2
                for start, end in found(result, stage["kind"])
            ), stage
    calm = [(stage["start_s"], stage["end_s"]) for stage in stages if stage["kind"] == "present"]
    speech = [stage for stage in stages if stage["kind"] == "SPEECH"]
    spoken = [(stage["start_s"], stage["end_s"]) for stage in speech]
    heard = found(result, "SPEECH")
    for stage in speech:
        if stage["voice"] == 1:  # the other voice is so faint in one of them that no detector here hears it
            assert any(start <= stage["start_s"] + 2 and end >= stage["end_s"] - 2 for start, end in heard)
    assert sum(end - start for start, end in heard) <= sum(last - first for first, last in spoken) + 2 * len(spoken)
    for start, end in found(result, "MULTIPLE_VOICES"):  # the second voice is staged while somebody else is seen
        assert spoken[-1][0] <= start < end <= spoken[-1][1] + 1
    for item in weighty(result):
        if item["kind"] == "MULTIPLE_VOICES":
            continue
        inside = [min(item["ended_s"], end) - max(item["started_s"], start) for start, end in calm]
        assert max(inside) <= 2, item


@needs_media
def test_it_finds_large_head_turns_and_follows_the_eyes(capsys):
    """Every labelled look away in the exams and the gaze clips is found, within two seconds and one."""
    for timeline in EXAMS:
        (result,) = replay(capsys, timeline.with_suffix(".mp4"))
        for stage in json.loads(timeline.read_text())["timeline"]:
            if stage["kind"] == "LOOKING_AWAY":
                spans = found(result, "LOOKING_AWAY")
                assert any(
                    abs(start - stage["start_s"]) <= 2 and abs(end - stage["end_s"]) <= 2 for start, end in spans
                )
    labels = [json.loads(line) for line in (MEDIA / "labels.jsonl").read_text().splitlines()]
    clips = [label for label in labels if label["kind"] == "video" and "gaze" in label["labels"]]
    assert clips
    for clip in clips:
        fps = clip["labels"]["fps"]
        away = [(first / fps, last / fps) for first, last, where in clip["labels"]["gaze"] if "center" not in where]
        (result,) = replay(capsys, MEDIA / clip["file"])
        spans = found(result, "LOOKING_AWAY")
        assert len(spans) == len(away)
        for (start, end), (first, last) in zip(spans, away, strict=True):
            assert start == pytest.approx(first, abs=1)
            assert end == pytest.approx(last, abs=1)


@needs_media
def test_it_stays_silent_about_people_who_sign_or_sit_still(capsys):
    """Clips of one person at the camera, without a phone and without looking away, raise nothing."""
    labels = [json.loads(line) for line in (MEDIA / "labels.jsonl").read_text().splitlines()]
    calm = [label["file"] for label in labels if label["labels"].get("hand_gesture") and label["kind"] == "video"]
    assert len(calm) > 10
    for result in replay(capsys, *(MEDIA / name for name in calm), fps=4):
        assert weighty(result) == []


def test_it_closes_a_replay_that_is_told_to_end_at_what_it_saw(demo, tmp_path):
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "proctoring.settings", "VAR_DIR": str(tmp_path), "DEBUG": "1"}
    environ |= {
        "READ_DOT_ENV": "0",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
    }
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v0"], env=environ, check=True)
    pipe = subprocess.PIPE
    with subprocess.Popen([*manage, "replay", str(demo[0]), "--fps", "10"], env=environ, stderr=pipe, text=True) as run:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not _rows(tmp_path, "SELECT 1 FROM monitoring_observation LIMIT 1"):
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        said = run.communicate(timeout=30)[1]
    assert run.returncode == 130
    assert "was broken off; a session that it had begun is closed as terminated." in said
    assert "Traceback" not in said
    columns = "status, julianday(ended_at) > julianday(started_at)"
    assert _rows(tmp_path, f"SELECT {columns} FROM exams_examsession") == [("terminated", 1)]


def _rows(folder, query):
    try:
        with sqlite3.connect(folder / "db.sqlite3") as database:
            return database.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


def test_it_closes_a_replay_whose_process_was_killed(demo):
    from monitoring.replay import terminate_dead_replays

    session = make_session()
    ExamSession.objects.update(source="recording")
    watch(session, facts(7))
    SessionMonitor.objects.update(claim=session.pk, claimed_until=timezone.now() + timedelta(minutes=1))
    assert terminate_dead_replays() == 0
    SessionMonitor.objects.update(claimed_until=timezone.now() - timedelta(minutes=1))
    assert terminate_dead_replays() == 1
    session.refresh_from_db()
    assert (session.status, session.duration.total_seconds()) == ("terminated", 7)


def test_it_takes_a_file_whose_name_is_no_text(capsys, demo, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Pr\xfcfung.mp4"))
    path.write_bytes(demo[0].read_bytes())
    replay(capsys, path, fps=0.1)
    assert ExamSession.objects.get().recording_name == "Pr?fung.mp4"


def test_it_checks_where_the_report_goes_before_it_begins(demo, tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("replay", demo[0], pdf=tmp_path)
    assert not ExamSession.objects.exists()


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59", "0001-01-01T00:00:00+05:00"])
def test_it_takes_no_start_outside_our_times(demo, when):
    with pytest.raises(CommandError, match="is not a time"):
        call_command("replay", demo[0], start_at=when)
