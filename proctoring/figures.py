"""The settings of figures for Prometheus, read before anything is counted."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from django.core.exceptions import ImproperlyConfigured

from proctoring.environment import secret_fault

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client, if this is set when it is imported, keeps what several processes count together."""


def read_token(name: str, text: str) -> str:
    """Return the token that opens the figures; empty stays empty, and a weak one is refused."""
    fault = secret_fault(text) if text else ""
    if fault:
        raise ImproperlyConfigured(f"{name} {fault}: set it to a long random text.")
    return text


def share_figures() -> None:
    """Have this process and its children count together, in a new folder for them alone.

    A folder with a fixed name would be shared by containers, whose processes have the same numbers.
    """
    if os.environ.get(FOLDER):
        return
    folder, maker = tempfile.mkdtemp(prefix="proctoring-metrics-"), os.getpid()
    os.environ[FOLDER] = folder

    def remove() -> None:
        if os.getpid() == maker:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
