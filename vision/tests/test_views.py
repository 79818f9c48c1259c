"""Where to look closer, and what a hand holds: geometry only."""

import pytest

from vision import views
from vision.types import Detection, Face

SHAPE = (480, 640)
HAND = (0.4, 0.5, 0.1, 0.15)  # 64 x 72 pixels
SMALL = (0.4, 0.5, 0.01, 0.02)


def inside(view):
    x, y, width, height = view
    return x >= 0 and y >= 0 and x + width <= 1.0001 and y + height <= 1.0001


def test_every_hand_is_looked_at_in_every_width():
    other = (0.7, 0.5, 0.1, 0.15)
    assert len(views.hand_views((HAND, other), SHAPE)) == 2 * len(views.WIDTHS)
    assert all(inside(view) for view in views.hand_views((HAND, (0.95, 0.9, 0.1, 0.15)), SHAPE))
    assert views.hand_views((SMALL,), SHAPE) == []


def test_views_take_turns_and_the_widest_has_each_second_one():
    seen = [views.hand_view((HAND,), SHAPE, turn) for turn in range(6)]
    assert seen[0] == seen[2] == seen[4]
    assert len(set(seen)) == len(views.WIDTHS)
    assert views.hand_view((), SHAPE, 0) is None and views.hand_view((SMALL,), SHAPE, 0) is None


def test_both_hands_have_their_turn():
    other = (0.7, 0.5, 0.1, 0.15)
    assert {views.hand_view((HAND, other), SHAPE, turn)[0] for turn in (0, 2)} == {
        views.hand_view((HAND,), SHAPE, 0)[0],
        views.hand_view((other,), SHAPE, 0)[0],
    }


def test_the_desk_is_below_the_face_and_within_the_picture():
    desk = views.desk((Face((0.85, 0.1, 0.1, 0.2), 0.9),), SHAPE)
    assert inside(desk) and desk[1] + desk[3] == pytest.approx(1) and desk[0] > 0
    assert inside(views.desk((), (1280, 720)))


@pytest.mark.parametrize(
    ("box", "held"),
    [
        ((0.42, 0.45, 0.05, 0.12), True),  # sticks out of the hand
        ((0.42, 0.2, 0.05, 0.12), False),  # a badge above it
        ((0.45, 0.55, 0.03, 0.03), False),  # a wristwatch
        ((0.3, 0.4, 0.4, 0.5), False),  # a book, larger than any phone
    ],
)
def test_a_hand_holds_what_it_touches_and_what_is_as_long_as_a_phone(box, held):
    (one,) = views.marked((Detection("cell phone", 0.5, box),), (HAND,), SHAPE)
    assert one.held is held


def test_people_are_never_held():
    (one,) = views.marked((Detection("person", 0.9, HAND),), (HAND,), SHAPE)
    assert not one.held


def test_what_several_views_saw_is_one_thing_with_its_best_score():
    seen = [Detection("cell phone", 0.3, HAND), Detection("cell phone", 0.6, (0.41, 0.5, 0.1, 0.15))]
    seen += [Detection("remote", 0.5, HAND)]
    assert [(one.label, one.score) for one in views.merged(seen)] == [("cell phone", 0.6), ("remote", 0.5)]
