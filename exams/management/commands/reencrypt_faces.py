"""Encrypt what is kept of faces under the current key."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.commands import DatabaseCommand
from accounts.face import seal_faces_again
from accounts.face_crypto import NoFaceKey
from exams.start_pictures import seal_start_pictures_again


class Command(DatabaseCommand):
    """Encrypt every enrolled face and every picture of a system check under FACE_KEY."""

    help = "Encrypt what is kept of faces under FACE_KEY, so that FACE_KEY_PREVIOUS can be emptied."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sealed, unreadable = seal_faces_again()
            pictures, unreadable_pictures = seal_start_pictures_again()
        except NoFaceKey as error:
            raise CommandError("FACE_KEY is not set.") from error
        if options["json"]:
            told = {"encrypted": sealed, "unreadable": unreadable}
            told |= {"pictures_encrypted": pictures, "pictures_unreadable": unreadable_pictures}
            self.stdout.write(json.dumps(told))
        else:
            self.stdout.write(
                f"{sealed} faces and {pictures} pictures of system checks are encrypted under the current key."
            )
        if unreadable:
            raise CommandError(
                f"{unreadable} faces were encrypted under a key that is not in FACE_KEY_PREVIOUS: add it and run this "
                "again, or ask their owners to enrol again."
            )
        if unreadable_pictures:
            raise CommandError(
                f"{unreadable_pictures} pictures of system checks were encrypted under a key that is not in "
                "FACE_KEY_PREVIOUS: add it and run this again, or let them go with their sessions."
            )
