"""Whatever anybody sends to any call, the answer is one that the description of the interface names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, product
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.test import TestCase
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from proctoring.tests.made_up_calls import Target, boundary_cases, load_interface, random_cases, targets, token_of
from proctoring.tests.permission_rows import ROWS as PERMISSIONS
from proctoring.tests.permission_rows.row import Cell
from proctoring.tests.world import World, build_world, taken_back

# Those that are left out: what the description allows may still be refused, by rules between fields and by what the
# database holds; the framework reads "1" as 1 and 1 as "1", and ignores what it does not know; who may call what stands
# in the table of permissions; what a call leaves behind is taken back before the next.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    unsupported_method,
]
ROLES = ("candidate", "teacher", "admin", "anonymous")
# More of them, a few hundred, now and then: SCHEMATHESIS_TRIES=200
TRIES_OF_WELCOME = int(os.environ.get("SCHEMATHESIS_TRIES", "8"))
TRIES_OF_REFUSED = 1
INTERFACE = load_interface()
OPERATIONS = [found.ok() for found in INTERFACE.get_all_operations()]
ROWS = {row.call: row for row in PERMISSIONS}


def check_call(case: Case, target: Target, cell: Cell) -> None:
    """Send the call and compare the answer with the description; a failure shows both, and how to send it again."""
    row = ROWS[case.operation.label]
    with taken_back(), errors_of_views() as raised:
        if row.given is not None:
            row.given(cell)
        target.aim(case, row, cell)
        answer = case.call(headers=token_of(cell.user))
        if raised:
            raise AssertionError(f"{case.operation.label} failed for the {cell.role}:\n{case!r}") from raised[0]
        try:
            case.validate_response(answer, checks=CHECKS)
        except Exception as error:
            error.add_note(f"{case.operation.label} for the {cell.role}:\n{case!r}")
            raise


@contextmanager
def errors_of_views() -> Iterator[list[BaseException]]:
    """Collect what views raise and nobody catches, of which a client sees a plain 500."""
    raised: list[BaseException] = []

    def keep(**_more: Any) -> None:
        raised.append(sys.exc_info()[1])

    got_request_exception.connect(keep)
    try:
        yield raised
    finally:
        got_request_exception.disconnect(keep)


def check_random_calls(operation: Any, world: World, role: str, tries: int) -> None:
    """Try so many made-up calls, the same in every run."""

    @settings(
        max_examples=tries,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(random_cases(operation), targets)
    def check(case: Case, target: Target) -> None:
        check_call(case, target, Cell(world, target.side, role))

    check()


@pytest.mark.slow
@pytest.mark.usefixtures("nobody_waits", "all_faces_are_one")
class TestInterface(TestCase):
    """One test for each operation, all in the same world."""

    world: World

    @classmethod
    def setUpTestData(cls) -> None:
        cls.world = build_world()


def _test_of(operation: Any) -> Callable[[TestInterface], None]:
    expected = ROWS[operation.label].expected
    welcome = [role for role in ROLES if expected["own", role] < 300]

    def test(self: TestInterface) -> None:
        for role in ROLES:
            with self.subTest(role):
                tries = TRIES_OF_WELCOME if role in welcome else TRIES_OF_REFUSED
                check_random_calls(operation, self.world, role, tries)
        callers = cycle(product(welcome, (True, False)))
        for case, (role, in_values) in zip(boundary_cases(operation), callers, strict=False):
            with self.subTest(role):
                check_call(case, Target(in_values=in_values), Cell(self.world, "own", role))

    return test


for each in OPERATIONS:
    setattr(TestInterface, f"test_{each.label}", _test_of(each))


def test_every_call_is_tried_by_somebody_who_may_make_it() -> None:
    assert sorted(operation.label for operation in OPERATIONS) == sorted(ROWS)
    assert [call for call, row in ROWS.items() if not any(row.expected["own", role] < 300 for role in ROLES)] == []
