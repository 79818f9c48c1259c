"""What the deployment check says about settings that are unfit for production."""

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

from proctoring.checks import logs_and_figures, production_services

ROOT = Path(__file__).resolve().parents[2]


def ids():
    return {message.id for message in production_services(None)}


def test_it_complains_about_the_shape_that_needs_no_services(settings):
    settings.DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
    settings.CELERY_BROKER_URL = "memory://localhost"
    settings.CORS_ALLOWED_ORIGINS = ["http://exams.example.org", "https://desk.example.org"]
    assert ids() == {"proctoring.W001", "proctoring.W002", "proctoring.W005"}
    assert "desk" not in str(production_services(None))


def test_it_is_content_with_a_full_installation(settings):
    settings.DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql"}}
    settings.CELERY_BROKER_URL = "redis://redis.example.org"
    settings.CORS_ALLOWED_ORIGINS = ["https://desk.example.org"]
    assert ids() == set()


def test_it_complains_about_logs_that_tell_too_much_and_says_who_reads_no_figures(settings):
    settings.LOG_LEVEL, settings.METRICS_TOKEN, settings.TRUSTED_PROXIES = "DEBUG", "", 1
    assert [message.id for message in logs_and_figures(None)] == ["proctoring.W008", "proctoring.I001"]
    settings.LOG_LEVEL, settings.METRICS_TOKEN = "INFO", "a token"
    assert logs_and_figures(None) == []


def test_it_finds_nothing_wrong_with_a_full_installation_as_a_whole(tmp_path):
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "PROCTORING_MODELS") if name in os.environ} | {
        "READ_DOT_ENV": "0",
        "VAR_DIR": str(tmp_path),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FACE_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "SECURE": "1",
        "ALLOWED_HOSTS": "example.org",
        "CSRF_TRUSTED_ORIGINS": "https://example.org",
        "ALLOWED_ORIGINS": "https://desk.example.org",
        "DATABASE_URL": "postgres://proctoring@database.example.org/proctoring",
        "REDIS_URL": "redis://redis.example.org",
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
