"""The demo recording shows what its timeline says, judged by the bundled models."""

import itertools

import numpy as np
import pytest

from vision.decoding import downscale
from vision.demo import build_demo_recording, package_picture
from vision.recording import RecordedFrame, open_recording


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "demo.mp4"
    return build_demo_recording(path, seconds=20, fps=5)


@pytest.fixture(scope="module")
def pictures(demo):
    with open_recording(demo.path) as recording:
        items = list(recording.frames(1))
    frames = [item for item in items if isinstance(item, RecordedFrame)]
    assert frames == items
    return frames


def shown(demo, kind, pictures):
    parts = [part for part in demo.parts if part.kind == kind]
    return [p.rgb for p in pictures if any(part.start_s <= p.offset_s < part.end_s for part in parts)]


def test_it_writes_a_small_video_and_tells_its_timeline(demo, pictures):
    assert [part.kind for part in demo.parts] == ["present", "two_people", "empty", "present"]
    assert all(earlier.end_s == later.start_s for earlier, later in itertools.pairwise(demo.parts))
    assert demo.duration_s == 20 and len(pictures) == 20 and pictures[0].rgb.shape == (480, 640, 3)
    assert demo.path.stat().st_size < 1_000_000
    assert [path.name for path in demo.path.parent.iterdir()] == ["demo.mp4"]


def test_it_is_the_same_on_every_run_and_never_frozen(demo, pictures, tmp_path):
    again = build_demo_recording(tmp_path / "again.mp4", seconds=20, fps=5)
    with open_recording(again.path) as recording:
        same = [item for item in recording.frames(1) if isinstance(item, RecordedFrame)]
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(pictures, same, strict=True))
    for kind in ("present", "two_people", "empty"):
        for earlier, later in itertools.pairwise(shown(demo, kind, pictures)[:3]):
            assert np.abs(earlier.astype(int) - later.astype(int)).mean() > 1.0


def test_each_part_shows_the_people_it_claims(demo, pictures):
    import mediapipe as mp

    detectors = [
        mp.solutions.face_detection.FaceDetection(model_selection=range_, min_detection_confidence=0.5)
        for range_ in (0, 1)
    ]
    counts = {
        kind: [
            max(len(detector.process(rgb).detections or []) for detector in detectors)
            for rgb in shown(demo, kind, pictures)
        ]
        for kind in ("present", "two_people", "empty")
    }
    assert set(counts["present"]) == {1} and set(counts["two_people"]) == {2} and set(counts["empty"]) == {0}


def test_the_empty_part_shows_nobody_but_is_textured(demo, pictures):
    import cv2
    import mediapipe as mp

    with mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as segmentation:
        for rgb in shown(demo, "empty", pictures):
            assert (segmentation.process(rgb).segmentation_mask > 0.5).mean() < 0.02
            grey = cv2.cvtColor(downscale(rgb, 320), cv2.COLOR_RGB2GRAY)
            assert cv2.Laplacian(grey, cv2.CV_64F).var() > 100


def test_it_refuses_a_length_that_leaves_no_picture_for_a_part(tmp_path):
    with pytest.raises(ValueError, match="at least one picture"):
        build_demo_recording(tmp_path / "demo.mp4", seconds=1, fps=1)
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_is_missing_when_a_picture_is_not_there():
    with pytest.raises(FileNotFoundError):
        package_picture("nobody.jpg")
