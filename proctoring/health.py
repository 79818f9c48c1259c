"""Is it alive, is it ready, and what of the senses is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from proctoring import __version__

Check = dict[str, Any]


@require_safe
def about(request: HttpRequest) -> JsonResponse:
    """Say what this is."""
    return JsonResponse({"name": "proctoring", "version": __version__, "admin": "/admin/", "health": "/health/ready"})


@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Say of every part whether it works; 503 while one that is needed does not. A missing sense is no failure."""
    parts = {"database": _database, "cache": _cache, "broker": _broker, "workers": _workers}
    checks = {name: _guarded(check) for name, check in parts.items()}
    healthy = all(check["ok"] for check in checks.values())
    body = {"status": "ok" if healthy else "unavailable", "checks": checks, "detectors": _detectors()}
    return JsonResponse(body, status=200 if healthy else 503)


def _guarded(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:  # noqa: BLE001  whatever a driver raises means the same: this part does not work
        return {"ok": False, "reason": type(error).__name__}


def _database() -> Check:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"ok": True, "engine": connection.vendor}


def _cache() -> Check:
    cache.set("health", "ok", 10)
    return {"ok": cache.get("health") == "ok"}


def _broker() -> Check:
    from proctoring.celery import app

    if settings.CELERY_BROKER_URL.startswith("memory://"):
        return {"ok": True, "kind": "in the process"}
    with app.connection_for_read() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
    return {"ok": True, "kind": settings.CELERY_BROKER_URL.partition(":")[0]}


def _workers() -> Check:
    from proctoring import embedded
    from proctoring.celery import app

    if settings.EMBEDDED_WORKER:
        running = embedded.running()
        return {"ok": running, "count": int(running), "kind": "in the process"}
    answers = app.control.ping(timeout=1.0) or []
    return {"ok": bool(answers), "count": len(answers)}


def _detectors() -> dict[str, Check]:
    from vision.loading import availability

    return {
        sense: {"available": found.available, "model": found.model, "reason": found.reason}
        for sense, found in availability().items()
    }
