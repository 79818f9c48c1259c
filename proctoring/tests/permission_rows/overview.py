"""Who may read numbers and lists across sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitoring.models import MonitoringLog
from proctoring.tests.permission_rows.monitoring import activities_of_active, activities_of_all, of_active
from proctoring.tests.permission_rows.row import Row, keys
from proctoring.tests.world import Place

# Admins see everything, teachers their own exams, reviewers have the console.
TEACHERS = "401 403 403 200 200 403 200"


def counts_sessions(told: Any, places: Sequence[Place]) -> bool:
    """The sessions of the places that the caller sees are counted, and no more."""
    total: int = told["sessions"]["total"]
    return total == sum(len(place.sessions) for place in places)


ROWS = [
    Row(
        "GET /api/v1/monitoring/stats",
        "401 403 403 200 200 200 200",
        "401 403 403 200 200 200 200",
        tells=lambda told, places: counts_sessions(told, places)
        and told["activities"]["total"] == sum(len(activities_of_all(place)) for place in places),
    ),
    Row("GET /api/v1/admin/stats", TEACHERS, TEACHERS, tells=counts_sessions),
    Row("GET /api/v1/admin/candidates", TEACHERS, TEACHERS, lists=lambda place: keys(place.candidate)),
    Row("GET /api/v1/admin/sessions", TEACHERS, TEACHERS, lists=lambda place: keys(*place.sessions)),
    Row(
        "GET /api/v1/admin/sessions/{id}/events",
        "401 403 403 200 404 403 200",
        "401 403 403 404 200 403 200",
        at={"id": "active"},
        lists=lambda place: of_active(MonitoringLog)(place) | activities_of_active(place),
        key=lambda event: event[event["type"]]["id"],
    ),
]
