"""Objects and people by YOLO, looked for as ``vision.gate`` says, and a stand-in that tells if anybody is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vision import views, yolo
from vision.gate import Look, Seen, turn_of
from vision.types import WHOLE, Box, Detection, Face, Frame, Memory

if TYPE_CHECKING:
    import numpy as np

    from vision.loading import Models
    from vision.yolo import Yolo


def analyze(
    frame: Frame, memory: Memory, models: Models, look: Look, faces: Sequence[Face]
) -> tuple[Seen | None, Memory]:
    """Find people, phones, books, laptops and remotes scored 0.2 or more; a closer look sees only what a hand can hold.

    Boxes are shares of the whole picture. ``None`` where the weights are missing. Remembers nothing.
    """
    model = models.object_model
    if model is None:
        return None, memory
    take = {Look.WHOLE: _look_at_whole, Look.CLOSE: _look_closer, Look.EVERYWHERE: _look_everywhere}[look]
    return take(frame.rgb, model, models, faces, turn_of(memory)), memory


def _look_at_whole(rgb: np.ndarray, model: Yolo, models: Models, faces: Sequence[Face], _turn: int) -> Seen:
    """Look at the whole picture once, and where a phone seems to be, whether a hand holds it."""
    found = yolo.look(rgb, model, WHOLE)
    if not any(one.label == "cell phone" for one in found):
        return Seen(found, faces=len(faces))
    hands = find_hands(rgb, models)
    return Seen(views.marked(found, hands, rgb.shape), hands=bool(hands), faces=len(faces))


def _look_everywhere(rgb: np.ndarray, model: Yolo, models: Models, faces: Sequence[Face], _turn: int) -> Seen:
    """Look at the whole and from every view: of each hand, else of the desk, or of every part of an empty room."""
    hands = find_hands(rgb, models)
    parts = views.hand_views(hands, rgb.shape) or ([views.desk(faces, rgb.shape)] if faces else views.PARTS)
    found = list(yolo.look(rgb, model, WHOLE))
    for part in parts:
        found += _handheld(rgb, model, part)
    return Seen(views.marked(views.merged(found), hands, rgb.shape), hands=bool(hands), faces=len(faces))


def _look_closer(rgb: np.ndarray, model: Yolo, models: Models, faces: Sequence[Face], turn: int) -> Seen:
    """Look at one of the hands, or where none is found at the desk; ``turn`` says which and how wide the view is."""
    hands = find_hands(rgb, models)
    part = views.hand_view(hands, rgb.shape, turn) or views.desk(faces, rgb.shape)
    return Seen(views.marked(_handheld(rgb, model, part), hands, rgb.shape), part, bool(hands), len(faces))


def _handheld(rgb: np.ndarray, model: Yolo, part: Box) -> tuple[Detection, ...]:
    return tuple(one for one in yolo.look(rgb, model, part) if one.label in views.HANDHELD)


def find_hands(rgb: np.ndarray, models: Models) -> tuple[Box, ...]:
    """Return the boxes of at most two hands, as shares of the picture."""
    found = models.hand_finder.process(rgb).multi_hand_landmarks or ()
    hands = []
    for hand in found:
        across, down = [point.x for point in hand.landmark], [point.y for point in hand.landmark]
        hands.append((min(across), min(down), max(across) - min(across), max(down) - min(down)))
    return tuple(hands)


def person_share(rgb: np.ndarray, models: Models, pictures: Sequence[Face] = ()) -> float:
    """Return the share of the picture that the bundled selfie segmentation takes for a person.

    What lies around the faces of ``pictures`` on the wall, head and shoulders, does not count.
    """
    person = models.person_segmentation.process(rgb).segmentation_mask > 0.5
    height, width = person.shape
    for face in pictures:
        x, y, wide, high = face.box
        left, right = (round(max(0.0, side) * width) for side in (x - wide, x + 2 * wide))
        top, bottom = (round(max(0.0, side) * height) for side in (y - 0.5 * high, y + 3 * high))
        person[top:bottom, left:right] = False
    return float(person.mean())
