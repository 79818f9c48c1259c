"""The story that the Postman collection tells: one exam from the first sign-in to the report."""

from __future__ import annotations

import base64
from typing import Any

from proctoring.postman import ROOT, Step

FRAME, SOUND = "examples/frame.jpg", "examples/sound.wav"
"""Beside the collection: a test card that shows nobody, and a second of one tone."""

VARIABLES = {
    "base_url": "http://localhost:8000",
    "socket_url": "ws://localhost:8000",
    "admin_email": "admin@example.com",
    "admin_password": "",
    "picture": "data:image/jpeg;base64," + base64.b64encode((ROOT / "docs" / FRAME).read_bytes()).decode(),
}

# Names and passwords of this run, so that the collection can be run again on the same server.
PREPARE = (
    "const run = Date.now().toString(36) + Math.random().toString(36).slice(2, 6);",
    'pm.collectionVariables.set("run", run);',
    '["candidate", "teacher", "reviewer"].forEach((role) => {',
    "  pm.collectionVariables.set(`${role}_email`, `${role}-${run}@example.com`);",
    '  pm.collectionVariables.set(`${role}_password`, pm.variables.replaceIn("{{$guid}}"));',
    "});",
    'pm.collectionVariables.set("new_password", pm.variables.replaceIn("{{$guid}}"));',
)


def _sign_in(role: str, password: str = "") -> Step:
    body = {"email": f"{{{{{role}_email}}}}", "password": password or f"{{{{{role}_password}}}}"}
    kept = {f"{role}_token": "access", f"{role}_refresh": "refresh"}
    return Step("auth_login", body=body, keep=kept, name=f"Sign in as {role}")


def _person(role: str) -> dict[str, Any]:
    return {"email": f"{{{{{role}_email}}}}", "password": f"{{{{{role}_password}}}}", "full_name": role.title()}


EXAM = {"id": "{{exam}}"}
PROBLEM = {"id": "{{exam}}", "problem_pk": "{{problem}}"}
SITTING = {"id": "{{session}}"}
SECOND = {"id": "{{second_session}}"}
IN_EXAM = {"exam": "{{exam}}"}

SERVICE = (
    Step("about_get", before=PREPARE),
    Step("health_get"),
    Step("health_ready_get"),
)
PEOPLE = (
    _sign_in("admin"),
    Step(
        "admin_users_create",
        "admin",
        (201,),
        body={**_person("teacher"), "roles": ["teacher"]},
        keep={"teacher": "id"},
        name="Make a teacher",
    ),
    Step(
        "admin_users_create",
        "admin",
        (201,),
        body={**_person("reviewer"), "roles": ["reviewer"]},
        keep={"reviewer": "id"},
        name="Make a reviewer",
    ),
    Step("admin_users_list", "admin", query={"search": "{{run}}"}),
    Step("admin_users_get", "admin", path={"id": "{{teacher}}"}),
    Step("admin_users_update", "admin", path={"id": "{{teacher}}"}, body={"full_name": "Teacher", "is_active": True}),
    _sign_in("teacher"),
    _sign_in("reviewer"),
    Step(
        "auth_register",
        expect=(201,),
        body=_person("candidate"),
        keep={"candidate": "user.id", "candidate_token": "access"},
    ),
    _sign_in("candidate"),
    Step(
        "auth_login",
        form={"grant_type": "password", "username": "{{candidate_email}}", "password": "{{candidate_password}}"},
        keep={"candidate_token": "access_token", "candidate_refresh": "refresh"},
        name="Sign in by OAuth2 form",
    ),
    Step(
        "auth_refresh",
        body={"refresh": "{{candidate_refresh}}"},
        keep={"candidate_token": "access", "candidate_refresh": "refresh"},
    ),
    Step("auth_me_get", "candidate"),
    Step("auth_me_update", "candidate", body={"full_name": "Candidate", "language": "en"}),
    Step("auth_me_consents_get", "candidate", keep={"version": "current.0.version"}),
    Step(
        "auth_me_consents_create", "candidate", (200, 201), body={"purpose": "proctoring", "version": 3, "agree": True}
    ),
    Step(
        "auth_me_consents_create",
        "candidate",
        (200, 201),
        body={"purpose": "face", "version": 3, "agree": True},
        name="Agree to recognition by face",
    ),
    Step(
        "auth_me_face_create",
        "candidate",
        (201, 422, 503),
        body={"face": "{{picture}}"},
        name="Enrol the face (the test card has none; set picture to your own)",
    ),
    Step("auth_login_face_challenge", body={"email": "{{candidate_email}}"}, keep={"challenge": "challenge"}),
    Step(
        "auth_login_face",
        expect=(200, 422, 503),
        body={
            "email": "{{candidate_email}}",
            "challenge": "{{challenge}}",
            "pictures": ["{{picture}}", "{{picture}}"],
        },
    ),
    Step("auth_me_face_delete", "candidate", (204,)),
    Step(
        "auth_password",
        "candidate",
        body={"current": "{{candidate_password}}", "new": "{{new_password}}"},
        keep={"candidate_token": "access", "candidate_refresh": "refresh"},
    ),
    Step("auth_logout", expect=(200, 204, 205), body={"refresh": "{{candidate_refresh}}"}),
    _sign_in("candidate", "{{new_password}}"),
)
EXAMS = (
    Step(
        "exams_create",
        "teacher",
        (201,),
        body={"title": "Algebra {{run}}", "code": "algebra-{{run}}", "duration_minutes": 60, "max_attempts": None},
        keep={"exam": "id"},
    ),
    Step("exams_list", "teacher", query={"search": "{{run}}"}),
    Step("exams_get", "teacher", path=EXAM),
    Step("exams_update", "teacher", path=EXAM, body={"candidate_sees": "breakdown", "duration_minutes": 75}),
    Step("exams_problems_create", "teacher", (201,), path=EXAM, keep={"problem": "id"}),
    Step(
        "exams_problems_create",
        "teacher",
        (201,),
        path=EXAM,
        body={"title": "Left out", "points": 1},
        keep={"spare": "id"},
        name="Add another problem",
    ),
    Step("exams_problems_list", "teacher", path=EXAM),
    Step("exams_problems_get", "teacher", path=PROBLEM),
    Step("exams_problems_update", "teacher", path=PROBLEM),
    Step("exams_problems_delete", "teacher", (204,), path={"id": "{{exam}}", "problem_pk": "{{spare}}"}),
    Step("exams_policy_create", "teacher", (200, 201), path=EXAM),
    Step("exams_policy_replace", "teacher", (200, 201), path=EXAM),
    Step("exams_policy_get", "teacher", path=EXAM),
    Step(
        "exams_candidates_create",
        "teacher",
        (200, 201),
        path=EXAM,
        body=[{"email": "{{candidate_email}}"}, {"email": "second-{{run}}@example.com"}],
    ),
    Step(
        "exams_candidates_list",
        "teacher",
        path=EXAM,
        keep={"assigned": "results.0.id", "unwanted": "results.1.id"},
    ),
    Step("exams_candidates_get", "teacher", path={"id": "{{exam}}", "candidate_pk": "{{assigned}}"}),
    Step("exams_candidates_update", "teacher", path={"id": "{{exam}}", "candidate_pk": "{{assigned}}"}),
    Step("exams_candidates_delete", "teacher", (204,), path={"id": "{{exam}}", "candidate_pk": "{{unwanted}}"}),
    Step("exams_reviewers_create", "teacher", (200, 201), path=EXAM, body={"email": "{{reviewer_email}}"}),
    Step("exams_reviewers_list", "teacher", path=EXAM),
)
SITTING_STEPS = (
    Step(
        "sessions_create",
        "candidate",
        (201,),
        body=IN_EXAM,
        keep={"session": "id", "ticket": "socket.ticket"},
    ),
    Step(
        "sessions_check",
        "candidate",
        path=SITTING,
        body={
            "camera": {"available": True, "width": 640, "height": 480, "brightness": 0.5, "faces": 1},
            "microphone": {"available": True, "level_dbfs": -18.5},
            "network": {"rtt_ms": 40, "kbps": 4000},
            "screens": 1,
        },
    ),
    Step("sessions_begin", "candidate", path=SITTING),
    Step("sessions_ticket", "candidate", (200, 201), path=SITTING, keep={"ticket": "ticket"}),
    Step("sessions_frames", "candidate", (202,), path=SITTING, files={"file": FRAME}),
    Step("sessions_audio", "candidate", (202,), path=SITTING, files={"file": SOUND}),
    Step(
        "sessions_events",
        "candidate",
        (201,),
        path=SITTING,
        body={"events": [{"event_type": "TAB_SWITCH", "detail": {"duration_s": 4}}, {"event_type": "PASTE"}]},
    ),
    Step(
        "sessions_analyze",
        "candidate",
        (200, 202),
        path=SITTING,
        body={"image": "{{picture}}", "events": [{"event_type": "COPY"}]},
    ),
    Step("sessions_logs_create", "candidate", (201,), path=SITTING, body={"event_type": "USER_IDLE"}),
    Step("sessions_activities_create", "candidate", (201,), path=SITTING),
    Step("exams_problems_list", "candidate", path=EXAM, name="Read the problems"),
    Step("sessions_submissions_create", "candidate", (201,), path=SITTING),
    Step("sessions_submissions_list", "candidate", path=SITTING),
    Step("sessions_pause", "candidate", path=SITTING),
    Step("sessions_resume", "candidate", path=SITTING),
    Step("sessions_extend", "teacher", path=SITTING),
    Step("sessions_message", "teacher", (200, 201), path=SITTING),
    Step("sessions_get", "candidate", path=SITTING),
    Step("sessions_final_submit", "candidate", path=SITTING),
)
MORE_SITTINGS = (
    Step("sessions_create", "candidate", (201,), body=IN_EXAM, keep={"second_session": "id"}, name="Sit it again"),
    Step("sessions_terminate", "teacher", path=SECOND),
    Step("exams_update", "teacher", path=EXAM, body={"requires_check": False}, name="Do without the system check"),
    Step("sessions_create", "candidate", (201,), body=IN_EXAM, keep={"third_session": "id"}, name="And once more"),
    Step("sessions_begin", "candidate", path={"id": "{{third_session}}"}, name="Begin without a check"),
    Step("sessions_end", "candidate", path={"id": "{{third_session}}"}),
)
REVIEW = (
    Step("sessions_list", "reviewer", query={"ordering": "-risk_score"}),
    Step("sessions_summary_get", "reviewer", path=SITTING),
    Step("sessions_logs_list", "reviewer", path=SITTING),
    Step("sessions_observations_list", "reviewer", path=SITTING),
    Step("sessions_activities_list", "reviewer", path=SITTING, keep={"activity": "results.0.id"}),
    Step("activities_review", "reviewer", (201,), path={"id": "{{activity}}"}),
    Step("sessions_review", "reviewer", (201,), path=SITTING),
    Step("sessions_outcome_get", "candidate", path=SITTING),
    Step(
        "sessions_outcome_evidence_get",
        "candidate",
        (404,),
        path={"id": "{{session}}", "activity_pk": "{{activity}}"},
        name="Look at the evidence of what did not count",
    ),
    Step("sessions_appeal", "candidate", (201,), path=SITTING),
    Step(
        "sessions_review",
        "teacher",
        (201,),
        path=SITTING,
        body={"outcome": "clear", "reason": "Nobody else answered the questions."},
        name="Decide on the appeal",
    ),
    Step("sessions_outcome_get", "candidate", path=SITTING, name="Look what came of the appeal"),
    Step("logs_list", "reviewer"),
    Step("activities_list", "reviewer", query={"kind": "TAB_SWITCH"}),
    Step("observations_list", "reviewer"),
    Step("submissions_list", "reviewer"),
    Step("monitoring_stats_get", "reviewer"),
    Step("sessions_clear_logs", "admin", path=SITTING),
)
DASHBOARD = (
    Step("admin_stats_get", "admin"),
    Step("admin_candidates_list", "teacher"),
    Step("admin_sessions_list", "teacher"),
    Step("admin_sessions_events_list", "teacher", path=SITTING),
)
REPORT_BEFORE = (
    # The report is made in the background; waiting a moment here spares a second attempt.
    "setTimeout(() => {}, 5000);",
)
REPORTS = (
    Step("sessions_report_create", "teacher", (202,), path=SITTING),
    Step("sessions_report_get", "teacher", path=SITTING, before=REPORT_BEFORE),
    Step("sessions_report_pdf_get", "teacher", path=SITTING),
    Step("sessions_report_json_get", "teacher", path=SITTING),
)
TIDY = (
    Step("exams_reviewers_delete", "teacher", (204,), path={"id": "{{exam}}", "user_pk": "{{reviewer}}"}),
    Step(
        "exams_create",
        "teacher",
        (201,),
        body={"title": "Unused {{run}}", "code": "unused-{{run}}"},
        keep={"unused": "id"},
        name="Create an exam by mistake",
    ),
    Step("exams_delete", "teacher", (204,), path={"id": "{{unused}}"}),
)
CHAPTERS = {
    "Service": SERVICE,
    "People": PEOPLE,
    "An exam": EXAMS,
    "A sitting": SITTING_STEPS,
    "More sittings": MORE_SITTINGS,
    "Review": REVIEW,
    "Reports": REPORTS,
    "Dashboards": DASHBOARD,
    "Tidying up": TIDY,
}


SOCKETS = """\
Postman keeps WebSocket requests apart from collections, so here are the addresses and messages to paste into one.

Candidate: `{{socket_url}}/ws/proctoring/{{session}}/?ticket={{ticket}}` (also `/ws/{{session}}`, and
`/api/v1/proctoring/ws/{{session}}?token={{candidate_token}}`). Staff: `{{socket_url}}/ws/review/{{exam}}/`.

To the server:

```json
{"type": "hello", "last_acked": {"frame": 0}}
{"type": "frame", "seq": 1, "captured_at": 1767344400000, "data": "data:image/jpeg;base64,..."}
{"type": "event", "seq": 1, "event": "TAB_SWITCH", "detail": {"duration_s": 4}}
{"type": "ping"}
```

From the server:

```json
{"type": "hello", "resume_from": {"frame": 1}, "policy": {}}
{"type": "ack", "stream": "frame", "seq": 1}
{"type": "logs", "data": [{"event": "Face not detected", "kind": "NO_FACE", "time": "…"}], "stored": true}
{"type": "status", "session": "paused"}
{"type": "message", "text": "Please move a little to the left."}
{"type": "health", "load": 0}
{"type": "error", "code": "invalid", "detail": "This message cannot be understood."}
```
"""
