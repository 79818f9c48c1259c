"""Hands for the tests: real ones, cut out of labelled pictures along their outlines and laid over other pictures."""

from typing import Any

import cv2
import numpy as np

from vision import loading
from vision.analyzers import faces
from vision.analyzers.hands import MIDDLE_KNUCKLE, PALM, WRIST, find, measure
from vision.tests.media import frame, labelled

FLESH = 0.25
"""So much around the points belongs to the hand, in palm lengths."""

PLACES = {"mouth": (0.0, 0.9), "ear": (0.5, 0.55), "chin": (0.0, 1.18), "cheek": (0.38, 0.9)}
"""Where a palm lies: in face lengths beside the face's middle, and below its upper edge."""


def face_of(picture):
    """Return the largest face of a picture, which must have one."""
    return faces.analyze(frame(picture), {}, loading.models())[0][0]


def labelled_fist():
    """Return a picture in which somebody signs with a closed hand before the chest, and that hand."""
    for picture, labels in labelled("objects", 200):
        if labels.get("hand_gesture"):
            face = face_of(picture)
            for hand in find(picture, face.face.box, loading.models()):
                held = measure(hand, face, (picture.shape[0], picture.shape[1]))
                if held.fingers == 0 and abs(held.across) < 0.3:
                    return picture, hand
    raise AssertionError("no labelled picture shows a fist before the chest")


def with_hand(picture, place, cut_out, size=0.42):
    """Return the picture with the cut-out hand at this place of its face, its palm as long as this in face lengths."""
    height, width = picture.shape[:2]
    x, y, face_width, length = np.array(face_of(picture).face.box) * (width, height, width, height)
    aside, down = PLACES[place]
    at = x + face_width / 2 + aside * length, y + down * length
    return _laid(picture, cut_out[0], cut_out[1], at, size * length)


def _laid(picture, source, hand, at, size):
    palm = hand.points[list(PALM), :2].mean(axis=0)
    length = float(np.linalg.norm(hand.points[MIDDLE_KNUCKLE] - hand.points[WRIST]))
    matrix: Any = cv2.getRotationMatrix2D(tuple(map(float, palm)), 0, size / length)
    matrix[:, 2] += np.asarray(at) - palm
    mask: Any = np.zeros(source.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(hand.points[:, :2].astype(np.int32)), (255,))
    reach = 2 * max(1, round(FLESH * length)) + 1
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    to = picture.shape[1::-1]
    shown = cv2.warpAffine(source, matrix, to)
    alpha = cv2.GaussianBlur(cv2.warpAffine(mask, matrix, to), (0, 0), 1.5)[..., None] / 255
    return np.ascontiguousarray((alpha * shown + (1 - alpha) * picture).astype(np.uint8))
