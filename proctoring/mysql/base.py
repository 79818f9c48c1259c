"""MariaDB and MySQL, made to hold and compare what people write as PostgreSQL and SQLite do.

Text is compared exactly, unless a lookup begins with ``i``: their usual collations take ``a`` for ``A``, ``e`` for
``é`` and one emoji for another, in unique constraints too, so that what two people wrote could collide. Every table
therefore gets an exact collation, whatever the database has.

Unique constraints with a condition or over an expression, which they do not know, become a generated column that is
null where the constraint says nothing, with a unique index over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pymysql

pymysql.install_as_MySQLdb()

from django.db.backends.ddl_references import Expressions, Statement, Table  # noqa: E402
from django.db.backends.mysql import base, operations, schema  # noqa: E402  they import MySQLdb, which is there now
from django.db.models import BaseConstraint, Model, UniqueConstraint  # noqa: E402
from django.db.models.sql import Query  # noqa: E402

CASELESS = frozenset({"iexact", "icontains", "istartswith", "iendswith"})


class DatabaseOperations(operations.DatabaseOperations):
    """Caseless lookups by small letters."""

    def lookup_cast(self, lookup_type: str, internal_type: str | None = None) -> str:
        """Return the left side of a comparison."""
        cast = str(super().lookup_cast(lookup_type, internal_type))
        return f"LOWER({cast})" if lookup_type in CASELESS else cast

    def prep_for_iexact_query(self, x: str) -> str:
        """Return the text as it is, since it is compared and not searched."""
        return x


_SchemaEditor: Any = schema.DatabaseSchemaEditor  # most of what is overridden is missing from its published types


class DatabaseSchemaEditor(_SchemaEditor):  # type: ignore[misc]
    """Tables whose text is compared exactly, with every unique constraint of the models."""

    # The generated column goes first, so that no foreign key comes to rest on this index.
    sql_create_unique_generated = (
        "ALTER TABLE %(table)s ADD COLUMN %(name)s %(type)s GENERATED ALWAYS AS (%(value)s) VIRTUAL, "
        "ADD UNIQUE INDEX %(name)s (%(columns)s)"
    )
    sql_delete_unique_generated = "ALTER TABLE %(table)s DROP INDEX %(name)s, DROP COLUMN %(name)s"

    @property
    def sql_create_table(self) -> str:
        """Return the statement with the collation in which no two different texts are equal."""
        exact = "utf8mb4_nopad_bin" if self.connection.mysql_is_mariadb else "utf8mb4_0900_bin"
        return f"CREATE TABLE %(table)s (%(definition)s) CHARACTER SET utf8mb4 COLLATE {exact}"

    def remove_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Drop the constraint; no foreign key needs another index where a generated column led this one."""
        if isinstance(constraint, UniqueConstraint) and (constraint.condition or constraint.expressions):
            self.execute(constraint.remove_sql(model, self))
        else:
            super().remove_constraint(model, constraint)

    def _unique_supported(self, condition: Any = None, expressions: Any = None, **rest: Any) -> bool:
        return bool(super()._unique_supported(**rest))

    def _create_unique_sql(
        self,
        model: type[Model],
        fields: Sequence[Any],
        name: str | None = None,
        condition: str | None = None,
        expressions: Any = None,
        **rest: Any,
    ) -> Statement | None:
        if name is None or not (condition or expressions):
            found: Statement | None = super()._create_unique_sql(model, fields, name=name, **rest)
            return found
        if condition:
            value, kind = f"CASE WHEN {condition} THEN 1 END", "bool"
        else:
            (expression,) = expressions.get_source_expressions()
            compiler = Query(model, alias_cols=False).get_compiler(connection=self.connection)
            value = str(Expressions(model._meta.db_table, expressions, compiler, self.quote_value))
            kind = expression.output_field.db_type(self.connection)
        quoted = self.quote_name(name)
        return Statement(
            self.sql_create_unique_generated,
            table=Table(model._meta.db_table, self.quote_name),
            name=quoted,
            type=kind,
            value=value,
            columns=", ".join([quoted, *(self.quote_name(field.column) for field in fields)]),
        )

    def _delete_unique_sql(
        self, model: type[Model], name: str, condition: str | None = None, expressions: Any = None, **rest: Any
    ) -> Statement | None:
        if condition or expressions:
            found: Statement | None = self._delete_constraint_sql(self.sql_delete_unique_generated, model, name)
        else:
            found = super()._delete_unique_sql(model, name, **rest)
        return found


class DatabaseWrapper(base.DatabaseWrapper):
    """The connection."""

    SchemaEditorClass = DatabaseSchemaEditor
    ops_class = DatabaseOperations
    operators = base.DatabaseWrapper.operators | {
        "iexact": "= LOWER(%s)",
        "icontains": "LIKE LOWER(%s)",
        "istartswith": "LIKE LOWER(%s)",
        "iendswith": "LIKE LOWER(%s)",
    }
    pattern_ops = base.DatabaseWrapper.pattern_ops | {
        "icontains": "LIKE CONCAT('%%', LOWER({}), '%%')",
        "istartswith": "LIKE CONCAT(LOWER({}), '%%')",
        "iendswith": "LIKE CONCAT('%%', LOWER({}))",
    }
