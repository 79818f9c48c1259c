"""Make exams, problems, policies and candidates from a file."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import CommandError

from accounts.commands import DatabaseCommand
from exams.seeding import SeedError, seed_exams

DEFAULT_FILE = Path(__file__).resolve().parents[2] / "demo_exams.yaml"


class Command(DatabaseCommand):
    """See ``help``."""

    help = "Make exams, problems, policies and candidates from a YAML file; running it again doubles nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument(
            "--file", type=Path, default=DEFAULT_FILE, help="the file (default: the demonstration exam)"
        )
        parser.add_argument("--json", action="store_true", help="print what was made as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, seed, report."""
        try:
            document = yaml.safe_load(options["file"].read_text(encoding="utf-8"))
            made = seed_exams(document)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file']} cannot be read: {getattr(error, 'strerror', error)}.") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark else ""
            raise CommandError(f"{options['file']} is not valid YAML{where}.") from error
        except SeedError as error:
            raise CommandError(f"{options['file']}: {error}") from error
        except ValueError as error:  # a time that YAML tried to read, such as the 30th of February
            raise CommandError(f"{options['file']} holds a value that cannot be read: {error}.") from error
        if options["json"]:
            self.stdout.write(json.dumps(made))
        else:
            told = ", ".join(f"{count} {name}" for name, count in made.items() if count)
            self.stdout.write(f"Made {told}." if told else "Everything was there already.")
