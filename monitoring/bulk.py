"""Writing many rows at one go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models


def update_each(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Write these fields of rows of one model, each with values of its own.

    The statement is put together once, which costs more than executing it, and PostgreSQL is sent all of it in one go.
    The caller holds the rows: one that is gone is not missed.
    """
    if not rows:
        return
    meta: Any = rows[0]._meta
    key, quoted = meta.pk, connection.ops.quote_name
    columns = [meta.get_field(name) for name in fields]
    places = ", ".join(f"{quoted(column.column)} = %s" for column in columns)
    statement = (
        f"UPDATE {quoted(meta.db_table)} SET {places} WHERE {quoted(key.column)} = %s"  # noqa: S608  our own names
    )
    values = [
        [column.get_db_prep_save(getattr(row, column.attname), connection) for column in (*columns, key)]
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)
