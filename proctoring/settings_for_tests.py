"""The settings for tests: a key of the moment, no ``.env``, files in a temporary folder, cheap password hashes."""

import atexit
import base64
import os
import secrets
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="proctoring-tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ.update(READ_DOT_ENV="0", DEBUG="0", VAR_DIR=_folder)
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
os.environ.setdefault("FACE_KEY", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())

from proctoring.settings import *  # noqa: E402, F403  the environment had to be there first

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
EMBEDDED_WORKER = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Static files are found when asked for; listing all of them takes each new test client a tenth of a second.
WHITENOISE_AUTOREFRESH = True
