"""Addresses of the candidate page."""

from django.urls import URLPattern, path

from exams.views import CandidatePage, LanguageView

urlpatterns: list[URLPattern] = [
    path("exam/", CandidatePage.as_view(), name="candidate-page"),
    path("exam/language", LanguageView.as_view(), name="candidate-language"),
    path("exam/<slug:code>/", CandidatePage.as_view(), name="candidate-exam"),
]
