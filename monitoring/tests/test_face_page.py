"""Signing in by face on the candidate page: a real browser whose camera shows a head that looks ahead and aside."""

import secrets
from contextlib import closing

import cv2
import numpy as np
import pytest
from cryptography.fernet import Fernet

from monitoring.tests.candidate_page import CandidatePage
from monitoring.tests.chromium import CHROMIUM, chromium
from monitoring.tests.line import Line
from monitoring.tests.recordings import FPS, SIZE
from monitoring.tests.sockets import SocketServer
from monitoring.tests.test_server import wait_until
from vision.tests.heads import TO_HIS_LEFT, TO_HIS_RIGHT, straight, turned_head

pytest.importorskip("playwright", reason="playwright is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium"),
]
SHOWN_S, MARK = 6, 60
LEVELS = {"front": 235, "left": 128, "right": 16}
"""How bright a mark in the corner is while the camera shows the head so."""

ENROLLED = """
import django, sys; django.setup()
from accounts.models import Role
from accounts.tests.faces import make_enrolled
user = make_enrolled(sys.argv[1])
user.language, user.role = "en", Role.CANDIDATE
user.save()
"""
POSE = """() => {
  const canvas = new OffscreenCanvas(1, 1);
  const pen = canvas.getContext("2d");
  pen.drawImage(document.getElementById("face-video"), 20, 20, 10, 10, 0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data[0];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = SocketServer(tmp_path_factory.mktemp("server"), FACE_KEY=Fernet.generate_key().decode())
    try:
        server.begin()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A camera's file in which the same head looks ahead and to both sides, again and again."""
    path = tmp_path_factory.mktemp("camera") / "heads.y4m"
    heads = {
        "front": straight(),
        "left": turned_head(straight(), TO_HIS_LEFT),
        "right": turned_head(straight(), TO_HIS_RIGHT),
    }
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F{FPS}:1 Ip A1:1 C420mpeg2\n".encode())
        for pose, head in heads.items():
            picture = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
            beside = (SIZE[0] - head.shape[1]) // 2
            picture[:, beside : beside + head.shape[1]] = head[: SIZE[1]]
            picture[:MARK, :MARK] = LEVELS[pose]
            file.write((b"FRAME\n" + cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).tobytes()) * SHOWN_S * FPS)
    return path


def press_when(page, pose):
    """Take a picture once the camera shows the head so."""
    wait_until(lambda: abs(page.evaluate(POSE) - LEVELS[pose]) < 40, 60)
    page.click("#face-go")


def begin(page, email):
    """Turn the camera on, and return to which side the head is to be turned for the second picture."""
    page.click("[data-step=signin] [data-go=face]")
    page.fill("#face-email", email)
    page.click("#face-go")
    page.wait_for_selector("#face-preview:not([hidden])")
    press_when(page, "front")
    page.wait_for_selector("#face-instruction:has-text('Second picture')")
    return "left" if "your left" in page.text_content("#face-instruction") else "right"


def test_who_enrolled_a_face_signs_in_by_it_and_not_with_the_head_turned_to_the_other_side(server, camera, tmp_path):
    email = f"{secrets.token_hex(8)}@example.com"
    server.python(ENROLLED, email)
    with chromium(tmp_path / "profile", camera=camera) as window, closing(Line(server.port)) as line:
        candidate = CandidatePage(window, line)
        page = candidate.page
        candidate.open("/exam/")
        side = begin(page, email)
        press_when(page, "right" if side == "left" else "left")
        page.wait_for_selector("#face-form .error:has-text('other side')")
        assert page.is_hidden("#who")
        press_when(page, "front")  # the same challenge goes on
        page.wait_for_selector("#face-instruction:has-text('Second picture')")
        press_when(page, side)
        page.wait_for_selector("#who:not([hidden])", timeout=60_000)
        assert page.evaluate("document.getElementById('face-video').srcObject") is None
        assert candidate.complaints == []


def test_who_enrolled_none_is_told_no_more_than_that_it_did_not_work(server, camera, tmp_path):
    with chromium(tmp_path / "profile", camera=camera) as window, closing(Line(server.port)) as line:
        candidate = CandidatePage(window, line)
        page = candidate.page
        candidate.open("/exam/")
        press_when(page, "left" if begin(page, "nobody@example.com") == "left" else "right")
        page.wait_for_selector("#face-form .error:not(:empty)")
        assert page.is_hidden("#who") and page.is_hidden("#face-preview")
