"""What the lists of the console cost the server, each page as admins, teachers and reviewers get it.

CPU times are of this process; of a database server on this machine, the time its process worked for us stands beside
them. Both are what a busy machine cannot blur.
"""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from monitoring.admin_queue import MINE, TABS
from monitoring.api_benchmark import WARM_UP, Step, Times, as_deployed, rows_for_a_while
from monitoring.benchmark_rows import Rows
from monitoring.console_rows import add_console_rows

Figures = dict[str, Any]
LIMIT_MS = 300.0
ROLES = (Role.ADMIN, Role.TEACHER, Role.REVIEWER)
SEARCHED = "candidate"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console: what it is called here, and its address."""

    name: str
    address: str


def list_pages(rows: Rows) -> list[Page]:
    """Return every list of the admin, as it opens and where it can be searched also searched, and the pages beside."""
    queue = reverse("admin:monitoring_queue")
    wall = [rows.exam.pk]
    pages = [
        Page("dashboard", reverse("admin:index")),
        *(Page(f"queue: {tab}", f"{queue}?tab={tab}") for tab in TABS if tab != MINE),
        Page("walls", reverse("admin:monitoring_wall")),
        Page("wall", reverse("admin:monitoring_wall_exam", args=wall)),
        Page("wall: rows", reverse("admin:monitoring_wall_rows", args=wall)),
        Page("results (CSV)", reverse("admin:exams_examsession_export")),
    ]
    for model in filter(admin.site.is_registered, apps.get_models()):
        name, meta = model._meta.label, model._meta
        address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        pages.append(Page(name, address))
        if admin.site.get_model_admin(model).search_fields:
            pages.append(Page(f"{name}: search", f"{address}?q={SEARCHED}"))
    return pages


def benchmark_lists(*, sessions: int, calls: int, say: Step) -> Figures:
    """Measure every list of the console at so many sessions, and take back every row made for it."""
    with as_deployed():
        say(f"making {sessions} sessions")
        with rows_for_a_while(sessions, add=add_console_rows) as rows:
            gc.collect()  # of what making the rows left lying about
            busy = os.getloadavg()[0]
            say("asking")
            measured = [one for role in ROLES for one in _measure_all(rows, role, calls)]
    slow = [one for one in measured if one["wall_ms"]["p50"] > LIMIT_MS]
    return {
        "database": connection.vendor,
        "sessions": sessions,
        "calls_each": calls,
        "cores": os.cpu_count(),
        "load_before": round(busy, 1),
        "load_after": round(os.getloadavg()[0], 1),
        "pages": measured,
        "slowest_p50_ms": max(one["wall_ms"]["p50"] for one in measured),
        "over_limit": [f"{one['page']} ({one['role']})" for one in slow],
    }


def _measure_all(rows: Rows, role: Role, calls: int) -> list[Figures]:
    client = Client()
    client.force_login(rows.people[role])
    pages = [page for page in list_pages(rows) if _is_shown(client, page, role)]
    return [_measure(client, page, role, calls) for page in pages]


def _is_shown(client: Client, page: Page, role: Role) -> bool:
    """Say whether the role gets the page; one that leads on to another is measured there."""
    status = client.get(page.address).status_code
    if status not in (200, 302, 403, 404):
        raise RuntimeError(f"{page.name} answers {status} to a {role}.")
    return status == 200


def _measure(client: Client, page: Page, role: Role, calls: int) -> Figures:
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(page.address)
    asked, size, times = len(queries), len(answer.content), Times()
    for _call in range(WARM_UP - 1):
        client.get(page.address)
    before = _database_cpu_ms()
    for _call in range(calls):
        times.measure(lambda: client.get(page.address))
    after = _database_cpu_ms()
    database = None if before is None or after is None else round((after - before) / calls, 1)
    told = {"page": page.name, "role": str(role), "queries": asked, "page_bytes": size}
    return {**told, **times.figures(), "database_cpu_ms": database}


def _database_cpu_ms() -> float | None:
    """Return how long the database's process behind our connection has worked, where it is one of this machine."""
    if connection.vendor != "postgresql":
        return None
    with suppress(psutil.Error):
        process = psutil.Process(connection.connection.info.backend_pid)
        if process.name().startswith("postgres"):
            times = process.cpu_times()
            return float(times.user + times.system) * 1000
    return None
