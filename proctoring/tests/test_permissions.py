"""Every call × every role × one's own place and somebody else's: who may, who may not, and what is left behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Model
from django.test import TestCase
from django.urls import URLPattern, get_resolver
from drf_spectacular.generators import SchemaGenerator

from accounts.models import AuditEvent
from accounts.tests.client import client_of
from monitoring.frame_store import frame_store
from monitoring.picture_models import PictureAccess
from proctoring import errors
from proctoring.tests.permission_rows import PAGES, ROWS
from proctoring.tests.permission_rows.row import Cell, Row
from proctoring.tests.world import World, build_world, taken_back

OURS = ("accounts", "exams", "monitoring", "reports")
CODES = {401: "not_authenticated", 403: "permission_denied", 404: "not_found"}
SEES = {
    "candidate": ("own",),
    "other_candidate": ("others",),
    "teacher": ("own",),
    "other_teacher": ("others",),
    "reviewer": ("own",),
    "admin": ("own", "others"),
}


def dump() -> dict[str, list[Any]]:
    """Return every row of our own tables, but for who looked at what and who took it away: reading is recorded."""
    models = [model for app in OURS for model in apps.get_app_config(app).get_models(include_auto_created=True)]
    rows = {model._meta.label: rows_of(model) for model in models if model is not PictureAccess}
    audit = AuditEvent._meta.label
    return rows | {audit: [row for row in rows[audit] if AuditEvent.Action.EXPORTED not in row]}


def rows_of(model: type[Model]) -> list[Any]:
    """Return the rows of a table as they lie there."""
    quoted = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {quoted(model._meta.db_table)} ORDER BY {quoted(model._meta.pk.column)}")
        return list(cursor.fetchall())


def answer_of(row: Row, cell: Cell) -> Any:
    client, options = client_of(cell.user), {}
    if not row.reads:
        options = {"data": row.body(cell), "format": "multipart" if row.as_form else "json"}
    return getattr(client, row.method.lower())(row.address(cell.place), **options)


def check_list(row: Row, cell: Cell, answer: Any) -> None:
    """A list about one thing shows what belongs to it; one across everything shows all that is the caller's."""
    results = answer.json()["results"]
    assert results, "an empty list shows nothing"
    if row.summed_up and "candidate" in cell.role:
        assert all("id" not in result and "count" in result for result in results)
        return
    belongs = {side: row.lists(getattr(cell.world, side)) for side in ("own", "others")}
    assert all(belongs.values()) and not belongs["own"] & belongs["others"], "both places need something to show"
    seen = (cell.side,) if "{" in row.template else SEES[cell.role]
    shown = {row.key(result) for result in results}
    assert shown & set().union(*belongs.values()) == set().union(*(belongs[side] for side in seen))


def check_row(row: Row, world: World, untouched: dict[str, list[Any]]) -> None:
    for (side, role), status in row.expected.items():
        cell = Cell(world, side, role)
        with taken_back():
            before = dump() if row.given and row.given(cell) else untouched
            assert row.reads or not row.holds(cell), "what a call brings about must not be so before it"
            answer = answer_of(row, cell)
            told = answer.content[:300] if not answer.streaming else ""
            assert (side, role, answer.status_code) == (side, role, status), told
            if status >= 400:
                assert answer.json()["code"] == CODES[status], told
            if status >= 300 or row.reads:
                assert dump() == before, (side, role)
                assert list(frame_store().sessions()) == [], (side, role)
            else:
                assert row.holds(cell), (side, role, "the database does not hold what the call should bring about")
            if row.lists and status == 200:
                check_list(row, cell, answer)
            if row.tells and status == 200:
                assert row.tells(answer.json(), [getattr(world, name) for name in SEES[role]]), (side, role, told)


@pytest.mark.database
@pytest.mark.usefixtures("nobody_waits", "all_faces_are_one")
class TestTable(TestCase):
    """One test for each row, all in the same world."""

    world: World
    untouched: dict[str, list[Any]]

    @classmethod
    def setUpTestData(cls) -> None:
        cls.world = build_world()
        cls.untouched = dump()


def _test_of(row: Row) -> Callable[[TestTable], None]:
    return lambda self: check_row(row, self.world, self.untouched)


for each in [*ROWS, *PAGES]:
    setattr(TestTable, f"test_{each.call}", _test_of(each))


def test_every_call_of_the_schema_has_its_row() -> None:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    described = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    assert sorted(described) == sorted(row.call for row in ROWS)


def test_every_address_has_its_row_whether_described_or_not() -> None:
    calls = {re.sub("{.*?}", "{}", row.call) for row in [*ROWS, *PAGES]}
    assert {re.sub("<.*?>", "{}", call) for call in routed_calls()} == calls


def routed_calls() -> Iterator[str]:
    """Return method and address of whatever answers, but for the admin's own pages."""
    for address, view in _routes(get_resolver().url_patterns, "/"):
        if view is not errors.no_such_call:
            names = [name for name in ("get", "post", "put", "patch", "delete") if hasattr(view.view_class, name)]
            yield from (f"{name.upper()} {address}" for name in names)


def _routes(patterns: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield address, pattern.callback
        elif not address.startswith("/admin/"):
            yield from _routes(pattern.url_patterns, address)


def test_every_list_says_whose_things_it_holds() -> None:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    paged = {
        f"GET {path}"
        for path, methods in paths.items()
        for parameter in methods.get("get", {}).get("parameters", ())
        if parameter["name"] == "page"
    }
    assert paged == {row.call for row in ROWS if row.lists}


def test_every_writing_call_says_what_the_database_holds_afterwards() -> None:
    assert [row.call for row in ROWS if row.reads == bool(row.holds)] == []
