"""Write ``.env`` once, with secrets made on this machine: ``python -m proctoring.dotenv``.

Needs nothing but Python, because the settings cannot be read before it has run.
"""

import base64
import os
import secrets
import sys
import tempfile
from pathlib import Path

TEXT = """\
# Made once by `make run` for this machine; the README's table lists every setting. Keep it to yourself.
SECRET_KEY={secret_key}
# Encrypts what is kept of faces; without it, or with another one, everybody must enrol again.
FACE_KEY={face_key}
# Right for a laptop, wrong for a server that others reach: there, set DEBUG=0 and ALLOWED_HOSTS.
DEBUG=1
"""


def write_env(path: Path) -> bool:
    """Write the file, readable by its owner only, unless there is one; returns whether it was written.

    It appears whole or not at all, since one that was half written would never be written again.
    """
    if path.exists():
        return False
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".env-")  # for the owner only
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        face_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        file.write(TEXT.format(secret_key=secrets.token_urlsafe(50), face_key=face_key))
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    finally:
        Path(aside).unlink()
    return True


if __name__ == "__main__":
    if write_env(Path(__file__).resolve().parent.parent / ".env"):
        sys.stdout.write("Wrote new secrets to .env\n")
