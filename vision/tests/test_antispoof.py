"""Prints, screens and living faces, as the networks see them, and what they must not be asked."""

from dataclasses import replace

import numpy as np
import pytest

from vision import loading, weights
from vision.analyzers import antispoof
from vision.pipeline import analyze
from vision.tests.media import frame, labelled, one_man
from vision.types import Due, Sense

NEEDED = pytest.mark.skipif(
    weights.find(*loading.NEAR_ANTISPOOF_WEIGHTS) is None or weights.find(*loading.WIDE_ANTISPOOF_WEIGHTS) is None,
    reason="no MiniFASNet weights",
)
LOOKED_FOR = Due(senses=frozenset({Sense.FACES, Sense.LIVENESS}))


def look(rgb, at=0.0, memory=None, due=LOOKED_FOR):
    seen, memory = analyze(frame(rgb, at), due, memory or {})
    return seen.live_looks, memory


@NEEDED
def test_a_poster_and_a_screen_are_told_from_a_living_face():
    found = {labels["attack"]: look(rgb)[0] for rgb, labels in labelled("spoof")}
    assert found[None][-1] > 0.9
    assert found["printed poster"][-1] < 0.2
    assert found["phone/tablet screen replay"][-1] < 0.1
    assert found["painted/drawn face"] is None, "nearly grey: not examined"


@NEEDED
@pytest.mark.slow
def test_living_faces_in_front_of_webcams_are_alive():
    looks = [look(rgb)[0] for rgb, labels in labelled("faces", 40, faces=1)]
    scores = [one[-1] for one in looks if one]
    assert len(scores) >= 20
    assert min(scores) > 0.2


@NEEDED
def test_it_looks_now_and_then_and_again_soon_in_doubt():
    (poster,) = (rgb for rgb, labels in labelled("spoof") if labels["attack"] == "printed poster")
    memory, taken = {}, []
    for at in range(60):
        looks, memory = look(poster, at, memory)
        taken.append(memory["antispoof"]["looked_at"])
    assert sorted(set(taken)) == [0, 4, 8, 12, 32, 52]
    assert len(looks) == antispoof.KEPT and max(looks) < 0.2
    memory, taken = {}, []
    for at in range(30):
        looks, memory = look(one_man(), at, memory)
        taken.append(memory["antispoof"]["looked_at"])
    assert looks[-1] > antispoof.DOUBT and sorted(set(taken)) == [0, 20]


@NEEDED
def test_only_its_first_rest_is_another_one_in_each_session():
    memory, taken = {}, set()
    for at in range(30):
        _looks, memory = look(one_man(), at, memory, replace(LOOKED_FOR, first_rest=0.25))
        taken.add(memory["antispoof"]["looked_at"])
    assert taken == {0, 5, 25}


@NEEDED
def test_what_was_seen_of_somebody_says_nothing_of_who_comes_after():
    (poster,) = (rgb for rgb, labels in labelled("spoof") if labels["attack"] == "printed poster")
    (living,) = (rgb for rgb, labels in labelled("spoof") if labels["live"])
    _looks, memory = look(poster)
    assert len(look(living, 5, memory)[0]) == 2
    assert look(living, 20, memory)[0][0] > 0.9 and len(look(living, 20, memory)[0]) == 1


@NEEDED
def test_what_was_seen_says_nothing_any_more_once_the_face_cannot_be_examined_for_long():
    grey = np.repeat(one_man().mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    (first, *_rest), memory = look(one_man())
    for second in range(5, 65, 5):
        kept, memory = look(grey, second, memory)
        assert kept == ((first,) if second <= antispoof.STALE_S else None)


@NEEDED
def test_it_does_not_ask_of_faces_that_the_networks_do_not_know():
    man = one_man()
    box = analyze(frame(man), LOOKED_FOR, {})[0].faces[0].box
    models = loading.models()
    assert antispoof.living(man, box, models) is not None
    grey = np.repeat(man.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    assert antispoof.living(grey, box, models) is None
    small = np.ascontiguousarray(man[::6, ::6])
    assert antispoof.living(small, box, models) is None
    height, width = man.shape[:2]
    left, top = round(box[0] * width), round(box[1] * height)
    face = np.ascontiguousarray(man[top : top + round(box[3] * height), left : left + round(box[2] * width)])
    assert antispoof.living(face, (0.0, 0.0, 1.0, 1.0), models) is None


def test_without_weights_it_is_not_examined():
    with weights.bundled_only():
        loading.use_models(loading.Models())
        looks, memory = look(one_man())
        assert looks is None and memory["liveness"]
        assert "MiniFASNet" not in loading.availability()[Sense.LIVENESS].model
    loading.use_models(loading.Models())
