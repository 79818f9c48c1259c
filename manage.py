#!/usr/bin/env python
"""Run the project's commands: ``manage.py help`` lists them."""

import os
import sys


def main() -> None:
    """Hand the command line to Django."""
    # Pictures of people and the database are for this user alone, also those of the server that `start` becomes; what
    # is put together for a proxy is not.
    if sys.argv[1:2] != ["collectstatic"]:
        os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
