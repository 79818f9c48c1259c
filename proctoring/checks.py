"""What ``manage.py check --deploy`` says about settings that are unfit for production."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register


@register(Tags.security, deploy=True)
def production_services(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Complain about the shape that needs no services when it is asked to serve a real exam."""
    messages: list[CheckMessage] = []
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        messages.append(
            checks.Warning(
                "SQLite serves one machine only.", hint="Set DATABASE_URL to PostgreSQL.", id="proctoring.W001"
            )
        )
    if settings.CELERY_BROKER_URL.startswith("memory://"):
        messages.append(
            checks.Warning("Analysis runs inside the web process.", hint="Set REDIS_URL.", id="proctoring.W002")
        )
    return messages
