"""The record of who did what to whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.models import AuditEvent, User


def record_audit(
    *,
    action: str,
    outcome: str = "",
    actor: User | None = None,
    subject: User | None = None,
    ip_address: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Write one line of the audit log; ``detail`` holds codes and numbers, never secrets or pictures."""
    return AuditEvent.objects.create(
        action=action,
        outcome=outcome,
        actor=actor,
        subject=subject,
        ip_address=ip_address,
        detail=dict(detail or {}),
    )
