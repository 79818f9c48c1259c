"""Figures for Prometheus: at ``/metrics`` of every server process, and on a port of its own in a worker.

Each process shows what it counted itself (``monitoring.meters``). Server processes also show what lies in rows and
queues, read when they are asked; that is the same whichever of them answers.
"""

from __future__ import annotations

import hmac
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from accounts.addresses import client_address
from exams.models import CLOSED_STATUSES, ExamSession
from monitoring import meters
from monitoring.frame_store import STREAMS, StoreUnavailable, frame_store
from monitoring.models import SessionMonitor
from proctoring.errors import no_such_call

logger = logging.getLogger(__name__)

Handler = Callable[[HttpRequest], HttpResponse]
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


def measured(get_response: Handler) -> Handler:
    """Answer ``/metrics``, and measure how long other requests take, by the name of their route: addresses hold ids.

    Prometheus finds processes by addresses that are no names of ours, so it is answered before names are looked at.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        if request.path_info == "/metrics":
            return show_figures(request)
        started = time.perf_counter()
        response = get_response(request)
        method = request.method if request.method in METHODS else meters.OTHER
        match = request.resolver_match
        route = (match.view_name or match.route) if match else "none"
        meters.http_seconds.labels(method, route, response.status_code).observe(time.perf_counter() - started)
        return response

    return handle


def show_figures(request: HttpRequest) -> HttpResponse:
    """Answer with the figures of this process, of the rows and of the queues, or 404 to who may not have them."""
    forwarded = any(name in request.META for name in FORWARDED)
    allowed = may_read(client_address(request), request.headers.get("Authorization", ""), forwarded=forwarded)
    if not allowed or request.method != "GET":
        return no_such_call(request)
    rows = CollectorRegistry()
    rows.register(StoredFigures())
    answer = HttpResponse(own_figures() + generate_latest(rows), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    answer["Cache-Control"] = "no-store"
    return answer


def may_read(address: str | None, authorization: str, *, forwarded: bool) -> bool:
    """Say whether to answer: to who brings ``METRICS_TOKEN``, and to this machine where no proxy stands before us.

    Behind a proxy on this machine everybody would seem to call from here.
    """
    kind, _space, token = authorization.partition(" ")
    if settings.METRICS_TOKEN and kind.lower() == "bearer":
        return hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
    if settings.TRUSTED_PROXIES or forwarded or not address:
        return False
    return ip_address(address).is_loopback


def own_figures() -> bytes:
    """Return what this process has counted, or, where they share a folder, it and its children."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class StoredFigures(Collector):
    """What lies in rows and queues: two queries and one look at all queues. A part that fails is left out and said."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield the figures."""
        readable = GaugeMetricFamily("proctoring_readable", "Whether these figures could be read.", labels=["part"])
        for part, read in (("rows", _rows), ("queues", _queues)):
            try:
                figures = list(read())
            except (DatabaseError, StoreUnavailable) as error:
                logger.warning("No figures of %s: %s", part, error)
                figures = []
            readable.add_metric([part], bool(figures))
            yield from figures
        yield readable


def _rows() -> Iterator[GaugeMetricFamily]:
    sessions = GaugeMetricFamily("proctoring_sessions", "Sessions that are not over.", labels=["status"])
    running = ExamSession.objects.exclude(status__in=CLOSED_STATUSES).order_by()
    for status, count in running.values_list("status").annotate(Count("pk")):
        sessions.add_metric([status], count)
    yield sessions
    pictures = GaugeMetricFamily(
        "proctoring_session_frames", "Pictures of sessions whose books are open.", labels=["outcome"]
    )
    outcomes = ("total", "analysed", "skipped", "unusable")
    sums = {outcome: Sum(f"frames_{outcome}", default=0) for outcome in outcomes}
    found = SessionMonitor.objects.filter(finished_at__isnull=True).aggregate(**sums)
    for outcome in outcomes:
        pictures.add_metric([outcome], found[outcome])
    yield pictures


def _queues() -> Iterator[GaugeMetricFamily]:
    tally, now = frame_store().tally(), time.time()
    waiting = GaugeMetricFamily("proctoring_waiting", "Items that wait to be examined.", labels=["stream"])
    oldest = GaugeMetricFamily(
        "proctoring_oldest_waiting_seconds",
        "Age of the oldest item that waits, by its sender's clock; 0 while nothing waits.",
        labels=["stream"],
    )
    for stream in STREAMS:
        captured_at = tally.oldest.get(stream)
        waiting.add_metric([stream], tally.waiting.get(stream, 0))
        oldest.add_metric([stream], 0.0 if captured_at is None else max(0.0, now - captured_at))
    yield waiting
    yield oldest
    yield GaugeMetricFamily("proctoring_waiting_sessions", "Sessions with anything waiting.", value=tally.sessions)


# --- workers ----------------------------------------------------------------------------------------------------------


def connect() -> None:
    """Have workers show their figures where ``METRICS_PORT`` is set."""
    from celery import signals

    if settings.METRICS_PORT and not settings.EMBEDDED_WORKER:
        signals.worker_init.connect(_serve, weak=False)
        signals.worker_process_shutdown.connect(_child_gone, weak=False)


def _serve(**_more: Any) -> None:
    try:
        server = make_server(settings.HOST, settings.METRICS_PORT, answer_worker, handler_class=_Quiet)
    except OSError:
        logger.exception("The figures of this worker cannot be shown on port %s", settings.METRICS_PORT)
        return
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def _child_gone(pid: int | None = None, **_more: Any) -> None:
    mark_process_dead(pid or os.getpid())  # type: ignore[no-untyped-call]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  named by the library
        return


def answer_worker(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer ``GET /metrics`` in a worker, which has no other addresses."""
    allowed = may_read(
        environ.get("REMOTE_ADDR"),
        environ.get("HTTP_AUTHORIZATION", ""),
        forwarded=any(name in environ for name in FORWARDED),
    )
    if not allowed or environ["REQUEST_METHOD"] != "GET" or environ["PATH_INFO"] != "/metrics":
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"There is nothing at this address.\n"]
    start_response("200 OK", [("Content-Type", CONTENT_TYPE_PLAIN_0_0_4), ("Cache-Control", "no-store")])
    return [own_figures()]
