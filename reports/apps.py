"""The app of session reports."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReportsConfig(AppConfig):
    """Session reports."""

    name = "reports"
    verbose_name = _("Reports")

    def ready(self) -> None:
        from reports import receivers  # noqa: F401  connects itself to the life-cycle
