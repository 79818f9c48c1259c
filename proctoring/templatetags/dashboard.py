"""``{% dashboard %}``: the first page of the console, above the list of what can be administered."""

from __future__ import annotations

import contextlib
import math
from typing import Any

from django import template
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from redis import RedisError

from exams.kinds import RiskLevel
from monitoring import dashboard as board
from monitoring.admin_views import staff_user
from monitoring.dashboard_charts import COLOURS, Column, draw_columns
from monitoring.explain import duration_text
from monitoring.session_page import DECIDE
from monitoring.statistics import detectors_here
from proctoring.health import Check, workers_now

register = template.Library()

ASKED_EVERY_S = 20
"""Workers on other machines take a second to answer, so that their answer holds for a while."""

LEVEL_COLOURS = {level.value: place for place, level in enumerate(RiskLevel)}
MANY_DAYS = 2


@register.inclusion_tag("admin/dashboard.html", takes_context=True)
def dashboard(context: dict[str, Any]) -> dict[str, Any]:
    """Return what the dashboard shows to whoever is signed in."""
    request: HttpRequest = context["request"]
    user = staff_user(request)
    queue, kinds, risk = board.queue_of(user), board.kinds_of(user), board.risk_of(user)
    lag, workers, detectors = board.lag_now(), _workers(), detectors_here()
    return {
        "exams": board.exams_today(user),
        "live": board.live_of(user),
        "queue": queue,
        "queue_address": reverse("admin:monitoring_queue"),
        "minutes": math.ceil(queue.reading_s / 60),
        "can_take": queue.sessions and user.has_perm(DECIDE),
        "csrf_token": context.get("csrf_token"),
        "lag": lag,
        "oldest": duration_text(round(lag.oldest_s)),
        "is_behind": lag.items is None or lag.oldest_s > settings.FRAME_WAIT_S,
        "workers": workers,
        "detectors": detectors,
        "missing": ", ".join(str(one["label"]) for one in detectors if not one["available"]),
        "kinds": kinds,
        "kinds_legend": [(place, _kind_name(label)) for place, (label, _counts) in enumerate(kinds.kinds)],
        "kinds_chart": _kinds_chart(kinds),
        "kinds_days": board.KINDS_DAYS,
        "risk": risk,
        "risk_total": sum(step.count for step in risk),
        "risk_legend": [(LEVEL_COLOURS[level.value], level.label) for level in RiskLevel],
        "risk_chart": _risk_chart(risk),
        "risk_days": board.RISK_DAYS,
    }


def _kinds_chart(kinds: board.KindsByDay) -> SafeString:
    labels = [_kind_name(label) for label, _counts in kinds.kinds]
    # The last colour is for whatever is left over.
    last = len(COLOURS) - 1
    places = [last if label == "" else place for place, (label, _counts) in enumerate(kinds.kinds)]
    columns = [
        Column(formats.date_format(day, "j M"), tuple(zip(places, labels, counts, strict=True)))
        for day, counts, _total in kinds.rows
    ]
    total = sum(column.total for column in columns)
    says = _("Suspicious activities by day: %(count)d in all") % {"count": total}
    # Every text inside was escaped when it was drawn.
    return mark_safe(draw_columns(columns, description=says, css="kind", every=MANY_DAYS))  # noqa: S308


def _risk_chart(risk: list[board.RiskStep]) -> SafeString:
    columns = [
        Column(step.label, tuple((LEVEL_COLOURS[level], label, count) for level, label, count in step.by_level))
        for step in risk
    ]
    total = sum(step.count for step in risk)
    says = _("Sessions by risk score: %(count)d in all") % {"count": total}
    return mark_safe(draw_columns(columns, description=says, css="level"))  # noqa: S308  likewise


def _kind_name(label: str) -> str:
    return label or _("Other kinds")


def _workers() -> Check:
    if settings.EMBEDDED_WORKER:
        return workers_now()
    known: Check | None = None
    with contextlib.suppress(RedisError, OSError):
        known = cache.get("dashboard:workers")
    if known is None:
        known = workers_now()
        with contextlib.suppress(RedisError, OSError):
            cache.set("dashboard:workers", known, ASKED_EVERY_S)
    return known
