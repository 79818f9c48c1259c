"""Faces that keep their numbers while they stay, move, cross and leave."""

import json

from vision.analyzers import tracks
from vision.pipeline import analyze
from vision.tests.media import EVERYTHING, frame, two_men
from vision.types import Face


def face(x, score=0.9, width=0.2):
    return Face((x, 0.3, width, width * 1.3), score)


def follow(*pictures, every=1.0):
    """Return the tracks in each picture."""
    memory, found = {}, []
    for number, faces in enumerate(pictures):
        seen, memory = tracks.analyze(tuple(faces), number * every, memory)
        memory = json.loads(json.dumps(memory))
        found.append([one.track for one in seen])
    return found


def test_a_face_keeps_its_number_while_it_moves_and_another_gets_its_own():
    moving = [[face(0.1 + 0.03 * second), face(0.7)] for second in range(8)]
    assert follow([face(0.1)], *moving) == [[1]] + [[1, 2]] * 8


def test_it_is_the_same_face_when_the_larger_one_changes():
    assert follow([face(0.1), face(0.7)], [face(0.7, width=0.22), face(0.1)]) == [[1, 2], [2, 1]]


def test_who_was_missed_for_a_moment_is_the_same_and_who_was_gone_is_new():
    assert follow([face(0.4)], [], [], [face(0.42)]) == [[1], [], [], [1]]
    assert follow([face(0.4)], [], [], [face(0.42)], every=3.0) == [[1], [], [], [2]]
    assert follow([face(0.1)], [face(0.7)]) == [[1], [2]]


def test_the_confidence_is_steadier_than_the_scores():
    memory, found = {}, []
    for second, score in enumerate((0.9, 0.9, 0.5, 0.9, 0.9)):
        (seen,), memory = tracks.analyze((face(0.4, score),), second, memory)
        found.append(seen.track_score)
    assert min(found) > 0.8 and found[2] < found[1]


def test_of_a_crowd_the_largest_are_followed_and_nothing_grows():
    crowd = tuple(face(0.01 * place, width=0.008) for place in range(40))
    memory = {}
    for second in range(30):
        seen, memory = tracks.analyze(crowd, second, memory)
    assert [one.track for one in seen][: tracks.MOST] == list(range(1, tracks.MOST + 1))
    assert seen[-1].track is None and len(json.dumps(memory)) < 1000


def test_two_men_keep_their_numbers_through_the_pipeline():
    memory = {}
    for second in range(3):
        seen, memory = analyze(frame(two_men(), second), EVERYTHING, memory)
        assert [one.track for one in seen.faces] == [1, 2]
    assert [one["track"] for one in seen.to_facts()["faces"]] == [1, 2]
