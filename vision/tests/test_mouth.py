"""Lids and lips: real faces with open and closed ones, and rows of openings as speech, yawns and noise make them."""

import pytest

from vision.analyzers import mouth
from vision.pipeline import analyze
from vision.tests.media import EVERYTHING, frame, labelled, one_man


@pytest.mark.parametrize(
    ("values", "turns"),
    [
        ([0.1], 0),
        ([0.02, 0.05, 0.01, 0.04, 0.0], 0),
        ([0.0, 0.3, 0.6, 0.6, 0.5, 0.1, 0.0], 1),
        ([0.0, 0.2, 0.0, 0.25, 0.05, 0.3], 4),
        ([0.3, 0.0, 0.0, 0.0, 0.0], 0),
        ([0.0, 0.04, 0.08, 0.12, 0.16], 0),
    ],
)
def test_speech_turns_round_again_and_again_and_a_yawn_once(values, turns):
    assert mouth.turns(values) == turns


def test_it_remembers_seconds_and_no_more():
    memory = {}
    for second in range(60):
        observation, memory = analyze(frame(one_man(), second), EVERYTHING, memory)
    assert observation.mouth.turns == 0
    assert len(memory["mouth"]) <= mouth.KEPT + 1
    assert all(second - at <= mouth.SPEAKING_S for at, _opened in memory["mouth"])


@pytest.mark.slow
def test_open_mouths_and_closed_eyes_are_told_from_the_others():
    pictures = labelled("eyes_mouth", 60)
    looks = [(analyze(frame(rgb), EVERYTHING, {})[0], labels) for rgb, labels in pictures]
    opened = [seen.mouth.openness for seen, labels in looks if seen.mouth and labels["mouth"] == "open"]
    closed = [seen.mouth.openness for seen, labels in looks if seen.mouth and labels["mouth"] == "closed"]
    assert min(len(opened), len(closed)) >= 5
    assert sorted(closed)[-2] < sorted(opened)[1]
    shut = [max(seen.lids.left, seen.lids.right) for seen, labels in looks if seen.lids and labels["eyes"] == "closed"]
    wide = [max(seen.lids.left, seen.lids.right) for seen, labels in looks if seen.lids and labels["eyes"] == "open"]
    assert min(len(shut), len(wide)) >= 5
    assert sorted(shut)[-2] < sorted(wide)[1]
