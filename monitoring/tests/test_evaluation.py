"""Labels in, figures out: the arithmetic of the card, with numbers worked out by hand or taken from the literature."""

import json

import numpy as np
import pytest

from exams.kinds import Kind
from exams.policy import Policy
from monitoring.evaluation import hearing, questions, stretches
from monitoring.evaluation.figures import FEWEST, Answer, Rate, calibration_error, figures_of
from monitoring.evaluation.labels import LabelError, Sample, read_samples
from monitoring.evaluation.looking import Span
from monitoring.evaluation.run import evaluate
from monitoring.evaluation.stretches import SpanFigures, expected_of
from vision.types import Turn

# --- labels -----------------------------------------------------------------------------------------------------------


def write(folder, *lines):
    (folder / "a.jpg").write_bytes(b"")
    (folder / "labels.jsonl").write_text("\n".join(lines))
    return folder


def test_labels_are_read_line_by_line(tmp_path):
    row = {"file": "a.jpg", "kind": "image", "labels": {"faces": 1}, "conditions": ["glasses"], "source": "ours"}
    sample, other = read_samples(write(tmp_path, json.dumps(row), "", '{"file": "a.jpg", "kind": "image"}'))
    assert sample.name == "a.jpg" and sample.labels == {"faces": 1} and set(sample.conditions) == {"glasses"}
    assert (other.labels, other.conditions) == ({}, frozenset())


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2 is no JSON"),
        ("[" * 100_000, "line 2 is no JSON"),
        ("[]", "line 2 must be a table"),
        ('{"kind": "image"}', "line 2: file must be a path"),
        ('{"file": 7, "kind": "image"}', "line 2: file must be a path"),
        ('{"file": "a.jpg"}', "line 2: kind must be one of image, video, audio"),
        ('{"file": "a.jpg", "kind": "smell"}', "line 2: kind must be one of image, video, audio"),
        ('{"file": "b.jpg", "kind": "image"}', "line 2: there is no file b.jpg"),
        ('{"file": "../a.jpg", "kind": "image"}', "line 2: ../a.jpg lies outside the folder"),
        ('{"file": "/etc/hostname", "kind": "image"}', "line 2: /etc/hostname lies outside the folder"),
        ('{"file": "a.jpg", "kind": "image", "labels": 1}', "line 2: labels must be a table"),
        ('{"file": "a.jpg", "kind": "image", "conditions": "dark"}', "line 2: labels must be a table, and conditions"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, line, complaint):
    with pytest.raises(LabelError) as refused:
        read_samples(write(tmp_path, '{"file": "a.jpg", "kind": "image"}', line))
    assert complaint in str(refused.value)


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(LabelError, match="cannot be read"):
        read_samples(tmp_path)
    (tmp_path / "labels.jsonl").write_text("\n\n")
    with pytest.raises(LabelError, match="has no lines"):
        read_samples(tmp_path)


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # By the closed form, as tabled for instance in Newcombe (1998), Statistics in Medicine 17, table I.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_share_is_that_of_wilson(hits, n, low, high):
    assert Rate(hits, n).interval == pytest.approx((low, high), abs=5e-5)


def test_of_nothing_there_is_no_share():
    assert (Rate(0, 0).share, Rate(0, 0).interval, Rate(0, 0).is_enough) == (None, None, False)
    assert Rate(1, FEWEST).is_enough and not Rate(1, FEWEST - 1).is_enough


def answers(*pairs):
    return [Answer(str(number), truth, said, 0.9 if said else 0.0) for number, (truth, said) in enumerate(pairs)]


def test_what_was_not_examined_counts_neither_as_found_nor_as_missed():
    told = figures_of(answers((True, True), (True, False), (True, None), (False, True), (False, False), (False, False)))
    assert (told.n, told.positives) == (6, 3)
    assert told.precision == Rate(1, 2) and told.recall == Rate(1, 2)
    assert told.false_alarms == Rate(1, 3) and told.not_examined == Rate(1, 6)
    assert told.balanced_accuracy == pytest.approx((1 / 2 + 2 / 3) / 2)
    low, high = told.balanced_interval
    assert 0 <= low < told.balanced_accuracy < high <= 1


def test_what_is_called_sure_and_is_right_as_often_has_no_calibration_error():
    sure = [(0.9, True)] * 90 + [(0.9, False)] * 10
    assert calibration_error(sure) == pytest.approx(0.0)
    assert calibration_error([(0.9, False)] * 50 + [(0.5, True)] * 50) == pytest.approx(0.7)
    assert calibration_error(sure[: FEWEST - 1]) is None


# --- what labels say --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "labels", "truth"),
    [
        (Kind.NO_FACE, {"faces": 0, "persons": 0}, True),
        (Kind.NO_FACE, {"faces": 0}, True),
        (Kind.NO_FACE, {"faces": 0, "persons": 1}, False),
        (Kind.NO_FACE, {"faces_min": 4}, False),
        (Kind.NO_FACE, {"persons": 0}, None),
        (Kind.NO_FACE, {}, None),
        (Kind.MULTIPLE_FACES, {"faces": 2}, True),
        (Kind.MULTIPLE_FACES, {"faces": 1}, False),
        (Kind.MULTIPLE_FACES, {"faces_min": 3}, True),
        (Kind.MULTIPLE_FACES, {"faces_min": 1}, None),
        ("HEAD_TURNED", {"direction": "left+up"}, True),
        ("HEAD_TURNED", {"direction": "forward"}, False),
        ("HEAD_TURNED", {}, None),
        (Kind.LOOKING_AWAY, {"direction": "forward"}, None),
        (Kind.LOOKING_AWAY, {"direction": "forward", "gaze": "center"}, False),
        (Kind.LOOKING_AWAY, {"direction": "forward", "gaze": "left"}, True),
        (Kind.LOOKING_AWAY, {"direction": "down"}, None),
        (Kind.LOOKING_AWAY, {"direction": "down+left"}, True),
        (Kind.LOOKING_DOWN, {"direction": "down+left"}, True),
        (Kind.LOOKING_DOWN, {"direction": "forward"}, False),
        (Kind.LOOKING_DOWN, {}, None),
        (Kind.LOOKING_AWAY, {"gaze": [[0, 10, "left"]]}, None),
        (Kind.EYES_CLOSED, {"eyes": "closed"}, True),
        (Kind.EYES_CLOSED, {"eyes": "open"}, False),
        (Kind.EYES_CLOSED, {"eyes": "half closed"}, None),
        ("PRINT_OR_SCREEN", {"live": False, "attack": "printed poster"}, True),
        ("PRINT_OR_SCREEN", {"live": True}, False),
        ("PRINT_OR_SCREEN", {"faces": 2}, False),
        ("PRINT_OR_SCREEN", {"person": "a", "set": "b"}, False),
        ("PRINT_OR_SCREEN", {"faces": 0, "persons": 0}, None),
        (Kind.PHONE, {"objects": ["phone"], "objects_absent": []}, True),
        (Kind.PHONE, {"objects": [], "objects_absent": ["phone"]}, False),
        (Kind.PHONE, {"objects": ["laptop"]}, None),
        (Kind.LAPTOP, {"objects": []}, False),
    ],
)
def test_labels_answer_a_question_or_leave_it_open(name, labels, truth):
    question = next(question for question in questions.QUESTIONS if question.name == name)
    assert question.truth(labels) is truth


@pytest.mark.parametrize(("labels", "count"), [({"faces": 5}, 5), ({"faces": 6}, None), ({"faces_min": 2}, None)])
def test_a_crowd_is_not_counted(labels, count):
    assert questions.face_count(labels) == count


# --- recordings -------------------------------------------------------------------------------------------------------


def test_labelled_frames_become_seconds():
    gaze = expected_of({"gaze": [[0, 134, "center"], [140, 244, "left (image side)"]], "fps": 24}, 15.0)
    (away,) = gaze.spans
    assert (away.start_s, away.end_s) == pytest.approx((5.833, 10.208), abs=1e-3)
    phone = expected_of({"looking_at_phone_every_5_frames": "0,1,1,0,1"}, 5.0)
    assert phone.spans == (Span(Kind.PHONE, 1.0, 3.0), Span(Kind.PHONE, 4.0, 5.0))
    assert expected_of({"objects_absent": ["phone"]}, 5.0) == stretches.Expected((), frozenset({Kind.PHONE}))


def test_signs_are_expected_throughout_where_they_are_labelled_and_nowhere_where_something_else_is():
    signs, none = expected_of({"hand_gesture": True}, 5.0), expected_of({"hand_gesture": False}, 5.0)
    assert signs.spans == (Span(Kind.HAND_GESTURE, 0.0, 5.0),) and none.spans == ()
    assert all(Kind.HAND_GESTURE in one.judged for one in (signs, none, expected_of({"gaze": []}, 5.0)))
    assert Kind.HAND_GESTURE not in expected_of({"faces": 1}, 5.0).judged


def test_a_mouth_is_covered_open_or_closed_or_not_asked_about():
    truths = {question.name: question.truth for question in questions.QUESTIONS}
    told = [truths["HAND_OVER_MOUTH"]({"mouth": word}) for word in ("covered", "open", "closed", "half open")]
    assert told == [True, False, False, None]
    assert [truths["HAND_RAISED"](labels) for labels in ({"hand_gesture": False}, {})] == [False, None]


def test_a_stretch_is_hit_where_spans_overlap_and_all_else_is_a_false_alarm():
    told = SpanFigures()
    expected = stretches.Expected((Span("PHONE", 10, 20), Span("PHONE", 40, 50)), frozenset({"PHONE"}))
    found = [Span("PHONE", 19, 25), Span("PHONE", 30, 32), Span("BOOK", 40, 50)]
    told.add("a.mp4", "PHONE", expected, found, 1800)
    assert (told.recall, told.false_alarms, told.per_hour) == (Rate(1, 2), 1, 2.0)
    assert told.missed == ["a.mp4 40.0–50.0 s"] and told.false == ["a.mp4 30.0–32.0 s"]


# --- who spoke when ---------------------------------------------------------------------------------------------------

TOLD = [
    {"speaker": "ann", "start_s": 0.0, "end_s": 10.0},
    {"speaker": "bob", "start_s": 10.0, "end_s": 20.0},
]


def diarized(*turns):
    told = hearing.Diarization()
    told.add(TOLD, [Turn(start, end, speaker, 1.0) for start, end, speaker in turns], 30.0)
    return told


def test_names_do_not_matter_and_neither_do_edges():
    assert diarized((0.2, 10.2, 2), (10.1, 20.0, 1)).rate == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("turns", "missed", "made_up", "confused"),
    [
        ([], 19.0, 0.0, 0.0),
        ([(0, 10, 1)], 9.5, 0.0, 0.0),
        ([(0, 20, 1)], 0.0, 0.0, 9.5),
        ([(0, 10, 1), (10, 25, 2)], 0.0, 4.75, 0.0),
    ],
)
def test_what_is_missed_made_up_or_confused_adds_up(turns, missed, made_up, confused):
    told = diarized(*turns)
    found = (told.spoken, told.missed, told.made_up, told.confused)
    assert found == pytest.approx((19.0, missed, made_up, confused), abs=0.03)


def test_its_interval_comes_from_whole_recordings():
    told = diarized((0, 10, 1), (10, 20, 2))
    assert told.interval is None
    told.add(TOLD, [Turn(0, 20, 1, 1.0)], 30.0)
    assert told.rate == pytest.approx(0.25, abs=0.01)
    assert told.interval == pytest.approx((0.0, 0.5), abs=0.01)


def test_one_speaker_is_matched_to_one_other_only():
    assert hearing._best_match(np.array([[1, 1, 0], [0, 0, 1]]), np.array([[1, 1, 1]])) == 2.0


def test_many_voices_are_matched_in_no_time():
    steps = np.eye(15, dtype=int)
    assert hearing._best_match(steps[:8], steps) == 8.0


def test_one_damaged_sound_is_told_and_ends_nothing(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF no sound at all")
    sample = Sample("bad.wav", tmp_path / "bad.wav", "audio", {"speech": True, "speaker": "ada"})
    run = evaluate([sample], policy=Policy(), done=lambda _name: None)
    assert [told.partition(":")[0] for told in run.unread] == ["bad.wav"]
