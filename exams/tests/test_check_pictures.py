"""What the server sees in the pictures of a system check, by the real models on real pictures."""

import threading
from typing import Any

import numpy as np
import pytest

from accounts import face_worker
from exams import check_pictures
from exams.check_pictures import CheckPictures, Examined, UnusablePicture, examine
from exams.policy import Policy
from exams.system_check import judge_check, usual_pose
from vision.decoding import decode_picture, encode_jpeg
from vision.tests.media import one_man, two_men

TOLD: dict[str, Any] = {"camera": {"available": True, "faces": 7, "brightness": 1.0}, "microphone": {"available": True}}
POINTS: dict[str, Any] = {"points": [{"x": 0.5, "y": 0.5, "yaw": 80.0}] * 5}


def grey(level):
    return encode_jpeg(np.full((480, 640, 3), level, np.uint8))


@pytest.mark.parametrize(
    ("picture", "faces", "findings"),
    [
        (lambda: encode_jpeg(one_man()), 1, []),
        (lambda: encode_jpeg(two_men()), 2, ["several_faces"]),
        (lambda: grey(2), 0, ["no_face", "too_dark"]),
        (lambda: grey(128), 0, ["no_face"]),
    ],
    ids=["one", "two", "dark", "covered"],
)
def test_the_server_sees_for_itself_and_bars_nobody_by_what_it_sees(picture, faces, findings):
    examined = examine(TOLD, CheckPictures(camera=picture())).measured
    assert (examined["camera"]["faces"], examined["camera"]["seen_by_server"]) == (faces, True)
    assert judge_check(examined, Policy()) == findings
    assert TOLD["camera"]["faces"] == 7


def test_it_measures_how_somebody_looks_at_each_point_whatever_their_browser_says():
    told = TOLD | {"calibration": POINTS}
    pictures = CheckPictures(points=(*[encode_jpeg(one_man())] * 3, grey(128), None))
    points = examine(told, pictures).measured["calibration"]["points"]
    assert all(abs(point["yaw"]) < 45 and -1 < point["horizontal"] < 1 for point in points[:3])
    assert (points[3]["yaw"], points[3]["x"]) == (None, 0.5)
    assert points[4] == POINTS["points"][4]


def test_it_says_when_too_little_could_be_seen_at_the_points():
    told = TOLD | {"calibration": POINTS}
    hardly = examine(told, CheckPictures(points=(encode_jpeg(one_man()), *[grey(128)] * 4))).measured
    assert "eyes_unseen" in judge_check(hardly, Policy())
    assert usual_pose({"measured": hardly}) == {}
    well = examine(told, CheckPictures(points=(encode_jpeg(one_man()),) * 5)).measured
    assert "eyes_unseen" not in judge_check(well, Policy())
    assert usual_pose({"measured": well})["yaw"] == pytest.approx(well["calibration"]["points"][0]["yaw"])


def test_a_picture_that_cannot_be_read_is_refused():
    with pytest.raises(UnusablePicture):
        examine(TOLD, CheckPictures(camera=b"nothing"))


def cut_off():
    return encode_jpeg(two_men())[:5000]


def test_a_picture_whose_pixels_cannot_be_read_is_refused():
    with pytest.raises(UnusablePicture, match="damaged or cut off"):
        examine(TOLD, CheckPictures(camera=cut_off()))


def test_no_pixel_is_decoded_in_the_thread_of_the_request(monkeypatch):
    threads = []

    def decode(data):
        threads.append(threading.current_thread().name)
        return decode_picture(data)

    monkeypatch.setattr(check_pictures, "decode_picture", decode)
    examine(TOLD, CheckPictures(camera=grey(128)))
    assert len(threads) == 1 and threads[0].startswith("faces")


def test_while_too_many_wait_nothing_is_decoded(monkeypatch):
    monkeypatch.setattr(face_worker, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(check_pictures, "decode_picture", lambda _data: pytest.fail("decoded"))
    face_worker._places.acquire()
    assert examine(TOLD, CheckPictures(camera=cut_off())) == Examined(TOLD)
    with pytest.raises(UnusablePicture):
        examine(TOLD, CheckPictures(camera=b"nothing"))


def test_pictures_of_too_many_pixels_together_are_refused_before_one_is_decoded(monkeypatch):
    monkeypatch.setattr(check_pictures, "decode_picture", lambda _data: pytest.fail("decoded"))
    large = encode_jpeg(np.zeros((3000, 4000, 3), np.uint8))
    with pytest.raises(UnusablePicture) as refused:
        examine(TOLD | {"calibration": POINTS}, CheckPictures(points=(large,) * 5))
    assert (refused.value.status, refused.value.code) == (413, "too_large")


def test_where_too_many_wait_what_the_browser_says_stands(monkeypatch):
    monkeypatch.setattr(face_worker, "_places", threading.BoundedSemaphore(1))
    face_worker._places.acquire()
    assert examine(TOLD, CheckPictures(camera=encode_jpeg(one_man()))) == Examined(TOLD)


def test_without_pictures_nothing_is_looked_at():
    told = TOLD | {"calibration": POINTS}
    assert examine(told, CheckPictures(points=(None,) * 5)) == Examined(told)
