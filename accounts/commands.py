"""What the project's commands share."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor


class DatabaseCommand(BaseCommand):
    """A command that needs an up-to-date database, and says so in a sentence where there is none."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command unless migrations are missing."""
        try:
            executor = MigrationExecutor(connection)
            missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used: {str(error).strip().splitlines()[0]}") from error
        if missing:
            raise CommandError("The database is not up to date; run `manage.py migrate` first.")
        return super().execute(*args, **options)
