"""What is kept of a face, encrypted at rest under a key of its own (Fernet: AES-128-CBC with HMAC)."""

from __future__ import annotations

import uuid

import numpy as np
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from vision.analyzers.identity import LENGTH, Embedding

STORED = np.dtype("<f4")
"""Single precision: what is lost is a ten-thousandth of the distance between two pictures of one person."""
USER_BYTES = 16
JPEG = b"\xff\xd8"


class NoFaceKey(RuntimeError):
    """FACE_KEY is not set."""


class UnreadableFace(ValueError):
    """What was encrypted under a key we do not have, was damaged, or belongs to another user."""


def seal_embedding(*, user_id: uuid.UUID, embedding: Embedding) -> bytes:
    """Encrypt the (128,) embedding together with whose it is, so that it is of no use in another user's row."""
    return _cipher().encrypt(user_id.bytes + embedding.astype(STORED).tobytes())


def open_embedding(*, user_id: uuid.UUID, sealed: bytes | memoryview) -> Embedding:
    """Return the (128,) embedding; raises ``UnreadableFace``."""
    plain = _open(sealed)
    if plain[:USER_BYTES] != user_id.bytes or len(plain) != USER_BYTES + LENGTH * STORED.itemsize:
        raise UnreadableFace("This face belongs to another user.")
    return np.frombuffer(plain, STORED, offset=USER_BYTES).astype(np.float64)


def seal_picture(*, owner_id: uuid.UUID, picture: bytes) -> bytes:
    """Encrypt a JPEG of a head together with whose it is, a user's or a session's: elsewhere it is of no use."""
    return _cipher().encrypt(owner_id.bytes + picture)


def open_picture(*, owner_id: uuid.UUID, sealed: bytes | memoryview) -> bytes:
    """Return the JPEG; raises ``UnreadableFace``."""
    plain = _open(sealed)
    if not plain.startswith(owner_id.bytes + JPEG):
        raise UnreadableFace("This picture belongs to somebody else.")
    return plain[USER_BYTES:]


def seal_again(sealed: bytes | memoryview) -> bytes:
    """Return the same embedding or picture under the current key; raises ``UnreadableFace``."""
    try:
        return _cipher().rotate(bytes(sealed))
    except InvalidToken as error:
        raise UnreadableFace("This face was encrypted under another key.") from error


def _open(sealed: bytes | memoryview) -> bytes:
    try:
        return _cipher().decrypt(bytes(sealed))
    except InvalidToken as error:
        raise UnreadableFace("This face was encrypted under another key.") from error


def _cipher() -> MultiFernet:
    """Return the cipher: the first key encrypts, all of them decrypt; raises ``NoFaceKey``."""
    if not settings.FACE_KEY:
        raise NoFaceKey
    return MultiFernet([Fernet(key) for key in (settings.FACE_KEY, *settings.FACE_KEY_PREVIOUS)])
