"""The app of users and candidates."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Users and candidates."""

    name = "accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        from accounts import lockout  # noqa: F401  listens to what django-axes stores
