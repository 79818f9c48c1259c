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
    plain = [origin for origin in settings.CORS_ALLOWED_ORIGINS if origin.startswith("http://")]
    if plain:
        messages.append(
            checks.Warning(
                f"Pages that anyone on the way can change may use the interface: {', '.join(plain)}.",
                hint="Serve them over HTTPS and say so in ALLOWED_ORIGINS.",
                id="proctoring.W005",
            )
        )
    return messages


@register(Tags.security, deploy=True)
def logs_and_figures(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Complain about logs that tell too much, and say where figures cannot be had."""
    messages: list[CheckMessage] = []
    if settings.LOG_LEVEL == "DEBUG":
        messages.append(
            checks.Warning(
                "Logs hold what libraries write while they are debugged, such as every question to the database.",
                hint="Set LOG_LEVEL to INFO or WARNING.",
                id="proctoring.W008",
            )
        )
    if not settings.METRICS_TOKEN and settings.TRUSTED_PROXIES:
        messages.append(checks.Info("Nobody can read /metrics.", hint="Set METRICS_TOKEN.", id="proctoring.I001"))
    return messages


@register(Tags.security, deploy=True)
def face_key(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Complain where faces cannot be recognised, or their key protects something else as well."""
    if not settings.FACE_KEY:
        return [checks.Warning("Nobody can sign in by face.", hint="Set FACE_KEY.", id="proctoring.W003")]
    others = (settings.SECRET_KEY, settings.JWT_SECRET)
    if any(settings.FACE_KEY in other or other in settings.FACE_KEY for other in others):
        hint = "Make a key for faces alone, put the present one into FACE_KEY_PREVIOUS and run reencrypt_faces."
        return [checks.Warning("FACE_KEY is used for something else as well.", hint=hint, id="proctoring.W004")]
    return []


@register(Tags.security, deploy=True)
def redis_keeps_what_it_accepts(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Complain about a Redis server that would lose pictures when it stops or is full, if it answers."""
    if settings.FRAME_STORE != "redis":
        return []
    from redis import Redis, RedisError

    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as server:
            found: dict[str, Any] = {**server.info("persistence"), **server.info("memory")}
    except (RedisError, OSError):
        return []
    messages: list[CheckMessage] = []
    if not found.get("aof_enabled"):
        hint = "Run it with `appendonly yes`; `appendfsync always` where not even a second may be lost."
        messages.append(
            checks.Warning("Redis forgets waiting pictures when it stops.", hint=hint, id="proctoring.W006")
        )
    if found.get("maxmemory") and found.get("maxmemory_policy") not in (None, "noeviction"):
        hint = "Set `maxmemory-policy noeviction`: then new pictures are refused for a while, and sent again."
        messages.append(
            checks.Warning("Redis throws waiting pictures away when it is full.", hint=hint, id="proctoring.W007")
        )
    return messages
