"""Writing down who took files about people away."""

from __future__ import annotations

from typing import Any

import tablib
from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework.request import Request

from accounts.addresses import client_address
from accounts.audit import record_audit
from accounts.models import AuditEvent, User
from accounts.permissions import signed_in

MOST_NAMED = 50


def record_export(
    request: HttpRequest | Request, *, what: str, form: str, rows: int, subject: User | None = None, **of: Any
) -> AuditEvent:
    """Write down that the caller took a file about people away: what, in which form, how many rows, ``of`` what."""
    return record_audit(
        action=AuditEvent.Action.EXPORTED,
        outcome=what,
        actor=signed_in(request),
        subject=subject,
        ip_address=client_address(request),
        detail={"form": form, "rows": rows, **of},
    )


class RecordedExport:
    """Has the audit log say who took which table away, and how many rows it had; put before ``ExportMixin``."""

    exported = ""

    def get_data_for_export(self, request: HttpRequest, queryset: QuerySet[Any], **kwargs: Any) -> tablib.Dataset:
        """Return the table, written down as taken."""
        table: tablib.Dataset = super().get_data_for_export(request, queryset, **kwargs)  # type: ignore[misc]
        exams = sorted(set(table["exam"]))[:MOST_NAMED]
        record_export(request, what=self.exported, form="csv", rows=len(table), exams=exams)
        return table
