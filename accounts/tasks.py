"""What accounts do by the clock."""

from __future__ import annotations

from celery import shared_task

from accounts.tokens import forget_expired_tokens


@shared_task
def forget_tokens() -> None:
    """Delete used-up tokens that have expired."""
    forget_expired_tokens()
