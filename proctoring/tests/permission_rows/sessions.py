"""Who may call what about sessions and their life-cycle."""

from __future__ import annotations

from django.db.models import Q

from accounts.models import AuditEvent
from exams.models import ExamSession, SocketTicket
from monitoring.models import LogClearing, MonitoringLog
from proctoring.tests.permission_rows.row import Cell, Row, keys

LOOK_OWN, LOOK_OTHERS = "401 200 404 200 404 200 200", "401 404 200 404 200 404 200"
SIT_OWN, SIT_OTHERS = "401 200 404 403 403 403 403", "401 404 200 403 403 403 403"
STAFF_OWN, STAFF_OTHERS = "401 403 403 200 404 200 200", "401 403 403 404 200 404 200"

SYSTEM_CHECK = {"camera": {"available": True, "faces": 1}, "microphone": {"available": True}}


def exam_and_candidate(cell: Cell) -> dict[str, str]:
    """Candidates sit an exam themselves, staff name who shall."""
    sent = {"exam": cell.place.draft.code}
    return sent if "candidate" in cell.role else sent | {"candidate": cell.place.candidate_user.email}


def sits_draft(cell: Cell) -> bool:
    """The place's candidate, and nobody else, has a sitting of the place's draft."""
    drafts = ExamSession.objects.filter(exam__code__endswith="-draft")
    found = [(session.exam, session.candidate, session.status) for session in drafts]
    return found == [(cell.place.draft, cell.place.candidate, "created")]


def has_ticket(cell: Cell) -> bool:
    """There is one ticket: for whoever calls, to the place's active session."""
    return list(SocketTicket.objects.values_list("session", "user")) == [(cell.place.active.pk, cell.caller)]


def stepped(cell: Cell, name: str, status: str, reason: str = "") -> bool:
    """The session has this status now, and its history says who gave it to it and why."""
    last = getattr(cell.place, name).transitions.order_by("id").last()
    said = last is not None and (last.by, last.to_status, last.reason) == (cell.user, status, reason)
    return said and cell.now(name).status == status


def is_final(cell: Cell) -> bool:
    """What was answered in the active session of the place is final."""
    return list(cell.place.active.submissions.values_list("is_final", flat=True)) == [True]


def extended(cell: Cell) -> bool:
    """The active session of the place, and no other, has ten minutes more."""
    longer = ExamSession.objects.filter(~Q(extended_minutes=0))
    gained = cell.now("active").deadline_at - cell.place.active.deadline_at
    return [(row.pk, row.extended_minutes) for row in longer] == [(cell.place.active.pk, 10)] and gained.seconds == 600


def messages(cell: Cell) -> list[tuple[object, object]]:
    """Sessions in which a proctor said something, and what."""
    return list(MonitoringLog.objects.filter(source="proctor").values_list("session", "detail__text"))


def cleared(cell: Cell) -> bool:
    """The log of the place's ended session, and no other, is set aside, which is on record."""
    [clearing] = LogClearing.objects.all() or [None]
    return (
        clearing is not None
        and (clearing.session, clearing.cleared_by, clearing.reason) == (cell.place.ended, cell.user, "Noise.")
        and set(clearing.logs.all()) == set(MonitoringLog.objects.filter(session=cell.place.ended))
        and AuditEvent.objects.filter(actor=cell.user).count() == 1
    )


LOOKING = [
    Row(
        "GET /api/v1/sessions",
        "401 200 200 200 200 200 200",
        "401 200 200 200 200 200 200",
        lists=lambda place: keys(*place.sessions),
    ),
    Row("GET /api/v1/sessions/{id}", LOOK_OWN, LOOK_OTHERS, at={"id": "active"}),
    Row("GET /api/v1/sessions/{id}/summary", LOOK_OWN, LOOK_OTHERS, at={"id": "ended"}),
]

SITTING = [
    # Reviewers see and judge; whoever may sit an exam is arranged by its teacher.
    Row(
        "POST /api/v1/sessions",
        "401 201 404 201 404 403 201",
        "401 404 201 404 201 403 201",
        sends=exam_and_candidate,
        holds=sits_draft,
    ),
    Row(
        "POST /api/v1/sessions/{id}/check",
        SIT_OWN,
        SIT_OTHERS,
        at={"id": "created"},
        sends=SYSTEM_CHECK,
        holds=lambda cell: cell.now("created").system_check.get("passed") and stepped(cell, "created", "checking_in"),
    ),
    Row(
        "POST /api/v1/sessions/{id}/begin",
        SIT_OWN,
        SIT_OTHERS,
        at={"id": "created"},
        holds=lambda cell: cell.now("created").started_at is not None and stepped(cell, "created", "active"),
    ),
    Row(
        "POST /api/v1/sessions/{id}/ticket",
        "401 201 404 403 403 403 403",
        "401 404 201 403 403 403 403",
        at={"id": "active"},
        holds=has_ticket,
    ),
    # The policy lets the candidate pause, and the pause that is on was theirs.
    Row(
        "POST /api/v1/sessions/{id}/pause",
        LOOK_OWN,
        LOOK_OTHERS,
        at={"id": "active"},
        sends={"reason": "A break."},
        holds=lambda cell: cell.now("active").paused_at is not None and stepped(cell, "active", "paused", "A break."),
    ),
    Row(
        "POST /api/v1/sessions/{id}/resume",
        LOOK_OWN,
        LOOK_OTHERS,
        at={"id": "paused"},
        holds=lambda cell: cell.now("paused").paused_at is None and stepped(cell, "paused", "active"),
    ),
    Row(
        "POST /api/v1/sessions/{id}/end",
        LOOK_OWN,
        LOOK_OTHERS,
        at={"id": "active"},
        holds=lambda cell: is_final(cell) and stepped(cell, "active", "submitted"),
    ),
    Row(
        "POST /api/v1/sessions/{id}/final-submit",
        SIT_OWN,
        SIT_OTHERS,
        at={"id": "active"},
        holds=lambda cell: is_final(cell) and stepped(cell, "active", "submitted"),
    ),
]

WATCHING = [
    Row(
        "POST /api/v1/sessions/{id}/terminate",
        STAFF_OWN,
        STAFF_OTHERS,
        at={"id": "active"},
        sends={"reason": "Somebody else."},
        holds=lambda cell: stepped(cell, "active", "terminated", "Somebody else."),
    ),
    Row(
        "POST /api/v1/sessions/{id}/extend",
        STAFF_OWN,
        STAFF_OTHERS,
        at={"id": "active"},
        sends={"minutes": 10},
        holds=extended,
    ),
    Row(
        "POST /api/v1/sessions/{id}/message",
        "401 403 403 201 404 201 201",
        "401 403 403 404 201 404 201",
        at={"id": "active"},
        sends={"text": "Please sit up."},
        holds=lambda cell: messages(cell) == [(cell.place.active.pk, "Please sit up.")],
    ),
    Row(
        "POST /api/v1/sessions/{id}/clear-logs",
        "401 403 403 403 403 403 200",
        "401 403 403 403 403 403 200",
        at={"id": "ended"},
        sends={"reason": "Noise."},
        holds=cleared,
    ),
]

ROWS = [*LOOKING, *SITTING, *WATCHING]
