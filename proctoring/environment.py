"""What the environment says, read into settings; whatever cannot be used is refused in one sentence without secrets."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

POSTGRESQL = "django.db.backends.postgresql"
MARIADB = "proctoring.mysql"
SQLITE = "django.db.backends.sqlite3"
ENGINES = {
    "postgres": POSTGRESQL,
    "postgresql": POSTGRESQL,
    "mysql": MARIADB,
    "mariadb": MARIADB,
    "sqlite": SQLITE,
}
# As SQLAlchemy writes it, with a driver's name after a plus, which is of no importance here.
DATABASE_SCHEME = re.compile(r"(?P<dialect>[a-z0-9]+)(\+[a-z0-9_]+)?://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
# Taken from the right, so that a password may hold characters that should have been escaped.
DATABASE_SERVER = re.compile(
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>.*))?@)?"
    r"(?P<host>\[[^\]/]*\]|[^:@/?#]*)(?::(?P<port>\d{1,5}))?"
    r"/(?P<name>[^@/?#]+)(?:\?(?P<query>.*))?",
    re.DOTALL,
)

YES = frozenset({"1", "true", "yes", "on", "y", "ok"})
NO = frozenset({"", "0", "false", "no", "off", "n"})

SECRET_LENGTH = 32
SECRET_CHARACTERS = 8
SECRET_BEYOND_WORDS = 16
# What examples and tutorials write where a secret should stand.
SECRET_WORDS = re.compile(
    "changethis|changeme|change|replacethis|replaceme|inprod(uction)?|production|insecure|default|example|"
    "supersecret|secret|password|yoursecretkey|django|proctoring|please|jwt|your|here|test|key"
)


class Environment(environ.Env):  # type: ignore[misc]  # it ships no types
    """Reads variables strictly: an empty one counts as not set, and a wrong one stops the start in words."""

    def text(self, name: str, default: str = "") -> str:
        """Return the variable as it stands; a leading ``$`` is a character like any other."""
        return str(self.ENVIRON.get(name, "")).strip() or default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return yes or no."""
        text = self.text(name).lower()
        return default if not text else read_flag(name, text)

    def number(self, name: str, *, default: int, least: int = 1, most: int = 2**31 - 1) -> int:
        """Return a whole number within the limits."""
        text = self.text(name)
        return default if not text else read_number(name, text, least=least, most=most)

    def texts(self, name: str, *, default: list[str] | None = None) -> list[str]:
        """Return a list, written with commas or as JSON."""
        text = self.text(name)
        return list(default or []) if not text else read_list(name, text)


def read_flag(name: str, text: str) -> bool:
    """Return yes or no; anything but the usual words is refused, since a slip may switch a protection off."""
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0.")


def read_number(name: str, text: str, *, least: int, most: int) -> int:
    """Return a whole number within the limits."""
    if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def read_list(name: str, text: str) -> list[str]:
    """Return the items of ``a,b`` or ``["a", "b"]``."""
    if not text.startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    try:
        items = json.loads(text)
    except ValueError:
        items = None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ImproperlyConfigured(f'{name} must be separated by commas or be a JSON list such as ["a", "b"].')
    return [item.strip() for item in items if item.strip()]


def read_origins(name: str, items: list[str]) -> list[str]:
    """Return origins as browsers send them: scheme, host and a port that is not the usual one."""
    return list(dict.fromkeys(_origin(name, item) for item in items))


def _origin(name: str, text: str) -> str:
    if "*" in text:
        raise ImproperlyConfigured(
            f"{name} must name every origin: * would let any page on the web speak for whoever is signed in."
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc) if host else False
    if not plain or parts.scheme not in ("http", "https") or not re.fullmatch(r"[\w.:-]+", host):
        raise ImproperlyConfigured(f"{name} must hold origins such as https://exams.example.org, without a path.")
    shown = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, usual) else "")


def own_address(host: str, port: int) -> str:
    """Return how a browser on this machine reaches the server that listens there."""
    shown = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"http://{shown}:{port}"


def read_redis_url(name: str, text: str) -> str:
    """Return the address of a Redis server; empty stays empty."""
    if text and not re.match(r"(rediss?|unix)://.", text):
        raise ImproperlyConfigured(f"{name} must look like redis://host:6379/0.")
    return text


def read_frame_store(name: str, text: str, redis_url: str) -> str:
    """Return ``spool`` or ``redis``: what is asked for, else Redis where there is one."""
    found = text.strip().lower() or ("redis" if redis_url else "spool")
    if found not in ("spool", "redis"):
        raise ImproperlyConfigured(f"{name} must be spool or redis, not {text!r}.")
    if found == "redis" and not redis_url:
        raise ImproperlyConfigured(f"{name} is redis, so REDIS_URL must say where it is.")
    return found


def read_database_url(name: str, url: str) -> dict[str, Any]:
    """Return Django's settings of the database that the address names, whichever library the address was written for.

    Special characters in a password may stand as they are or percent-encoded.
    """
    found = DATABASE_SCHEME.fullmatch(url)
    engine = ENGINES.get(found["dialect"].lower()) if found else None
    if found is None or engine is None:
        raise ImproperlyConfigured(
            f"{name} must begin with postgres://, postgresql://, mysql://, mariadb:// or sqlite:///."
        )
    if engine == SQLITE:
        return _sqlite(name, found["rest"])
    parts = DATABASE_SERVER.fullmatch(found["rest"])
    if parts is None:
        raise ImproperlyConfigured(f"{name} must look like {found['dialect']}://user:password@host:port/database.")
    return {
        "ENGINE": engine,
        "NAME": unquote(parts["name"]),
        "USER": unquote(parts["user"] or ""),
        "PASSWORD": unquote(parts["password"] or ""),
        "HOST": unquote(parts["host"].strip("[]")),
        "PORT": parts["port"] or "",
        "OPTIONS": _options(engine, parts["query"] or ""),
    }


def _sqlite(name: str, rest: str) -> dict[str, Any]:
    path = unquote(rest.partition("?")[0])
    if path in ("", "/", ":memory:", "/:memory:"):
        return {"ENGINE": SQLITE, "NAME": ":memory:"}
    if not path.startswith("/"):
        raise ImproperlyConfigured(
            f"{name} needs three slashes before a relative path and four before an absolute one."
        )
    return {"ENGINE": SQLITE, "NAME": path[1:]}


def _options(engine: str, query: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        key: int(value) if value.isdecimal() else value for key, value in parse_qsl(query, keep_blank_values=True)
    }
    if engine == POSTGRESQL and "ssl" in options:  # asyncpg's word
        options["sslmode"] = {"true": "require", 1: "require"}.get(options["ssl"], options["ssl"])
        del options["ssl"]
    return options


def secret_fault(secret: str) -> str:
    """Say why this is no secret, in words that go after its name; empty for one that will do."""
    if len(secret) < SECRET_LENGTH:
        return f"is missing or shorter than {SECRET_LENGTH} characters"
    once = secret[: (secret + secret).find(secret, 1)]  # the part that is repeated
    if len(set(secret)) < SECRET_CHARACTERS or len(once) < SECRET_BEYOND_WORDS:
        return "repeats the same few characters"
    steps = [ord(after) - ord(before) for before, after in pairwise(secret)]
    if sum(step in (-1, 0, 1) for step in steps) > len(steps) * 3 / 4:
        return "is a run of characters in order"
    rest = SECRET_WORDS.sub("", re.sub(r"[^a-z0-9]", "", secret.lower()))
    if len(rest) < SECRET_BEYOND_WORDS or len(set(rest)) < SECRET_CHARACTERS:
        return "is an example that others know"
    return ""


def read_secrets(secret_key: str, jwt_secret: str) -> tuple[str, str]:
    """Return the key of the site and the key that signs tokens; each is made from the other one where it is missing.

    What is made cannot be turned back, so that a service which may check tokens cannot also forge admin sessions.
    """
    given = {name: secret for name, secret in (("SECRET_KEY", secret_key), ("JWT_SECRET", jwt_secret)) if secret}
    for name, secret in (given or {"SECRET_KEY": ""}).items():
        fault = secret_fault(secret)
        if fault:
            raise ImproperlyConfigured(
                f"{name} {fault}: run `make run` once, which writes one to .env, or set it to a long random text."
            )
    return (
        secret_key or _derived(jwt_secret, "the key of the site"),
        jwt_secret or _derived(secret_key, "the key that signs tokens"),
    )


def _derived(secret: str, purpose: str) -> str:
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()
