"""One frame through all senses, with the real models."""

import json
import logging
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest

from vision import loading, pipeline, weights
from vision.analyzers import faces
from vision.demo import package_picture
from vision.pipeline import analyze
from vision.tests.media import (
    COUNTER_NEEDED,
    EVERYTHING,
    NOTHING_FOUND,
    OBJECTS_NEEDED,
    frame,
    labelled,
    one_man,
    two_men,
)
from vision.types import Due, Observation, Sense


@pytest.fixture
def fresh_models(monkeypatch):
    """Models of this test alone, so that what it breaks or hides stays broken for nobody else."""
    monkeypatch.setattr(loading, "_local", threading.local())


@pytest.fixture
def bundled_only(monkeypatch, fresh_models):
    monkeypatch.setenv("PROCTORING_MODELS", str(NOTHING_FOUND))


def empty_scene():
    """A textured scene without people: the houses behind the bus."""
    return cv2.resize(package_picture("bus.jpg")[4:217, 330:614], (640, 480))


def nobody(observation: Observation) -> bool:
    if observation.faces != ():
        return False
    if observation.objects is None:
        return observation.person_share < 0.1
    return not any(found.label == "person" and found.score >= 0.25 for found in observation.objects)


def test_it_sees_one_man():
    observation, _ = analyze(frame(one_man()), EVERYTHING, {})
    assert len(observation.faces) == 1 and observation.head is not None and observation.usable


@COUNTER_NEEDED
def test_it_sees_two_men_and_not_the_spectators_out_of_focus_behind_them():
    observation, _ = analyze(frame(two_men()), EVERYTHING, {})
    assert len(observation.faces) == 2


def test_it_sees_that_nobody_is_there_without_any_fetched_weights(bundled_only):
    observation, _ = analyze(frame(empty_scene()), EVERYTHING, {})
    assert observation.faces == () and observation.objects is None and nobody(observation)


@OBJECTS_NEEDED
def test_it_asks_the_object_model_at_once_when_a_face_is_gone_and_lets_the_segmentation_agree_in_between():
    _, memory = analyze(frame(one_man(), 0), EVERYTHING, {})
    looks = []
    for second in range(1, 10):
        observation, memory = analyze(frame(empty_scene(), second), EVERYTHING, memory)
        assert nobody(observation)
        looks.append(observation.objects is not None)
    assert looks == [True, False, False, False, True, False, False, False, True]


@OBJECTS_NEEDED
def test_it_asks_the_object_model_again_as_soon_as_the_empty_scene_changes():
    _, memory = analyze(frame(empty_scene(), 0), EVERYTHING, {})
    changed = empty_scene()[:, ::-1].copy()
    observation, _ = analyze(frame(changed, 1), EVERYTHING, memory)
    assert observation.objects is not None


@OBJECTS_NEEDED
def test_it_does_not_look_in_every_picture_for_somebody_who_has_turned_away(monkeypatch):
    monkeypatch.setattr(faces, "analyze", lambda frame, memory, models: ((), memory))
    memory, seen = {}, []
    for second in range(5):
        observation, memory = analyze(frame(two_men(), second), EVERYTHING, memory)
        seen.append((observation.objects is not None, observation.person_share))
    assert seen == [(True, None), *[(False, None)] * 3, (True, None)], "nor is the segmentation's word taken alone"


@OBJECTS_NEEDED
def test_it_lets_the_object_model_rest_while_nothing_happens():
    memory, looks = {}, []
    still = one_man()[:400]  # without hands, which would be looked at
    for second in range(12):
        observation, memory = analyze(frame(still, second), Due(objects_every_s=5), memory)
        looks.append(observation.objects is not None)
    assert looks == [second % 5 == 0 for second in range(12)]


@OBJECTS_NEEDED
def test_it_finds_the_men_as_persons_with_boxes_inside_the_picture():
    observation, _ = analyze(frame(two_men()), EVERYTHING, {})
    people = [found for found in observation.objects if found.label == "person" and found.score > 0.5]
    assert len(people) == 2
    assert all(x >= -0.05 and y >= -0.05 and x + w <= 1.05 and y + h <= 1.05 for x, y, w, h in (p.box for p in people))


@OBJECTS_NEEDED
def test_it_forgets_what_another_version_remembered_but_for_the_calibration():
    usual = {"yaw": 1.0, "pitch": 0.0, "horizontal": 0.0, "vertical": 0.0}
    old = {"gate": {"ran_at": 0.0, "seen": [1, 2, 3], "doubt_since": None}, "usual": usual}
    observation, memory = analyze(frame(one_man()), EVERYTHING, old)
    assert memory["usual"] == usual and observation.objects is not None


def test_its_memory_is_small_survives_json_and_is_never_changed():
    observation, memory = analyze(frame(one_man()), EVERYTHING, {})
    text = json.dumps(memory)
    kept = json.loads(text)
    assert len(text) < 4000
    straight, _ = analyze(frame(one_man(), 1), EVERYTHING, memory)
    restored, _ = analyze(frame(one_man(), 1), EVERYTHING, kept)
    assert straight == restored and json.dumps(memory) == text
    assert Observation.from_facts(json.loads(json.dumps(observation.to_facts())), seq=0, captured_at=0).faces


def test_it_gives_the_same_facts_whatever_other_candidate_was_seen_between():
    alone, _ = analyze(frame(one_man()), EVERYTHING, {})
    analyze(frame(two_men()), EVERYTHING, {})
    again, _ = analyze(frame(one_man()), EVERYTHING, {})
    assert alone == again


def test_it_leaves_out_senses_that_are_switched_off():
    observation, _ = analyze(frame(one_man()), Due(senses=frozenset({Sense.HEAD})), {})
    assert observation.head is not None
    assert (observation.camera, observation.faces, observation.eyes, observation.objects) == (None, None, None, None)


def test_it_goes_on_when_a_model_fails(monkeypatch, fresh_models, caplog):
    # A real failure of a real model: a MediaPipe graph that has been closed refuses to work.
    loading.models().face_mesh.close()
    with caplog.at_level(logging.ERROR, logger=pipeline.__name__):
        observation, _ = analyze(frame(one_man()), EVERYTHING, {})
    assert len(observation.faces) == 1 and observation.head is None and observation.eyes is None
    assert "gaze" in caplog.text


def test_it_goes_on_when_weights_are_damaged(monkeypatch, fresh_models, tmp_path, caplog):
    damaged = next(weight for weight in weights.WEIGHTS if weight.name == "yolov8n-416.onnx")
    (tmp_path / damaged.name).write_bytes(bytes(damaged.size))
    monkeypatch.setenv("PROCTORING_MODELS", str(tmp_path))
    observation, _ = analyze(frame(one_man()), EVERYTHING, {})
    assert observation.objects is None and len(observation.faces) == 1
    analyze(frame(one_man(), 1), EVERYTHING, {})
    assert [record.name for record in caplog.records] == ["vision.loading"], "it complains once, not in every frame"


def test_it_shares_no_models_among_threads():
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(loading.models())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] is not seen[1] and loading.models() is loading.models() and loading.models() not in seen


def test_it_imports_nothing_heavy_until_it_is_used():
    code = (
        "import sys, vision.pipeline, vision.loading; from vision.loading import availability; availability();"
        "heavy = {'cv2', 'mediapipe', 'torch', 'ultralytics', 'onnxruntime'} & set(sys.modules); print(sorted(heavy))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == "[]"


def test_it_says_which_senses_can_work(bundled_only):
    available = loading.availability()
    assert available[Sense.FACES].available and not available[Sense.OBJECTS].available
    assert "fetch_models" in available[Sense.OBJECTS].reason


@pytest.mark.parametrize("weights", ["all", "bundled"])
def test_it_says_nobody_is_there_only_where_nobody_is(weights, request):
    if weights == "bundled":
        request.getfixturevalue("bundled_only")
    empty = [picture for picture, labels in labelled("faces", faces=0) if labels.get("persons", 0) == 0]
    peopled = [picture for picture, _ in labelled("faces", faces=1) + labelled("faces", faces=2)]
    right = [nobody(analyze(frame(picture), EVERYTHING, {})[0]) for picture in empty]
    wrong = [nobody(analyze(frame(picture), EVERYTHING, {})[0]) for picture in peopled]
    assert sum(wrong) == 0 and np.mean(right) >= 0.8


def test_it_counts_faces():
    pictures = [one for count in (1, 2, 3, 4) for one in labelled("faces", at_most=15, faces=count)]
    right = [len(analyze(frame(picture), EVERYTHING, {})[0].faces) == labels["faces"] for picture, labels in pictures]
    assert np.mean(right) >= 0.85


def test_it_accuses_nobody_in_the_dark_even_where_nobody_wants_to_hear_of_the_camera():
    black = np.zeros((480, 640, 3), np.uint8)
    observation, _ = analyze(frame(black), Due(senses=frozenset(Sense) - {Sense.CAMERA}), {})
    assert observation.camera is None and observation.faces is None and observation.objects is None
    assert observation.person_share is None


def test_it_passes_over_weights_that_are_not_whole(monkeypatch, tmp_path):
    (tmp_path / "yolo26n.pt").write_bytes(b"half a file")
    monkeypatch.setenv("PROCTORING_MODELS", str(tmp_path))
    assert weights.find("yolo26n.pt") is None
    assert not loading.availability()[Sense.OBJECTS].available
