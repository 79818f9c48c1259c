"""Who may read what was watched, report and judge."""

from __future__ import annotations

from typing import Any

from django.core.files.base import ContentFile

from monitoring.case_models import Appeal
from monitoring.models import Evidence, MonitoringLog, Observation, ReviewDecision, SuspiciousActivity
from monitoring.review import decide_activity, decide_session
from proctoring.tests.permission_rows.row import Cell, Row, keys
from proctoring.tests.world import Place

LOOK_OWN, LOOK_OTHERS = "401 200 404 200 404 200 200", "401 404 200 404 200 404 200"
ADD_OWN, ADD_OTHERS = "401 201 404 201 404 201 201", "401 404 201 404 201 404 201"
JUDGE_OWN, JUDGE_OTHERS = "401 403 403 201 404 201 201", "401 403 403 404 201 404 201"
STAFF_OWN, STAFF_OTHERS = "401 403 403 200 404 200 200", "401 403 403 404 200 404 200"
ALL_STAFF = "401 403 403 200 200 200 200"


def of_active(rows: Any) -> Any:
    """Return what gives the ids of such rows of a place's active session."""
    return lambda place: set(rows.objects.filter(session=place.active).values_list("pk", flat=True))


def of_all(rows: Any) -> Any:
    """Return what gives the ids of such rows of all sessions of a place."""
    return lambda place: set(rows.objects.filter(session__in=place.sessions).values_list("pk", flat=True))


def activities_of_active(place: Place) -> set[str]:
    """The activities of a place's active session."""
    return keys(*SuspiciousActivity.objects.filter(session=place.active))


def activities_of_all(place: Place) -> set[str]:
    """The activities of all sessions of a place."""
    return keys(*SuspiciousActivity.objects.filter(session__in=place.sessions))


def noted(cell: Cell, event_type: str) -> bool:
    """The place's active session, and no other, has this in its log: the candidate's word or the proctor's."""
    source = "client" if "candidate" in cell.role else "proctor"
    logs = MonitoringLog.objects.filter(event_type=event_type)
    return [(log.session, log.source) for log in logs] == [(cell.place.active, source)]


def decided(cell: Cell, activity: SuspiciousActivity | None, verdict: str) -> bool:
    """There is one decision, by whoever calls."""
    decisions = ReviewDecision.objects.values_list("session", "activity", "verdict", "reason", "reviewer")
    said = (cell.place.ended.pk, activity and activity.pk, verdict, "A break was agreed.", cell.caller)
    return list(decisions) == [said]


def evidence_counted(cell: Cell) -> bool:
    """Decide against the candidate by an activity of which a picture was kept."""
    activity, by = cell.place.ended_activity, cell.place.assistant
    file = ContentFile(b"\xff\xd8\xff picture", name="evidence.jpg")
    Evidence.objects.create(activity=activity, file=file, sha256="0" * 64, captured_at=activity.started_at, seq=1)
    decide_activity(activity=activity, verdict="confirmed", reason="Seen.", reviewer=by)
    decide_session(session=cell.place.ended, outcome="violation", reason="Seen.", reviewer=by)
    return True


def appealed(cell: Cell) -> bool:
    """The place's ended session, and no other, waits for a decision on what its candidate said."""
    appeals = Appeal.objects.filter(session__review__stage="appeal").values_list("session", "text", "state")
    return list(appeals) == [(cell.place.ended.pk, "The door bell rang.", "open")]


RECORDS = [
    # The candidate reads how often, staff read the rows.
    Row(
        "GET /api/v1/sessions/{id}/logs",
        LOOK_OWN,
        LOOK_OTHERS,
        at={"id": "active"},
        lists=of_active(MonitoringLog),
        summed_up=True,
    ),
    Row(
        "POST /api/v1/sessions/{id}/logs",
        ADD_OWN,
        ADD_OTHERS,
        at={"id": "active"},
        sends={"event_type": "NOTE", "detail": {"text": "The door bell."}},
        holds=lambda cell: noted(cell, "NOTE"),
    ),
    Row(
        "GET /api/v1/sessions/{id}/activities",
        LOOK_OWN,
        LOOK_OTHERS,
        at={"id": "active"},
        lists=activities_of_active,
        summed_up=True,
    ),
    Row(
        "POST /api/v1/sessions/{id}/activities",
        ADD_OWN,
        ADD_OTHERS,
        at={"id": "active"},
        sends={"kind": "SECOND_SCREEN"},
        holds=lambda cell: noted(cell, "SECOND_SCREEN")
        and list(SuspiciousActivity.objects.filter(kind="SECOND_SCREEN").values_list("session", flat=True))
        == [cell.place.active.pk],
    ),
    Row(
        "GET /api/v1/sessions/{id}/observations",
        STAFF_OWN,
        STAFF_OTHERS,
        at={"id": "active"},
        lists=of_active(Observation),
    ),
    Row("GET /api/v1/logs", ALL_STAFF, ALL_STAFF, lists=of_all(MonitoringLog)),
    Row("GET /api/v1/activities", ALL_STAFF, ALL_STAFF, lists=activities_of_all),
    Row("GET /api/v1/observations", ALL_STAFF, ALL_STAFF, lists=of_all(Observation)),
]

DECISIONS = [
    Row(
        "POST /api/v1/activities/{id}/review",
        JUDGE_OWN,
        JUDGE_OTHERS,
        at={"id": "ended_activity"},
        sends={"verdict": "dismissed", "reason": "A break was agreed."},
        holds=lambda cell: decided(cell, cell.place.ended_activity, "dismissed"),
    ),
    Row(
        "POST /api/v1/sessions/{id}/review",
        JUDGE_OWN,
        JUDGE_OTHERS,
        at={"id": "ended"},
        sends={"outcome": "clear", "reason": "A break was agreed."},
        holds=lambda cell: decided(cell, None, "clear"),
    ),
    # What the candidate is told is no secret to those who decide it.
    Row("GET /api/v1/sessions/{id}/outcome", LOOK_OWN, LOOK_OTHERS, at={"id": "ended"}),
    # What follows is the candidate's alone; staff look at evidence in the console.
    Row(
        "GET /api/v1/sessions/{id}/outcome/evidence/{activity_pk}",
        "401 200 404 403 403 403 403",
        "401 404 200 403 403 403 403",
        at={"id": "ended", "activity_pk": "ended_activity"},
        given=evidence_counted,
    ),
    Row(
        "POST /api/v1/sessions/{id}/appeal",
        "401 201 404 403 403 403 403",
        "401 404 201 403 403 403 403",
        at={"id": "ended"},
        sends={"text": "The door bell rang."},
        given=evidence_counted,
        holds=appealed,
    ),
]

ROWS = [*RECORDS, *DECISIONS]
