"""A wall that is full, to see by hand whether it stays smooth: ``python -m monitoring.tests.full_wall 200 50``.

The two numbers are sessions, and changes per second. The page comes from a real server and stands in a real browser.
What its socket and its glimpses tell is made up, as fast as a hall of so many would tell it, since the analysis of a
whole hall would take the machine from the browser.
"""

from __future__ import annotations

import base64
import json
import random
import secrets
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

from monitoring.tests.chromium import CHROMIUM
from monitoring.tests.sockets import SocketServer
from vision.decoding import decode_picture, downscale, encode_jpeg

SECONDS = 20
TURN_MS = 100
KINDS = (("LOOKING_AWAY", "Looking away"), ("NO_FACE", "Nobody in view"), ("PHONE", "Phone"))
PREPARE = """
import django, sys; django.setup()
from accounts.models import Role
from accounts.services import ensure_user
from monitoring.tests.factories import make_exam
print(make_exam(ensure_user(email="teacher@example.com", role=Role.TEACHER, password=sys.argv[1])[0]).pk)
"""
WATCH = """() => {
  globalThis.seen = { tasks: [], gaps: [], last: performance.now() };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) seen.tasks.push(entry.duration);
  }).observe({ type: "longtask" });
  const frame = (now) => { seen.gaps.push(now - seen.last); seen.last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""


class MadeUp:
    """Sessions that do something all the time."""

    def __init__(self, count: int, changes_per_s: float, picture: bytes) -> None:
        self.random, self.changes_per_turn = random.Random(1), round(changes_per_s * TURN_MS / 1000)
        self.rows = [self._row(number) for number in range(count)]
        small = downscale(decode_picture(picture), 320)
        self.pictures = [base64.b64encode(encode_jpeg(small, quality)).decode() for quality in range(40, 80, 4)]

    def _row(self, number: int) -> dict:
        at = datetime.now(UTC).isoformat()
        level = {"risk_score": 0.0, "risk_level": "Low", "people": 1, "sound_db": -40.0}
        about = {"id": f"00000000-0000-4000-8000-{number:012d}", "candidate": f"Candidate {number:03d}"}
        return {**about, **level, "status": "active", "connected": True, "last_seen": at, "newest": None}

    def wall(self) -> str:
        return json.dumps({"type": "wall", "exam": "", "sessions": self.rows})

    def news(self) -> list[str]:
        """Return what happens in one turn: half of it rows, half activities that begin or end."""
        told = []
        for row in self.random.choices(self.rows, k=self.changes_per_turn):
            kind, label = self.random.choice(KINDS)
            began = datetime.now(UTC) - timedelta(seconds=self.random.randint(0, 60))
            ended = self.random.choice([None, datetime.now(UTC).isoformat()])
            activity = {"id": f"{row['id']}{kind}", "kind": kind, "label": label, "severity": self.random.randint(1, 3)}
            activity |= {"started_at": began.isoformat(), "ended_at": ended, "explanation": "", "confidence": 0.9}
            told.append(json.dumps({"type": "activity", "session": row["id"], "activity": activity}))
            row["risk_score"] = round(self.random.uniform(0, 15), 1)
            row["risk_level"] = "Low" if row["risk_score"] < 5 else "Medium" if row["risk_score"] < 10 else "High"
            told.append(json.dumps({"type": "session", "session": row}))
        return told

    def glimpses(self, asked: dict[str, str]) -> str:
        """Return a new picture of each of the first forty that are asked for, as the server would at most."""
        wanted = list(asked)[:40]
        new = {one: {"version": str(time.time()), "jpeg": self.random.choice(self.pictures)} for one in wanted}
        signs = {one: {"people": 1, "sound_db": -self.random.uniform(10, 60)} for one in asked}
        return json.dumps({"pictures": new, "signs": signs})


def measure(count: int, changes_per_s: float) -> dict[str, float]:
    """Return how smoothly the page went on while so many sessions changed so often."""
    with tempfile.TemporaryDirectory() as folder:
        server, password = SocketServer(Path(folder)), secrets.token_urlsafe(16)
        try:
            server.begin()
            exam = server.python(PREPARE, password)
            return _drive(
                f"http://127.0.0.1:{server.port}", exam, password, MadeUp(count, changes_per_s, server.picture)
            )
        finally:
            server.remove()


def _drive(site: str, exam: str, password: str, made_up: MadeUp) -> dict[str, float]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        sockets: list = []

        def begin(route):
            sockets.append(route)
            route.send(made_up.wall())

        page.route_web_socket("**/ws/review/**", begin)
        page.route(
            "**/glimpses/", lambda route: route.fulfill(body=made_up.glimpses(route.request.post_data_json["have"]))
        )
        page.goto(f"{site}/admin/exams/examsession/wall/{exam}/")
        page.fill("#id_username", "teacher@example.com")
        page.fill("#id_password", password)
        page.click("[type=submit]")
        page.wait_for_selector(f".wall-tile:nth-child({len(made_up.rows)})", state="attached")
        page.wait_for_timeout(3000)
        page.evaluate(WATCH)
        until, told = time.monotonic() + SECONDS, 0
        while time.monotonic() < until:
            for text in made_up.news():
                sockets[-1].send(text)
                told += 1
            page.wait_for_timeout(TURN_MS)
        page.screenshot(path=Path(tempfile.gettempdir()) / "full-wall.png")
        return _reckon(page.evaluate("seen"), told)


def _reckon(seen: dict, told: int) -> dict[str, float]:
    gaps, tasks = sorted(seen["gaps"][1:]), seen["tasks"]
    return {
        "messages_per_s": round(told / SECONDS, 1),
        "frames_per_s": round(len(gaps) / SECONDS, 1),
        "frame_ms_median": round(gaps[len(gaps) // 2], 1),
        "frame_ms_p99": round(gaps[int(len(gaps) * 0.99)], 1),
        "frame_ms_longest": round(gaps[-1], 1),
        "long_tasks": len(tasks),
        "long_task_ms_longest": round(max(tasks, default=0.0), 1),
        "long_task_share": round(sum(tasks) / SECONDS / 1000, 4),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]), float(sys.argv[2])), indent=2) + "\n")
