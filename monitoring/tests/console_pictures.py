"""The pictures of the console in the docs: ``python -m monitoring.tests.console_pictures docs``.

A real server with a hall of sessions, some of which are sat right now by clients that send pictures; each page in a
real browser, at two widths, light and dark. Faces are those of the ultralytics package's own pictures.
"""

from __future__ import annotations

import io
import random
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from monitoring.tests.chromium import CHROMIUM
from monitoring.tests.sockets import Client, SocketServer
from monitoring.tests.test_server import wait_until
from vision.decoding import downscale, encode_jpeg
from vision.demo import SCENES, Kind, package_picture

PREPARE = """
import django, sys; django.setup()
from accounts.models import Role
from monitoring.tests.factories import make_exam, make_user
from monitoring.tests.full_hall import Staff, make_hall
from rest_framework_simplejwt.tokens import AccessToken
teacher, *reviewers = (make_user(role, f"{name}@example.com") for role, name in (
    (Role.TEACHER, "teacher"), (Role.REVIEWER, "reviewer-1"), (Role.REVIEWER, "reviewer-2")))
for user in (teacher, *reviewers):
    user.set_password(sys.argv[1])
    user.save()
exam = make_exam(teacher, code="algebra-2", title="Algebra II", duration_minutes=90)
exam.reviewers.add(*reviewers)
print(exam.pk)
for session in make_hall(exam, Staff(teacher, reviewers), ended=40, going_on=13):
    print(session.pk, AccessToken.for_user(session.candidate.user))
"""
EVERY_S, WATCHED_S = 5.0, 30
SIZES = {"": (1280, 900), "-wide": (1920, 1080)}
SCHEMES: dict[str, Literal["light", "dark"]] = {"": "light", "-dark": "dark"}
EXACT, OTHERS = 128, 128
"""Colours of the page, which stay as they are, and colours for the photographs on it."""

TALL = {"session": 620, "what-if": 300}
SHOWN: tuple[Kind, ...] = ("present", "present", "present", "two_people", "present", "present", "empty")


def picture(scene: Kind, chance: random.Random) -> bytes:
    """Return a picture of a scene as a camera gives it: no two are the same."""
    name, (x, y, width, height) = SCENES[scene]
    left, top = x + chance.randint(-4, 4), max(0, y + chance.randint(-4, 4))
    shown = downscale(package_picture(name)[top : top + height, left : left + width], 640)
    noise = np.random.default_rng(chance.getrandbits(32)).normal(0, 4, shown.shape)
    return encode_jpeg(np.clip(shown + noise, 0, 255).astype(np.uint8))


def sit(address: str, scene: Kind, over: threading.Event) -> None:
    """Sit an exam: send pictures until it is over."""
    chance = random.Random(address)
    with suppress(ConnectionClosed), connect(address, compression=None) as socket:
        client, first = Client(socket), 10**9
        client.next("hello")
        for seq in range(first, first + 10**6):
            client.picture(seq, picture(scene, chance))
            client.answer()
            if over.wait(EVERY_S):
                return


@contextmanager
def hall(server: SocketServer, password: str) -> Iterator[str]:
    """Have the exam sat by all but one of its candidates, and give its key."""
    exam, *seats = server.python(PREPARE, password).splitlines()
    over = threading.Event()
    for number, (session, token) in enumerate(seat.split() for seat in seats[:-1]):
        address = f"ws://127.0.0.1:{server.port}/ws/proctoring/{session}/?token={token}"
        threading.Thread(target=sit, args=(address, SHOWN[number % len(SHOWN)], over), daemon=True).start()
    try:
        yield exam
    finally:
        over.set()


def sign_in(page: Page, site: str, name: str, password: str) -> None:
    """Come in as a member of staff."""
    page.goto(f"{site}/admin/")
    page.fill("#id_username", f"{name}@example.com")
    page.fill("#id_password", password)
    page.press("#id_password", "Enter")
    page.wait_for_selector(".board")


def go_to_session(page: Page, site: str, _exam: str) -> None:
    """The first session of the queue, as somebody sees it who has not taken it."""
    page.goto(f"{site}/admin/monitoring/reviewcase/queue/")
    page.click(".queue-table tbody a >> nth=0")
    page.wait_for_selector("html[data-desk=ready]")


def go_to_what_if(page: Page, site: str, exam: str) -> None:
    """A policy in which looking away weighs more, tried on the past."""
    page.goto(f"{site}/admin/exams/proctoringpolicy/{exam}/what-if/")
    page.fill("[name='kinds.LOOKING_AWAY.weight']", "4")
    page.click("button:has-text('Try on past sessions')")
    page.wait_for_load_state()


def go_to_wall(page: Page, site: str, exam: str) -> None:
    """The wall, once it shows pictures."""
    page.goto(f"{site}/admin/exams/examsession/wall/{exam}/")
    page.wait_for_selector(".wall-picture:visible >> nth=8")
    page.wait_for_timeout(5000)


PAGES = {
    "dashboard": lambda page, site, _exam: page.goto(f"{site}/admin/"),
    "queue": lambda page, site, _exam: page.goto(f"{site}/admin/monitoring/reviewcase/queue/"),
    "session": go_to_session,
    "what-if": go_to_what_if,
    "wall": go_to_wall,
}


def take(folder: Path) -> None:
    """Write every picture into the folder."""
    password = secrets.token_urlsafe(16)
    with tempfile.TemporaryDirectory() as var, sync_playwright() as playwright:
        server = SocketServer(Path(var))
        try:
            server.begin()
            wait_until(lambda: server.health()["checks"]["workers"]["ok"])
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            with hall(server, password) as exam:
                time.sleep(WATCHED_S)
                for size, (width, height) in SIZES.items():
                    for look, scheme in SCHEMES.items():
                        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                        page, site = context.new_page(), f"http://127.0.0.1:{server.port}"
                        sign_in(page, site, "teacher", password)
                        for name, go in PAGES.items():
                            page.set_viewport_size({"width": width, "height": height + TALL.get(name, 0)})
                            go(page, site, exam)
                            page.wait_for_timeout(700)
                            write(page.screenshot(), folder / f"{name}{size}{look}.png")
                        context.close()
        finally:
            server.remove()


def write(png: bytes, target: Path) -> None:
    """Keep a picture of the page in few colours, which is a third of its size."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    found: list[Any] = sorted(image.getcolors(image.width * image.height) or [], reverse=True)
    colours = [part for _count, colour in found[:EXACT] for part in colour]
    colours += image.quantize(OTHERS, method=Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours[: 3 * (EXACT + OTHERS)])
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]))
