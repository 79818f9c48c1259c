"""The project as an app of its own: start-up checks and the ``start`` command."""

from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProctoringConfig(AppConfig):
    """Register the deployment checks."""

    name = "proctoring"

    def ready(self) -> None:
        from proctoring import checks, logs, metrics  # noqa: F401  the checks register themselves

        logs.connect()
        metrics.connect()


class SignInsConfig(AxesConfig):  # type: ignore[misc]  # axes has no types
    """django-axes under a name that says what it keeps."""

    verbose_name = _("Failed sign-ins")
