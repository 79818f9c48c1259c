"""What the calls about one session have in common."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from rest_framework import generics
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt.tokens import Token

from accounts.models import User
from accounts.permissions import IsCandidate, IsStaff, signed_in
from accounts.tokens import SIGN_IN
from exams.models import ExamSession
from exams.tickets import issue_ticket
from monitoring import presence
from monitoring.api.session_serializers import SessionDetailSerializer
from monitoring.selectors import Viewer, reachable_sessions, with_scores

SESSION_EXAMPLE: dict[str, Any] = {
    "id": "5b0e7a7c-0f53-4a55-9d0a-6f4b1f7a2c11",
    "exam": {"id": "c2b1f0de-7b1d-4e0a-8a0f-3d7c5b9e1a22", "code": "algebra-1", "title": "Algebra I"},
    "candidate": {
        "id": "3f6c1d8e-9a0b-4c5d-8e7f-1a2b3c4d5e6f",
        "email": "candidate@example.com",
        "full_name": "Candidate One",
        "external_id": "4711",
    },
    "status": "active",
    "source": "live",
    "policy_version": 1,
    "created_at": "2026-03-02T08:55:00Z",
    "started_at": "2026-03-02T09:00:00Z",
    "ended_at": None,
    "deadline_at": "2026-03-02T10:15:00Z",
    "risk_score": None,
    "risk_level": None,
    "reviewed_risk_score": None,
    "trust_score": None,
    "compliance_score": None,
}
CHECK_EXAMPLE: dict[str, Any] = {
    "checked_at": "2026-03-02T08:56:00Z",
    "passed": True,
    "findings": [
        {
            "code": "too_dark",
            "blocks": False,
            "finding": "The picture is very dark.",
            "advice": "Put a light in front of you.",
        }
    ],
}
DETAIL_EXAMPLE: dict[str, Any] = {
    **SESSION_EXAMPLE,
    "recording_name": "",
    "time": {
        "allowed_s": 4500.0,
        "used_s": 600.0,
        "left_s": 3900.0,
        "deadline_at": "2026-03-02T10:15:00Z",
        "extended_minutes": 0,
        "break_left_s": 300.0,
        "paused": False,
        "pause_ends_at": None,
    },
    "accommodations": {"extra_minutes": 0, "time_factor": 1.25, "break_minutes": 5, "muted": ["gaze"]},
    "policy": {
        "version": 1,
        "senses": ["camera", "faces", "objects"],
        "frames_per_second": 1.0,
        "candidate_may_pause": False,
        "requires_check": True,
    },
    "system_check": CHECK_EXAMPLE,
    "messages": [{"text": "Please move a little to the left.", "sent_at": "2026-03-02T09:05:00Z"}],
}
SOCKET_EXAMPLE: dict[str, Any] = {
    "url": "/ws/proctoring/5b0e7a7c-0f53-4a55-9d0a-6f4b1f7a2c11/",
    "ticket": "q0Yl1m8dO2xJ8b1cJm2rJ4a8Hs0d3m5v7x9z1b3d5f7",
    "expires_in": 60,
}
SCORES_EXAMPLE: dict[str, Any] = {
    "risk_score": 5.0,
    "risk_level": "Medium",
    "reviewed_risk_score": 2.0,
    "trust_score": 75.0,
    "compliance_score": 97.5,
    "breakdown": [
        {
            "kind": "TAB_SWITCH",
            "label": "Left the exam tab",
            "count": 1,
            "weight": 3.0,
            "raw": 3.0,
            "cap": 9.0,
            "points": 3.0,
        },
        {
            "kind": "NO_FACE",
            "label": "Nobody in view",
            "count": 1,
            "weight": 2.0,
            "raw": 2.0,
            "cap": 6.0,
            "points": 2.0,
        },
    ],
}


def rows_of(sessions: QuerySet[ExamSession]) -> QuerySet[Any]:
    """Return sessions with all that a row of them shows."""
    return with_scores(sessions).select_related("exam", "candidate__user", "policy")


def socket_of(session: ExamSession, request: Request) -> dict[str, Any]:
    """Return where the session's socket is, with a fresh ticket for its candidate, good while they are signed in."""
    user: Any = request.user
    sign_in = request.auth.get(SIGN_IN, "") if isinstance(request.auth, Token) else ""
    ticket, expires_in = issue_ticket(session=session, user=user, sign_in=str(sign_in))
    return {"url": f"/ws/proctoring/{session.pk}/", "ticket": ticket, "expires_in": expires_in}


class SessionCall(generics.GenericAPIView):
    """A call about one session, found among those that the caller may see."""

    queryset = ExamSession.objects.none()
    serializer_class: Any = SessionDetailSerializer
    permission_classes: Any = [IsCandidate | IsStaff]

    @cached_property
    def viewer(self) -> Viewer:
        """Who looks."""
        return Viewer(signed_in(self.request))

    @property
    def user(self) -> User:
        """Who calls."""
        return self.viewer.user

    def get_queryset(self) -> QuerySet[Any]:
        """Return the sessions that the caller may see."""
        return rows_of(reachable_sessions(self.user))

    def get_serializer_context(self) -> dict[str, Any]:
        """Tell serializers who looks."""
        return {**super().get_serializer_context(), "viewer": self.viewer}

    def find(self) -> ExamSession:
        """Return the session named in the address, or answer that there is none.

        A call by which its candidate does something is a sign of life.
        """
        session: ExamSession = get_object_or_404(self.get_queryset(), pk=self.kwargs["pk"])
        if session.candidate.user_id == self.user.pk and self.request.method not in SAFE_METHODS:
            presence.seen(session.pk)
        return session

    def find_own(self) -> ExamSession:
        """Return the session if the caller sits it; staff who see it may not do this."""
        session = self.find()
        if session.candidate.user_id != self.user.pk:
            raise PermissionDenied
        return session

    def find_as_staff(self) -> ExamSession:
        """Return the session if the caller is staff of its exam; its candidate may not do this."""
        session = self.find()
        if not self.viewer.is_staff_of(session):
            raise PermissionDenied
        return session

    def checked(self, serializer: type[Any]) -> dict[str, Any]:
        """Return what was sent, once it is known to be right."""
        sent = serializer(data=self.request.data)
        sent.is_valid(raise_exception=True)
        data: dict[str, Any] = sent.validated_data
        return data

    def shown(self, session_id: UUID, serializer: type[Any] = SessionDetailSerializer, **context: Any) -> Any:
        """Return the session as it now is, as the caller is told it."""
        session = rows_of(reachable_sessions(self.user)).get(pk=session_id)
        return serializer(session, context=self.get_serializer_context() | context).data


class OwnSessionCall(SessionCall):
    """A call that only the candidate who sits the session makes."""

    permission_classes = [IsCandidate]


class StaffSessionCall(SessionCall):
    """A call that only staff of the exam makes."""

    permission_classes = [IsStaff]
