"""When the face is compared with the enrolled one, what is remembered of it, and who is taken for whom."""

import json
from dataclasses import replace
from functools import cache
from itertools import groupby

import cv2
import numpy as np
import pytest

from vision import pipeline
from vision.analyzers import faces, identity, likeness
from vision.analyzers.faces import FoundFace
from vision.loading import models
from vision.tests.heads import TO_HIS_RIGHT, straight, turned_head
from vision.tests.media import frame, labelled, two_men
from vision.types import Due, Face, Frame, Likeness, Observation, Sense

LOOKS = Due(senses=frozenset({Sense.CAMERA, Sense.FACES, Sense.HEAD, Sense.IDENTITY}), identity_every_s=20.0)
STRANGER = 0.58
"""From this distance on the default policy says that it is somebody else."""


@cache
def his_face():
    return tuple(identity.portray(straight(), models()).embedding.tolist())


def enrolled(face=None):
    return replace(LOOKS, enrolled=face or his_face())


def look(rgb, due, memory=None, at=0.0):
    return pipeline.analyze(frame(np.ascontiguousarray(rgb), at), due, memory or {})


# --- when: the rules of looking, with looks that answer as they are told to ------------------------------------------


class Watched:
    """A session whose faces are made up; only when it is looked, and what is remembered, is real."""

    def __init__(self, monkeypatch):
        self.memory, self.looked, self.apart, self.first_rest = {}, [], 0.2, 1.0
        self.picture = np.full((48, 64, 3), 128, np.uint8)
        monkeypatch.setattr(likeness, "_look", self._look)

    def _look(self, *_told):
        self.looked.append(self.at)
        return None if self.apart is None else Likeness(self.apart)

    def see(self, *at, box=(0.4, 0.3, 0.2, 0.3), count=1, behind=()):
        for self.at in at:
            found = tuple(FoundFace(Face(one, 0.9), np.zeros((5, 2))) for one in (*(box,) * count, *behind))
            shown = Frame(0, float(self.at), self.picture)
            due = replace(enrolled((0.0,) * 128), first_rest=self.first_rest)
            _, self.memory = likeness.analyze(shown, self.memory, found, None, due, None)
        return self


@pytest.fixture
def seat(monkeypatch):
    return Watched(monkeypatch)


def test_it_looks_at_the_beginning_and_then_rarely(seat):
    seat.see(*range(60))
    assert seat.looked == [0, 1, 2, 22, 42]


def test_only_its_first_rest_is_another_one_in_each_session(seat):
    seat.first_rest = 0.25
    seat.see(*range(60))
    assert seat.looked == [0, 1, 2, 7, 27, 47]


def test_it_looks_again_when_the_face_was_gone(seat):
    seat.see(*range(8)).see(8, 9, count=0).see(10, 11, 12)
    assert seat.looked == [0, 1, 2, 10]


def test_it_looks_again_after_a_time_that_shows_nothing(seat):
    seat.see(*range(5)).see(9, 10)
    assert seat.looked == [0, 1, 2, 9]


@pytest.mark.parametrize("box", [(0.7, 0.3, 0.2, 0.3), (0.4, 0.3, 0.4, 0.6), (0.4, 0.3, 0.1, 0.15)])
def test_it_looks_again_when_the_face_jumps_or_changes_its_size(seat, box):
    seat.see(*range(6)).see(6, 7, box=box)
    assert seat.looked == [0, 1, 2, 6]


def test_it_looks_again_when_much_of_the_picture_changes(seat):
    seat.see(*range(10))
    seat.picture = np.random.default_rng(1).integers(0, 2, (6, 8, 1)).repeat(8, 0).repeat(8, 1).repeat(3, 2)
    seat.picture = (seat.picture * 255).astype(np.uint8)
    seat.see(*range(10, 16))
    assert seat.looked == [0, 1, 2, 10]


def test_while_in_doubt_a_change_is_looked_at_at_once(seat):
    seat.apart = 0.8
    seat.see(*range(4))
    seat.picture, seat.apart = np.tile(np.arange(0, 256, 4, np.uint8)[None, :, None], (48, 1, 3)), 0.2
    seat.see(4, 5)
    assert seat.looked == [0, 1, 2, 4, 5]


def test_a_lamp_that_is_switched_on_is_no_change(seat):
    seat.picture = np.linspace(40, 120, 64).astype(np.uint8)[None, :, None].repeat(48, 0).repeat(3, 2)
    seat.see(*range(10))
    seat.picture = (seat.picture * 1.6).astype(np.uint8)
    seat.see(*range(10, 16))
    assert seat.looked == [0, 1, 2]


def test_one_look_that_answers_otherwise_brings_more_until_they_agree(seat):
    seat.see(*range(22))
    seat.apart = 0.8
    seat.see(22, 23, 24, 25, 26, 27, 28)
    assert seat.looked[3:] == [22, 23, 24, 28]  # three that agree, then every four seconds while it is so
    seat.apart = 0.2
    seat.see(*range(29, 45))
    assert seat.looked[7:] == [32, 33, 34]


def test_answers_that_never_agree_do_not_cost_a_look_each_for_ever(seat):
    for at in range(60):
        seat.apart = 0.8 if at % 2 else 0.2
        seat.see(at)
    assert len(seat.looked) <= 8 + 52 / 4


def test_several_faces_are_not_compared(seat):
    seat.see(*range(5), count=2)
    assert seat.looked == []


def test_somebody_who_passes_far_behind_does_not_keep_the_candidate_from_being_compared(seat):
    seat.see(*range(5), behind=[(0.8, 0.2, 0.08, 0.12)])
    assert seat.looked == [0, 1, 2]
    seat.see(5, 6, behind=[(0.8, 0.2, 0.12, 0.18)]).see(7)  # not as small, so it may have been any of the two
    assert seat.looked == [0, 1, 2, 7]


def test_what_cannot_be_examined_is_tried_again_and_says_nothing(seat):
    seat.apart = None
    seat.see(0, 1, 2)
    seat.apart = 0.2
    seat.see(3, 4, 5, 6)
    assert seat.looked == [0, 1, 2, 3, 4, 5]


def test_time_that_runs_back_begins_anew(seat):
    seat.see(100, 101, 102, 103)
    seat.see(5)
    assert seat.looked == [100, 101, 102, 5]


# --- what: real faces -------------------------------------------------------------------------------------------------


def test_it_says_how_far_the_face_is_and_remembers_nothing_of_it():
    facts, memory = look(straight(), enrolled())
    assert facts.identity.distance < 0.2, "the enrolled one is the mean of it and its mirror image"
    assert facts.identity.face_px == pytest.approx(159, abs=10)
    kept = json.dumps(memory["likeness"])
    assert len(kept) < 600
    when = {"seen_at", "looked_at", "agreed", "looks", "doubt", "rested"}
    assert set(memory["likeness"]) == when | {"box", "picture"}
    assert len(memory["likeness"]["picture"]) == 2 * 48  # eight by six grey levels of the whole picture
    again = Observation.from_facts(json.loads(json.dumps(facts.to_facts())), seq=0, captured_at=0.0)
    assert again.identity.distance == pytest.approx(facts.identity.distance, abs=1e-4)
    assert set(facts.to_facts()["identity"]) == {"distance", "face_px"}


def test_the_enrolled_face_is_not_shown_where_it_is_handed_on():
    assert "enrolled" not in repr(enrolled())


def test_without_an_enrolled_face_nothing_is_looked_at_or_remembered():
    facts, memory = look(straight(), LOOKS)
    assert facts.identity is None
    assert "likeness" not in memory and "identity" not in facts.timings_ms
    switched_off = replace(enrolled(), senses=frozenset({Sense.CAMERA, Sense.FACES}))
    assert look(straight(), switched_off)[0].identity is None


def test_it_works_where_no_other_sense_is_wanted():
    alone = replace(enrolled(), senses=frozenset({Sense.IDENTITY}))
    facts, _ = look(straight(), alone)
    assert facts.identity is not None and facts.faces is None and facts.head is None


@pytest.mark.parametrize(
    "change",
    [
        lambda rgb: cv2.resize(rgb, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA),  # too small
        lambda rgb: (rgb * 0.2).astype(np.uint8),
        lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 5),
        lambda rgb: turned_head(rgb, TO_HIS_RIGHT),
        lambda _rgb: two_men(),
        lambda rgb: rgb[300:],
    ],
)
def test_what_is_too_bad_to_tell_is_not_examined(change):
    assert look(change(straight()), enrolled())[0].identity is None


def test_a_forehead_beyond_the_edge_is_no_other_face():
    """Composed: the picture is cut off through his forehead."""
    found, _ = faces.analyze(frame(straight()), {}, models())
    view = identity.view_face(straight(), found[0], models())
    top = float(view.points[identity.FOREHEAD][1]) + 0.08 * view.height_px
    facts, _ = look(straight()[round(top) :], enrolled())
    assert facts.identity.distance < 0.4


def lit_from_one_side(rgb):
    """Composed: the light falls off to a third from one edge of the picture to the other."""
    fall = np.linspace(1.0, 0.33, rgb.shape[1])[None, :, None]
    return (rgb * fall).astype(np.uint8)


def with_glasses(rgb):
    """Composed: dark rims around both eyes."""
    found, _ = faces.analyze(frame(rgb), {}, models())
    points = identity.view_face(rgb, found[0], models()).points
    worn = rgb.copy()
    for outer, inner in ((33, 133), (263, 362)):
        middle, width = (points[outer] + points[inner]) / 2, np.linalg.norm(points[outer] - points[inner])
        cv2.circle(worn, tuple(int(value) for value in middle), int(0.85 * width), (30, 30, 30), 3)
    return worn


@pytest.mark.parametrize(
    "change",
    [
        lit_from_one_side,
        lambda rgb: lit_from_one_side(rgb[:, ::-1])[:, ::-1],
        with_glasses,
        lambda rgb: turned_head(rgb, 20),
        lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 1.0),
        lambda rgb: np.clip(rgb * 1.5, 0, 255).astype(np.uint8),
        lambda rgb: cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
        lambda rgb: cv2.resize(rgb, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
    ],
)
def test_the_same_man_in_other_light_with_glasses_or_turned_is_nobody_else(change):
    facts, _ = look(change(straight()), enrolled())
    assert facts.identity.distance < likeness.DOUBTFUL


def views_of(set_name):
    """Yield who is in it, the picture and the view of the face, of labelled pictures that an exam would examine."""
    for picture, labels in labelled("identity", at_most=400, set=set_name):
        rgb = np.ascontiguousarray(picture)
        found, _ = faces.analyze(frame(rgb), {}, models())
        face = likeness.foremost(found)
        view = None if face is None else likeness.view_of(rgb, face, models())
        if view is not None:
            yield labels["person"], rgb, view


@cache
def looks_of(set_name):
    """Return by person the embeddings of those pictures."""
    people = {}
    for person, rgb, view in views_of(set_name):
        people.setdefault(person, []).append(identity.embed(rgb, view.points, models()))
    return people


def test_who_is_clearly_near_is_so_with_the_mirror_image_as_well():
    near = far = 0
    seen = list(views_of("lfw"))
    enrolled_people = {person: identity.embed(rgb, view.points, models()) for person, rgb, view in reversed(seen)}
    for person, rgb, view in seen:
        embedding = identity.embed(rgb, view.points, models())
        for other, face in [*list(enrolled_people.items())[:3], (person, enrolled_people[person])]:
            quick = identity.distance_from(face, rgb, view.points, models())
            thorough = identity.distance(embedding, face)
            if quick <= identity.CLEARLY_NEAR:
                near += 1
                assert thorough < likeness.DOUBTFUL and abs(quick - thorough) < 0.2, (person, other)
            else:
                far += 1
                assert quick == pytest.approx(thorough, abs=1e-6)
    assert near >= 25 and far >= 25


@pytest.mark.parametrize("name", ["caltech_faces", "lfw"])
def test_enrolled_with_two_pictures_nobody_is_taken_for_somebody_else(name):
    own, strangers = [], []
    for person, pictures in looks_of(name).items():
        face = identity.mean_of(pictures[:2])
        own += [identity.distance(one, face) for one in pictures[2:]]
        for other, theirs in looks_of(name).items():
            strangers += [identity.distance(one, face) for one in theirs if other != person]
    assert len(own) >= 25 and len(strangers) >= 250
    assert max(own) < STRANGER
    assert np.mean(np.array(strangers) < STRANGER) <= 0.02


def test_light_from_one_side_accuses_nobody():
    """Eight people in a set that lights each of them from the left and from the right."""
    rows = labelled("identity", at_most=400, set="yale")
    accused = compared = 0
    for _person, own in groupby(sorted(rows, key=lambda row: row[1]["person"]), key=lambda row: row[1]["person"]):
        pictures = [np.ascontiguousarray(picture) for picture, _ in own]
        portraits = [identity.portray(picture, models()).embedding for picture in pictures]
        face = identity.mean_of(portraits[:2])
        apart = [identity.distance(one, face) for one in portraits[2:]]
        accused, compared = accused + sum(one >= STRANGER for one in apart), compared + len(apart)
    assert compared >= 50 and accused == 0
