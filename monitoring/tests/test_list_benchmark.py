"""What is measured of the console's lists: that it is all of them, full and paid for; never times."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import call_command

from exams.models import OPEN_STATUSES, ExamSession
from monitoring import list_benchmark
from monitoring.api_benchmark import rows_for_a_while
from monitoring.case_models import Appeal, ReviewCase
from monitoring.console_rows import add_console_rows
from monitoring.list_benchmark import benchmark_lists
from monitoring.picture_models import PictureAccess

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure less often than a measurement needs."""
    monkeypatch.setattr(list_benchmark, "WARM_UP", 1)


def counted() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def test_it_measures_every_list_for_every_role_and_leaves_nothing_behind() -> None:
    before = counted()

    figures = benchmark_lists(sessions=60, calls=1, say=lambda step: None)

    assert counted() == before
    measured = {(one["page"], one["role"]) for one in figures["pages"]}
    # The list of review cases is the queue.
    lists = {model._meta.label for model in filter(admin.site.is_registered, apps.get_models())} - {
        "monitoring.ReviewCase"
    }
    assert lists | {"dashboard", "queue: appeal", "wall: rows", "results (CSV)"} <= {
        page for page, role in measured if role == "admin"
    }
    assert {role for _page, role in measured} == {"admin", "teacher", "reviewer"}
    assert ("monitoring.PictureAccess", "reviewer") not in measured
    for one in figures["pages"]:
        assert one["queries"] > 2
        assert one["page_bytes"] > 300, one["page"]
        assert 0 < one["wall_ms"]["p50"] <= one["wall_ms"]["p95"]


def test_the_rows_fill_every_list_and_a_hall() -> None:
    with rows_for_a_while(60, add=add_console_rows) as rows:
        numbers = counted()
        assert numbers["reports.SessionReport"] == numbers["accounts.Candidate"] == 60
        assert PictureAccess.objects.filter(session__exam=rows.exam).exists()
        assert {case.stage for case in ReviewCase.objects.all()} == {"second", "appeal", "disagreement", "decided"}
        assert Appeal.objects.count() == ReviewCase.objects.filter(stage="appeal").count()
        open_ones = ExamSession.objects.filter(exam=rows.exam, status__in=OPEN_STATUSES)
        assert open_ones.count() == 5
        assert not open_ones.filter(candidate__user__in=[rows.session.candidate.user]).exists()


def test_the_command_prints_a_table() -> None:
    out = StringIO()
    call_command("benchmark", "lists", "--rows", "1", "--calls", "1", stdout=out)
    lines = out.getvalue().splitlines()

    assert lines[0].split() == ["page", "role", "queries", "wall", "p50", "p95", "CPU", "p50", "p95", "database"]
    assert lines[1].split()[:2] == ["dashboard", "admin"]
    assert any(line.split() == ["sessions", "1"] for line in lines)


def test_the_command_prints_json() -> None:
    out = StringIO()
    call_command("benchmark", "lists", "--rows", "1", "--calls", "1", "--json", stdout=out)

    assert json.loads(out.getvalue())["sessions"] == 1
