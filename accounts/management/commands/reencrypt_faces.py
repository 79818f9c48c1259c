"""Encrypt enrolled faces under the current key."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.commands import DatabaseCommand
from accounts.face import seal_faces_again
from accounts.face_crypto import NoFaceKey


class Command(DatabaseCommand):
    """Encrypt every enrolled face under FACE_KEY, so that FACE_KEY_PREVIOUS can be emptied."""

    help = "Encrypt every enrolled face under FACE_KEY, so that FACE_KEY_PREVIOUS can be emptied."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sealed, unreadable = seal_faces_again()
        except NoFaceKey as error:
            raise CommandError("FACE_KEY is not set.") from error
        if options["json"]:
            self.stdout.write(json.dumps({"encrypted": sealed, "unreadable": unreadable}))
        else:
            self.stdout.write(f"{sealed} faces are encrypted under the current key.")
        if unreadable:
            raise CommandError(
                f"{unreadable} faces were encrypted under a key that is not in FACE_KEY_PREVIOUS: add it and run this "
                "again, or ask their owners to enrol again."
            )
