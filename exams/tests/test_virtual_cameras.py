"""Names of cameras: programs that show recordings, and what only looks like them."""

import pytest

from exams.policy import Policy
from exams.system_check import judge_check
from exams.virtual_cameras import is_virtual, virtual_camera_in

PROGRAMS = [
    "OBS Virtual Camera",
    "obs virtual  camera (m-de:vice)",
    "OBS-Camera",
    "ManyCam Virtual Webcam",
    "XSplit VCam",
    "Snap Camera",
    "Dummy video device (0x0000) (platform:v4l2loopback-000)",
    "e2eSoft VCam",
    "mmhmm Camera",
    "CyberLink YouCam 7",
    "Unity Video Capture",
    "Some Virtual Camera",
]
CAMERAS = [
    "fake_device_0",
    "FaceTime HD Camera (Built-in) (05ac:8514)",
    "Integrated Camera (13d3:56bb)",
    "Logitech BRIO",
    "HP TrueVision HD",
    "DroidCam Source 3",
    "EpocCam Camera",
    "Reincubate Camo",
    "Camera (NVIDIA Broadcast)",
    "Surface Camera Front (Windows Virtual Camera)",
    "Jobs Camera",
    "",
]


@pytest.mark.parametrize(("name", "expected"), [*((name, True) for name in PROGRAMS), *((n, False) for n in CAMERAS)])
def test_it_knows_programs_by_their_names_and_spares_cameras(name, expected):
    assert is_virtual(name) is expected
    assert is_virtual(name.upper()) is expected


@pytest.mark.parametrize(
    ("event_type", "detail", "expected"),
    [
        ("CAMERA_ON", {"label": "OBS Virtual Camera"}, "OBS Virtual Camera"),
        ("DEVICE_CHANGE", {"cameras": 2, "camera": "ManyCam"}, "ManyCam"),
        ("CAMERA_ON", {"label": "fake_device_0"}, None),
        ("CAMERA_ON", {"label": ["OBS Virtual Camera"]}, None),
        ("CAMERA_OFF", {"label": "OBS Virtual Camera"}, None),
        ("CAMERA_ON", {}, None),
    ],
)
def test_it_reads_the_camera_that_is_used_out_of_a_report(event_type, detail, expected):
    assert virtual_camera_in(event_type, detail) == expected


def test_the_system_check_tells_of_it_and_lets_pass():
    camera = {"available": True, "width": 640, "height": 480, "brightness": 0.5, "faces": 1}
    microphone = {"available": True, "level_dbfs": -20}
    named = {"camera": {**camera, "name": "OBS Virtual Camera"}, "microphone": microphone}
    assert judge_check(named, Policy()) == ["virtual_camera"]
    assert judge_check({"camera": {**camera, "name": "Logitech BRIO"}, "microphone": microphone}, Policy()) == []
    assert judge_check({"camera": camera, "microphone": microphone}, Policy()) == []
