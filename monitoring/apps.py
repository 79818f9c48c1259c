"""The app that watches sessions."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MonitoringConfig(AppConfig):
    """Observations, activities, evidence, review."""

    name = "monitoring"
    verbose_name = _("Monitoring")

    def ready(self) -> None:
        from monitoring import receivers  # noqa: F401  connects itself to the life-cycle
