"""A replay with pictures of the candidate: who is enrolled, what is refused, and that nothing of them stays."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from django.core.management import CommandError, call_command

from accounts.models import FaceEnrolment
from exams.models import ExamSession
from monitoring.models import Observation, SessionMonitor, SuspiciousActivity
from monitoring.replay import replay_recording
from monitoring.replay_faces import UnfitFile, face_in_files
from monitoring.tests.factories import make_candidate, make_exam
from vision.analyzers import identity
from vision.decoding import encode_jpeg
from vision.demo import build_demo_recording, package_picture
from vision.loading import models
from vision.tests.heads import TO_HIS_RIGHT, straight, straight_jpeg, turned_jpeg

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MEDIA = Path(os.environ.get("PROCTORING_MEDIA", "/nowhere"))
EXAMS = [path for path in sorted(MEDIA.glob("exams/*.json")) if json.loads(path.read_text()).get("enrol")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Return a recording of the man of ``straight``, with two people and an empty seat in it."""
    return build_demo_recording(tmp_path_factory.mktemp("demo") / "demo.mp4")


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a picture and returns where it is."""

    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def replay(capsys, *told):
    call_command("replay", *map(str, told), "--json")
    return json.loads(capsys.readouterr().out)


def found(result, kind):
    return [(one["started_s"], one["ended_s"]) for one in result["activities"] if one["kind"] == kind]


def test_it_enrols_who_is_shown_and_keeps_nothing_but_distances(capsys, demo, write):
    picture = write("me.jpg", straight_jpeg())
    result = replay(capsys, demo.path, "--enrol", picture, write("again.jpg", encode_jpeg(straight())))
    assert found(result, "IDENTITY_MISMATCH") == []
    assert result["coverage"]["identity"] > 0.3
    told = [row.facts["identity"] for row in Observation.objects.all() if "identity" in row.facts]
    assert len(told) >= 4
    assert all(set(one) == {"distance", "face_px"} and one["distance"] < 0.4 for one in told)
    assert not FaceEnrolment.objects.exists()
    assert "enrolled" not in json.dumps(SessionMonitor.objects.get().memory)


def passer_by():
    """Return the face of a man in the picture of a street, who looks a little aside."""
    street = cv2.resize(np.ascontiguousarray(package_picture("bus.jpg")[380:880, 200:420]), None, fx=2, fy=2)
    return tuple(identity.portray(street, models()).embedding.tolist())


def test_it_tells_when_somebody_else_sits_there(demo):
    replayed = replay_recording(path=demo.path, exam=make_exam(), candidate=make_candidate(), enrolled=passer_by())
    activities = SuspiciousActivity.objects.filter(session=replayed.session, kind="IDENTITY_MISMATCH")
    first, last = activities.order_by("started_at").first(), activities.order_by("started_at").last()
    assert (first.started_at - replayed.session.started_at).total_seconds() <= 2
    assert last.ended_at <= replayed.session.ended_at
    assert all(activity.evidence.file.size > 1000 for activity in activities)


def test_without_pictures_nothing_is_compared(capsys, demo):
    result = replay(capsys, demo.path)
    assert result["coverage"]["identity"] == 0
    assert found(result, "IDENTITY_MISMATCH") == []


def bad_pictures():
    small = np.ascontiguousarray(straight()[::4, ::4])
    two = np.ascontiguousarray(package_picture("zidane.jpg")[30:630, 440:1240])
    return [
        ("empty.jpg", b"", "empty"),
        ("diary.jpg", b"Dear diary, today I wrote a file.", "not a picture"),
        ("dark.jpg", encode_jpeg((straight() * 0.1).astype(np.uint8)), "too dark"),
        ("small.jpg", encode_jpeg(small), "too small"),
        ("two.jpg", encode_jpeg(two), "More than one face"),
        ("wall.jpg", encode_jpeg(np.full_like(straight(), 128)), "No face was found"),
        ("aside.jpg", turned_jpeg(TO_HIS_RIGHT), "Look straight into the camera"),
    ]


@pytest.mark.parametrize(("name", "data", "words"), bad_pictures(), ids=lambda value: str(value)[:12])
def test_it_says_in_one_sentence_which_picture_will_not_do_and_writes_nothing(demo, write, name, data, words):
    good, bad = write("good.jpg", straight_jpeg()), write(name, data)
    with pytest.raises(CommandError, match=words) as error:
        call_command("replay", str(demo.path), "--enrol", str(good), str(bad))
    assert name in str(error.value) and "good.jpg" not in str(error.value)
    assert "\n" not in str(error.value)
    assert not ExamSession.objects.exists()


def test_it_says_that_a_picture_is_not_there_and_that_there_are_too_many(tmp_path, write):
    with pytest.raises(UnfitFile, match=r"nowhere\.jpg cannot be read: No such file"):
        face_in_files([tmp_path / "nowhere.jpg"])
    with pytest.raises(UnfitFile, match="At most 5 pictures"):
        face_in_files([write("good.jpg", straight_jpeg())] * 6)


def test_it_says_that_faces_cannot_be_told_apart_here(monkeypatch, write):
    monkeypatch.setattr("vision.loading._installed", lambda package: package != "dlib")
    with pytest.raises(UnfitFile, match="The package dlib-bin is not installed"):
        face_in_files([write("good.jpg", straight_jpeg())])


needs_exams = pytest.mark.skipif(not EXAMS, reason="the labelled media are not here (PROCTORING_MEDIA)")


@needs_exams
def test_pictures_of_two_people_are_refused():
    people = {json.loads(path.read_text())["candidate"]: json.loads(path.read_text())["enrol"][0] for path in EXAMS}
    if len(people) < 2:
        pytest.skip("all exams are of one person")
    with pytest.raises(UnfitFile, match="do not show the same person"):
        face_in_files([MEDIA / picture for picture in list(people.values())[:2]])


@needs_exams
@pytest.mark.parametrize("timeline", EXAMS, ids=lambda path: path.stem)
def test_it_finds_who_took_the_seat_and_accuses_the_candidate_of_nothing(capsys, timeline):
    told = json.loads(timeline.read_text())
    pictures = [MEDIA / name for name in told["enrol"]]
    result = replay(capsys, timeline.with_suffix(".mp4"), "--enrol", *pictures)
    others = found(result, "IDENTITY_MISMATCH")
    for stage in told["timeline"]:
        if stage["kind"] == "IDENTITY_MISMATCH":
            assert any(
                abs(start - stage["start_s"]) <= 2 and abs(end - stage["end_s"]) <= 2 for start, end in others
            ), others
        if stage["kind"] == "present":
            inside = [min(end, stage["end_s"]) - max(start, stage["start_s"]) for start, end in others]
            assert max(inside, default=0) <= 2, others
    assert found(result, "IDENTITY_UNSURE") == []
