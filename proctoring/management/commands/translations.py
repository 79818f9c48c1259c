"""Bring the Bangla catalogue up to the code; ``make messages`` calls it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """See ``help``."""

    help = "Collect every message into the Bangla catalogue, keep what is translated, and compile it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("--check", action="store_true", help="change nothing; fail if anything is missing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Update or check."""
        try:
            from proctoring import translations
        except ImportError as error:
            raise CommandError("Babel is missing; `make check` installs it with the other tools.") from error
        if not options["check"]:
            translations.update_catalogue()
        problems = translations.find_problems()
        for problem in problems:
            self.stdout.write(problem)
        if problems and options["check"]:
            raise CommandError(f"{len(problems)} messages need attention.")
        self.stdout.write(f"{len(translations.find_messages())} messages, {len(problems)} to mend.")
