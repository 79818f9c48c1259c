"""Addresses of exams under ``/api/v1/``."""

from django.urls import URLPattern, path

from exams.api.assignments import AssignmentDetail, AssignmentList, ReviewerDetail, ReviewerList
from exams.api.exams import ExamDetail, ExamList
from exams.api.policies import ExamPolicy
from exams.api.problems import ProblemDetail, ProblemList
from exams.api.submissions import SessionSubmissions, SubmissionList

urlpatterns: list[URLPattern] = [
    path("exams", ExamList.as_view(), name="exam-list"),
    path("exams/<uuid:pk>", ExamDetail.as_view(), name="exam-detail"),
    path("exams/<uuid:pk>/problems", ProblemList.as_view(), name="problem-list"),
    path("exams/<uuid:pk>/problems/<uuid:problem_pk>", ProblemDetail.as_view(), name="problem-detail"),
    path("exams/<uuid:pk>/policy", ExamPolicy.as_view(), name="exam-policy"),
    path("exams/<uuid:pk>/candidates", AssignmentList.as_view(), name="exam-candidate-list"),
    path("exams/<uuid:pk>/candidates/<uuid:candidate_pk>", AssignmentDetail.as_view(), name="exam-candidate-detail"),
    path("exams/<uuid:pk>/reviewers", ReviewerList.as_view(), name="exam-reviewer-list"),
    path("exams/<uuid:pk>/reviewers/<uuid:user_pk>", ReviewerDetail.as_view(), name="exam-reviewer-detail"),
    path("sessions/<uuid:pk>/submissions", SessionSubmissions.as_view(), name="session-submissions"),
    path("submissions", SubmissionList.as_view(), name="submission-list"),
]
