"""The benchmark of the interface measures everything there is and leaves nothing behind."""

from __future__ import annotations

import json
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError

from monitoring import api_benchmark
from monitoring.api_benchmark import API, LOGIN, benchmark_api, list_addresses, percentile, rows_for_a_while
from monitoring.models import Assessment, MonitoringLog, Observation, SuspiciousActivity

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure less often than a measurement needs."""
    monkeypatch.setattr(api_benchmark, "SMALL", (1,))
    monkeypatch.setattr(api_benchmark, "SIGN_INS", 2)
    monkeypatch.setattr(api_benchmark, "WARM_UP", 1)


@pytest.fixture
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure one list only."""
    monkeypatch.setattr(api_benchmark, "list_addresses", lambda: [f"{API}/logs"])
    monkeypatch.setattr(api_benchmark, "SINGLES", ())


def counted() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def test_it_measures_every_list_beside_bare_work_and_leaves_nothing_behind() -> None:
    before = counted()

    figures = benchmark_api(sessions=3, calls=2, say=lambda step: None)

    assert counted() == before
    measured = {f"{API}/{one['call']}" for one in figures["endpoints"]}
    assert measured >= set(list_addresses())
    assert {one["role"] for one in figures["endpoints"]} == {"candidate", "reviewer", "teacher", "admin"}
    for one in figures["endpoints"]:
        assert 0 < one["wall_ms"]["p50"] <= one["wall_ms"]["p95"]
        assert one["ratio"] is not None, f"{one['call']} has no bare work to be compared with"
    assert figures["queries_grow"] == []
    assert set(figures["sign_in"]) == {"bare_hash", "right_password", "wrong_password", "unknown_address"}


def test_rows_are_taken_back_even_if_something_goes_wrong() -> None:
    before = counted()

    with suppress(IndexError), rows_for_a_while(2):
        assert counted() != before
        [].pop()

    assert counted() == before


def test_the_first_session_is_the_fullest_and_every_session_was_watched() -> None:
    with rows_for_a_while(120) as rows:
        assert MonitoringLog.objects.filter(session=rows.session).count() == 120
        assert Observation.objects.filter(session=rows.session).count() == 120
        assert SuspiciousActivity.objects.filter(session=rows.session).count() == 100
        assert Assessment.objects.filter(is_current=True).count() == 120
        assert MonitoringLog.objects.count() == 120 + 119 * 10


def test_an_unexpected_answer_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_benchmark, "list_addresses", lambda: [LOGIN])

    with pytest.raises(RuntimeError, match=f"{LOGIN} answers 405"):
        benchmark_api(sessions=1, calls=1, say=lambda step: None)


def run(*options: Any) -> str:
    out = StringIO()
    call_command("benchmark", "api", *options, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("_little")
def test_the_command_prints_a_table() -> None:
    lines = run("--rows", "1", "--calls", "1").splitlines()

    assert lines[0].split()[:4] == ["call", "role", "rows", "queries"]
    assert [line.split()[:4] for line in lines[1:4]] == [
        ["logs", "reviewer", "1", "5/5"],
        ["logs", "teacher", "1", "5/5"],
        ["logs", "admin", "1", "5/5"],
    ]
    assert any(line.split() == ["queries_grow", "none"] for line in lines)


@pytest.mark.usefixtures("_little")
def test_the_command_prints_json() -> None:
    figures = json.loads(run("--rows", "1", "--calls", "1", "--json"))

    assert (figures["sessions"], figures["calls_each"]) == (1, 1)


@pytest.mark.parametrize("rows", ["0", "-1", "many", "1000001"])
def test_the_command_refuses_what_is_no_number_of_rows(rows: str) -> None:
    with pytest.raises(CommandError, match="whole number from 1"):
        run("--rows", rows)


def test_a_percentile_is_a_time_that_was_measured() -> None:
    times = [float(number) for number in range(100, 0, -1)]

    assert (percentile(times, 50), percentile(times, 95), percentile([7.0], 95)) == (50.0, 95.0, 7.0)
