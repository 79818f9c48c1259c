"""Hands: what is measured of them in real pictures, in composed ones, and of points made up; and when they are due."""

import json

import numpy as np
import pytest

from vision import hand_gate, loading
from vision.analyzers import faces, hands
from vision.analyzers.faces import FoundFace
from vision.analyzers.hands import FoundHand, measure
from vision.pipeline import analyze
from vision.tests.hands import labelled_fist, with_hand
from vision.tests.media import frame, labelled, one_man, two_men
from vision.types import Due, Face, Observation, Sense

HANDS = Due(senses=frozenset({Sense.FACES, Sense.HANDS}))
SHAPE = (1000, 1000)
KEYPOINTS = np.array([[0.46, 0.28], [0.54, 0.28], [0.5, 0.34], [0.47, 0.4], [0.53, 0.4]])
FACE = FoundFace(Face((0.425, 0.2, 0.15, 0.25), 0.9), KEYPOINTS)  # 250 pixels from the hairline to the chin at y = 450


def upright_hand(x, y, stretched=5, side=1):
    """Return a hand whose palm's middle is about there, fingers up, its palm 100 pixels long."""
    points = np.zeros((21, 3))
    points[0, :2] = x, y + 60
    for finger, aside in enumerate((-50, -30, 0, 25, 45)):
        root = np.array([x + side * aside, y - 40 + abs(aside) / 2, 0])
        up = np.array([0, -25, 0])
        if finger < stretched:
            joints = [root, root + up, root + 2 * up, root + 3 * up]
        else:
            joints = [root, root + up, root + up / 2, root]
        points[1 + 4 * finger : 5 + 4 * finger] = joints
    return FoundHand(0.9, True, points)


def test_lengths_are_face_lengths():
    hand = measure(upright_hand(800, 450), FACE, SHAPE)
    assert hand.size == pytest.approx(0.4, abs=0.01)
    assert hand.across == pytest.approx(300 / 250, abs=0.05) and hand.rise == pytest.approx(0, abs=0.1)
    assert hand.upright == pytest.approx(1, abs=0.05) and hand.apart > 0.6
    assert hand.on_face == hand.on_mouth == 0 and hand.moved is None


@pytest.mark.parametrize("stretched", range(6))
def test_stretched_fingers_are_counted(stretched):
    assert measure(upright_hand(800, 450, stretched), FACE, SHAPE).fingers == stretched


def test_a_hand_covers_what_lies_within_its_outline():
    over, below = (measure(upright_hand(500, y), FACE, SHAPE) for y in (400, 600))
    assert over.on_mouth > 0.9 and over.on_face > 0.3 and over.apart == 0
    assert below.on_mouth == 0 and below.on_face == 0


def test_the_nearer_ear_is_measured_on_either_side():
    left, right = (measure(upright_hand(x, 310), FACE, SHAPE) for x in (395, 605))
    assert left.to_ear == pytest.approx(right.to_ear, abs=0.1) and max(left.to_ear, right.to_ear) < 0.15


def test_movement_is_that_of_the_same_hand():
    hand = upright_hand(800, 450)
    across, rise = 1.2, 0.0
    assert measure(hand, FACE, SHAPE, [[0, 1, across, rise - 1]]).moved == pytest.approx(1, abs=0.1)
    assert measure(hand, FACE, SHAPE, [[0, 1, across, rise - 1], [0, 1, across, rise]]).moved < 0.1
    assert measure(hand, FACE, SHAPE, [[0, 0, across, rise - 1]]).moved is None


def test_facts_of_hands_survive_storing():
    observation, _memory = analyze(frame(one_man()), HANDS, {})
    assert len(observation.hands) == 1
    stored = Observation.from_facts(json.loads(json.dumps(observation.to_facts())), seq=0, captured_at=0).hands
    assert stored[0].box == pytest.approx(observation.hands[0].box, abs=1e-4)
    assert stored[0].right == observation.hands[0].right and stored[0].moved is None


def test_a_hand_is_found_where_it_is_and_none_in_the_face():
    observation, _memory = analyze(frame(one_man()), HANDS, {})
    (hand,) = observation.hands
    x, y, width, height = hand.box
    assert x > 0.5 and y > 0.5 and x + width < 0.9 and y + height < 0.75  # at the chest, on the picture's right
    assert hand.rise == pytest.approx(-1, abs=0.2) and hand.apart > 0.5


def test_no_face_no_answer():
    observation, _memory = analyze(frame(np.full((480, 640, 3), 128, np.uint8)), HANDS, {})
    assert observation.hands is None
    small = FoundFace(Face((0.4, 0.4, 0.02, 0.03), 0.9), KEYPOINTS)
    assert hands.analyze(frame(two_men()), {}, (small,), loading.models()) == (None, {})


def test_what_lies_within_another_face_is_no_hand():
    (him,) = faces.analyze(frame(one_man()), {}, loading.models())[0]
    (hand,), _memory = hands.analyze(frame(one_man()), {}, (him,), loading.models())
    somebody = FoundFace(Face((hand.box[0] - 0.02, hand.box[1] - 0.1, 0.25, 0.25), 0.9), him.keypoints)
    assert hands.analyze(frame(one_man()), {}, (him, somebody), loading.models())[0] == ()


# --- composed: a real hand on a real face ----------------------------------------------------------------------------


def held(place):
    """Look at several people with somebody's hand at this place of their faces; return the hands that were found."""
    fist = labelled_fist()
    people = [picture for picture, _labels in labelled("eyes_mouth", 6, mouth="closed")]
    looks = [analyze(frame(with_hand(picture, place, fist)), HANDS, {})[0] for picture in people]
    return [hand for look in looks for hand in look.hands]


def test_a_composed_hand_over_the_mouth_covers_it_and_one_at_chin_or_cheek_does_not():
    over = held("mouth")
    assert len(over) >= 5 and min(hand.on_mouth for hand in over) > 0.9
    assert max(hand.on_mouth for hand in held("chin") + held("cheek")) < 0.6


def test_a_composed_hand_at_the_ear_is_nearer_to_it_than_one_at_the_cheek():
    ear, cheek = held("ear"), held("cheek")
    assert min(len(ear), len(cheek)) >= 5
    assert max(hand.to_ear for hand in ear) < 0.3 < min(hand.to_ear for hand in cheek)


# --- when to look -----------------------------------------------------------------------------------------------------


def looks(pictures, due=HANDS):
    memory, seen = {}, []
    for second, picture in enumerate(pictures):
        observation, memory = analyze(frame(picture, second), due, memory)
        seen.append(observation.hands is not None)
    return seen


def without_hand():
    """Return a man whose hand is out of view."""
    return np.ascontiguousarray(one_man()[:360])


def test_hands_are_looked_for_now_and_then():
    assert looks([without_hand()] * 32) == [second % 15 == 0 for second in range(32)]


def test_a_raised_hand_is_followed_for_a_while_and_then_looked_at_now_and_then():
    seen = looks([one_man()] * 38)
    assert seen == [second <= 6 or second in (21, 36) for second in range(38)]


def test_hands_are_looked_for_at_once_when_something_of_the_faces_colour_comes_up():
    before = one_man()
    height, width = before.shape[:2]
    before[int(0.55 * height) :, int(0.5 * width) :] = (40, 60, 40)
    assert looks([before, before, one_man(), one_man()]) == [True, False, True, True]


def test_what_came_up_and_is_no_hand_is_looked_at_twice_more():
    bare, sign = without_hand(), without_hand()
    sign[200:300, 20:160] = sign[200:230, 330:360].reshape(-1, 3).mean(axis=0)  # a plate of the face's colour
    assert looks([bare, bare, *[sign] * 6]) == [True, False, True, True, True, False, False, False]


def test_a_change_of_light_brings_no_look():
    dim = (without_hand() * 0.8).astype(np.uint8)
    assert looks([without_hand(), dim, without_hand(), dim]) == [True, False, False, False]


def test_only_the_first_rest_is_another_one_in_each_session():
    early = Due(senses=HANDS.senses, first_rest=0.2)
    seen = looks([without_hand()] * 22, early)
    assert [second for second, looked in enumerate(seen) if looked] == [0, 3, 18]


def test_hands_are_not_looked_for_where_nobody_wants_it():
    observation, memory = analyze(frame(one_man()), Due(senses=frozenset({Sense.FACES})), {})
    assert observation.hands is None and "hand_gate" not in memory


def test_what_is_remembered_of_hands_is_small_whatever_the_pace():
    memory = {}
    for tenth in range(30):
        _observation, memory = analyze(frame(one_man(), tenth / 10), HANDS, memory)
    assert len(json.dumps([memory["palms"], memory["hand_gate"]])) < 800


@pytest.mark.slow
def test_hands_are_found_in_signs_and_hardly_where_there_are_none():
    signing = [picture for picture, labels in labelled("objects", 200) if labels.get("hand_gesture")]
    assert all(analyze(frame(picture), HANDS, {})[0].hands for picture in signing)
    bare = labelled("eyes_mouth", 60, mouth="closed")
    found = [analyze(frame(picture), HANDS, {})[0].hands for picture, _labels in bare]
    assert len(bare) > 20 and not any(found)


def test_the_gate_knows_a_face_by_its_own_colour():
    rgb = np.full((480, 640, 3), (30, 60, 90), np.uint8)
    rgb[100:240, 280:380] = (120, 85, 70)
    face = (280 / 640, 100 / 480, 100 / 640, 140 / 480)
    before = np.packbits(hand_gate.like_face(rgb, face)).tobytes().hex()
    assert not hand_gate.something_came(before, rgb, face)
    raised, shirt = rgb.copy(), rgb.copy()
    raised[260:330, 480:540] = (118, 84, 72)
    shirt[260:330, 480:540] = (40, 140, 60)
    assert hand_gate.something_came(before, raised, face) and not hand_gate.something_came(before, shirt, face)
