"""What is measured of the session page: that it is the page, whole and paid for; never times."""

import json

import pytest
from django.core.management import call_command

from exams.models import ExamSession
from monitoring.models import Observation
from monitoring.page_benchmark import benchmark_page

pytestmark = pytest.mark.django_db


def test_it_measures_a_page_with_all_its_activities_and_leaves_nothing_behind():
    steps = []
    small, large = (benchmark_page(observations=60, activities=count, calls=2, say=steps.append) for count in (1, 12))
    assert 10 < small["queries"] == large["queries"] <= 15
    assert large["page_bytes"] - small["page_bytes"] > 11 * 1000
    assert set(large["wall_ms"]) == set(large["cpu_ms"])
    assert steps == ["rows", "page"] * 2
    assert not (ExamSession.objects.exists() or Observation.objects.exists())


def test_the_command_prints_the_figures(capsys):
    call_command("benchmark", "page", observations=30, activities=3, calls=1, json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["observations"], told["activities"]) == (30, 3)
