"""Redis and PostgreSQL servers of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitoring.load.servers import PrivatePostgres, PrivateRedis, free_port, has_redis, postgres_binaries

__all__ = ["PrivatePostgres", "PrivateRedis", "free_port", "private_postgres", "private_redis"]


@contextmanager
def private_redis(folder: Path, *options: str) -> Iterator[PrivateRedis]:
    """Run a Redis server for a while; skips the test where there is none."""
    if not has_redis():
        pytest.skip("no redis-server")
    server = PrivateRedis(folder, *options)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def private_postgres() -> Iterator[PrivatePostgres]:
    """Run a PostgreSQL server for a while; skips the test where there is none."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server here that can be started")
    server = PrivatePostgres(binaries)
    try:
        yield server
    finally:
        server.remove()
