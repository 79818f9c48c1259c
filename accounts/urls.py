"""Addresses of accounts under ``/api/v1/``."""

from django.urls import path

from accounts.api.auth import RefreshView, RegisterView, SignInView, SignOutView
from accounts.api.consents import ConsentsView
from accounts.api.face import FaceChallengeView, FaceSignInView, MyFaceView
from accounts.api.profile import PasswordView, ProfileView
from accounts.api.users import UsersView, UserView

urlpatterns = [
    path("auth/register", RegisterView.as_view(), name="register"),
    path("auth/login", SignInView.as_view(), name="login"),
    path("auth/login/face", FaceSignInView.as_view(), name="login-face"),
    path("auth/login/face/challenge", FaceChallengeView.as_view(), name="login-face-challenge"),
    path("auth/refresh", RefreshView.as_view(), name="refresh"),
    path("auth/logout", SignOutView.as_view(), name="logout"),
    path("auth/me", ProfileView.as_view(), name="profile"),
    path("auth/me/face", MyFaceView.as_view(), name="my-face"),
    path("auth/me/consents", ConsentsView.as_view(), name="consents"),
    path("auth/password", PasswordView.as_view(), name="password"),
    path("admin/users", UsersView.as_view(), name="users"),
    path("admin/users/<uuid:pk>", UserView.as_view(), name="user"),
]
