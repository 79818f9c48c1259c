"""One man from an installed package's picture, as he is, with his head turned, and as a flat photo that is tilted."""

from functools import cache

import cv2
import numpy as np

from vision.analyzers import faces, gaze
from vision.decoding import encode_jpeg
from vision.demo import package_picture
from vision.loading import models
from vision.types import Frame

TO_HIS_LEFT, TO_HIS_RIGHT = -20, 50
"""Degrees that turn him clearly to either side: in the picture itself he looks a little to his left already."""


@cache
def straight() -> np.ndarray:
    """Return a man who looks into the camera, more or less."""
    return np.ascontiguousarray(package_picture("zidane.jpg")[:480, 760:1260])


@cache
def straight_jpeg() -> bytes:
    return encode_jpeg(straight())


@cache
def turned_jpeg(degrees: float) -> bytes:
    return encode_jpeg(turned_head(straight(), degrees))


@cache
def flat_jpeg(degrees: float) -> bytes:
    return encode_jpeg(tilted_photo(straight(), degrees))


def turned_head(rgb: np.ndarray, degrees: float) -> np.ndarray:
    """Return the picture with the head turned towards the picture's left (for degrees > 0).

    The face mesh, with the depths that MediaPipe gives it, is turned about its vertical axis, and the picture carried
    along, triangle by triangle, the far ones first.
    """
    points = _mesh(rgb)
    centre_x, far_z, angle = points[:, 0].mean(), points[:, 2].max(), np.radians(degrees)
    across, depth = points[:, 0] - centre_x, points[:, 2] - far_z
    goal = np.column_stack([across * np.cos(angle) + depth * np.sin(angle) + centre_x, points[:, 1]])
    goal_depth = depth * np.cos(angle) - across * np.sin(angle)
    turned = rgb.copy()
    for corners in sorted(_triangles(points[:, :2], rgb.shape), key=lambda three: -goal_depth[three].mean()):
        _carry(rgb, turned, points[corners, :2].astype(np.float32), goal[corners].astype(np.float32))
    return turned


def tilted_photo(rgb: np.ndarray, degrees: float, distance: float = 2.0) -> np.ndarray:
    """Return the picture as a flat sheet that is turned about its vertical axis before a camera."""
    height, width = rgb.shape[:2]
    middle, focal, angle = (width / 2, height / 2), distance * width, np.radians(degrees)
    camera = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
    sheet = np.column_stack([(np.cos(angle), 0, -np.sin(angle)), (0, 1, 0), (0, 0, focal)])
    to_middle = np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, 1]])
    return cv2.warpPerspective(rgb, camera @ sheet @ to_middle, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _mesh(rgb):
    found, _memory = faces.analyze(Frame(0, 0.0, rgb), {}, models())
    return models().face_mesh.fit(rgb, gaze.region_of(found[0], rgb.shape[1::-1]), range(468))


def _triangles(points, shape):
    height, width = shape[:2]
    plane = cv2.Subdiv2D((-10, -10, width + 20, height + 20))
    numbers = {}
    for number, point in enumerate(points):
        plane.insert((float(point[0]), float(point[1])))
        numbers[_rounded(*point)] = number
    for triangle in plane.getTriangleList():
        corners = [numbers.get(_rounded(*triangle[at : at + 2])) for at in (0, 2, 4)]
        if None not in corners:
            yield corners


def _rounded(x, y):
    return round(float(x), 2), round(float(y), 2)


def _carry(source, target, before, after):
    if _area(before) * _area(after) <= 0:  # its back is shown
        return
    left, top = np.maximum(np.floor(after.min(axis=0)).astype(int) - 1, 0)
    right, bottom = np.ceil(after.max(axis=0)).astype(int) + 2
    part = target[top:bottom, left:right]
    after = after - np.array([left, top], np.float32)
    size = part.shape[1::-1]
    patch = cv2.warpAffine(source, cv2.getAffineTransform(before, after), size, borderMode=cv2.BORDER_REFLECT)
    inside = np.zeros(part.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(after).astype(np.int32), (1,))
    part[inside > 0] = patch[inside > 0]


def _area(corners):
    (ax, ay), (bx, by) = corners[1] - corners[0], corners[2] - corners[0]
    return ax * by - ay * bx
