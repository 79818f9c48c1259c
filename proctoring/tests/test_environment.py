"""Settings from the environment: what is accepted, what is refused and in which words."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from proctoring.environment import (
    MARIADB,
    POSTGRESQL,
    SQLITE,
    Environment,
    own_address,
    read_database_url,
    read_flag,
    read_list,
    read_number,
    read_origins,
    read_redis_url,
    read_secrets,
    secret_fault,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("scheme", "engine"),
    [
        ("postgres", POSTGRESQL),
        ("postgresql", POSTGRESQL),
        ("postgresql+psycopg2", POSTGRESQL),
        ("postgresql+asyncpg", POSTGRESQL),
        ("POSTGRES", POSTGRESQL),
        ("mysql", MARIADB),
        ("mariadb", MARIADB),
        ("mysql+mysqlconnector", MARIADB),
        ("mysql+pymysql", MARIADB),
    ],
)
def test_it_takes_the_address_of_a_database_as_every_library_writes_it(scheme, engine):
    found = read_database_url("DATABASE_URL", f"{scheme}://user:password@db.example.org:5544/Proctoring_AI")
    assert found == {
        "ENGINE": engine,
        "NAME": "Proctoring_AI",
        "USER": "user",
        "PASSWORD": "password",
        "HOST": "db.example.org",
        "PORT": "5544",
        "OPTIONS": {},
    }


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("p%40ss%2Fword", "p@ss/word"),
        ("p@ss/wo#rd?x=1:&%", "p@ss/wo#rd?x=1:&%"),
        ("a+b c", "a+b c"),
        ("$ecret$", "$ecret$"),
        ("пароль", "пароль"),
        ("", ""),
    ],
)
def test_it_keeps_special_characters_of_a_password(written, password):
    found = read_database_url("DATABASE_URL", f"postgres://me:{written}@localhost/db?application_name=me@work")
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["NAME"]) == ("me", password, "localhost", "db")
    assert found["OPTIONS"] == {"application_name": "me@work"}


def test_it_takes_addresses_without_user_with_a_socket_and_with_ipv6():
    assert read_database_url("X", "postgresql://localhost/proctoring_db")["USER"] == ""
    assert read_database_url("X", "postgres:///db")["HOST"] == ""
    assert read_database_url("X", "postgres://me@%2Fvar%2Frun/db")["HOST"] == "/var/run"
    assert read_database_url("X", "postgres://me@[::1]:5433/db")["HOST"] == "::1"


def test_it_hands_options_on_and_knows_another_librarys_word_for_encryption():
    assert read_database_url("X", "postgres://h/d?sslmode=verify-full&connect_timeout=3")["OPTIONS"] == {
        "sslmode": "verify-full",
        "connect_timeout": 3,
    }
    assert read_database_url("X", "postgresql+asyncpg://h/d?ssl=true")["OPTIONS"] == {"sslmode": "require"}
    assert read_database_url("X", "mysql://h/d?ssl_ca=/ca.pem")["OPTIONS"] == {"ssl_ca": "/ca.pem"}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///app.db", "app.db"),
        ("sqlite:////srv/a%20b/app.db", "/srv/a b/app.db"),
        ("sqlite+aiosqlite:///app.db", "app.db"),
        ("sqlite://", ":memory:"),
        ("sqlite://:memory:", ":memory:"),
    ],
)
def test_it_counts_the_slashes_of_sqlite(url, name):
    assert read_database_url("DATABASE_URL", url) == {"ENGINE": SQLITE, "NAME": name}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("oracle://me:hunter2@host/db", "must begin with postgres://"),
        ("me:hunter2@host/db", "must begin with postgres://"),
        ("postgres//me:hunter2@host/db", "must begin with postgres://"),
        ("postgres://me:hunter2@host", "must look like postgres://user:password@host:port/database"),
        ("postgres://me:hunter2@host/", "must look like"),
        ("mysql://me:hunter2@host:port/db", "must look like mysql://user"),
        ("sqlite://hunter2.db", "needs three slashes"),
    ],
)
def test_it_refuses_an_address_that_names_no_database_without_repeating_it(url, said):
    with pytest.raises(ImproperlyConfigured, match=said) as refusal:
        read_database_url("DATABASE_URL", url)
    assert "hunter2" not in str(refusal.value)
    assert str(refusal.value).startswith("DATABASE_URL ")


def test_it_takes_origins_as_browsers_send_them():
    written = ["https://Exams.example.org/", "http://localhost:3000", "https://a.example:443", "http://[::1]:8080"]
    assert read_origins("ALLOWED_ORIGINS", [*written, "http://localhost:3000"]) == [
        "https://exams.example.org",
        "http://localhost:3000",
        "https://a.example",
        "http://[::1]:8080",
    ]


@pytest.mark.parametrize(
    "origin",
    [
        "localhost:3000",
        "exams.example.org",
        "//exams.example.org",
        "ftp://exams.example.org",
        "https://",
        "https://exams.example.org/page",
        "https://exams.example.org?x=1",
        "https://me@exams.example.org",
        "https://exams.example.org:port",
        "https://exams example.org",
        "null",
    ],
)
def test_it_refuses_what_is_no_origin(origin):
    with pytest.raises(ImproperlyConfigured, match="ALLOWED_ORIGINS must hold origins such as"):
        read_origins("ALLOWED_ORIGINS", [origin])


@pytest.mark.parametrize("origin", ["*", "https://*", "https://*.example.org"])
def test_it_refuses_to_allow_every_origin(origin):
    with pytest.raises(ImproperlyConfigured, match="ALLOWED_ORIGINS must name every origin"):
        read_origins("ALLOWED_ORIGINS", [origin])


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("exams.local", "http://exams.local:8000"),
        ("0.0.0.0", "http://localhost:8000"),
        ("::", "http://localhost:8000"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_it_knows_where_a_browser_finds_this_server(host, address):
    assert own_address(host, 8000) == address


def test_it_reads_lists_with_commas_or_as_json():
    assert read_list("X", "a, b,,c ") == ["a", "b", "c"]
    assert read_list("X", '["a", " b "]') == ["a", "b"]
    assert read_list("X", "[]") == []


@pytest.mark.parametrize("text", ["[a, b]", "[1]", "[", '["a"'])
def test_it_refuses_a_list_that_is_neither(text):
    with pytest.raises(ImproperlyConfigured, match="X must be separated by commas or be a JSON list"):
        read_list("X", text)


@pytest.mark.parametrize("text", ["ture", "2", "-", "enabled"])
def test_it_refuses_a_slip_where_yes_or_no_is_meant(text):
    with pytest.raises(ImproperlyConfigured, match="SECURE must be 1 or 0"):
        read_flag("SECURE", text)
    assert read_flag("SECURE", "True")
    assert not read_flag("SECURE", "off")


@pytest.mark.parametrize("text", ["0", "65536", "-1", "8e3", "80.0", "port", "1" * 5000, "٣"])
def test_it_refuses_what_is_no_port(text):
    with pytest.raises(ImproperlyConfigured, match="PORT must be a whole number from 1 to 65535"):
        read_number("PORT", text, least=1, most=65535)


def test_it_refuses_what_is_no_redis_without_repeating_it():
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL must look like redis://") as refusal:
        read_redis_url("REDIS_URL", "http://:hunter2@host")
    assert "hunter2" not in str(refusal.value)
    assert read_redis_url("REDIS_URL", "") == ""
    assert read_redis_url("REDIS_URL", "rediss://:pw@host:6379/1") == "rediss://:pw@host:6379/1"


def test_it_counts_an_empty_variable_as_not_set_and_takes_a_dollar_as_it_is(monkeypatch):
    env = Environment()
    for name in ("PORT", "DEBUG", "ALLOWED_HOSTS"):
        monkeypatch.setitem(env.ENVIRON, name, "")
    assert (env.number("PORT", default=8000), env.flag("DEBUG", default=True)) == (8000, True)
    assert env.texts("ALLOWED_HOSTS", default=["here"]) == ["here"]
    monkeypatch.setitem(env.ENVIRON, "SECRET_KEY", "$PATH-and-more")
    assert env.text("SECRET_KEY") == "$PATH-and-more"


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("", "is missing or shorter"),
        ("CHANGE_THIS_IN_PROD", "is missing or shorter"),
        ("secret", "is missing or shorter"),
        ("x7Qm2LrT9vKc4WzB8nYd3HfG6sJ", "is missing or shorter"),
        ("k" * 50, "repeats the same few characters"),
        ("abcabcab" * 6, "repeats the same few characters"),
        ("0123456789" * 5, "repeats the same few characters"),
        ("abcdefghijklmnopqrstuvwxyz0123456789", "is a run of characters in order"),
        ("aaaabbbbccccddddeeeeffffgggghhhhiiii", "is a run of characters in order"),
        ("CHANGE_THIS_IN_PROD-CHANGE_THIS_IN_PROD!", "is an example that others know"),
        ("your-secret-key-here-please-change-in-production", "is an example that others know"),
        ("django-insecure-secret-key-change-me-please", "is an example that others know"),
        ("changeme-changeme-password-secret-x1", "is an example that others know"),
        ("Change this super secret key in production!", "is an example that others know"),
    ],
)
def test_it_knows_a_secret_that_is_none(secret, fault):
    assert secret_fault(secret).startswith(fault)


def test_it_takes_every_secret_made_at_random():
    for _ in range(2000):
        for secret in (secrets.token_urlsafe(24), secrets.token_hex(16), secrets.token_urlsafe(50)):
            assert secret_fault(secret) == ""
    assert secret_fault("jwt-secret-" + secrets.token_hex(16)) == ""


def test_it_makes_the_missing_secret_from_the_other_one_but_not_the_same():
    given = secrets.token_urlsafe(50)
    site, tokens = read_secrets("", given)
    assert tokens == given != site
    assert read_secrets("", given) == (site, tokens)
    assert secret_fault(site) == ""
    site, tokens = read_secrets(given, "")
    assert site == given != tokens
    other = secrets.token_urlsafe(50)
    assert read_secrets(given, other) == (given, other)


def test_it_names_the_secret_that_is_weak():
    good = secrets.token_urlsafe(50)
    for key, jwt, name in (("", "", "SECRET_KEY"), ("weak", good, "SECRET_KEY"), (good, "weak", "JWT_SECRET")):
        with pytest.raises(ImproperlyConfigured, match=rf"^{name} is missing or shorter than 32 characters"):
            read_secrets(key, jwt)
    with pytest.raises(ImproperlyConfigured, match=r"^JWT_SECRET is missing or shorter"):
        read_secrets("", "weak")


# --- the start itself -------------------------------------------------------------------------------------------------
def check(tmp_path, **variables):
    """Run ``manage.py check`` with these variables and no others of ours."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ |= {"READ_DOT_ENV": "0", "VAR_DIR": str(tmp_path), **variables}
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_starts_with_what_a_deployment_of_proctorbe_sets(tmp_path):
    url = "postgres://me:pw@db.example.org/proctoring"
    done = check(tmp_path, DATABASE_URL=url, JWT_SECRET=secrets.token_urlsafe(50))
    assert done.returncode == 0, done.stderr


def test_it_starts_with_what_a_deployment_of_the_exam_proctoring_backend_sets(tmp_path):
    done = check(
        tmp_path,
        DATABASE_URL="mysql+mysqlconnector://user:password@localhost/Proctoring_AI",
        SECRET_KEY=secrets.token_urlsafe(50),
        REDIS_URL="redis://localhost:6379/0",
        ALLOWED_ORIGINS='["http://localhost:3000", "https://exams.example.org"]',
        PORT="9000",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("debug", ["0", "1"])
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "SECRET_KEY is missing or shorter than 32 characters"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is missing or shorter than 32 characters"),
        ({"JWT_SECRET": "CHANGE_THIS_IN_PROD"}, "JWT_SECRET is missing or shorter than 32 characters"),
        ({"SECRET_KEY": "x" * 40}, "SECRET_KEY repeats the same few characters"),
        ({"SECRET_KEY": "s3cr3t-t0p-hunter2-x8Yq0Zw71LmR-oPvB", "PORT": "web"}, "PORT must be a whole number"),
        ({"SECRET_KEY": "s3cr3t-t0p-hunter2-x8Yq0Zw71LmR-oPvB", "SITE_URL": "here"}, "SITE_URL must hold origins"),
    ],
)
def test_it_does_not_start_without_real_secrets_or_with_nonsense(tmp_path, debug, variables, said):
    done = check(tmp_path, DEBUG=debug, **variables)
    assert done.returncode != 0
    assert said in done.stderr.strip().splitlines()[-1]
    assert "hunter2" not in done.stderr


def test_it_does_not_show_the_password_of_a_database_it_does_not_know(tmp_path):
    done = check(tmp_path, SECRET_KEY=secrets.token_urlsafe(50), DATABASE_URL="oracle://me:hunter2@host/db")
    assert done.returncode != 0
    assert "DATABASE_URL must begin with" in done.stderr
    assert "hunter2" not in done.stderr
