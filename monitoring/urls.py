"""Addresses of monitoring under ``/api/v1/``."""

from django.urls import URLPattern, path

from monitoring.api import records
from monitoring.api import session_actions as actions
from monitoring.api import session_check as check
from monitoring.api.admin_lists import AdminCandidateList, AdminSessionList
from monitoring.api.analyze import AnalyzeView
from monitoring.api.dashboard import AdminStats
from monitoring.api.events import EventsView
from monitoring.api.intake import AudioView, FrameView
from monitoring.api.outcome import SessionAppeal, SessionOutcome, SessionOutcomeEvidence
from monitoring.api.review import ActivityReview, SessionReview
from monitoring.api.session_events import AdminSessionEvents
from monitoring.api.session_summary import SessionSummary
from monitoring.api.sessions import SessionDetail, SessionList
from monitoring.api.stats import MonitoringStats

urlpatterns: list[URLPattern] = [
    path("sessions", SessionList.as_view(), name="session-list"),
    path("sessions/<uuid:pk>", SessionDetail.as_view(), name="session-detail"),
    path("sessions/<uuid:pk>/summary", SessionSummary.as_view(), name="session-summary"),
    path("sessions/<uuid:pk>/check", check.SessionCheck.as_view(), name="session-check"),
    path("sessions/<uuid:pk>/begin", check.SessionBegin.as_view(), name="session-begin"),
    path("sessions/<uuid:pk>/ticket", check.SessionTicket.as_view(), name="session-ticket"),
    path("sessions/<uuid:pk>/pause", actions.SessionPause.as_view(), name="session-pause"),
    path("sessions/<uuid:pk>/resume", actions.SessionResume.as_view(), name="session-resume"),
    path("sessions/<uuid:pk>/end", actions.SessionEnd.as_view(), name="session-end"),
    path("sessions/<uuid:pk>/final-submit", actions.SessionFinalSubmit.as_view(), name="session-final-submit"),
    path("sessions/<uuid:pk>/terminate", actions.SessionTerminate.as_view(), name="session-terminate"),
    path("sessions/<uuid:pk>/extend", actions.SessionExtend.as_view(), name="session-extend"),
    path("sessions/<uuid:pk>/message", actions.SessionMessage.as_view(), name="session-message"),
    path("sessions/<uuid:pk>/clear-logs", actions.SessionClearLogs.as_view(), name="session-clear-logs"),
    path("sessions/<uuid:pk>/frames", FrameView.as_view(), name="session-frames"),
    path("sessions/<uuid:pk>/audio", AudioView.as_view(), name="session-audio"),
    path("sessions/<uuid:pk>/events", EventsView.as_view(), name="session-events"),
    path("sessions/<uuid:pk>/analyze", AnalyzeView.as_view(), name="session-analyze"),
    path("sessions/<uuid:pk>/logs", records.SessionLogs.as_view(), name="session-logs"),
    path("sessions/<uuid:pk>/activities", records.SessionActivities.as_view(), name="session-activities"),
    path("sessions/<uuid:pk>/observations", records.SessionObservations.as_view(), name="session-observations"),
    path("logs", records.LogList.as_view(), name="log-list"),
    path("activities", records.ActivityList.as_view(), name="activity-list"),
    path("observations", records.ObservationList.as_view(), name="observation-list"),
    path("activities/<uuid:pk>/review", ActivityReview.as_view(), name="activity-review"),
    path("sessions/<uuid:pk>/review", SessionReview.as_view(), name="session-review"),
    path("sessions/<uuid:pk>/outcome", SessionOutcome.as_view(), name="session-outcome"),
    path(
        "sessions/<uuid:pk>/outcome/evidence/<uuid:activity_pk>",
        SessionOutcomeEvidence.as_view(),
        name="session-outcome-evidence",
    ),
    path("sessions/<uuid:pk>/appeal", SessionAppeal.as_view(), name="session-appeal"),
    path("monitoring/stats", MonitoringStats.as_view(), name="monitoring-stats"),
    path("admin/stats", AdminStats.as_view(), name="admin-stats"),
    path("admin/candidates", AdminCandidateList.as_view(), name="admin-candidate-list"),
    path("admin/sessions", AdminSessionList.as_view(), name="admin-session-list"),
    path("admin/sessions/<uuid:pk>/events", AdminSessionEvents.as_view(), name="admin-session-events"),
]
