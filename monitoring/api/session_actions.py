"""What is done with a running session: pauses, more time, messages, its end, and clearing its logs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.addresses import client_address
from accounts.openapi import describe
from accounts.permissions import IsAdmin
from exams.breaks import pause_session, resume_session
from exams.lifecycle import extend_session, move_session, submit_session
from exams.models import ExamSession, SessionStatus
from monitoring.api.session_calls import (
    DETAIL_EXAMPLE,
    SCORES_EXAMPLE,
    OwnSessionCall,
    SessionCall,
    StaffSessionCall,
)
from monitoring.api.session_serializers import (
    ClearedSerializer,
    ProctorMessageSerializer,
    SessionDetailSerializer,
    SessionResultSerializer,
)
from monitoring.clearing import clear_logs
from monitoring.lost_time import give_back_time
from monitoring.messages import send_message
from monitoring.selectors import current_assessment
from monitoring.session_summary import EVERYTHING, scores_of, told_to_candidate
from monitoring.waiting import wait_until_closed

ENDED_EXAMPLE: dict[str, Any] = {**DETAIL_EXAMPLE, "status": "submitted", "ended_at": "2026-03-02T10:00:00Z"}
RESULT_EXAMPLE: dict[str, Any] = {**SCORES_EXAMPLE, "session": ENDED_EXAMPLE, "final": True}


class OptionalReasonSerializer(serializers.Serializer):
    """Why, if it is told."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)


class ReasonSerializer(serializers.Serializer):
    """Why."""

    reason = serializers.CharField(max_length=500)


class ExtensionSerializer(serializers.Serializer):
    """How many minutes more, and why; or all the time that was lost with the connection."""

    minutes = serializers.IntegerField(min_value=1, max_value=1440, required=False)
    lost_time = serializers.BooleanField(required=False, default=False)
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=480)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for either of the two."""
        if attrs["lost_time"] == ("minutes" in attrs):
            raise serializers.ValidationError({"minutes": _("Send either minutes or lost_time.")})
        return attrs


class SessionPause(SessionCall):
    """A pause."""

    @describe(
        "Pause a session",
        tag="sessions",
        request=OptionalReasonSerializer,
        sends={"reason": "A short break."},
        answer=SessionDetailSerializer,
        gets={**DETAIL_EXAMPLE, "status": "paused"},
        says="The clock stops and nothing is examined. Staff may pause at any time; the candidate where the policy "
        "lets them, or for what is left of their breaks: such a break ends by itself (pause_ends_at). The candidate's "
        "socket is told, with the reason that staff gave.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Pause and answer with the session."""
        reason = self.checked(OptionalReasonSerializer)["reason"]
        session = self.find()
        staff = self.viewer.is_staff_of(session)
        pause_session(session=session, by=self.user, as_staff=staff, reason=reason)
        return Response(self.shown(session.pk))


class SessionResume(SessionCall):
    """The end of a pause."""

    @describe(
        "Resume a session",
        tag="sessions",
        answer=SessionDetailSerializer,
        gets=DETAIL_EXAMPLE,
        says="The clock runs again. Candidates end their own pauses; one by staff is ended by staff (paused_by_staff).",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Resume and answer with the session."""
        session = self.find()
        resume_session(session=session, by=self.user, as_staff=self.viewer.is_staff_of(session))
        return Response(self.shown(session.pk))


class SessionEnd(SessionCall):
    """The end of a session."""

    serializer_class = SessionResultSerializer

    @describe(
        "End a session",
        tag="sessions",
        answer=SessionResultSerializer,
        gets=RESULT_EXAMPLE,
        says="Submits the session; the last version of each answer is final. Waits a few seconds for what was sent "
        "last to be analysed; where that takes longer, the scores are those so far and final is false. A session whose "
        "time is up has expired when it was. Candidates are "
        "told the scores as the exam's settings allow.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Submit the session and answer with what it adds up to."""
        return Response(self._submit(self.find()))

    def _submit(self, session: ExamSession) -> Any:
        staff = self.viewer.is_staff_of(session)
        session = submit_session(session=session, by=self.user)
        final = wait_until_closed(session.pk)
        told = EVERYTHING if staff else told_to_candidate(session)
        shown = self.get_queryset().get(pk=session.pk)
        scores = scores_of(current_assessment(session, to=self.user), told, to_staff=staff)
        return self.get_serializer({"session": shown, "final": final, **scores}).data


class SessionFinalSubmit(SessionEnd, OwnSessionCall):
    """The candidate's final submission."""

    permission_classes = OwnSessionCall.permission_classes

    @describe(
        "Submit finally",
        tag="submissions",
        answer=SessionResultSerializer,
        gets=RESULT_EXAMPLE,
        says="The last version of each answer is final, and the session ends, as by end.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Submit the session and answer with what it adds up to."""
        return Response(self._submit(self.find_own()))


class SessionTerminate(StaffSessionCall):
    """The end of a session by staff."""

    @describe(
        "Terminate a session",
        tag="sessions",
        request=ReasonSerializer,
        sends={"reason": "Somebody else took the candidate's place."},
        answer=SessionDetailSerializer,
        gets={**ENDED_EXAMPLE, "status": "terminated"},
        says="Ends the session at once, for a reason that is written into its history and told to the candidate.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Terminate and answer with the session."""
        reason = self.checked(ReasonSerializer)["reason"]
        session = self.find_as_staff()
        move_session(session=session, to=SessionStatus.TERMINATED, by=self.user, reason=reason)
        return Response(self.shown(session.pk))


class SessionExtend(StaffSessionCall):
    """More time."""

    @describe(
        "Extend a session",
        tag="sessions",
        request=ExtensionSerializer,
        sends={"minutes": 10, "reason": "Fire alarm."},
        answer=SessionDetailSerializer,
        gets=DETAIL_EXAMPLE,
        says="Gives an open session more minutes, before or after it has begun; at most a day in all. With "
        '{"lost_time": true} in place of minutes it gives back the time for which the connection was lost while the '
        "clock ran, rounded up to whole minutes and once for each gap; where there is none, it answers no_lost_time. "
        "The candidate's socket is told, with the reason.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Extend and answer with the session."""
        sent = self.checked(ExtensionSerializer)
        session = self.find_as_staff()
        if sent["lost_time"]:
            give_back_time(session=session, by=self.user)
        else:
            extend_session(session=session, minutes=sent["minutes"], by=self.user, reason=sent["reason"])
        return Response(self.shown(session.pk))


class SessionMessage(StaffSessionCall):
    """A word to the candidate."""

    serializer_class = ProctorMessageSerializer

    @describe(
        "Send a message to the candidate",
        tag="sessions",
        request=ProctorMessageSerializer,
        sends={"text": "Please move a little to the left."},
        answer=ProctorMessageSerializer,
        gets={"text": "Please move a little to the left.", "sent_at": "2026-03-02T09:05:00Z"},
        status=201,
        says="It stands in the session's log and among the messages of the session, and counts for nothing.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Keep the message and answer with it."""
        text = self.checked(ProctorMessageSerializer)["text"]
        message = send_message(session=self.find_as_staff(), text=text, by=self.user)
        return Response(self.get_serializer(message).data, status=201)


class SessionClearLogs(StaffSessionCall):
    """Setting logs aside."""

    permission_classes = [IsAdmin]
    serializer_class = ClearedSerializer

    @describe(
        "Clear the logs of a session",
        tag="sessions",
        request=ReasonSerializer,
        sends={"reason": "The browser reported a tab switch every second."},
        answer=ClearedSerializer,
        gets={"cleared": 240, "activities_removed": 3, **SCORES_EXAMPLE},
        says="Sets the session's log entries aside: out of lists and scores, but kept, with the reason, for the audit "
        "trail. The session is judged again from what is left. For admins.",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Set the logs aside and answer with what is left."""
        reason = self.checked(ReasonSerializer)["reason"]
        session = self.find_as_staff()
        cleared = clear_logs(session=session, reason=reason, by=self.user, ip_address=client_address(request))
        scores = scores_of(current_assessment(session, to=self.user), EVERYTHING, to_staff=True)
        counts = {"cleared": cleared.logs, "activities_removed": cleared.activities}
        return Response(self.get_serializer({**counts, **scores}).data)
