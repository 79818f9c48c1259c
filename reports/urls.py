"""Addresses of reports under ``/api/v1/``."""

from django.urls import URLPattern, path

from reports.api import SessionReportCall, SessionReportJson, SessionReportPdf

urlpatterns: list[URLPattern] = [
    path("sessions/<uuid:pk>/report", SessionReportCall.as_view(), name="session-report"),
    path("sessions/<uuid:pk>/report.pdf", SessionReportPdf.as_view(), name="session-report-pdf"),
    path("sessions/<uuid:pk>/report.json", SessionReportJson.as_view(), name="session-report-json"),
]
