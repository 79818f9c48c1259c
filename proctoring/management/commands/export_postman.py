"""Write the Postman collection from the OpenAPI description."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from proctoring import postman
from proctoring.postman_story import CHAPTERS, SOCKETS, VARIABLES


class Command(BaseCommand):
    """See ``help``."""

    help = "Write docs/postman_collection.json: every call with an example, in an order that works."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("--output", type=Path, default=postman.COLLECTION, help="another file")
        parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not up to date")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write or check."""
        try:
            text = postman.to_text(postman.build_collection(CHAPTERS, VARIABLES, SOCKETS))
        except LookupError as error:
            raise CommandError(f"proctoring/postman_story.py does not tell the interface: {error}") from error
        path: Path = options["output"]
        if options["check"]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                raise CommandError(f"{path.name} is not up to date; run `manage.py export_postman`.")
            self.stdout.write(f"{path.name} is up to date.")
            return
        path.write_text(text, encoding="utf-8")
        self.stdout.write(f"Wrote {path}")
