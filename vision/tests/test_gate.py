"""When the object model is due, and what it should look at."""

import cv2
import numpy as np
import pytest

from vision import gate
from vision.gate import Look, Seen
from vision.tests.media import frame, one_man, two_men
from vision.types import Detection, Due, Face, Head

PERSON = Detection("person", 0.9, (0.1, 0.1, 0.8, 0.9))
PHONE = Detection("cell phone", 0.3, (0.4, 0.6, 0.1, 0.1))
HELD = Detection("cell phone", 0.3, (0.4, 0.6, 0.1, 0.1), held=True)
NOTHING = Seen((PERSON,), faces=1)
DUE = Due(objects_every_s=10)
FACES = (Face((0.4, 0.1, 0.2, 0.3), 0.9),)
UPRIGHT, BENT = Head(0, 0, 0), Head(0, -30, 0)


@pytest.fixture(scope="module")
def scene():
    return cv2.resize(one_man(), (640, 480), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def memory(scene):
    return remembered(scene, 0, {})


def due(picture, at, memory, faces=FACES, head=UPRIGHT):
    return gate.due_look(frame(picture, at), DUE, memory, faces=faces, head=head)


def remembered(picture, at, memory, look=Look.WHOLE, seen=NOTHING, head=UPRIGHT):
    return gate.remember_look(frame(picture, at), DUE, memory, look, seen, head)


def watch(picture, seconds, seen, head=UPRIGHT, memory=None):
    """Return the seconds in which there was a look, where every look finds the same."""
    memory, looks = memory or {}, []
    for second in seconds:
        look = due(picture, second, memory, head=head)
        if look:
            looks.append(second)
            memory = remembered(picture, second, memory, look, seen, head)
    return looks, memory


def shaken(scene, pixels):
    shift = np.array([[1, 0, pixels], [0, 1, pixels]], np.float32)
    moved = cv2.warpAffine(scene, shift, (640, 480), borderMode=cv2.BORDER_REFLECT)
    noise = np.random.default_rng(3).normal(0, 8, scene.shape)
    return np.clip(moved + noise, 0, 255).astype(np.uint8)


def test_it_is_due_everywhere_at_the_first_frame_and_after_its_rest(scene, memory):
    assert due(scene, 0, {}) is Look.EVERYWHERE
    assert due(scene, 5, memory) is None
    assert due(scene, 10, memory) is Look.CLOSE
    assert due(scene, -1, memory), "a clock that went back must not stop it"


def test_only_its_first_rest_is_another_one_in_each_session(scene, memory):
    early = Due(objects_every_s=10, first_rest=0.3)
    assert gate.due_look(frame(scene, 2), early, memory, faces=FACES, head=UPRIGHT) is None
    assert gate.due_look(frame(scene, 3), early, memory, faces=FACES, head=UPRIGHT) is Look.CLOSE
    rested = gate.remember_look(frame(scene, 3), early, memory, Look.CLOSE, NOTHING, UPRIGHT)
    assert rested["gate"]["purse"] == gate.PURSE, "it was no look out of turn"
    assert gate.due_look(frame(scene, 12), early, rested, faces=FACES, head=UPRIGHT) is None
    assert gate.due_look(frame(scene, 13), early, rested, faces=FACES, head=UPRIGHT) is Look.WHOLE


def test_after_a_break_the_rest_is_another_one_in_each_session_as_well(scene, memory):
    early = Due(objects_every_s=10, first_rest=0.3)
    later = gate.remember_look(frame(scene, 13), early, memory, Look.CLOSE, NOTHING, UPRIGHT)
    back = gate.remember_look(frame(scene, 60), early, later, Look.WHOLE, NOTHING, UPRIGHT)
    assert gate.due_look(frame(scene, 16), early, later, faces=FACES, head=UPRIGHT) is None
    assert gate.due_look(frame(scene, 63), early, back, faces=FACES, head=UPRIGHT) is Look.CLOSE


def test_it_looks_at_the_whole_picture_and_closer_in_turn(scene, memory):
    closer = remembered(scene, 10, memory, Look.CLOSE)
    assert due(scene, 20, closer) is Look.WHOLE
    assert gate.turn_of(closer) == gate.turn_of(memory) + 1, "the next view has its turn"


@pytest.mark.parametrize("pixels", [0, 1])
def test_it_is_not_due_for_noise_and_a_little_shake(scene, memory, pixels):
    assert due(shaken(scene, pixels), 5, memory) is None


@pytest.mark.parametrize(("gain", "offset"), [(0.6, 0), (1.25, 0), (1.0, 40), (0.8, -20)])
def test_it_is_not_due_for_a_change_of_light(scene, memory, gain, offset):
    lit = np.clip(scene * gain + offset, 0, 255).astype(np.uint8)
    assert due(lit, 5, memory) is None


def test_it_is_due_when_the_scene_changes_or_somebody_moves_as_long_as_enough_is_left(scene, memory):
    other = cv2.resize(two_men()[:, ::-1], (640, 480))
    assert due(other, 5, memory) is Look.CLOSE and due(shaken(scene, 5), 5, memory) is Look.CLOSE
    poorer = {"gate": {**memory["gate"], "purse": gate.SPARE}}
    assert due(other, 5, poorer) and due(shaken(scene, 5), 5, poorer) is None
    assert due(other, 5, {"gate": {**memory["gate"], "purse": 0.0}}) is None


def test_it_follows_a_held_phone_for_long_but_not_for_ever(scene):
    looks, memory = watch(scene, range(60), Seen((PERSON, HELD), hands=True, faces=1))
    assert looks[: int(gate.PURSE + gate.DEBT)] == list(range(int(gate.PURSE + gate.DEBT)))
    assert len(looks) < 30
    assert memory["gate"]["doubt"] is Look.CLOSE and memory["gate"]["turn"] == 0, "in the view where it arose"


def test_a_thing_that_no_hand_holds_is_cleared_by_a_closer_look(scene):
    lying = Seen((PERSON, PHONE), faces=1)
    doubtful = remembered(scene, 0, {}, Look.WHOLE, lying)
    assert due(scene, 1, doubtful) is Look.CLOSE
    cleared = remembered(scene, 1, doubtful, Look.CLOSE, lying)
    assert cleared["gate"]["doubt"] is None


def test_a_second_person_is_looked_for_in_the_whole_picture(scene, memory):
    crowd = remembered(scene, 0, {}, Look.EVERYWHERE, Seen((PERSON, PERSON), faces=1))
    assert due(scene, 1, crowd) is Look.WHOLE
    seated = remembered(scene, 0, {}, Look.EVERYWHERE, Seen((PERSON, PERSON), faces=2))
    assert due(scene, 1, seated) is None, "of people whose faces show there is no doubt"


@pytest.mark.parametrize(("seen", "head"), [(Seen((PERSON,), hands=True, faces=1), UPRIGHT), (NOTHING, BENT)])
def test_hands_that_come_up_and_a_head_that_bends_are_looked_at_several_times_and_then_no_more(scene, seen, head):
    looks, _ = watch(scene, range(30), seen, head)
    assert looks[: gate.OWED + 1] == list(range(gate.OWED + 1))
    assert len(looks) <= gate.OWED + 4, "who types looks down for hours"


def test_a_whole_session_costs_no_more_than_its_share_whatever_happens(scene):
    memory, looks, pictures = {}, 0, [scene, cv2.resize(two_men(), (640, 480))]
    for second in range(1200):
        picture, head = pictures[second // 3 % 2], (UPRIGHT, BENT)[second // 5 % 2]
        look = due(picture, second, memory, head=head)
        if look:
            looks += 1
            found = Seen((PERSON, HELD) if second % 7 == 0 else (PERSON,), hands=second % 4 == 0, faces=1)
            memory = remembered(picture, second, memory, look, found, head)
    assert looks <= gate.PURSE + gate.DEBT + 1200 / DUE.objects_every_s + 1200 / gate.FILL_S + 1


def test_an_empty_seat_leaves_the_purse_to_who_comes_back(scene, memory):
    full = {"gate": {**memory["gate"], "purse": gate.PURSE}}
    for second in range(1, 81, 4):
        full = gate.remember_look(frame(scene, second), DUE, full, Look.WHOLE, NOTHING, None, nobody=True)
    assert full["gate"]["purse"] == gate.PURSE


def test_nobody_in_view_is_looked_into_whatever_the_purse_says(scene, memory):
    assert due(scene, 1, {"gate": {**memory["gate"], "purse": -5.0}}, faces=()) is Look.WHOLE


def test_a_phone_is_followed_although_the_head_is_bent_so_far_that_no_face_shows(scene):
    first = remembered(scene, 0, {}, Look.EVERYWHERE, Seen((PERSON, HELD), hands=True))
    assert due(scene, 1, first, faces=()) is Look.CLOSE
    near = remembered(scene, 1, first, Look.CLOSE, Seen((HELD,), hands=True))
    assert due(scene, 2, near, faces=()) is Look.WHOLE, "that somebody is there must be seen again"


def test_the_word_of_the_last_look_stands_while_nothing_changes(scene, memory):
    assert gate.person_of_late(frame(scene, 1), memory) is True
    assert gate.person_of_late(frame(scene, 1), remembered(scene, 0, {}, seen=Seen(()))) is False
    assert gate.person_of_late(frame(scene, gate.NOBODY_REST_S), memory) is None
    assert gate.person_of_late(frame(cv2.resize(two_men(), (640, 480)), 1), memory) is None
    assert gate.person_of_late(frame(scene, 1), remembered(scene, 0, {}, Look.CLOSE)) is None, "it saw but a part"
