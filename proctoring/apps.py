"""The project as an app of its own: start-up checks and the ``start`` command."""

from django.apps import AppConfig


class ProctoringConfig(AppConfig):
    """Register the deployment checks."""

    name = "proctoring"

    def ready(self) -> None:
        from proctoring import checks, logs, metrics  # noqa: F401  the checks register themselves

        logs.connect()
        metrics.connect()
