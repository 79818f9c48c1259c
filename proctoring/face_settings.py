"""The settings of recognition by face, read from the environment."""

from __future__ import annotations

import base64
import binascii
import re
from itertools import pairwise

from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32
DIFFERENT_BYTES = 16
"""A random key has about thirty different bytes; one with fewer than this was typed or counted."""
NEAREST, FARTHEST = 0.3, 0.7
"""Under the one hardly anybody would be known again, over the other strangers would be."""
HOW_TO_MAKE_ONE = (
    'python -c "import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())"'
)


def read_face_keys(key: str, previous: list[str]) -> tuple[str, list[str]]:
    """Return the key that encrypts faces and the ones before it; raises for what is no key, without showing it."""
    if key:
        _refuse_weak("FACE_KEY", key)
    elif previous:
        raise ImproperlyConfigured("FACE_KEY_PREVIOUS is set, but FACE_KEY is not.")
    for older in previous:
        _refuse_weak("FACE_KEY_PREVIOUS", older)
    return key, previous


def read_face_distance(text: str) -> float:
    """Return how far two pictures of one person may be apart."""
    value = float(text) if re.fullmatch(r"[0-9]\.[0-9]{1,4}", text) else 0.0
    if not NEAREST <= value <= FARTHEST:
        raise ImproperlyConfigured(f"FACE_MAX_DISTANCE must be a number from {NEAREST} to {FARTHEST}.")
    return value


def _refuse_weak(name: str, key: str) -> None:
    try:
        raw = base64.b64decode(key.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ImproperlyConfigured(f"{name} must be {KEY_BYTES} random bytes in URL-safe base64: {HOW_TO_MAKE_ONE}")
    steps = {(after - before) % 256 for before, after in pairwise(raw)}
    if len(set(raw)) < DIFFERENT_BYTES or len(steps) < DIFFERENT_BYTES / 2:
        raise ImproperlyConfigured(f"{name} is not random: {HOW_TO_MAKE_ONE}")
