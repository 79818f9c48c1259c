"""Where a request comes from."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request


def client_address(request: HttpRequest | Request) -> str | None:
    """Return the caller's IP address, None where there is none, as on a Unix socket.

    ``X-Forwarded-For`` is believed as far as our own proxies have written it: the last ``TRUSTED_PROXIES`` entries.
    Whatever stands before them, anybody may have made up.
    """
    connected = request.META.get("REMOTE_ADDR", "")
    forwarded = [part for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    proxies = settings.TRUSTED_PROXIES
    if not proxies or not forwarded:
        return _address(connected)
    return _address(forwarded[-min(proxies, len(forwarded))]) or _address(connected)


def _address(text: str) -> str | None:
    """Return the address in its one spelling; some proxies add the port."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
