"""Is it alive, is it ready, and what of the senses is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.openapi import describe
from proctoring import __version__

Check = dict[str, Any]

ABOUT = {
    "name": "proctoring",
    "version": __version__,
    "admin": "/admin/",
    "health": "/health/ready",
    "docs": "/docs",
    "redoc": "/redoc",
    "schema": "/schema",
    "api": "/api/v1/",
}
READY = {
    "status": "ok",
    "checks": {"database": {"ok": True, "engine": "postgresql"}, "workers": {"ok": True, "count": 2}},
    "detectors": {"objects": {"available": False, "model": "", "reason": "Run manage.py fetch_models."}},
}
NOT_READY = READY | {"status": "unavailable", "checks": {"database": {"ok": False, "reason": "OperationalError"}}}


class PartSerializer(serializers.Serializer):
    """Whether one part works."""

    ok = serializers.BooleanField()
    reason = serializers.CharField(required=False, help_text="What sort of failure; the log says more.")
    kind = serializers.CharField(required=False)
    engine = serializers.CharField(required=False)
    count = serializers.IntegerField(required=False)


class DetectorSerializer(serializers.Serializer):
    """Whether one sense can work."""

    available = serializers.BooleanField()
    model = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True, help_text="Why it is missing, and what helps.")


class ReadinessSerializer(serializers.Serializer):
    """What works and what is missing."""

    status = serializers.CharField(help_text="ok or unavailable")
    checks = serializers.DictField(child=PartSerializer())
    detectors = serializers.DictField(child=DetectorSerializer())


class AboutSerializer(serializers.Serializer):
    """What this is, and where its parts are."""

    name = serializers.CharField()
    version = serializers.CharField()
    admin = serializers.CharField()
    health = serializers.CharField()
    docs = serializers.CharField()
    redoc = serializers.CharField()
    schema = serializers.CharField()
    api = serializers.CharField()


class AliveSerializer(serializers.Serializer):
    """That it answers."""

    status = serializers.CharField()


class ServiceView(APIView):
    """Open to anyone, and untouched by whatever credentials come along."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()


class AboutView(ServiceView):
    """What this is."""

    @describe("What this is", tag="service", answer=AboutSerializer, gets=ABOUT, public=True)
    def get(self, request: Request) -> Response:
        """Say what this is and where to read on."""
        return Response(ABOUT)


class AliveView(ServiceView):
    """Whether the process answers."""

    @describe("Alive", tag="service", answer=AliveSerializer, gets={"status": "ok"}, public=True)
    def get(self, request: Request) -> Response:
        """Say that the process answers."""
        return Response({"status": "ok"})


class ReadyView(ServiceView):
    """Whether every part works."""

    @extend_schema(
        summary="Ready: database, cache, broker, workers, detectors",
        description="503 with the same body while a part that is needed fails; a missing detector is no such part.",
        tags=["service"],
        auth=[],
        responses={200: ReadinessSerializer, 503: ReadinessSerializer},
        examples=[
            OpenApiExample("ready", value=READY, response_only=True, status_codes=["200"]),
            OpenApiExample("not ready", value=NOT_READY, response_only=True, status_codes=["503"]),
        ],
    )
    def get(self, request: Request) -> Response:
        """Say of every part whether it works; 503 while one that is needed does not. A missing sense is no failure."""
        parts = {"database": _database, "cache": _cache, "broker": _broker, "workers": _workers}
        checks = {name: _guarded(check) for name, check in parts.items()}
        healthy = all(check["ok"] for check in checks.values())
        body = {"status": "ok" if healthy else "unavailable", "checks": checks, "detectors": _detectors()}
        return Response(body, status=200 if healthy else 503)


def workers_now() -> Check:
    """Say whether workers answer, and how many."""
    return _guarded(_workers)


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
    from accounts.face_pictures import face_availability
    from vision.loading import availability

    detectors = {**{str(sense): found for sense, found in availability().items()}, "identity": face_availability()}
    return {
        name: {"available": found.available, "model": found.model, "reason": found.reason}
        for name, found in detectors.items()
    }
