"""What every test starts from."""

from collections.abc import Iterator

import pytest
from django.utils import translation


@pytest.fixture(autouse=True)
def default_language() -> Iterator[None]:
    """A request leaves its language to its thread, where the next request chooses again; a test must not find it."""
    yield
    translation.deactivate()
